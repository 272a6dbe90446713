/** What real clients send that others do not, and what they must be told to go on or to show why not. */
import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type Front, credentials, passwordOf, service, startFront } from './support/front.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const blob = `/v2/closed/a/blobs/${digest}`;
const names = Array.from({ length: 300 }, (_, index) => `team/${String(index).padStart(55, 'a')}`);

let front: Front;
beforeAll(async () => {
  front = await startFront({
    rules: `rules:
      - { name: share, subjects: ['group:devs'], repositories: ['team/**'], actions: [pull, push] }
      - { name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }`,
  });
});
afterAll(() => front.close());

const as = (account: string, password?: string): { Authorization: string } => ({
  Authorization: `Basic ${credentials(account, password)}`,
});

describe('a token for 300 repositories with names of 60 characters', () => {
  const scopes = names.map((name) => `repository:${name}:pull,push`);
  const query = scopes.map((scope) => `scope=${encodeURIComponent(scope)}`).join('&');

  async function isGoodFor(token: string, name: string): Promise<void> {
    expect(token.length).toBeLessThanOrEqual(49_152);
    const reply = await supertest(front.url).get(`/v2/${name}/manifests/1`).set('Authorization', `Bearer ${token}`);
    expect(reply.status).toBe(200);
  }

  test.each([query, `scope=${encodeURIComponent(scopes.join(' '))}`])('comes from one GET', async (asked) => {
    const reply = await supertest(front.url).get(`/token?service=${service}&${asked}`).set(as('dana'));
    expect(reply.status).toBe(200);
    await isGoodFor((reply.body as { token: string }).token, names[299] ?? '');
  });

  test.each([query, `scope=${encodeURIComponent(scopes.join(' '))}`])('comes from one POST', async (asked) => {
    const login = `grant_type=password&service=${service}&username=dana&password=${passwordOf('dana')}`;
    const reply = await supertest(front.url).post('/token').send(`${login}&${asked}`);
    expect(reply.status).toBe(200);
    await isGoodFor((reply.body as { access_token: string }).access_token, names[0] ?? '');
  });

  test('is refused for more with the number that fits, by GET and by POST', async () => {
    const more = Array.from({ length: 450 }, (_, index) => `scope=repository:${names[0] ?? ''}/${index}:pull`).join(
      '&',
    );
    const login = `grant_type=password&service=${service}&username=dana&password=${passwordOf('dana')}`;
    const replies = [
      await supertest(front.url).get(`/token?${more}`).set(as('dana')),
      await supertest(front.url).post('/token').send(`${login}&${more}`),
    ];
    for (const { status, text } of replies) {
      expect([status, text]).toEqual([400, expect.stringMatching(/the first \d+ of 450 fit.*"invalid_scope"/)]);
    }
  });
});

describe('a HEAD of a blob that policy refuses', () => {
  test('is 404 to who is logged in, so that the push goes on to a request whose refusal is printed', async () => {
    const mark = front.forwarded.length;
    const head = await supertest(front.url).head(blob).set(as('dana'));
    expect([head.status, head.headers['docker-content-digest']]).toEqual([404, undefined]);
    await eventually('a record is written', () => front.records.at(-1)?.status === 404);
    expect(front.records.at(-1)).toMatchObject({
      event: 'access',
      decision: 'deny',
      reason: 'no_rule',
      action: 'pull',
    });
    const bearer = `Bearer ${await front.token('dana', 'repository:closed/a:pull,push')}`;
    expect((await supertest(front.url).head(blob).set('Authorization', bearer)).status).toBe(404);
    const post = await supertest(front.url).post('/v2/closed/a/blobs/uploads/').set(as('dana'));
    expect([post.status, post.text]).toEqual([403, expect.stringContaining('user \\"dana\\" may not push closed/a')]);
    expect(front.forwarded.slice(mark)).toEqual([]);
  });

  test.each([
    ['GET of the blob', 'get', blob],
    ['HEAD of a manifest', 'head', '/v2/closed/a/manifests/1'],
    ['HEAD of a manifest by digest', 'head', `/v2/closed/a/manifests/${digest}`],
    ['HEAD of referrers', 'head', `/v2/closed/a/referrers/${digest}`],
    ['HEAD of an upload', 'head', '/v2/closed/a/blobs/uploads/1'],
    ['DELETE of the blob', 'delete', blob],
  ] as const)('while a %s stays 403', async (_what, verb, path) => {
    expect((await supertest(front.url)[verb](path).set(as('dana'))).status).toBe(403);
  });

  test('is 401 to everybody else, since logging in may help', async () => {
    expect((await supertest(front.url).head(blob)).status).toBe(401);
    const anonymous = `Bearer ${await front.token('', 'repository:open/a:pull')}`;
    expect((await supertest(front.url).head(blob).set('Authorization', anonymous)).status).toBe(401);
    expect((await supertest(front.url).head(blob).set(as('dana', 'wrong'))).status).toBe(401);
  });
});

describe('a request with the type of a form', () => {
  const type = 'application/x-www-form-urlencoded';
  const uploads = '/v2/team/a/blobs/uploads/';

  test.each([
    ['no length', 'GET', '/v2/team/a/manifests/1', undefined, 200],
    ['length 0', 'POST', uploads, 'length', 201],
    ['chunks without content', 'POST', uploads, 'chunks', 201],
    ['chunks without content', 'PATCH', `${uploads}1`, 'chunks', 201],
  ])('and %s has no form: %s %s', async (_what, method, path, framing, status) => {
    const body = framing === 'chunks' ? new Blob([]).stream() : framing === 'length' ? '' : undefined;
    const headers = { ...as('dana'), 'content-type': type };
    const init = { method, headers, body: body ?? null, ...(framing === 'chunks' ? { duplex: 'half' as const } : {}) };
    expect((await fetch(front.url + path, init)).status).toBe(status);
  });

  test.each(['length', 'chunks'])('and content by %s is refused', async (framing) => {
    const content = `mount=${digest}&from=closed/a`;
    const body = framing === 'chunks' ? new Blob([content]).stream() : content;
    const headers = { ...as('dana'), 'content-type': type };
    const init = { method: 'POST', headers, body, ...(framing === 'chunks' ? { duplex: 'half' as const } : {}) };
    const mark = front.forwarded.length;
    expect((await fetch(front.url + uploads, init)).status).toBe(415);
    expect(front.forwarded.length).toBe(mark);
  });
});

describe('credentials', () => {
  const anonymous = `/token?service=${service}&scope=repository:open/a:pull`;
  test.each(['', 'Basic', 'Basic ', 'Basic Og=='])('of nothing (%j) are none', async (value) => {
    expect((await fetch(front.url + anonymous, { headers: { authorization: value } })).status).toBe(200);
    const refused = await fetch(`${front.url}/v2/`, { headers: { authorization: value } });
    expect([refused.status, await refused.text()]).toEqual([401, expect.stringContaining('authentication required')]);
  });

  test('that are wrong are challenged at the token endpoint', async () => {
    const challenge = `Basic realm="${service}", charset="UTF-8"`;
    const login = `grant_type=password&username=dana&password=wrong`;
    const replies = [
      await supertest(front.url).get('/token').set(as('dana', 'wrong')),
      await supertest(front.url).get('/token'),
      await supertest(front.url).post('/token').send(login),
      await supertest(front.url).post('/token').send('grant_type=refresh_token&refresh_token=x'),
    ];
    for (const { status, headers } of replies) expect([status, headers['www-authenticate']]).toEqual([401, challenge]);
    const bad = await supertest(front.url).get('/token?service=other').set(as('dana'));
    expect([bad.status, bad.headers['www-authenticate']]).toEqual([400, undefined]);
  });

  test('with an empty password are refused in words, and never counted', async () => {
    const words = expect.stringContaining('no password was sent') as unknown;
    for (let count = 0; count < 30; count++) {
      const reply = await supertest(front.url).get('/v2/').set(as('dana', ''));
      expect([reply.status, reply.text]).toEqual([401, words]);
    }
    const replies = [
      await supertest(front.url).get('/token').set(as('dana', '')),
      await supertest(front.url).get('/token').set(as('<token>', '')),
      await supertest(front.url).get('/token').set(as('nobody', '')),
      await supertest(front.url).post('/token').send('grant_type=password&username=dana&password='),
    ];
    for (const { status, text } of replies) expect([status, text]).toEqual([401, words]);
    expect(front.records.at(-1)).toMatchObject({ decision: 'deny', reason: 'password_missing', account: 'dana' });
    expect((await supertest(front.url).get('/v2/').set(as('dana'))).status, 'is not held').toBe(200);
  });
});
