/** Activity, Limits, Accounts and Health at `/ui`: who sees them, what is on them, what is only text there. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import { quickHash } from '../support/policies.ts';
import { Visitor, ask } from '../support/visitor.ts';
import { type Front, credentials, passwordOf, startFront } from './support/front.ts';

const secret = makeSecret('robot').text;
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e`;
let front: Front;
let ada: Visitor;
let tia: Visitor;

beforeAll(async () => {
  front = await startFront({
    rules: `
users:
  ada: { password: '${await quickHash(passwordOf('ada'))}' }
  tia: { password: '${await quickHash(passwordOf('tia'))}' }
robots:
  watcher: { tokens: [{ id: abcd1234, sha256: ${secretHash(secret)}, repositories: ["team-a/**"] }, { id: old00000, sha256: ${'ab'.repeat(32)}, expires: 2020-01-01 }] }
rules:
  - { name: ada-administers, subjects: ["user:ada"], repositories: ["**"], actions: [pull, inspect, administer] }
  - { name: tia-looks-at-a, subjects: ["user:tia"], repositories: ["team-a/**"], actions: [inspect] }
  - { name: robots-pull, subjects: ["robot:watcher"], repositories: ["team-a/**"], actions: [pull] }
limits:
  - { name: pulls, subjects: [authenticated], count: pull, per: account, rate: 3/1h }
`,
  });
  [ada, tia] = [new Visitor(front.url), new Visitor(front.url)];
  await ada.logIn('ada', passwordOf('ada'));
  await tia.logIn('tia', passwordOf('tia'));
  for (const repository of ['team-a/app', 'team-b/app'])
    for (const account of ['ada', 'dana'])
      await ask(front.url, `/v2/${repository}/manifests/1.0`, {
        headers: { authorization: `Basic ${credentials(account)}`, 'user-agent': `docker/29 ${account}` },
      });
  const robot = Buffer.from(`watcher:${secret}`).toString('base64');
  for (let pull = 0; pull < 3; pull++)
    await ask(front.url, '/v2/team-a/app/manifests/1.0', { headers: { authorization: `Basic ${robot}` } });
  await ask(front.url, '/v2/team-a/app/manifests/1.0', {
    headers: { authorization: `Basic ${credentials(hostile, 'x')}`, 'user-agent': '<b>docker</b>' },
  });
  for (let time = 0; time < 7; time++)
    await ask(front.url, '/v2/', { headers: { authorization: `Basic ${credentials('dana', `wrong ${time}`)}` } });
});
afterAll(async () => {
  await front.close();
  expect(front.errors).toEqual([]);
});

const shown = async (visitor: Visitor, path: string): Promise<string> => {
  const seen = await visitor.get(path);
  expect([path, seen.status]).toEqual([path, 200]);
  return seen.body;
};

describe('a page of operators', () => {
  test.each(['/ui/limits', '/ui/accounts', '/ui/health'])('%s is for who may inspect everywhere', async (path) => {
    await shown(ada, path);
    expect((await tia.get(path)).status).toBe(403);
    expect((await new Visitor(front.url).get(path)).status).toBe(303);
  });

  test.each(['/ui/activity', '/ui/limits', '/ui/accounts', '/ui/health'])(
    '%s is small, and whole without a script',
    async (path) => {
      const body = await shown(ada, path);
      expect(Buffer.byteLength(body)).toBeLessThan(50_000);
      expect(body).not.toMatch(/<[^>]* (?:style|on[a-z]+)=|<script(?! src)/);
    },
  );
});

describe('activity', () => {
  test('shows who was let do what and who was not, each with a way to learn why, and says whose it is', async () => {
    const body = await shown(ada, '/ui/activity?account=dana&decision=deny');
    expect(body).toContain('of this gateway');
    expect(body).toContain('pull team-b/app:1.0');
    expect(body).toContain('href="/ui/access?as=user%3Adana&amp;action=pull&amp;repository=team-b%2Fapp&amp;tag=1.0"');
    expect(body).not.toContain('docker/29 ada');
  });

  test('goes on by a script from the newest that is shown', async () => {
    const body = await shown(ada, '/ui/activity?account=dana');
    const [, url = '', last = ''] = /data-live="([^"]+)" data-last="(\d+)"/.exec(body) ?? [];
    expect(url).toBe('/api/v1/activity?account=dana&amp;limit=50');
    const more = async (): Promise<readonly { repository?: string }[]> => {
      const path = `${url.replaceAll('&amp;', '&')}&after=${last}`;
      const { body: text } = await ask(front.url, path, { headers: { cookie: ada.cookie } });
      return (JSON.parse(text) as { records: readonly { repository?: string }[] }).records;
    };
    expect(await more()).toEqual([]);
    await ask(front.url, '/v2/team-c/app/manifests/2.0', { headers: { authorization: `Basic ${credentials('ada')}` } });
    expect(await more()).toEqual([]);
    await ask(front.url, '/v2/team-c/app/tags/list', {
      headers: { authorization: `Bearer ${await front.token('dana')}` },
    });
    expect((await more()).map(({ repository }) => repository)).toContain('team-c/app');
  });

  test('shows an auditor of some repositories nothing of the others', async () => {
    const body = await shown(tia, '/ui/activity');
    expect(body).toContain('team-a/app');
    expect(body).not.toContain('team-b');
  });

  test('says how the same is had from the audit files, to who may read them', async () => {
    const query = '?repository=team-a/app&account=o%27neil&decision=deny';
    const body = await shown(ada, `/ui/activity${query}`);
    expect(body.replaceAll(/<wbr\/?>/g, '')).toContain(
      `portcullis audit query --since 24h --repository team-a/app --account 'o'\\''neil' --decision deny --csv<`,
    );
    expect(await shown(tia, `/ui/activity${query}`)).not.toContain('audit query');
  });

  test('shows what others wrote as text', async () => {
    const body = await shown(ada, '/ui/activity?decision=deny');
    expect(body).toContain('&lt;b>docker');
    expect(body).toContain('&lt;script');
    expect(body).toContain('U+202E');
    expect(body).not.toContain('<script>alert');
  });

  test('goes back to older ones and forth again without a script', async () => {
    const first = await shown(ada, '/ui/activity');
    expect(first).not.toContain('Older');
    for (let one = 0; one < 60; one++) await ask(front.url, '/token?service=registry.test&scope=repository:x/y:pull');
    const [, older = ''] = /href="(\/ui\/activity\?before=\d+)"/.exec(await shown(ada, '/ui/activity')) ?? [];
    const second = await shown(ada, older);
    expect(second).toContain('href="/ui/activity"');
    expect(second).not.toContain('data-live');
  });
});

test('limits shows who is near one and whom failed logins hold back', async () => {
  const body = await shown(ada, '/ui/limits');
  expect(body).toContain('watcher');
  expect(body).toContain('0 of 3');
  expect(body).toMatch(/in (?:19|20) minutes/);
  expect(body).toContain('dana');
  expect(body).toContain('127.0.0.1');
});

describe('accounts', () => {
  test('shows people and robots with their secrets, marked where something is the matter, and no hash', async () => {
    const body = await shown(ada, '/ui/accounts');
    expect(body).toMatch(/gone[^]*disabled/);
    expect(body).toContain('devs');
    expect(body).toMatch(/abcd1234[^]*never expires[^]*in team-a\/\*\*[^]*used/);
    expect(body).toMatch(/old00000[^]*expired[^]*no use known/);
    expect(body).not.toMatch(/argon2|abababab|pct_/);
  });

  test('finds a name that was pasted with blanks around it', async () => {
    const body = await shown(ada, '/ui/accounts?find=%20tia%09');
    expect(body).toContain('>tia<');
    expect(body).not.toContain('abcd1234');
  });

  test('ends the sessions of somebody for who may administer, and for nobody else', async () => {
    const page = await shown(ada, '/ui/accounts?find=tia');
    const [, csrf = ''] = /end-sessions"><input type="hidden" name="csrf" value="([^"]+)"/.exec(page) ?? [];
    expect((await tia.post('/ui/accounts/end-sessions', { csrf, account: 'tia' })).status).toBe(403);
    await shown(tia, '/ui/activity');
    const done = await ada.post('/ui/accounts/end-sessions', { csrf, account: 'tia' });
    expect([done.status, done.headers.location]).toEqual([303, '/ui/accounts?find=tia']);
    expect((await tia.get('/ui/activity')).status).toBe(303);
  });
});

test('health shows every part in words, and the last hour as pictures that say what they show', async () => {
  const body = await shown(ada, '/ui/health');
  for (const part of ['policy: ok', 'registry: ok', 'session store: ok', 'signing keys: ok', 'gateways: ok'])
    expect(body).toContain(part);
  expect(body.match(/role="img" aria-label="[^"]+: now /g)).toHaveLength(4);
  expect(body).toContain('href="/ui/r/team-a/app"');
});

test('health shows what the last run of doctor found, told by the admin token, and says how to run it before', async () => {
  expect(await shown(ada, '/ui/health')).toContain('Run <code>portcullis doctor</code>');
  const token = (await readFile(join(front.stateDir, 'admin-token'), 'utf8')).trim();
  const tell = (checks: readonly unknown[], headers: Readonly<Record<string, string>>): Promise<number> =>
    fetch(`${front.adminUrl}/api/v1/doctor`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ checks }),
    }).then((reply) => reply.status);
  const check = { number: 17, name: 'Redis', state: 'FAIL', found: '<b>it forgets</b>', fix: 'CONFIG SET x' };
  const checks = [check, { ...check, number: 1, name: 'Node.js', state: 'ok', fix: null }];
  expect(await tell(checks, {})).toBe(401);
  expect(await tell([{ ...check, state: 'fine' }], { authorization: `Bearer ${token}` })).toBe(400);
  expect(await tell(checks, { authorization: `Bearer ${token}` })).toBe(200);
  const body = await shown(ada, '/ui/health');
  expect(body).toMatch(/1 of 2 checks ok, 0 to be seen to, 1 failed\./);
  expect(body).toContain('17 <bdi>Redis</bdi>: failed');
  expect(body).toContain('&lt;b>it forgets&lt;/b> → CONFIG SET x');
  expect(body).not.toContain('1 Node.js');
});
