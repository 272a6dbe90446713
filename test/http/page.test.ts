/** The page: who comes in, and what is answered instead. */
import { afterEach, describe, expect, test } from 'vitest';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import { compile, quickHash } from '../support/policies.ts';
import { Visitor, ask, fieldOf } from '../support/visitor.ts';
import { samplePage } from './support/web-samples.ts';
import { type StandOptions, type WebStand, standWeb } from './support/web-stand.ts';

const robotSecret = makeSecret('robot').text;
const people = `
users:
  dana: { password: "${await quickHash('correct horse')}" }
  gone: { password: "${await quickHash('correct horse')}", disabled: true }
robots:
  builder: { tokens: [{ id: abcd1234, sha256: ${secretHash(robotSecret)} }] }
`;
const rules = `rules: [{ name: own, subjects: ["user:dana"], repositories: ["mine/**"], actions: [pull] }]\n`;
const open = `rules: [{ name: open, subjects: [everyone], repositories: ["public/**"], actions: [pull] }]\n`;
const hour = 3_600_000;

let stand: WebStand;
afterEach(async () => {
  await stand.close();
  expect(stand.errors).toEqual([]);
});

async function begin(options: Partial<StandOptions> = {}): Promise<Visitor> {
  stand = await standWeb({ policy: people + rules, ...options });
  return new Visitor(stand.url);
}

describe('somebody who logs in', () => {
  test('goes on to the page they asked for, is known there by name, and no longer when they have logged out', async () => {
    const dana = await begin({ pages: [samplePage('/ui/'), samplePage('/ui/r/')] });
    const wanted = '/ui/r/mine/app?q=a%26b';
    const sentAway = await dana.get(wanted);
    expect([sentAway.status, sentAway.headers.location]).toEqual([303, `/ui/login?next=${encodeURIComponent(wanted)}`]);
    const login = await dana.logIn('dana', 'correct horse', wanted);
    expect([login.status, login.headers.location]).toEqual([303, wanted]);
    expect((await dana.get(wanted)).body).toContain('mine/app');
    expect((await dana.get('/ui/logout')).body).toContain('You are logged in as <b>dana</b>');
    const copy = { headers: { cookie: dana.cookie, accept: 'text/html' } };
    expect((await ask(stand.url, wanted, copy)).status).toBe(200);
    const out = await dana.logOut();
    expect([out.status, out.headers.location]).toEqual([303, '/ui/logout']);
    expect((await ask(stand.url, wanted, copy)).status).toBe(303);
    expect((await dana.get('/ui/logout')).body).toContain('You are logged out');
    expect((await dana.get('/ui/')).status).toBe(303);
  });

  test('is written down with the way, from the first page to the last, and without any secret', async () => {
    const dana = await begin();
    await dana.logIn('dana', 'wrong horse');
    await dana.logIn('dana', 'correct horse');
    await dana.get('/ui/?q=what+they+seek');
    await dana.logOut();
    const seen = stand.records.map(({ event, decision, reason, account, method, route }) => [
      ...[event, decision, reason, account, method, route],
    ]);
    const form = ['access', 'allow', 'login_form', undefined, undefined, 'ui'];
    expect(seen).toEqual([
      form,
      ['login', 'deny', 'password_wrong', 'dana', undefined, 'ui'],
      form,
      ['login', 'allow', 'granted', 'dana', 'password', 'ui'],
      ['access', 'allow', 'authenticated', 'dana', 'session', 'ui'],
      ['access', 'allow', 'logout_form', 'dana', 'session', 'ui'],
      ['session', 'allow', 'revoked', 'dana', 'session', 'ui'],
    ]);
    const written = JSON.stringify(stand.records);
    for (const secret of ['wrong horse', 'correct horse', 'seek', ...dana.cookies.values()])
      expect(written).not.toContain(secret);
  });

  test('is told what was wrong and how many tries are left, the same for a name that nobody has, and keeps the name', async () => {
    const guess = await begin();
    for (const account of ['dana', 'nobody', '"><script>alert(1)</script>']) {
      const wrong = await guess.logIn(account, 'battery');
      expect([wrong.status, wrong.headers['www-authenticate']]).toEqual([401, 'Cookie realm="registry.test"']);
      expect(wrong.body).toMatch(
        /role="alert"[^>]*>The user name or the password is wrong. 4 more tries before there is a pause.</,
      );
      expect(wrong.body).not.toContain('<script>');
      expect(wrong.body).toContain(
        `name="account" value="${account.replaceAll('"', '&quot;').replaceAll('<', '&lt;')}"`,
      );
    }
    for (const [tried, left] of [
      ['b', '3 more tries'],
      ['c', '2 more tries'],
      ['d', '1 more try'],
      ['e', 'There is a pause'],
    ] as const)
      expect((await guess.logIn('dana', tried)).body).toContain(left);
    const held = await guess.logIn('dana', 'correct horse');
    expect([held.status, held.headers['retry-after']]).toEqual([429, '1']);
    expect(held.body).toContain('Too many failed logins. Try again in 1 second.');
    expect(stand.records.at(-1)).toMatchObject({ event: 'limit', reason: 'login_held', account: 'dana', route: 'ui' });
    stand.now += 1001;
    expect((await guess.logIn('dana', 'correct horse')).status).toBe(303);
  });

  test('does so by their password: tokens of robots, of people and of CI jobs are refused with a sentence, and no session begins', async () => {
    const guess = await begin();
    const jwt = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${Buffer.from('{"iss":"x"}').toString('base64url')}.AAAA`;
    for (const [account, secret] of [
      ['builder', robotSecret],
      ['dana', robotSecret],
      ['dana', makeSecret('session').text],
      ['dana', 'pct_short'],
      ['oidc', jwt],
    ] as const) {
      const refused = await guess.logIn(account, secret);
      expect([account, refused.status]).toEqual([account, 403]);
      expect(refused.body).toContain(
        'This is a token. Tokens are for programs such as docker; log in here with your password.',
      );
      expect(refused.headers['set-cookie'] ?? []).toEqual([]);
    }
    expect((await guess.logIn('gone', 'correct horse')).status).toBe(401);
    expect((await guess.logIn('dana', '')).body).toContain('The password is missing.');
    const listed = await stand.sessions.list(undefined, stand.now);
    expect(listed).toEqual({ ok: true, sessions: [] });
  });

  test('has a new session each time, and the one before ends', async () => {
    const dana = await begin();
    const names = ['__Host-portcullis', '__Host-portcullis-login'] as const;
    await dana.get('/ui/login');
    const planted = dana.cookies.get(names[1]) ?? '';
    // Whoever knows the cookie of the form, or sets one of a session, knows nothing of the session that begins.
    dana.cookies.set(names[0], planted);
    await dana.logIn('dana', 'correct horse');
    const first = dana.cookies.get(names[0]);
    expect([first === planted, dana.cookies.has(names[1])]).toEqual([false, false]);
    const form = await new Visitor(stand.url).get('/ui/login');
    dana.cookies.set(names[1], /login=([^;]+)/.exec(String(form.headers['set-cookie']))?.[1] ?? '');
    const again = { csrf: fieldOf(form.body, 'csrf'), next: '/ui/', account: 'dana', password: 'correct horse' };
    expect((await dana.post('/ui/login', again)).status).toBe(303);
    expect(dana.cookies.get(names[0])).not.toBe(first);
    const old = await ask(stand.url, '/ui/', { headers: { cookie: `${names[0]}=${first}` } });
    expect(old.headers.location).toBe('/ui/login?next=%2Fui%2F&why=ended');
    expect((await dana.get('/ui/')).status).toBe(200);
  });
});

describe('a session of the page', () => {
  test('ends after an hour without use', async () => {
    const dana = await begin();
    await dana.logIn('dana', 'correct horse');
    for (let visit = 0; visit < 3; visit++) {
      stand.now += hour - 1000;
      expect((await dana.get('/ui/')).status).toBe(200);
    }
    stand.now += hour;
    const ended = await dana.get('/ui/');
    expect(ended.headers.location).toBe('/ui/login?next=%2Fui%2F&why=ended');
    expect(dana.cookies.has('__Host-portcullis')).toBe(false);
    expect((await dana.get(ended.headers.location ?? '')).body).toContain('Your login has ended. Log in again.');
  });

  test('ends after eight hours, however it is used', async () => {
    const dana = await begin();
    await dana.logIn('dana', 'correct horse');
    const begun = stand.now;
    for (; stand.now < begun + 8 * hour - 60_000; stand.now += 30 * 60_000)
      expect((await dana.get('/ui/')).status).toBe(200);
    stand.now = begun + 8 * hour;
    expect((await dana.get('/ui/')).status).toBe(303);
  });

  test('is written down as used once a minute, not by every page', async () => {
    let uses = 0;
    const dana = await begin({
      sessions: (store) => ({ ...store, use: (...given) => ((uses += 1), store.use(...given)) }),
    });
    await dana.logIn('dana', 'correct horse');
    for (let second = 0; second < 180; second += 15, stand.now += 15_000) await dana.get('/ui/');
    expect(uses).toBe(2);
  });

  test('ends with the password, with the account, and when it is revoked', async () => {
    const everybody = `rules: [{ name: own, subjects: [authenticated], repositories: ["mine/**"], actions: [pull] }]\n`;
    const now = (text: string) => () => void (stand.policy = compile(text + everybody));
    const changes: Readonly<Record<string, () => unknown>> = {
      password: now(people.replace(/(dana: .*?")[^"]*/, `$1${(await quickHash('other')).replaceAll('$', '$$$$')}`)),
      disabled: now(people.replace(/(dana: .*?") \}/, '$1, disabled: true }')),
      removed: now(people.replace('dana:', 'lena:')),
      machine: now(people.replace('dana:', 'lena:').replace('builder:', 'dana:')),
      revoked: () => stand.sessions.revoke({ account: 'dana' }, stand.now),
      ended: () => stand.sessions.endAccount('dana', stand.now + 1),
    };
    for (const [name, change] of Object.entries(changes)) {
      const dana = await begin({ policy: people + everybody });
      await dana.logIn('dana', 'correct horse');
      expect([name, (await dana.get('/ui/')).status]).toEqual([name, 200]);
      await change();
      expect([name, (await dana.get('/ui/')).status]).toEqual([name, 303]);
      await stand.close();
    }
    await begin();
  });

  test('that cannot be looked up lets nobody in, and is not thrown away', async () => {
    let isDown = false;
    const down = { ok: false, reason: 'unavailable' } as const;
    const dana = await begin({
      policy: people + open,
      sessions: (store) => ({
        ...store,
        find: (hash) => (isDown ? Promise.resolve(down) : store.find(hash)),
        revoke: (...given) => (isDown ? Promise.resolve(down) : store.revoke(...given)),
        open: (...given) => (isDown ? Promise.resolve(down) : store.open(...given)),
      }),
    });
    await dana.logIn('dana', 'correct horse');
    isDown = true;
    const page = await dana.get('/ui/');
    expect([page.status, page.headers['retry-after'], page.headers['set-cookie']]).toEqual([503, '5', undefined]);
    expect(page.body).toContain('Your login cannot be checked now');
    expect(page.body).not.toContain('You are not logged in');
    // Who has no cookie is not asked about.
    const stranger = new Visitor(stand.url);
    expect((await stranger.get('/ui/')).status).toBe(200);
    const login = await stranger.logIn('dana', 'correct horse');
    expect([login.status, login.headers['retry-after']]).toEqual([503, '3']);
    expect(login.body).toContain('Logins cannot be recorded at the moment');
    isDown = false;
    expect((await dana.get('/ui/')).status).toBe(200);
  });
});

describe('who is not logged in', () => {
  test('sees what anonymous callers may pull, unless the configuration says never', async () => {
    const stranger = await begin({ policy: people + open });
    const page = await stranger.get('/ui/');
    expect([page.status, page.body.includes('You are not logged in')]).toEqual([200, true]);
    expect(page.body).toContain('href="/ui/login?next=%2Fui%2F"');
    expect(page.body).not.toContain('1.2.3');
    await stand.close();
    const refused = await begin({ policy: people + open, anonymous: 'never' });
    expect((await refused.get('/ui/')).status).toBe(303);
  });

  test('sees it also with the cookie of a login that has ended, which the browser is told to forget', async () => {
    const dana = await begin({ policy: people + open });
    await dana.logIn('dana', 'correct horse');
    await stand.sessions.revoke({ account: 'dana' }, stand.now);
    for (const [path, status] of [
      ['/ui/', 200],
      ['/ui/none', 404],
      ['/ui/login', 200],
    ] as const) {
      const visitor = new Visitor(stand.url);
      for (const [name, value] of dana.cookies) visitor.cookies.set(name, value);
      const page = await visitor.get(path);
      expect([path, page.status, visitor.cookies.has('__Host-portcullis')]).toEqual([path, status, false]);
      expect(visitor.cookies.has('__Host-portcullis-login')).toBe(path === '/ui/login');
    }
  });

  test('is sent to log in for what an account needs, and learns of no page whether it is there', async () => {
    const pages = [samplePage('/ui/'), samplePage('/ui/mine', { needs: 'account' })];
    const stranger = await begin({ policy: people + open, pages });
    expect((await stranger.get('/ui/mine')).headers.location).toBe('/ui/login?next=%2Fui%2Fmine');
    await stand.close();
    const closed = await begin({ pages });
    for (const path of ['/ui/mine', '/ui/nothing', '/ui/r/secret'])
      expect((await closed.get(path)).headers.location).toBe(`/ui/login?next=${encodeURIComponent(path)}`);
  });
});

describe('over http', () => {
  const fields = { csrf: 'x', next: '/ui/', account: 'dana', password: 'correct horse' };

  test('on another machine there is no login', async () => {
    const dana = await begin({ publicUrl: 'http://registry.test' });
    const page = await dana.get('/ui/login');
    expect([page.status, page.headers['set-cookie']]).toEqual([200, undefined]);
    expect(page.body).toContain('without encryption');
    expect(page.body).not.toContain('<form');
    expect((await dana.post('/ui/login', fields)).status).toBe(403);
    expect(stand.records.at(-1)).toMatchObject({ event: 'login', decision: 'deny', reason: 'login_over_http' });
  });

  test('on this machine there is, by any of its names', async () => {
    const dana = await begin({ publicUrl: 'http://127.0.0.1:5050' });
    const form = await dana.get('/ui/login', { host: 'localhost:5050' });
    const login = { ...fields, csrf: fieldOf(form.body, 'csrf') };
    const from = (host: string, origin: string) =>
      ask(stand.url, '/ui/login', {
        method: 'POST',
        headers: { host, origin, cookie: dana.cookie, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(login).toString(),
      });
    expect((await from('localhost:5050', 'http://localhost:5051')).status).toBe(403);
    expect((await from('evil.test:5050', 'http://evil.test:5050')).status).toBe(403);
    expect((await from('127.0.0.1:5050', 'http://127.0.0.1:5050')).status).toBe(303);
    expect((await from('localhost:5050', 'http://localhost:5050')).status).toBe(303);
  });
});

describe('instead of a page', () => {
  test('names who is refused, with a way to log out, and the request', async () => {
    const pages = [
      samplePage('/ui/'),
      samplePage('/ui/r/', { outcome: 'unknown' }),
      samplePage('/ui/all', { needs: 'inspect' }),
    ];
    const dana = await begin({ pages });
    await dana.logIn('dana', 'correct horse');
    for (const [path, status, words] of [
      ['/ui/nothing', 404, 'There is nothing here'],
      ['/ui/r/secret/app', 404, 'of &quot;secret/app&quot; nothing'],
      ['/ui/all', 403, 'this takes inspect in every repository'],
      [`/ui/?q=${'x'.repeat(101)}`, 400, 'That cannot be read'],
    ] as const) {
      const page = await dana.get(path);
      expect([path, page.status]).toEqual([path, status]);
      expect(page.body).toContain(words);
      expect(page.body).toContain('You are logged in as <b>dana</b>');
      expect(page.body).toContain('action="/ui/logout"');
      expect(page.body).toContain(String(page.headers['x-request-id']));
    }
  });

  test('a defect is told in words, without what it was', async () => {
    const dana = await begin({ policy: people + open, pages: [samplePage('/ui/', { outcome: 'throws' })] });
    const page = await dana.get('/ui/');
    expect(page.status).toBe(500);
    expect(page.body).toContain('This is a mistake of the gateway, not yours.');
    expect(page.body).not.toContain('hunter2');
    expect(String(stand.errors.splice(0))).toContain('hunter2');
    expect(stand.records.at(-1)).toMatchObject({ decision: 'error', reason: 'internal_error', status: 500 });
  });

  test('more than sixty a minute are refused, for the account wherever it is, and nobody else', async () => {
    const dana = await begin();
    await dana.logIn('dana', 'correct horse');
    const status = async (visitor: Visitor): Promise<number> => (await visitor.get('/ui/')).status;
    for (let page = 0; page < 60; page++) expect(await status(dana)).toBe(200);
    const refused = await dana.get('/ui/');
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '1']);
    expect(refused.body).toContain(
      'You have asked for more than 60 pages a minute, answers of /api/v1 among them; go on in 1 second.',
    );
    expect(refused.body).toContain('You are logged in as <b>dana</b>');
    expect(stand.records.at(-1)).toMatchObject({ event: 'limit', reason: 'page_limit_reached', account: 'dana' });
    expect(await status(new Visitor(stand.url))).toBe(303);
    stand.now += 1000;
    expect([await status(dana), await status(dana)]).toEqual([200, 429]);
  });
});

describe('over every page of who may see the policy', () => {
  test('stands that its newest files are not in force, and over nobody else’s', async () => {
    const inspects = `
groups: { auditors: {} }
rules:
  - { name: own, subjects: [authenticated], repositories: ["mine/**"], actions: [pull] }
  - { name: look, subjects: ["user:dana"], repositories: ["**"], actions: [inspect] }
`;
    const text =
      people.replace('robots:', `  otto: { password: "${await quickHash('correct horse')}" }\nrobots:`) + inspects;
    const dana = await begin({
      policy: text,
      warning: () => 'The newest policy files are not in force: p.yaml:3:1 <b>',
    });
    const otto = new Visitor(stand.url);
    await dana.logIn('dana', 'correct horse');
    await otto.logIn('otto', 'correct horse');
    for (const path of ['/ui/', '/ui/none']) {
      expect((await dana.get(path)).body).toContain('not in force: p.yaml:3:1 &lt;b></bdi> <a href="/ui/policy">');
      expect((await otto.get(path)).body).not.toContain('p.yaml');
    }
    expect((await dana.get('/ui/')).body).toContain('href="/ui/health"');
    expect((await otto.get('/ui/')).body).not.toContain('href="/ui/health"');
  });
});

describe('every answer', () => {
  const policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

  test('has the headers that keep the page to itself', async () => {
    const dana = await begin({ endsTls: true });
    const shown = [
      await dana.get('/ui/login'),
      await dana.get('/ui/'),
      await dana.logIn('dana', 'no'),
      await dana.post('/ui/', {}),
    ];
    shown.push(await dana.logIn('dana', 'correct horse'), await dana.get('/ui/'), await dana.get('/ui/none'));
    for (const { headers } of shown)
      expect(headers).toMatchObject({
        'content-security-policy': policy,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store',
        vary: 'Cookie, Accept-Encoding',
        'strict-transport-security': 'max-age=31536000',
        'content-type': 'text/html; charset=utf-8',
      });
    await stand.close();
    const plain = await begin();
    expect((await plain.get('/ui/login')).headers['strict-transport-security']).toBeUndefined();
  });

  test('sets cookies that no script reads, no other site sends and no plain connection carries', async () => {
    const dana = await begin();
    const form = await dana.get('/ui/login');
    const login = await dana.logIn('dana', 'correct horse');
    const attributes = 'Path=/; Secure; HttpOnly; SameSite=Lax';
    expect(form.headers['set-cookie']).toEqual([
      expect.stringMatching(new RegExp(`^__Host-portcullis-login=[\\w-]{43}; ${attributes}$`)),
    ]);
    expect(login.headers['set-cookie']).toEqual([
      expect.stringMatching(new RegExp(`^__Host-portcullis=[\\w-]{43}; ${attributes}$`)),
      `__Host-portcullis-login=; Max-Age=0; ${attributes}`,
    ]);
    const secret = dana.cookies.get('__Host-portcullis') ?? '';
    const listed = await stand.sessions.list('dana', stand.now);
    expect(listed).toMatchObject({ ok: true, sessions: [{ kind: 'web', account: 'dana', address: '127.0.0.1' }] });
    expect(JSON.stringify(listed)).not.toContain(secret);
    expect((await dana.logOut()).headers['set-cookie']).toEqual([`__Host-portcullis=; Max-Age=0; ${attributes}`]);
  });

  test('is compressed where the browser takes it, with another token in each form', async () => {
    await begin();
    const tokens = new Set<string>();
    const plain = await ask(stand.url, '/ui/login', { headers: { 'accept-encoding': 'br, gzip;q=0' } });
    expect(plain.headers['content-encoding']).toBeUndefined();
    const cookie = /^[^;]+/.exec(plain.headers['set-cookie']?.[0] ?? '')?.[0] ?? '';
    for (let visit = 0; visit < 5; visit++) {
      const reply = await fetch(`${stand.url}/ui/login`, { headers: { cookie, 'accept-encoding': 'gzip' } });
      expect(reply.headers.get('content-encoding')).toBe('gzip');
      const text = await reply.text();
      expect(text).toMatch(/^<!doctype html>\n<html lang="en">/);
      tokens.add(fieldOf(text, 'csrf'));
    }
    expect(tokens.size).toBe(5);
    for (const csrf of tokens) {
      const headers = { cookie, 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' };
      const body = new URLSearchParams({ csrf, account: 'dana', password: 'correct horse' }).toString();
      expect((await ask(stand.url, '/ui/login', { method: 'POST', headers, body })).status).toBe(303);
    }
  });

  test('names assets by their content, which may be kept for a year', async () => {
    const visitor = await begin();
    const { body } = await visitor.get('/ui/login');
    const paths = [...body.matchAll(/(?:href|src)="(\/ui\/assets\/[^"]+)"/g)].map(([, path = '']) => path);
    expect(paths.map((path) => path.replace(/\.[0-9a-f]{16}\./, '.#.'))).toEqual([
      '/ui/assets/icon.#.svg',
      '/ui/assets/page.#.css',
      '/ui/assets/page.#.js',
    ]);
    const types = ['image/svg+xml', 'text/css; charset=utf-8', 'text/javascript; charset=utf-8'];
    for (const [at, path] of paths.entries()) {
      const asset = await ask(stand.url, path, { headers: { 'accept-encoding': 'identity' } });
      expect(asset.headers).toMatchObject({
        'content-type': types[at],
        'cache-control': 'public, max-age=31536000, immutable',
        'x-content-type-options': 'nosniff',
        'content-security-policy': policy,
        vary: 'Accept-Encoding',
      });
      const zipped = await fetch(stand.url + path, { headers: { 'accept-encoding': 'gzip' } });
      expect(zipped.headers.get('content-encoding')).toBe('gzip');
      expect(await zipped.text()).toBe(asset.body);
    }
    const other = (paths[1] ?? '').replace(/[0-9a-f]{16}/, '0'.repeat(16));
    const older = await ask(stand.url, other);
    expect([older.status, older.headers['content-type'], older.headers['cache-control']]).toEqual([
      ...[200, 'text/css; charset=utf-8', 'no-store'],
    ]);
    for (const path of ['/ui/assets/', '/ui/assets/page.css', '/ui/assets/page.*.css', '/ui/assets/../page.css'])
      expect((await ask(stand.url, path)).status).not.toBe(200);
  });
});
