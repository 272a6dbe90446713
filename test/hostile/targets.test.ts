import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatTarget, parseRoute } from '../../src/distribution/route.ts';
import { type Backend, startBackend } from './support/backend.ts';
import { converse } from './support/client.ts';
import { type TestGateway, basic, startTestGateway } from './support/gateway.ts';

let backend: Backend;
let gateway: TestGateway;

beforeAll(async () => {
  backend = await startBackend();
  gateway = await startTestGateway(backend.url);
});

afterAll(async () => {
  await gateway.close();
  await backend.close();
});

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

/** What may arrive: the target rebuilt from the parsed route of a repository below mine/, or nothing. */
function expected(method: string, target: string): string | undefined {
  const parsed = parseRoute(method, target);
  if (!('route' in parsed)) return undefined;
  const { route } = parsed;
  if (!('repository' in route) || !route.repository.startsWith('mine/')) return undefined;
  const isForeignMount = route.kind === 'upload-start' && route.mount?.from.startsWith('mine/') === false;
  return formatTarget(isForeignMount ? { kind: 'upload-start', repository: route.repository } : route);
}

test('whatever is done to a target, what arrives is what was judged, and only below mine/', async () => {
  let arrived = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...good), fc.array(edit, { maxLength: 3 }), async ([method, target], edits) => {
      const mutated = mutate(target, edits);
      const before = backend.requests().length;
      const body = method.startsWith('P') ? 'Content-Length: 0\r\n' : '';
      const [reply] = await converse(
        gateway.port,
        `${method} ${mutated} HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\nAuthorization: Basic ${basic}\r\n${body}\r\n`,
      );
      const lines = backend
        .requests()
        .slice(before)
        .map(({ line }) => line);
      const wanted = expected(method, mutated);
      // Node itself refuses some of the bytes that no target may hold.
      const isPlain = /^[\x21-\x7e]+$/.test(mutated);
      if (isPlain || lines.length > 0) {
        expect(lines).toEqual(wanted === undefined ? [] : [`${method} ${wanted} HTTP/1.1`]);
      }
      // Without the parser's help: a clean path below mine/, and no mount from elsewhere.
      for (const line of lines) {
        expect(line).toMatch(/^[A-Z]+ \/v2\/mine(?:\/[a-zA-Z0-9._:=-]+)+\/?(?:\?[^ #;\\]*)? HTTP\/1\.1$/);
        expect(line).not.toMatch(/\/\.{1,2}(?:\/|\?| )|[?&]from=(?!mine%2F)/);
      }
      expect(reply?.status).toBeLessThan(500);
      expect((reply?.status ?? 0) < 300 || lines.length === 0).toBe(true);
      arrived += lines.length;
    }),
    { numRuns: 1200 },
  );
  expect(arrived, 'the test sends targets that arrive as well').toBeGreaterThan(50);
  expect(gateway.errors).toEqual([]);
});
