/** Logging in to the page at a provider: the way there and back, what is shown when it fails, and who tries something else. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compile, quickHash } from '../support/policies.ts';
import { type Idp, startIdp, visit } from '../support/idp.ts';
import { Visitor, ask } from '../support/visitor.ts';
import { type OidcStand, goAndComeBack, logInAt, publicUrl, standOidc } from './support/oidc-stand.ts';

const hash = await quickHash('correct horse');
const policy = `
users: { max: { password: "${hash}" }, eve: { disabled: true } }
robots: { builder: {} }
groups: { developers: { from: ["oidc:dev-team"] } }
rules: [{ name: share, subjects: ["group:developers"], repositories: ["sandbox/**"], actions: [pull] }]
`;
const cookieName = '__Host-portcullis-oidc';

let idp: Idp;
let stand: OidcStand;
let olga: Visitor;
beforeEach(async () => {
  idp = await startIdp();
  stand = await standOidc(idp, policy);
  olga = new Visitor(stand.url);
});
afterEach(async () => {
  await stand.close();
  await idp.stop();
  expect(stand.errors).toEqual([]);
});

const alertOf = (html: string): string =>
  (/role="alert"[^>]*>([^<]*)</.exec(html)?.[1] ?? '').replaceAll('&quot;', '"');

/** Nobody is let in, and is told so beside the form of the login. */
async function isRefused(seen: Awaited<ReturnType<Visitor['get']>>, said: RegExp, status = 403): Promise<void> {
  expect([seen.status, alertOf(seen.body)]).toEqual([status, expect.stringMatching(said)]);
  expect(seen.body).toContain('name="password"');
  expect(seen.headers['set-cookie']?.join() ?? '').not.toMatch(/__Host-portcullis=[^;]/);
  expect((await new Visitor(stand.url).get('/ui/')).status).toBe(303);
}

describe('a login at the provider', () => {
  test('goes there and back, and on to what was asked for, by a cookie of ten minutes that is used up', async () => {
    const wanted = '/ui/r/sandbox/app?q=a%26b';
    const form = await olga.get(`/ui/login?next=${encodeURIComponent(wanted)}`);
    expect(form.body).toContain('Without a password, make an access token');
    const way = /<a[^>]*href="([^"]*)"[^>]*>Log in with Example</.exec(form.body)?.[1];
    expect(way).toBe(`/ui/login/oidc?next=${encodeURIComponent(wanted)}`);
    const away = await olga.get(way ?? '');
    expect(away.status).toBe(303);
    expect(away.headers.location).toMatch(new RegExp(`^${idp.issuer}/auth\\?`));
    expect(away.headers['set-cookie']).toEqual([
      expect.stringMatching(
        new RegExp(`^${cookieName}=[\\w-]+; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600$`),
      ) as string,
    ]);
    const back = await visit(away.headers.location ?? '');
    expect(back.href).toMatch(new RegExp(`^${publicUrl}/ui/login/callback\\?code=`));
    const seen = await olga.get(back.pathname + back.search);
    expect([seen.status, seen.headers.location]).toEqual([303, wanted]);
    expect([...olga.cookies.keys()].sort()).toEqual(['__Host-portcullis']);
    expect((await olga.get('/ui/')).body).toContain('olga');
    expect((await olga.get('/ui/logout')).body).toContain('You are logged in as <b>olga</b>');
    expect(stand.outcomes).toEqual(['ok']);
  });

  test('is written down with its source and groups, and without what is secret', async () => {
    await logInAt(olga);
    await olga.get('/ui/');
    expect(
      stand.records.map(({ event, reason, account, method, source, groups }) => [
        ...[event, reason, account, method, source, groups?.join()],
      ]),
    ).toEqual([
      ['access', 'login_begun', undefined, undefined, undefined, undefined],
      ['login', 'granted', 'olga', 'oidc', 'oidc', 'oidc:dev-team'],
      ['access', 'authenticated', 'olga', 'session', undefined, 'oidc:dev-team'],
    ]);
    const written = JSON.stringify(stand.records);
    for (const secret of ['code=', 'state', 'of-the-provider', ...olga.cookies.values()])
      expect(written).not.toContain(secret);
  });

  test('ends the login that the browser had before, and leaves that of another alone', async () => {
    await logInAt(olga);
    const before = new Visitor(stand.url);
    for (const [name, value] of olga.cookies) before.cookies.set(name, value);
    await logInAt(olga);
    expect((await olga.get('/ui/')).status).toBe(200);
    expect((await before.get('/ui/')).status).toBe(303);
  });

  test('is beside the password, not instead of it', async () => {
    await idp.stop();
    expect((await olga.logIn('max', 'correct horse')).headers.location).toBe('/ui/');
    await idp.start();
  });

  test('goes on to pages of ours only', async () => {
    for (const next of [
      'https://evil.example.com/',
      '//evil.example.com',
      '/\\evil',
      '/ui/../x',
      '/ui/login/oidc',
      '',
    ]) {
      const seen = await logInAt(new Visitor(stand.url), next);
      expect([next, seen.headers.location]).toEqual([next, '/ui/']);
    }
  });

  test('begins at the address that the provider knows', async () => {
    await stand.close();
    stand = await standOidc(idp, policy, { publicUrl: 'http://127.0.0.1:5050' });
    const seen = await ask(stand.url, '/ui/login/oidc?next=%2Fui%2Fme', { headers: { host: 'localhost:5050' } });
    expect([seen.status, seen.headers.location]).toEqual([303, 'http://127.0.0.1:5050/ui/login/oidc?next=%2Fui%2Fme']);
    expect(seen.headers['set-cookie']).toBeUndefined();
  });
});

describe('nobody is let in', () => {
  const notHere = /^This is no answer to a login that this browser has begun/;

  test('by coming back without having left, or to the callback alone', async () => {
    await isRefused(await olga.get('/ui/login/callback'), notHere);
    await isRefused(await olga.get('/ui/login/callback?code=x&state=y'), notHere);
    expect(idp.asked).not.toContain('/token');
  });

  test('in the browser of somebody else, whom an answer of one’s own is given to (login CSRF)', async () => {
    const answer = await goAndComeBack(new Visitor(stand.url));
    await isRefused(await olga.get(answer), notHere);
    await olga.get('/ui/login/oidc');
    await isRefused(await olga.get(answer), notHere);
    expect(idp.asked).not.toContain('/token');
  });

  test('twice by the same answer, also where the browser kept the cookie', async () => {
    const answer = await goAndComeBack(olga);
    const kept = olga.cookies.get(cookieName) ?? '';
    expect((await olga.get(answer)).status).toBe(303);
    const again = new Visitor(stand.url);
    again.cookies.set(cookieName, kept);
    await isRefused(await again.get(answer), notHere);
    await isRefused(await again.get(answer.replace(/code=[^&]*/, 'code=another')), notHere);
    expect(idp.asked.filter((path) => path === '/token')).toHaveLength(1);
  });

  test('after ten minutes', async () => {
    const answer = await goAndComeBack(olga);
    stand.now += 601_000;
    await isRefused(await olga.get(answer), notHere);
  });

  test('by a state that is missing, another, empty or there twice', async () => {
    const changes: ((query: URLSearchParams) => void)[] = [
      (query) => query.delete('state'),
      (query) => query.set('state', ''),
      (query) => query.set('state', 'x'.repeat(43)),
      (query) => query.append('state', query.get('state') ?? ''),
    ];
    for (const change of changes) {
      const [path = '', text] = (await goAndComeBack(olga)).split('?');
      const query = new URLSearchParams(text);
      change(query);
      await isRefused(await olga.get(`${path}?${query.toString()}`), notHere);
    }
  });

  test('by a cookie that is forged, of another kind, or there twice', async () => {
    const answer = await goAndComeBack(olga);
    const real = olga.cookies.get(cookieName) ?? '';
    for (const value of ['', 'x', `${real}x`, real.slice(0, -1), real.repeat(2), 'x'.repeat(12_000)]) {
      const visitor = new Visitor(stand.url);
      await isRefused(await visitor.get(answer, { cookie: `${cookieName}=${value}` }), notHere);
    }
    const twice = `${cookieName}=${real}; ${cookieName}=${real}`;
    await isRefused(await new Visitor(stand.url).get(answer, { cookie: twice }), notHere);
  });

  test('by an answer of another provider (mix-up), and the code goes nowhere', async () => {
    idp.back = { iss: 'https://evil.example.com' };
    await isRefused(await logInAt(olga), /^What came back is not an answer of Example to this login/);
    expect(idp.asked).not.toContain('/token');
  });

  test('where the provider does not look at the verifier, by a code of another login', async () => {
    idp.checksVerifier = false;
    const stolen = new URLSearchParams((await goAndComeBack(new Visitor(stand.url))).split('?')[1]).get('code');
    const own = await goAndComeBack(olga);
    const seen = await olga.get(own.replace(/code=[^&]*/, `code=${stolen}`));
    await isRefused(seen, /^What came back is not an answer of Example to this login/);
  });

  test('by a code of another login, whose verifier nobody else has', async () => {
    const stolen = new URLSearchParams((await goAndComeBack(new Visitor(stand.url))).split('?')[1]).get('code');
    const own = await goAndComeBack(olga);
    const seen = await olga.get(own.replace(/code=[^&]*/, `code=${stolen}`));
    await isRefused(seen, /^Example takes this login for one that was used before/);
  });

  test('by an answer that is sent as a form, or only looked at', async () => {
    const answer = await goAndComeBack(olga);
    expect((await olga.post(answer, {})).status).toBe(405);
    expect((await ask(stand.url, answer, { method: 'HEAD', headers: { cookie: olga.cookie } })).status).toBe(405);
    expect((await olga.get(answer)).status).toBe(303);
  });

  test('when the provider says no, in whose words nothing acts', async () => {
    const description = '<script>alert(1)</script>\u202egnp.exe" onload="x'.repeat(20);
    idp.back = { code: undefined, error: 'access_denied', error_description: description };
    const seen = await logInAt(olga);
    await isRefused(seen, /^Example did not log you in: access_denied: &lt;script>alert\(1\)/);
    expect(seen.body).not.toMatch(/<script>alert|\u202e/);
    expect(seen.body).toContain('U+202E');
    expect(seen.body.length).toBeLessThan(8000);
  });

  test.each([
    ['a machine', 'builder', /^Example calls you "builder", which is the name of somebody else here\.$/],
    ['a user with a password', 'max', /is the name of somebody else here/],
    ['somebody who is shut out', 'eve', /^The account "eve" is disabled here\.$/],
    ['64 kB', 'x'.repeat(65_536), /^Example calls you "x{60}", which cannot be the name of an account here\.$/],
    ['a turned name', 'ol\u202ega', /^Example calls you "olU\+202Ega", which cannot/],
    ['HTML', '<img src=x onerror=alert(1)>', /^Example calls you "&lt;img src=x onerror=alert\(1\)>", which cannot/],
    ['a list', ['olga'], /^Example did not say who you are: .*preferred_username/],
    ['an object member', '__proto__', /^Example calls you "__proto__", which cannot/],
  ])('who comes with the name of %s', async (_, name, said) => {
    idp.claims = { sub: 'sub-1', preferred_username: name, groups: ['dev-team'] };
    await isRefused(await logInAt(olga), said);
    expect(stand.outcomes).toEqual(['wrong']);
    expect(stand.records.findLast(({ event }) => event === 'login')).toMatchObject({
      event: 'login',
      decision: 'deny',
      method: 'oidc',
      source: 'oidc',
    });
    expect(JSON.stringify(stand.records).length).toBeLessThan(5000);
  });

  test('whose groups the provider leaves out because they are many', async () => {
    idp.claims = { sub: 'sub-1', preferred_username: 'olga', _claim_names: { groups: 'src1' } };
    await isRefused(await logInAt(olga), /^Example did not say who you are: .*leaves out the claim "groups"/);
  });
});

describe('a provider that is away', () => {
  test('is said to be beside the form, at the way there and at the way back', async () => {
    const answer = await goAndComeBack(olga);
    await idp.stop();
    const seen = await olga.get(answer);
    await isRefused(
      seen,
      /^Example cannot be asked at the moment\. Try again in a few seconds, or log in with a pass/,
      503,
    );
    expect(seen.headers['retry-after']).toBe('5');
    expect(stand.outcomes).toEqual(['unavailable']);
    expect(stand.records.findLast(({ event }) => event === 'login')).toMatchObject({
      decision: 'error',
      reason: 'source_unavailable',
    });
    await idp.start();
  });

  test('is needed by nobody who has logged in before', async () => {
    await logInAt(olga);
    await idp.stop();
    expect((await olga.get('/ui/')).body).toContain('olga');
    await idp.start();
  });
});

describe('what a login gave', () => {
  test('is over for the one before when the name is somebody else’s, and when the same person has another name', async () => {
    await logInAt(olga);
    idp.claims = { sub: 'sub-2', preferred_username: 'olga', groups: [] };
    stand.now += 1000;
    const other = new Visitor(stand.url);
    await logInAt(other);
    expect((await olga.get('/ui/')).status).toBe(303);
    idp.claims = { sub: 'sub-2', preferred_username: 'helga', groups: [] };
    stand.now += 1000;
    const again = new Visitor(stand.url);
    expect((await logInAt(again)).status).toBe(303);
    expect((await other.get('/ui/')).status).toBe(303);
    expect((await again.get('/ui/')).body).toContain('helga');
  });

  test('is over as soon as a policy shuts the person out', async () => {
    await logInAt(olga);
    stand.policy = compile(policy.replace('eve:', 'olga:'));
    expect((await olga.get('/ui/')).status).toBe(303);
  });
});
