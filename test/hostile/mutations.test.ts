import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { createArrivals } from './support/arrivals.ts';
import { type RawRegistry, startRawRegistry } from '../support/stand-in.ts';
import { converse } from './support/client.ts';
import { type TestGateway, basic, policy, startTestGateway } from '../support/gateway.ts';
import { type RawMessage, permitted, readQuery } from './support/reference-model.ts';
import { sized } from '../support/size.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const good = [
  ['GET', '/v2/mine/app/manifests/v1'],
  ['HEAD', '/v2/mine/a/b/c/manifests/v1'],
  ['DELETE', `/v2/mine/app/manifests/${digest}`],
  ['GET', `/v2/mine/app/blobs/${digest}`],
  ['GET', '/v2/mine/app/tags/list?n=10&last=v1'],
  ['GET', `/v2/mine/app/referrers/${digest}?artifactType=a%2Fb`],
  ['POST', '/v2/mine/app/blobs/uploads/'],
  ['POST', `/v2/mine/app/blobs/uploads/?mount=${digest}&from=mine/other`],
  ['POST', `/v2/mine/app/blobs/uploads/?mount=${digest}&from=secret/app`],
  ['PATCH', '/v2/mine/app/blobs/uploads/0d0e0f?_state=abc%3D'],
  ['PUT', `/v2/mine/app/blobs/uploads/0d0e0f?_state=abc&digest=${digest}`],
  ['PUT', '/v2/mine/app/manifests/v1'],
  ['PUT', `/v2/mine/app/manifests/${digest}?tag=v1&tag=v2`],
  ['POST', `/v2/mine/app/blobs/uploads/?digest=${digest}`],
  ['GET', '/v2/secret/app/manifests/v1'],
  ['GET', '/v2/_catalog'],
] as const;

/** What differs between parsers, and what reaches other repositories. */
const scraps = [
  ...[
    '/',
    '//',
    '/./',
    '/../',
    '..',
    '%2e%2e',
    '%2f',
    '%2F',
    '%5c',
    '\\',
    '%00',
    '%',
    '%zz',
    '%25',
    ';',
    '#',
    '?',
    '&',
    '=',
  ],
  ...[
    '+',
    ' ',
    '\t',
    '~',
    '@',
    ':',
    '%3A',
    '%3a',
    '*',
    '"',
    '<',
    '|',
    '\x7f',
    '\x80',
    '\xff',
    'secret',
    'mine',
    'SECRET',
  ],
  ...[
    'v2',
    '_catalog',
    'tags/list',
    'manifests/',
    'blobs/',
    'uploads/',
    'from=secret/app',
    '%66rom=secret/app',
    'mount=',
  ],
  ...[digest, '__proto__', 'constructor', '.', '-', '_', '__', '0'],
];

/** Header lines that go along, come twice, or stand for one of the request's own. `{own}` is the good authorization. */
const headerScraps = [
  ...['Content-Length: 0', 'Content-Length: 5', 'content-length: 05', 'Content-Length: +5', 'Content-Length: 5, 5'],
  ...['Content-Length : 5', 'Content-Length: -1', 'Content-Length: 0x5', 'CONTENT-LENGTH: 0'],
  ...['Transfer-Encoding: chunked', 'transfer-encoding: CHUNKED', 'Transfer-Encoding: gzip, chunked'],
  ...['Transfer-Encoding: identity', 'Transfer-Encoding : chunked', 'Transfer-Encoding: xchunked'],
  ...['Expect: 100-continue', 'Expect: 100-Continue', 'Expect: 200-ok', 'Trailer: X', 'TE: trailers'],
  ...[
    'Connection: close',
    'Connection: keep-alive',
    'Connection: authorization',
    'Connection: host, x',
    'Keep-Alive: 1',
  ],
  ...['Upgrade: h2c', 'Upgrade: websocket', 'Connection: upgrade'],
  ...['Content-Type: application/octet-stream', 'Content-Type: application/x-www-form-urlencoded'],
  ...[
    'Content-Type: multipart/form-data; boundary=b',
    'Content-Type:',
    'content-type: APPLICATION/X-WWW-FORM-URLENCODED',
  ],
  ...['Content-Range: 0-4', 'Range: bytes=0-1', 'Host: evil.test', 'host: r', 'Host:'],
  ...[
    'Authorization: {own}',
    'Authorization: Bearer x.y.z',
    'Authorization: Basic Og==',
    'authorization:',
    'AUTHORIZATION: x',
  ],
  ...['X-Forwarded-For: 127.0.0.1', 'X-Original-URL: /v2/secret/app', 'X_Forwarded_User: root', 'Forwarded: for=x'],
  ...['X-HTTP-Method-Override: DELETE', 'Cookie: a=b', 'Proxy-Authorization: x', '__proto__: x', 'X: \x80\xff'],
  ...['X: a\0b', 'X: a\x01b', 'X Y: z', 'no colon', ': empty', 'X:y', ' folded: x', 'X: a\rb', 'X\t: y'],
];

/** Instead of a line of the request's own, or beside them. */
const headerEdit = fc.record({ at: fc.nat(6), instead: fc.boolean(), line: fc.constantFrom('', ...headerScraps) });

const own = `Basic ${basic}`;

function mutateHeaders(
  method: string,
  edits: readonly { at: number; instead: boolean; line: string }[],
): readonly string[] {
  const lines = ['Host: r', `Authorization: ${own}`];
  if (method.startsWith('P')) lines.push('Content-Length: 0');
  for (const { at, instead, line } of edits) lines.splice(at, instead ? 1 : 0, line.replace('{own}', own));
  // Always named: the backend that writes everything down takes who is not for the gateway.
  return ['User-Agent: hostile', ...lines.filter((line) => line !== '')];
}

/** What the headers announce, as far as they announce anything. */
function bodyOf(headers: readonly string[]): string {
  if (headers.some((line) => /^transfer-encoding:.*chunked$/i.test(line))) return '5\r\nlayer\r\n0\r\n\r\n';
  return headers.some((line) => /^content-length: 0?5$/i.test(line)) ? 'layer' : '';
}

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: string;
}

const edit = fc.record({
  at: fc.nat(120),
  remove: fc.nat(6),
  insert: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...scraps) },
    fc.string({ unit: 'binary-ascii', maxLength: 3 }),
  ),
});

/** Without what ends the request line; those bytes have tests of their own. */
function mutate(target: string, edits: readonly Edit[]): string {
  let text = target;
  for (const { at, remove, insert } of edits) {
    const where = Math.min(at, text.length);
    text = text.slice(0, where) + insert + text.slice(where + remove);
  }
  return text.replace(/[\r\n ]/g, '') || '/';
}

interface World {
  readonly port: number;
  /** Request lines that arrived at the registry since the last call. */
  readonly arrived: () => Promise<readonly string[]>;
}

const message = fc
  .record({
    request: fc.constantFrom(...good),
    edits: fc.array(edit, { maxLength: 3 }),
    // Most requests keep good headers, since a bad line hides what is done to the target.
    headerEdits: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(headerEdit, { maxLength: 3 })),
  })
  .map(({ request: [method, target], edits, headerEdits }): RawMessage => {
    return { method, target: mutate(target, edits), headers: mutateHeaders(method, headerEdits) };
  });

async function send(port: number, { method, target, headers }: RawMessage): Promise<number> {
  const head = [`${method} ${target} HTTP/1.1`, ...headers, '', ''].join('\r\n');
  const replies = await converse(port, head + bodyOf(headers));
  return replies.find(({ status }) => status >= 200)?.status ?? 0;
}

function check(sent: RawMessage, status: number, lines: readonly string[]): void {
  const wanted = permitted(sent, own);
  // Node itself refuses some of the bytes that no target may hold.
  const isPlain = /^[\x21-\x7e]+$/.test(sent.target);
  if (isPlain || lines.length > 0) expect(lines.length).toBe(wanted === undefined ? 0 : 1);
  for (const line of lines) {
    const [, method, path = '', query = ''] = /^([A-Z]+) ([^ ?]*)(?:\?([^ ]*))? HTTP\/1\.1$/.exec(line) ?? [];
    expect([method, path]).toEqual([sent.method, wanted?.path]);
    for (const [key, values] of readQuery(query, ['tag']) ?? []) {
      const given = wanted?.parameters.get(key) ?? [];
      for (const value of values)
        expect(key === 'n' ? given.map((n) => String(Math.min(+n, 1000))) : given).toContain(value);
    }
    // Without the help of any model: a clean path below mine/, and no mount from elsewhere.
    expect(line).toMatch(/^[A-Z]+ \/v2\/mine(?:\/[a-zA-Z0-9._:=-]+)+\/?(?:\?[^ #;\\]*)? HTTP\/1\.1$/);
    expect(line).not.toMatch(/\/\.{1,2}(?:\/|\?| )|[?&]from=(?!mine%2F)/);
  }
  expect(status).toBeGreaterThanOrEqual(200);
  expect(status).toBeLessThan(500);
}

async function mutationsAgree({ port, arrived }: World, numRuns: number): Promise<void> {
  let arrivals = 0;
  await fc.assert(
    fc.asyncProperty(message, async (sent) => {
      const status = await send(port, sent);
      const lines = await arrived();
      check(sent, status, lines);
      arrivals += lines.length;
    }),
    { numRuns },
  );
  expect(arrivals, 'the test sends requests that arrive as well').toBeGreaterThan(numRuns / 20);
}

describe('whatever is done to target, query and headers, what arrives is what a small model permits', () => {
  let backend: RawRegistry;
  let gateway: TestGateway;
  beforeAll(async () => {
    backend = await startRawRegistry();
    gateway = await startTestGateway(backend.url);
  });
  afterAll(async () => {
    await gateway.close();
    await backend.close();
  });

  test('at a backend that writes down every byte', async () => {
    let mark = 0;
    const arrived = (): Promise<readonly string[]> => {
      const lines = backend
        .requests()
        .slice(mark)
        .map(({ line }) => line);
      mark += lines.length;
      return Promise.resolve(lines);
    };
    await mutationsAgree({ port: gateway.port, arrived }, sized(1200, 400));
    expect(gateway.errors).toEqual([]);
  });
});

describeWithPrograms(['docker-registry'], 'the same, in front of a real registry', () => {
  let registry: RegistryProcess;
  let gateway: GatewayProcess;
  beforeAll(async () => {
    registry = await startRegistry();
    gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'policy.yaml': policy } });
  });
  afterAll(async () => {
    await gateway.stop();
    await registry.stop();
  });

  test('by the built program', async () => {
    const arrivals = createArrivals(registry);
    const arrived = async (): Promise<readonly string[]> => (await arrivals.sinceLast()).map(({ line }) => line);
    await mutationsAgree({ port: Number(new URL(gateway.url).port), arrived }, sized(600, 150));
    expect(gateway.logs().filter((record) => record['level'] === 'error')).toEqual([]);
    expect(gateway.stderr()).toBe('');
  });
});
