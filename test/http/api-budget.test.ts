/** How often `/api/v1` may be asked, and what is written down of a page that asks by itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Seen, Visitor, ask } from '../support/visitor.ts';
import { type Front, credentials, passwordOf, startFront } from './support/front.ts';

const rules = `rules:
  - { name: devs, subjects: ["group:devs"], repositories: ["**"], actions: [pull] }
`;
let front: Front;
let dana: Visitor;
beforeEach(async () => {
  front = await startFront({ rules });
  dana = new Visitor(front.url);
  await dana.logIn('dana', passwordOf('dana'));
});
afterEach(async () => {
  await front.close();
  expect(front.errors).toEqual([]);
});

const basic = { authorization: `Basic ${credentials('dana')}` };
const api = (path: string, headers: Readonly<Record<string, string>>): Promise<Seen> =>
  ask(front.url, `/api/v1${path}`, { headers });
const refresh = (more: Readonly<Record<string, string>> = {}): Promise<Seen> =>
  api('/activity?after=0', { cookie: dana.cookie, 'portcullis-refresh': '1', ...more });
/** All at once, so that the budget does not fill up meanwhile; how many of them were let through. */
const passed = async (times: number, one: () => Promise<Seen>): Promise<number> =>
  (await Promise.all(Array.from({ length: times }, one))).filter(({ status }) => status === 200).length;

describe('the budget of somebody who looks', () => {
  test('is one for the page and for the API, by whatever credentials, and says when to come again', async () => {
    expect(await passed(20, () => dana.get('/ui/'))).toBe(20);
    expect(await passed(20, () => api('/viewer', basic))).toBe(20);
    const rest = await passed(40, () => api('/viewer', { cookie: dana.cookie }));
    expect(rest).toBeGreaterThanOrEqual(15);
    expect(rest).toBeLessThan(30);
    const refused = await api('/me', basic);
    expect([refused.status, refused.headers['content-type']]).toEqual([429, 'application/problem+json']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(JSON.parse(refused.body)).toMatchObject({ type: 'too-many', status: 429 });
    expect(front.records.at(-1)).toMatchObject({
      ...{ event: 'limit', decision: 'deny', reason: 'page_limit_reached', account: 'dana', status: 429 },
    });
    expect((await dana.get('/ui/')).status).toBe(429);
    // Nobody else's, and none of what is pulled.
    expect((await api('/me', { authorization: `Basic ${credentials('tess')}` })).status).toBe(200);
    expect((await ask(front.url, '/v2/', { headers: basic })).status).toBe(200);
  });

  test('is none of the admin token', async () => {
    const token = readFileSync(join(front.stateDir, 'admin-token'), 'utf8').trim();
    const headers = { authorization: `Bearer ${token}` };
    expect(await passed(80, () => ask(front.adminUrl, '/api/v1/viewer', { headers }))).toBe(80);
  });

  test('is not used up by a page that is open, which has its own', async () => {
    const rest = await passed(70, () => refresh());
    expect(rest).toBeGreaterThanOrEqual(60);
    expect(rest).toBeLessThan(70);
    expect(await passed(40, () => dana.get('/ui/'))).toBe(40);
    // Only a page refreshes: credentials are somebody who asks.
    expect(await passed(40, () => api('/viewer', { ...basic, 'portcullis-refresh': '1' }))).toBeLessThan(30);
  });
});

test('what was refused is written down by what was asked', async () => {
  const wrong = { authorization: `Basic ${credentials('dana', 'wrong')}` };
  for (const [path, headers, reason] of [
    ['/viewer', wrong, 'password_wrong'],
    ['/tags?repository=a', { authorization: 'Bearer nonsense' }, 'token_invalid'],
    ['/me', {}, 'credentials_missing'],
  ] as const) {
    expect((await api(path, headers)).status).toBe(401);
    const detail = expect.stringMatching(`^GET /api/v1${path.split('?', 1)[0] ?? ''}(: |$)`) as unknown;
    expect(front.records.at(-1)).toMatchObject({ decision: 'deny', reason, detail, status: 401 });
  }
});

describe('what no page asks by itself', () => {
  test.each(['/viewer', '/repositories', '/image?repository=mine/app&reference=v1'])(
    'is %s, counted and written down each time whatever it says of itself',
    async (path) => {
      const more = { cookie: dana.cookie, 'portcullis-refresh': '1' };
      await Promise.all(Array.from({ length: 40 }, () => api(path, more)));
      expect(front.records.filter(({ route }) => route === 'api')).toHaveLength(40);
      expect(await passed(40, () => dana.get('/ui/'))).toBeLessThan(30);
    },
  );
});

describe('a page that asks by itself', () => {
  const lines = (): readonly unknown[] =>
    front.records.filter(({ route }) => route === 'api').map(({ decision }) => decision);

  test('is written down once a minute, and whatever it is refused each time', async () => {
    for (let turn = 0; turn < 5; turn++) expect((await refresh()).status).toBe(200);
    expect(lines()).toEqual(['allow']);
    await dana.get('/api/v1/activity');
    await api('/activity', basic);
    expect(lines()).toEqual(['allow', 'allow', 'allow']);
    for (let turn = 0; turn < 2; turn++) expect((await refresh({ cookie: '__Host-portcullis=gone' })).status).toBe(401);
    expect(lines().slice(3)).toEqual(['deny', 'deny']);
  });
});
