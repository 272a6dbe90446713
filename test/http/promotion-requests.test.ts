/** What is asked for, and by whom: everything that is refused before anything is written. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ContentWriter, type Stored, contentWriter, named, types } from '../support/content.ts';
import { withoutIds } from '../support/error-body.ts';
import { type MemoryRegistry, startMemoryRegistry } from '../support/memory-registry.ts';
import { Visitor } from '../support/visitor.ts';
import { type Front, credentials, passwordOf, startFront } from './support/front.ts';
import { ask, house, look } from './support/promotions.ts';

let registry: MemoryRegistry;
let front: Front;
let there: ContentWriter;
let image: Stored;
beforeAll(async () => {
  registry = await startMemoryRegistry();
  front = await startFront({ rules: house, upstream: registry.url });
  there = contentWriter(registry.url);
  image = await there.image('integration/app', '1.0');
  await there.image('secret/app', '1.0');
});
afterAll(async () => {
  await front.close();
  await registry.close();
});
afterEach(async () => {
  await front.setPolicy(house);
  registry.intercept = () => false;
  expect(front.errors).toEqual([]);
});

const wanted = { source: 'integration/app:1.0', target: 'release/app:v1' };
const writes = (): readonly string[] =>
  registry.requests.filter((line) => /^(?:POST|PUT|DELETE) \S*release/.test(line));
const dana = `Basic ${credentials('dana')}`;
const json = { 'content-type': 'application/json' };
const post = (init: RequestInit): Promise<Response> =>
  fetch(`${front.url}/api/v1/promotions`, {
    method: 'POST',
    ...init,
    headers: { authorization: dana, ...json, ...init.headers },
  });

describe('a body', () => {
  const invalid: readonly (readonly [string, unknown, string | RegExp])[] = [
    ['no JSON', 'hello', 'the body is no JSON'],
    ['empty', '', 'the request has no body'],
    ['a list', [], 'expected object'],
    ['null', 'null', 'expected object'],
    ['no source', { target: 'release/app:v1' }, 'source'],
    ['no target', { source: 'integration/app:1.0' }, 'target'],
    ['a misspelt key', { ...wanted, reson: 'x' }, 'there is no key "reson" — did you mean "reason"?'],
    ['a key of Object', '{"source":"a/b:1","target":"c/d:1","__proto__":{}}', /no key/],
    ['two sources', '{"source":"a/b:1","target":"c/d:1","sourc\\u0065":"e/f:1"}', 'twice'],
    ['text for true', { ...wanted, dryRun: 'yes' }, 'dryRun'],
    ['a number', { ...wanted, source: 7 }, 'source'],
    ['a long reason', { ...wanted, reason: 'x'.repeat(1001) }, 'reason'],
    ['a source without a tag', { ...wanted, source: 'integration/app' }, 'name a tag or a digest'],
    ['a source with a host and port', { ...wanted, source: 'localhost:5050/integration/app:1.0' }, 'without a host'],
    ['a source in capitals', { ...wanted, source: 'Integration/app:1.0' }, 'lower-case'],
    ['a path', { ...wanted, source: '../integration/app:1.0' }, 'source'],
    ['an escaped path', { ...wanted, target: 'release%2fapp:v1' }, 'target'],
    ['a short digest', { ...wanted, source: 'integration/app@sha256:abc' }, 'digest'],
    ['two digests', { ...wanted, source: `integration/app@${'sha256:'}${'0'.repeat(64)}@x` }, 'digest'],
    [
      'no tag for a digest',
      { source: `integration/app@sha256:${'0'.repeat(64)}`, target: 'release/app' },
      'name a tag',
    ],
    ['a target by digest', { ...wanted, target: `release/app@sha256:${'0'.repeat(64)}` }, 'target'],
    ['a wrong tag', { ...wanted, target: 'release/app:-x' }, 'valid tag'],
    ['the tag of attachments', { ...wanted, target: `release/app:sha256-${'0'.repeat(64)}` }, 'attach'],
  ];
  test.each(invalid)('that is %s is told why', async (_what, body, words) => {
    const { status, body: problem, headers } = await ask(front.url, body);
    expect([status, problem['type'], problem['status']]).toEqual([400, 'request-invalid', 400]);
    expect(headers.get('content-type')).toBe('application/problem+json');
    if (typeof words === 'string') expect(problem['detail']).toContain(words);
    else expect(problem['detail']).toMatch(words);
    expect(writes()).toEqual([]);
  });

  test.each([
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'type-unsupported'],
    ['multipart', { 'content-type': 'multipart/form-data; boundary=x' }, 415, 'type-unsupported'],
    ['plain text', { 'content-type': 'text/plain' }, 415, 'type-unsupported'],
    ['another charset', { 'content-type': 'application/json; charset=latin1' }, 415, 'type-unsupported'],
    ['compressed', { 'content-encoding': 'gzip' }, 415, 'type-unsupported'],
  ])('that is %s is not read', async (_what, headers, status, type) => {
    const reply = await post({ headers, body: JSON.stringify(wanted) });
    expect([reply.status, ((await reply.json()) as { type: string }).type]).toEqual([status, type]);
  });

  test('of 16 KiB is read, a larger one is not, with and without its length', async () => {
    const padded = (size: number): string => JSON.stringify({ ...wanted, dryRun: true }).padEnd(size, ' ');
    expect((await post({ body: padded(16_384) })).status).toBe(200);
    expect((await post({ body: padded(16_385) })).status).toBe(413);
    const stream = new ReadableStream({
      start(controller) {
        for (let part = 0; part < 20; part++) controller.enqueue(Buffer.alloc(1024, ' '));
        controller.close();
      },
    });
    expect((await post({ body: stream, ...{ duplex: 'half' } })).status).toBe(413);
  });

  test('is not asked for before it is known whose it is', async () => {
    const lines = ['POST /api/v1/promotions HTTP/1.1', 'Host: registry.test', 'Content-Type: application/json'];
    const send = (more: readonly string[]): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(front.port, '127.0.0.1', () => socket.write([...lines, ...more, '', ''].join('\r\n')));
        socket.once('data', (data) => {
          resolve(data.toString().split('\r\n', 1)[0] ?? '');
          socket.destroy();
        });
        socket.on('error', reject);
      });
    expect(await send(['Content-Length: 5', 'Expect: 100-continue'])).toBe('HTTP/1.1 401 Unauthorized');
    expect(await send(['Content-Length: 5', 'Expect: 100-continue', `Authorization: ${dana}`])).toBe(
      'HTTP/1.1 100 Continue',
    );
  });

  test('with control characters in its reason is one line of the log', async () => {
    const reason = 'first\nsecond\u0007\u202e \u200f\u061c third';
    expect((await ask(front.url, { ...wanted, reason, dryRun: true })).status).toBe(200);
    expect(front.records.at(-1)).toMatchObject({ event: 'promotion', reason: 'planned', detail: 'first second third' });
  });
});

describe('a request', () => {
  test.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS'])('by %s is told what there is', async (method) => {
    const list = await fetch(`${front.url}/api/v1/promotions`, { method, headers: { authorization: dana } });
    expect([list.status, list.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
    const one = await fetch(`${front.url}/api/v1/promotions/abc`, { method, headers: { authorization: dana } });
    expect([one.status, one.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('by HEAD has the head of a GET', async () => {
    const reply = await fetch(`${front.url}/api/v1/promotions`, { method: 'HEAD', headers: { authorization: dana } });
    expect([reply.status, reply.headers.get('content-type'), await reply.text()]).toEqual([
      200,
      'application/json',
      '',
    ]);
  });

  test.each(['/', '/a/b', '//', '/%61', '/../promotions', 'x'])(
    'for %s below the list is for nothing',
    async (path) => {
      const socket = connect(front.port, '127.0.0.1');
      socket.write(`GET /api/v1/promotions${path} HTTP/1.1\r\nHost: registry.test\r\nAuthorization: ${dana}\r\n\r\n`);
      const [data] = (await new Promise<Buffer[]>((resolve) =>
        socket.once('data', (...all: Buffer[]) => resolve(all)),
      )) as [Buffer];
      socket.destroy();
      expect(data.toString()).toMatch(/^HTTP\/1.1 404 /);
    },
  );

  test.each([
    ['?limt=3', 'did you mean "limit"?'],
    ['?limit=0', 'limit'],
    ['?limit=-1', 'limit'],
    ['?limit=1&limit=2', 'twice'],
    ['?since=yesterday', 'since'],
    ['?since=2026-02-30T00:00:00Z', 'since'],
    ['?repository=..%2Fx', 'repository'],
  ])('for the list with %s is told why not', async (query, words) => {
    const { status, body } = await look(front.url, query);
    expect([status, body['detail']]).toEqual([400, expect.stringContaining(words) as unknown]);
  });

  test('to promote with parameters in its query is refused', async () => {
    const reply = await fetch(`${front.url}/api/v1/promotions?dryRun=true`, {
      ...{ method: 'POST', headers: { authorization: dana, ...json }, body: JSON.stringify(wanted) },
    });
    expect(reply.status).toBe(400);
  });
});

describe('somebody', () => {
  test.each([
    ['without credentials', undefined],
    ['with a wrong password', `Basic ${credentials('dana', 'wrong')}`],
    ['unknown', `Basic ${credentials('nobody', 'x')}`],
    ['disabled', `Basic ${credentials('gone')}`],
    ['with a broken header', 'Basic ???'],
    ['with a token that is none', 'Bearer abc.def.ghi'],
  ])('%s is 401 with the challenge, whatever the body', async (_who, authorization) => {
    for (const body of [JSON.stringify(wanted), 'no json']) {
      const headers = { ...json, ...(authorization === undefined ? {} : { authorization }) };
      const reply = await fetch(`${front.url}/api/v1/promotions`, { method: 'POST', headers, body });
      expect(reply.status).toBe(401);
      expect(reply.headers.get('www-authenticate')).toMatch(/^Bearer realm=/);
      expect(reply.headers.get('content-type')).toBe('application/problem+json');
    }
    const list = await fetch(
      `${front.url}/api/v1/promotions`,
      authorization === undefined ? {} : { headers: { authorization } },
    );
    expect(list.status).toBe(401);
  });

  test('with an anonymous token is nobody', async () => {
    await front.setPolicy(
      `${house}  - { name: open, subjects: [everyone], repositories: ["**"], actions: [pull, promote] }\n`,
    );
    const token = await front.token('', 'repository:integration/app:pull', 'repository:release/app:promote');
    expect((await ask(front.url, wanted, { authorization: `Bearer ${token}` })).status).toBe(401);
  });

  test('gets the same answer for a source that does not exist and for one that may not be read', async () => {
    const secretBefore = registry.requests.filter((line) => line.includes('/secret/'));
    const absent = await ask(front.url, { ...wanted, source: 'integration/none:1.0' });
    const hidden = await ask(front.url, { ...wanted, source: 'secret/app:1.0' });
    expect([absent.status, hidden.status]).toEqual([404, 404]);
    const words = withoutIds(JSON.stringify(absent.body)).replace('integration/none', 'secret/app');
    expect(withoutIds(JSON.stringify(hidden.body))).toBe(words);
    expect(hidden.body['type']).toBe('source-unknown');
    const down = async (source: string, prefix = '/v2/'): Promise<number> => {
      registry.intercept = (line, _request, response) => {
        if (line.includes(prefix)) response.writeHead(500).end();
        return line.includes(prefix);
      };
      return (await ask(front.url, { ...wanted, source })).status;
    };
    expect([await down('integration/none:1.0'), await down('secret/app:1.0')]).toEqual([502, 502]);
    // One that cannot be read (too large, of a kind with another digest) exists.
    expect(await down('secret/app:1.0', 'secret/')).toBe(404);
    // Nor does time tell, with a manifest of 4 MiB.
    expect(registry.requests.filter((line) => line.includes('/secret/'))).toEqual(secretBefore);
  });

  test.each([
    ['who may pull but not promote', 'tess', 'user "tess" may not promote release/app:v1: no rule allows it'],
    ['elsewhere', 'dana', 'user "dana" may not promote sandbox/app:v1: no rule allows it'],
  ])('%s is told so in a sentence', async (_who, account, sentence) => {
    const target = account === 'dana' ? 'sandbox/app:v1' : 'release/app:v1';
    const refused = await ask(front.url, { ...wanted, target }, { account });
    expect(refused).toMatchObject({ status: 403, body: { type: 'not-allowed', detail: sentence } });
    expect(front.records.at(-1)).toMatchObject({ event: 'promotion', decision: 'deny', reason: 'no_rule', account });
  });

  test('who may push may not promote for that', async () => {
    const push = `rules:\n  - { name: push, subjects: ["user:dana"], repositories: ["**"], actions: [pull, push] }\n`;
    await front.setPolicy(push);
    expect((await ask(front.url, wanted)).status).toBe(403);
  });

  test.each(['push', 'create', 'promote'])('is stopped by a freeze that denies %s', async (action) => {
    const freeze = `  - { name: freeze, effect: deny, subjects: [everyone], repositories: ["release/**"], actions: [${action}], when: { before: 2100-01-01T00:00:00Z } }\n`;
    await front.setPolicy(house + freeze);
    const refused = await ask(front.url, { ...wanted, target: 'release/frozen:v1' });
    expect(refused).toMatchObject({ status: 403, body: { type: 'not-allowed' } });
    expect(front.records.at(-1)).toMatchObject({ decision: 'deny', reason: 'rule_denies', rule: 'freeze' });
    expect(writes()).toEqual([]);
  });

  test('whose tags are limited reads the tags of the source', async () => {
    const rules = `rules:
  - { name: reads, subjects: ["user:dana"], repositories: ["integration/**"], tags: ["approved-*"], actions: [pull] }
  - { name: promotes, subjects: ["user:dana"], repositories: ["release/**"], tags: ["v*"], actions: [promote] }
`;
    await front.setPolicy(rules);
    expect((await ask(front.url, wanted)).status).toBe(404);
    await there.manifest('integration/app', JSON.parse(image.content.toString()) as object, 'approved-1');
    const source = 'integration/app:approved-1';
    expect((await ask(front.url, { source, target: 'release/app:latest' })).status).toBe(403);
    const done = await ask(front.url, { source, target: 'release/names:v1' });
    expect(done.status, JSON.stringify(front.records.at(-1))).toBe(201);
  });
});

describe('a token', () => {
  const scopes = ['repository:integration/app:pull', 'repository:release/token:promote'] as const;
  const tokenAsk = (token: string, target = 'release/token:v1') =>
    ask(front.url, { ...wanted, target }, { authorization: `Bearer ${token}` });

  test('that covers both sides is enough', async () => {
    const token = await front.token('dana', ...scopes);
    expect((await tokenAsk(token)).status).toBe(201);
    expect(front.records.at(-1)).toMatchObject({ event: 'promotion', method: 'access-token', account: 'dana' });
  });

  test.each([
    ['only one side', [scopes[0]]],
    ['only the other', [scopes[1]]],
    ['pushing instead', [scopes[0], 'repository:release/token:pull,push']],
    ['nothing', []],
  ])('that covers %s is told what it needs', async (_what, given) => {
    const access = given.map((scope) => {
      const [, name = '', actions = ''] = scope.split(':');
      return { type: 'repository', name, actions: actions.split(',') as ['pull'] } as const;
    });
    const { status, headers } = await tokenAsk(await front.sign('dana', access));
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toContain(
      'scope="repository:integration/app:pull repository:release/token:promote",error="insufficient_scope"',
    );
  });

  test('is no longer good when the policy changed', async () => {
    const token = await front.token('dana', ...scopes);
    await front.setPolicy('rules: []\n');
    expect((await tokenAsk(token)).status).toBe(403);
  });
});

describe('attachments', () => {
  const denied = (where: string, actions: string): string =>
    `${house}  - { name: unsigned, effect: deny, subjects: [everyone], repositories: ["${where}/**"], tags: ["*.sig"], actions: [${actions}] }\n`;

  test('that somebody may not read stay where they are', async () => {
    const signed = await there.image('integration/hidden', '1.0');
    await there.sign('integration/hidden', signed);
    await front.setPolicy(denied('integration', 'pull'));
    const done = await ask(front.url, { source: 'integration/hidden:1.0', target: 'release/hidden:v1' });
    expect(done).toMatchObject({ status: 201, body: { manifests: 1 } });
    expect(await there.tags('release/hidden')).toEqual(['v1']);
  });

  test('that a rule keeps out by name are told so, and can be left', async () => {
    const signed = await there.image('integration/kept-out', '1.0');
    await there.sign('integration/kept-out', signed);
    await front.setPolicy(denied('release', 'create'));
    const asked = { source: 'integration/kept-out:1.0', target: 'release/kept-out:v1' };
    expect(await ask(front.url, asked)).toMatchObject({ status: 403, body: { type: 'not-allowed' } });
    expect(await ask(front.url, { ...asked, attachments: false })).toMatchObject({
      status: 201,
      body: { manifests: 1 },
    });
  });
});

describe('while blobs are on their way', () => {
  const duringCopy = async (change: () => Promise<unknown>, target: string) => {
    let changed: Promise<unknown> | undefined;
    registry.intercept = async (line) => {
      if (line.startsWith('POST /v2/release/')) await (changed ??= change());
      return false;
    };
    return ask(front.url, { ...wanted, target });
  };

  test('the right to promote may end: nothing gets the tag', async () => {
    const changed = await duringCopy(() => front.setPolicy('rules: []\n'), 'release/meanwhile:v1');
    expect([403, 404]).toContain(changed.status);
    expect(await there.tags('release/meanwhile')).toEqual([]);
    // Nor is anything else written.
    expect(writes().filter((line) => line.startsWith('PUT /v2/release/meanwhile/'))).toEqual([]);
  });

  test('the right to promote may end when only the tag is missing', async () => {
    let changed: Promise<unknown> | undefined;
    registry.intercept = async (line) => {
      if (line.startsWith('PUT /v2/release/late/')) await (changed ??= front.setPolicy('rules: []\n'));
      return false;
    };
    const late = await ask(front.url, { ...wanted, target: 'release/late:v1' });
    expect([403, 404]).toContain(late.status);
    expect(await there.tags('release/late')).toEqual([]);
  });

  test('the login may end', async () => {
    const token = await front.token('dana', 'repository:integration/app:pull', 'repository:release/ended:promote');
    let ended: Promise<unknown> | undefined;
    registry.intercept = async (line) => {
      const revoke = { method: 'POST', body: new URLSearchParams({ token }) };
      if (line.startsWith('POST /v2/release/')) await (ended ??= fetch(`${front.url}/token/revoke`, revoke));
      return false;
    };
    const target = 'release/ended:v1';
    const refused = await ask(front.url, { ...wanted, target }, { authorization: `Bearer ${token}` });
    expect(refused.status).toBe(401);
    expect(await there.tags('release/ended')).toEqual([]);
  });

  test('somebody else may take the tag', async () => {
    const other = await there.image('release/raced');
    const taken = await duringCopy(
      () => there.manifest('release/raced', JSON.parse(other.content.toString()) as object, 'v1'),
      'release/raced:v1',
    );
    expect(taken).toMatchObject({ status: 409, body: { type: 'tag-taken' } });
    expect((await there.read('release/raced', 'v1'))?.digest).toBe(other.digest);
  });
});

describe('limits', () => {
  const limited = `${house}limits:
  - { name: pushes, subjects: [authenticated], count: push, per: repository, rate: 2/6h }
`;

  test('count a promotion as one push, and not one that is refused or only tried', async () => {
    await front.setPolicy(limited);
    const at = (tag: string) => ({ source: 'integration/app:1.0', target: `release/limited:${tag}` });
    for (const more of [{ dryRun: true }, { dryRun: true }, { source: 'secret/app:1.0' }])
      await ask(front.url, { ...at('v1'), ...more });
    const first = await ask(front.url, at('v1'));
    expect([first.status, first.headers.get('ratelimit-remaining')]).toEqual([201, '1;w=21600']);
    expect((await ask(front.url, at('v2'))).status).toBe(201);
    const third = await ask(front.url, at('v3'));
    expect(third).toMatchObject({ status: 429, body: { type: 'too-many' } });
    expect(third.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(front.records.at(-1)).toMatchObject({
      event: 'promotion',
      decision: 'deny',
      reason: 'limit_reached',
      rule: 'pushes',
    });
    expect(await there.tags('release/limited')).toEqual(['v1', 'v2']);
  });
});

test('what a list calls attached, and is an image, stays behind with all that names it', async () => {
  const name = 'integration/brought';
  const image = await there.image(name, '1.0');
  const sbom = await there.attach(name, image);
  const evil = JSON.parse((await there.image(name)).content.toString()) as { config: object; layers: object[] };
  const disguised = { ...named(await there.blob(name, Buffer.from('{"rootfs":{}}'))), mediaType: 'text/plain' };
  const brought = [
    await there.manifest(name, evil),
    await there.manifest(name, { ...evil, subject: named(image) }),
    await there.manifest(name, { ...evil, config: disguised, subject: named(image) }),
    await there.manifest(name, { schemaVersion: 2, mediaType: types.index, manifests: [], subject: named(image) }),
    await there.attach(name, sbom),
  ];
  const [, , , , aboutTheSbom] = brought;
  const tag = image.digest.replace(':', '-');
  const manifests = [sbom, ...brought].map(named);
  await there.manifest(name, { schemaVersion: 2, mediaType: types.index, manifests }, tag);
  const archive = await there.blob(name, gzipSync(randomBytes(100)));
  await there.manifest(name, { ...evil, layers: [{ ...named(archive), mediaType: 'text/plain' }] }, `${tag}.sig`);
  expect((await ask(front.url, { source: `${name}:1.0`, target: 'release/brought:v1' })).status).toBe(201);
  expect([...(await there.tags('release/brought'))].sort()).toEqual([tag, sbom.digest.replace(':', '-'), 'v1'].sort());
  const list = JSON.parse((await there.read('release/brought', tag))?.content.toString() ?? '') as {
    manifests: Stored[];
  };
  expect(list.manifests.map(({ digest }) => digest)).toEqual([sbom.digest, aboutTheSbom?.digest]);
  for (const { digest } of brought.slice(0, 4)) expect(await there.read('release/brought', digest)).toBeUndefined();
});

describe('gates', () => {
  const gated = `${house}gates:
  - { name: from-integration, repositories: ["release/**"], from: ["integration/**"], match: digest }
  - { name: approved, repositories: ["release/**"], tags: ["v*"], from: ["integration/**"], fromTags: ["approved-*"], match: digest }
`;

  test('tell everything that is not met, and nothing is written', async () => {
    await front.setPolicy(gated);
    const own = await there.image('release/gated', 'rc1');
    const before = writes().length;
    const refused = await ask(front.url, { source: 'release/gated:rc1', target: 'release/gated:v1' });
    expect(refused).toMatchObject({ status: 422, body: { type: 'gate-failed' } });
    expect(refused.body['gates']).toMatchObject([{ gate: 'approved' }, { gate: 'from-integration' }]);
    expect(writes()).toHaveLength(before);
    expect(front.records.at(-1)).toMatchObject({
      decision: 'deny',
      reason: 'gate_refused',
      gate: 'approved',
      digest: own.digest,
    });
  });

  test('let pass what they ask for, with what is attached', async () => {
    await front.setPolicy(gated);
    const passing = await there.image('integration/gated', 'approved-1');
    await there.attach('integration/gated', passing);
    const done = await ask(front.url, { source: 'integration/gated:approved-1', target: 'release/gated:v2' });
    expect(done).toMatchObject({ status: 201, body: { digest: passing.digest, manifests: 3 } });
    expect(front.records.at(-1)).toMatchObject({ gate: 'from-integration', gateFrom: 'integration/gated' });
  });

  test('let pass what is attached to what they let pass, before it is there', async () => {
    await front.setPolicy(`${house}gates:
  - { name: all-approved, repositories: ["release/**"], from: ["integration/**"], fromTags: ["approved-*"], match: digest }
`);
    const passing = await there.image('integration/signed', 'approved-1');
    await there.attach('integration/signed', passing);
    await there.sign('integration/signed', passing);
    const done = await ask(front.url, { source: 'integration/signed:approved-1', target: 'release/signed:v1' });
    expect(done).toMatchObject({ status: 201, body: { manifests: 4 } });
  });

  test('that close meanwhile refuse the tag', async () => {
    await front.setPolicy(gated);
    await there.image('integration/closing', 'approved-1');
    registry.intercept = (line, _request, response) => {
      // It is gone when its copy is there.
      const isLook = /integration\/closing\/(?:manifests|tags)/.test(line);
      if (!isLook || !registry.requests.some((each) => each.startsWith('PUT /v2/release/closing/manifests')))
        return false;
      response.writeHead(line.includes('tags') ? 200 : 404).end('{"tags":[]}');
      return true;
    };
    const refused = await ask(front.url, { source: 'integration/closing:approved-1', target: 'release/closing:v1' });
    expect(refused).toMatchObject({ status: 422, body: { type: 'gate-failed' } });
    expect(await there.tags('release/closing')).toEqual([]);
  });

  test('that look into the target itself are not met by the copy', async () => {
    await front.setPolicy(
      `${house}gates:\n  - { name: there, repositories: ["release/**"], tags: ["v*"], from: ["release/**"] }\n`,
    );
    await there.image('integration/itself', '1.0');
    const asked = { source: 'integration/itself:1.0', target: 'release/itself:v1' };
    const before = writes().length;
    for (let time = 0; time < 2; time++)
      expect(await ask(front.url, asked)).toMatchObject({ status: 422, body: { type: 'gate-failed' } });
    expect(writes()).toHaveLength(before);
    expect((await ask(front.url, { ...asked, target: 'release/itself:rc1' })).status).toBe(201);
    expect((await ask(front.url, asked)).status).toBe(201);
  });

  test('do not mind a list of attachments that outlived one of them', async () => {
    await front.setPolicy(
      `${house}gates:\n  - { name: approved, repositories: ["release/**"], from: ["integration/**"], fromTags: ["approved-*"] }\n`,
    );
    const signed = await there.image('integration/outlived', 'approved-1');
    const lost = await there.attach('integration/outlived', signed);
    const kept = await there.attach('integration/outlived', signed);
    registry.intercept = (line, _request, response) => {
      if (!line.endsWith(`outlived/manifests/${lost.digest}`)) return false;
      response.writeHead(404).end();
      return true;
    };
    const done = await ask(front.url, { source: 'integration/outlived:approved-1', target: 'release/outlived:v1' });
    expect(done).toMatchObject({ status: 201, body: { manifests: 3 } });
    const list = await there.read('release/outlived', signed.digest.replace(':', '-'));
    expect(list?.content.toString()).toContain(kept.digest);
    expect(list?.content.toString()).not.toContain(lost.digest);
  });

  test('that cannot be asked are 503', async () => {
    await front.setPolicy(gated);
    await there.image('integration/away', 'approved-1');
    let isRead = false;
    registry.intercept = (line, _request, response) => {
      const isSource = line === 'GET /v2/integration/away/manifests/approved-1' && !isRead;
      if (isSource) isRead = true;
      if (isSource || !line.includes('integration/away') || line.startsWith('GET /v2/integration/away/referrers'))
        return false;
      if (/sha256-|blobs/.test(line)) return false;
      response.writeHead(500).end();
      return true;
    };
    const refused = await ask(front.url, { source: 'integration/away:approved-1', target: 'release/away:v1' });
    expect(refused).toMatchObject({ status: 503, body: { type: 'registry' } });
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(front.records.at(-1)).toMatchObject({ decision: 'error', reason: 'gate_unknown' });
  });
});

describe('the list', () => {
  test('shows each as much as they may pull', async () => {
    const done = await ask(front.url, { source: 'integration/app:1.0', target: 'release/listed:v1', reason: 'CHG-7' });
    const { id } = done.body;
    const whole = await look(front.url, '?repository=release/listed');
    expect(whole.body['promotions']).toEqual([
      expect.objectContaining({
        id,
        source: 'integration/app:1.0',
        target: 'release/listed:v1',
        account: 'dana',
        reason: 'CHG-7',
      }),
    ]);
    // tess pulls releases, and learns nothing of where they come from.
    const half = (await look(front.url, '?repository=release/listed', 'tess')).body['promotions'] as object[];
    expect(half).toEqual([expect.objectContaining({ id, target: 'release/listed:v1' })]);
    for (const key of ['source', 'account', 'reason', 'kind']) expect(half[0]).not.toHaveProperty(key);
    expect((await look(front.url, '?repository=integration/app', 'tess')).body).toEqual({ promotions: [] });
    expect((await look(front.url, `/${String(id)}`, 'tess')).status).toBe(200);
    await front.setPolicy('rules: []\n');
    expect((await look(front.url)).body).toEqual({ promotions: [] });
    expect(await look(front.url, `/${String(id)}`)).toMatchObject({ status: 404, body: { type: 'promotion-unknown' } });
  });

  test('begins with the latest, goes back as far as asked, and is as long', async () => {
    for (const tag of ['v1', 'v2', 'v3'])
      await ask(front.url, { source: 'integration/app:1.0', target: `release/many:${tag}` });
    const targets = async (query: string): Promise<unknown> =>
      ((await look(front.url, query)).body['promotions'] as { target: string }[]).map(({ target }) => target);
    expect(await targets('?repository=release/many')).toEqual([
      'release/many:v3',
      'release/many:v2',
      'release/many:v1',
    ]);
    expect(await targets('?repository=release/many&limit=1&since=1h')).toEqual(['release/many:v3']);
    expect(await targets('?since=2100-01-01T00:00:00Z')).toEqual([]);
  });

  test('by a token shows what its access names', async () => {
    await ask(front.url, { source: 'integration/app:1.0', target: 'release/bound:v1' });
    const token = await front.token('dana', 'repository:release/bound:pull');
    const reply = await fetch(`${front.url}/api/v1/promotions`, { headers: { authorization: `Bearer ${token}` } });
    const { promotions } = (await reply.json()) as { promotions: readonly { target: string }[] };
    expect(promotions.map(({ target }) => target)).toEqual(['release/bound:v1']);
    expect(promotions[0]).not.toHaveProperty('source');
  });
});

describe("the page's cookie", () => {
  const fromPage = { 'sec-fetch-site': 'same-origin' };
  const promote = async (more: Readonly<Record<string, string>>, target: string): Promise<Response> => {
    const visitor = new Visitor(front.url);
    await visitor.logIn('dana', passwordOf('dana'));
    const headers = { cookie: visitor.cookie, 'content-type': 'application/json', ...more };
    const body = JSON.stringify({ ...wanted, target });
    return fetch(`${front.url}/api/v1/promotions`, { method: 'POST', headers, body });
  };

  test('promotes as its account where a page of ours asks', async () => {
    expect((await promote(fromPage, 'release/app:by-cookie')).status).toBe(201);
    expect(front.records.at(-1)).toMatchObject({ event: 'promotion', decision: 'allow', account: 'dana' });
    expect(writes()).not.toEqual([]);
  });

  test.each([
    ['another port of the same host', { 'sec-fetch-site': 'same-site' }, 403],
    ['another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['nowhere that it says', {}, 403],
    ['a form', { ...fromPage, 'content-type': 'text/plain' }, 415],
  ])('promotes nothing where %s asks', async (_where, headers, status) => {
    const before = writes().length;
    expect((await promote(headers, 'release/app:forged')).status).toBe(status);
    expect(front.records.at(-1)).toMatchObject({ event: 'promotion', decision: 'deny', account: 'dana' });
    expect(writes().length).toBe(before);
  });
});
