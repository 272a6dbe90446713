/** What unfinished and refused pushes of manifests may cost others. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { quickHash } from '../support/policies.ts';
import { type Front, credentials, passwordOf, service, startFront } from './support/front.ts';

const megabyte = 1_048_576;
const fronts: Front[] = [];
afterEach(async () => void (await Promise.all(fronts.splice(0).map((front) => front.close()))));

async function open(rules: string, env: Readonly<Record<string, string>> = {}): Promise<Front> {
  const front = await startFront({ rules, env });
  fronts.push(front);
  return front;
}

const everybodyPushes =
  "rules: [{ name: all, subjects: [authenticated], repositories: ['**'], actions: [pull, push] }]\n";

interface Push {
  readonly answered: Promise<IncomingMessage>;
  readonly request: ClientRequest;
}

/** A manifest of which so many bytes are sent. */
function begin(front: Front, account: string | undefined, bytes: number, headers: Record<string, string> = {}): Push {
  const sent = request(`${front.url}/v2/mine/app/manifests/v1`, {
    method: 'PUT',
    agent: false,
    headers: {
      ...(account === undefined ? {} : { authorization: `Basic ${credentials(account)}` }),
      'transfer-encoding': 'chunked',
      ...headers,
    },
  });
  sent.on('error', () => {});
  const answered = once(sent, 'response').then(([reply]) => {
    const response = reply as IncomingMessage;
    return response.resume();
  });
  answered.catch(() => {});
  sent.write(Buffer.alloc(bytes));
  return { answered, request: sent };
}

test('an account has room for a few unfinished manifests, then 503 until one is given up; others push on', async () => {
  const front = await open(everybodyPushes);
  const several = Array.from({ length: 12 }, () => begin(front, 'dana', 3 * megabyte));
  const refused = await Promise.race(several.map(async ({ answered }) => answered));
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '5']);
  await eventually(
    'all but four are refused',
    () => front.records.filter(({ reason }) => reason === 'manifest_no_memory').length === 8,
  );
  const other = begin(front, 'tess', 3 * megabyte);
  other.request.end();
  expect((await other.answered).statusCode).toBe(201);
  for (const { request: unfinished } of several) unfinished.destroy();
  await eventually(
    'the rest is given up',
    () => front.records.filter(({ reason }) => reason === 'manifest_client_gone').length === 4,
  );
  const again = begin(front, 'dana', 3 * megabyte);
  again.request.end();
  expect((await again.answered).statusCode).toBe(201);
});

test('all nameless callers of one /48 have room for as much as one account; others push on', async () => {
  const rules = everybodyPushes.replace('authenticated', 'everyone');
  const front = await open(rules, { PORTCULLIS_TRUSTED_PROXIES: '127.0.0.0/8' });
  const reply = await fetch(`${front.url}/token?service=${service}&scope=repository:mine/app:pull,push`);
  const { token } = (await reply.json()) as { readonly token: string };
  const from = (address: string): Push =>
    begin(front, undefined, 3 * megabyte, { authorization: `Bearer ${token}`, 'x-forwarded-for': address });
  const several = Array.from({ length: 24 }, (_, n) => from(`2001:db8:1:${n}::1`));
  await eventually(
    'all but four are refused',
    () => front.records.filter(({ reason }) => reason === 'manifest_no_memory').length === 20,
  );
  const other = from('2001:db8:2::1');
  other.request.end();
  expect((await other.answered).statusCode).toBe(201);
  for (const { request: unfinished } of several) unfinished.destroy();
});

test('many small unfinished manifests of one account refuse nobody', async () => {
  const front = await open(everybodyPushes);
  const several = Array.from({ length: 100 }, () => begin(front, 'dana', 1000));
  for (const { request: unfinished } of several) unfinished.end();
  const statuses = await Promise.all(several.map(async ({ answered }) => (await answered).statusCode));
  expect(new Set(statuses)).toEqual(new Set([201]));
});

const immutable = `rules:
  - { name: all, subjects: [authenticated], repositories: ['**'], actions: [pull, push] }
  - { name: fixed, effect: deny, subjects: [everyone], repositories: ['**'], tags: ['v*'], actions: [overwrite] }
limits:
  - { name: pushes, subjects: [authenticated], count: push, per: account, rate: 2/1h }
`;

async function push(front: Front, tag: string): Promise<Response> {
  return fetch(`${front.url}/v2/mine/app/manifests/${tag}`, {
    method: 'PUT',
    body: '{}',
    headers: { authorization: `Basic ${credentials('dana')}` },
  });
}

test('a refused overwrite uses up no push budget, one that is allowed does', async () => {
  const front = await open(immutable);
  for (let round = 0; round < 4; round += 1) expect((await push(front, 'v1')).status).toBe(403);
  const statuses = [];
  for (let round = 0; round < 3; round += 1) statuses.push((await push(front, 'wip')).status);
  expect(statuses).toEqual([201, 201, 429]);
});

test('without the store a protected tag is refused in true words, others are pushed where nothing is remembered', async () => {
  const front = await open(immutable, { PORTCULLIS_REDIS: 'redis://127.0.0.1:1/0', PORTCULLIS_CACHE_MEMORY: '0' });
  const refused = await push(front, 'v1');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '3']);
  expect(await refused.text()).toContain('the store that keeps pushes of one tag apart cannot be reached');
  expect((await push(front, 'wip')).status).toBe(201);
});

test('without the store nothing is pushed or deleted of which other gateways would not learn', async () => {
  const front = await open(immutable, { PORTCULLIS_REDIS: 'redis://127.0.0.1:1/0' });
  const refused = await push(front, 'wip');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '3']);
  expect(await refused.text()).toContain('other gateways learn of this change');
  await eventually('it is written down', () => Promise.resolve(front.records.some(({ status }) => status === 503)));
  expect(front.records.at(-1)).toMatchObject({ decision: 'error', reason: 'marks_unavailable', status: 503 });
  expect(front.forwarded).toEqual([]);
});

test('a membership that ends while a manifest is on its way no longer moves its tag', async () => {
  const hash = await quickHash(passwordOf('olaf'));
  const text = (groups: string): string => `groups: { makers: , movers: }
users: { olaf: { password: '${hash}', groups: [${groups}] } }
rules:
  - { name: make, subjects: ['group:makers'], repositories: ['**'], actions: [pull, create] }
  - { name: move, subjects: ['group:movers'], repositories: ['**'], actions: [overwrite] }
`;
  const front = await open(text('makers, movers'));
  const pushed = begin(front, 'olaf', 1000, { expect: '100-continue' });
  await once(pushed.request, 'continue');
  await front.setPolicy(text('makers'));
  pushed.request.end();
  expect((await pushed.answered).statusCode).toBe(403);
  expect(front.forwarded.filter((line) => line.startsWith('PUT'))).toEqual([]);
});
