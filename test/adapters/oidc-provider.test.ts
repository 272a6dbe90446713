/** Logins by the browser at a provider: what is sent there, what is believed of what comes back, and what of the person. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { base64url } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ProviderSettings, createOidcProvider } from '../../src/adapters/oidc/provider.ts';
import type { BegunLogin, LoginProvider } from '../../src/ports.ts';
import { Secret } from '../../src/secret.ts';
import { eventually } from '../support/eventually.ts';
import { type Idp, clientId, clientSecret, startIdp, visit } from '../support/idp.ts';
import { makeSigningKey, signToken } from '../support/issuer.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const redirectUri = 'https://registry.example.com/ui/login/callback';

let idp: Idp;
let dir: string;
let provider: LoginProvider;
const opened: LoginProvider[] = [];

beforeAll(async () => {
  dir = await makeTempDir('oidc');
});
afterAll(() => removeTempDir(dir));
beforeEach(async () => {
  idp = await startIdp();
  provider = open();
});
afterEach(async () => {
  for (const each of opened.splice(0)) each.close();
  await idp.stop();
});

function open(more: Partial<ProviderSettings> = {}): LoginProvider {
  const created = createOidcProvider({
    issuer: idp.issuer,
    clientId,
    clientSecret: new Secret(clientSecret),
    name: 'preferred_username',
    groups: 'groups',
    scopes: ['openid', 'profile', 'groups'],
    ca: undefined,
    redirectUri,
    ...more,
  });
  opened.push(created);
  return created;
}

async function begun(by = provider): Promise<BegunLogin> {
  const login = await by.begin();
  if (!login.ok) throw new Error(login.detail);
  return login;
}

/** A whole login; `as`: what the gateway kept, `change`: of what the browser brings. */
async function logIn(
  by = provider,
  { as = {}, change = {} }: { as?: Partial<BegunLogin>; change?: Readonly<Record<string, string | undefined>> } = {},
) {
  const login = await begun(by);
  const { searchParams } = await visit(login.url);
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) searchParams.delete(name);
    else searchParams.set(name, value);
  }
  return by.finish(searchParams, { ...login, ...as });
}

/** `reason detail` of a login that fails. */
async function refusal(...given: Parameters<typeof logIn>): Promise<string> {
  const outcome = await logIn(...given);
  return outcome.ok ? `in as ${outcome.person.name}` : `${outcome.reason}: ${outcome.detail}`;
}

describe('a login', () => {
  test('says who came back, by the ID token alone', async () => {
    expect(await logIn()).toEqual({
      ok: true,
      person: { issuer: idp.issuer, subject: 'sub-1', name: 'olga', groups: ['dev-team', 'unheard-of'] },
    });
    expect(idp.asked).not.toContain('/userinfo');
  });

  test('sends the browser away with what binds the answer to it, new each time', async () => {
    const [first, second] = [await begun(), await begun()];
    const asked = Object.fromEntries(new URL(first.url).searchParams);
    expect(asked).toEqual({
      client_id: clientId,
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: 'openid profile groups',
      state: first.state,
      nonce: first.nonce,
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
      code_challenge_method: 'S256',
    });
    expect(first.url).not.toContain(first.verifier);
    const all = [first, second].flatMap(({ state, nonce, verifier }) => [state, nonce, verifier]);
    expect(new Set(all).size).toBe(6);
    expect(all.every((text) => text.length >= 43)).toBe(true);
  });

  test('asks the userinfo where the ID token leaves out the name or the groups, and there of nobody else', async () => {
    idp.claims = { sub: 'sub-1' };
    idp.userinfo = { sub: 'sub-1', preferred_username: 'olga', groups: 'dev-team' };
    expect(await logIn()).toMatchObject({ ok: true, person: { name: 'olga', groups: ['dev-team'] } });
    idp.claims = { sub: 'sub-1', preferred_username: 'olga' };
    idp.userinfo = { sub: 'sub-1', preferred_username: 'another', groups: ['one', 'two'] };
    expect(await logIn()).toMatchObject({ ok: true, person: { name: 'olga', groups: ['one', 'two'] } });
    idp.userinfo = { sub: 'sub-2', groups: ['admins'] };
    expect(await refusal()).toMatch(/^answer_forged: .*\(sub\)$/);
    idp.metadata = { userinfo_endpoint: undefined };
    expect(await logIn(open())).toMatchObject({ ok: true, person: { name: 'olga', groups: [] } });
  });

  test('may have its claims elsewhere: a name by another claim, groups by a JSON Pointer', async () => {
    idp.claims = { sub: 's', upn: 'olga@example.com', realm_access: { roles: ['dev-team'] } };
    expect(await logIn(open({ name: 'upn', groups: '/realm_access/roles' }))).toMatchObject({
      person: { name: 'olga@example.com', groups: ['dev-team'] },
    });
  });

  test('shows the secret that is in its file now, also in the form of providers that want it in the body', async () => {
    const path = join(dir, 'secret');
    const by = open({ clientSecret: path });
    expect(await refusal(by)).toBe(
      `unavailable: the file with the client's secret cannot be used: ${path} does not exist`,
    );
    await writeFile(path, 'old\n');
    expect(await refusal(by)).toBe('unavailable: the provider answers invalid_client');
    await writeFile(path, `${clientSecret}\n`);
    expect(await logIn(by)).toMatchObject({ ok: true });
    await writeFile(path, 'two\nlines\n');
    expect(await refusal(by)).toContain('is not one line');
    expect(JSON.stringify(by.health())).not.toContain('two');
  });
});

describe('what comes back is not taken', () => {
  test.each([
    ['no state', { change: { state: undefined } }, /^answer_forged: .*/],
    ['the state of another login', { as: { state: 'x'.repeat(43) } }, /^answer_forged: /],
    ['the nonce of another login', { as: { nonce: 'x'.repeat(43) } }, /^answer_forged: .*\(nonce\)$/],
    ['the verifier of another login', { as: { verifier: 'x'.repeat(43) } }, /^answer_spent: the provider answers inv/],
    ['no code', { change: { code: undefined } }, /^answer_forged: /],
    ['a made-up code', { change: { code: 'x' } }, /^answer_spent: the provider answers invalid_grant: code "x" <b>/],
    ['the name of another provider (mix-up)', { change: { iss: 'https://evil.example.com' } }, /^answer_forged: /],
    ['no name of the provider, which promised one', { change: { iss: undefined } }, /^answer_forged: /],
    ['an ID token in the address', { change: { id_token: 'e30.e30.' } }, /^answer_forged: /],
  ])('%s', async (_, given, expected) => {
    expect(await refusal(provider, given)).toMatch(expected);
  });

  test('parameters twice, or in another form of answer', async () => {
    const login = await begun();
    const { searchParams } = await visit(login.url);
    searchParams.append('state', login.state);
    expect(await provider.finish(searchParams, login)).toMatchObject({ reason: 'answer_forged' });
    const jarm = new URLSearchParams({ response: 'e30.e30.' });
    expect(await provider.finish(jarm, login)).toMatchObject({ reason: 'answer_forged' });
    expect(idp.asked).not.toContain('/token');
  });

  test('a code twice', async () => {
    const login = await begun();
    const { searchParams } = await visit(login.url);
    expect(await provider.finish(searchParams, login)).toMatchObject({ ok: true });
    expect(await provider.finish(searchParams, login)).toMatchObject({ reason: 'answer_spent' });
  });

  test('an answer that is a refusal, whose words are kept, not believed', async () => {
    const change = { code: undefined, error: 'access_denied', error_description: '<script>no</script>'.repeat(40) };
    const said = await refusal(provider, { change });
    expect(said).toMatch(/^declined: access_denied: <script>no/);
    expect(said.length).toBeLessThan(330);
    expect(await refusal(provider, { change: { ...change, state: 'another' } })).toMatch(/^answer_forged: /);
  });

  test('what a provider without RFC 9207 sends is taken without its name', async () => {
    idp.metadata = { authorization_response_iss_parameter_supported: undefined };
    idp.back = { iss: undefined };
    expect(await logIn(open())).toMatchObject({ ok: true });
  });
});

describe('an ID token is not taken', () => {
  const now = Math.floor(Date.now() / 1000);
  test.each([
    ['for another client', { aud: 'another' }, '(aud)'],
    ['for several clients without saying for which', { aud: [clientId, 'another'] }, '(aud)'],
    ['for several clients, by another', { aud: [clientId, 'another'], azp: 'another' }, '(azp)'],
    ['for this client by another', { azp: 'another' }, '(azp)'],
    ['of another issuer', { iss: 'https://evil.example.com' }, '(iss)'],
    ['that has expired', { iat: now - 900, exp: now - 61 }, '(exp)'],
    ['from the future', { nbf: now + 120 }, '(nbf)'],
    ['without an end', { exp: undefined }, 'exp'],
    ['without a subject', { sub: undefined }, 'sub'],
    ['with a subject that is no text', { sub: 5 }, 'sub'],
    ['without a nonce', { nonce: undefined }, 'nonce'],
    ['with another nonce', { nonce: 'another' }, '(nonce)'],
  ])('%s', async (_, claims, named) => {
    idp.claims = { ...idp.claims, ...claims };
    const said = await refusal();
    expect(said).toMatch(/^answer_forged: /);
    expect(said).toContain(named);
  });

  test('clocks may differ by a minute', async () => {
    idp.claims = { ...idp.claims, iat: now + 50, nbf: now + 50, exp: now + 300 };
    expect(await logIn()).toMatchObject({ ok: true });
    idp.claims = { ...idp.claims, iat: now - 300, nbf: now - 300, exp: now - 40 };
    expect(await logIn()).toMatchObject({ ok: true });
  });

  test('without a signature, by the secret, by a key that is not published, or altered', async () => {
    const other = await makeSigningKey('one');
    const parts = (header: object, claims: object): string =>
      [header, claims].map((part) => base64url.encode(JSON.stringify(part))).join('.');
    const ways: Idp['sign'][] = [
      (claims) => Promise.resolve(`${parts({ alg: 'none' }, claims)}.`),
      (claims) => Promise.resolve(`${parts({ alg: 'nOnE', kid: 'one' }, claims)}.`),
      async (claims) => {
        const key = await crypto.subtle.importKey(
          'raw',
          Buffer.from(clientSecret),
          { name: 'HMAC', hash: 'SHA-256' },
          false,
          ['sign'],
        );
        const text = parts({ alg: 'HS256' }, claims);
        const signature = await crypto.subtle.sign('HMAC', key, Buffer.from(text));
        return `${text}.${base64url.encode(new Uint8Array(signature))}`;
      },
      (claims) => signToken(other, claims),
      (claims) => signToken(other, claims, { kid: 'two' }),
      (claims) => signToken(other, claims, { kid: 'two', jwk: other.jwk }),
      async (claims, key) => (await signToken(key, claims)).replace(/\.[^.]+\./, `.${parts({}, claims).slice(3)}.`),
      async (claims, key) => `${await signToken(key, claims)}x`,
      async (claims, key) => {
        const [head, , signature] = (await signToken(key, claims)).split('.');
        return [head, base64url.encode(JSON.stringify({ ...claims, sub: 'admin' })), signature].join('.');
      },
      () => Promise.resolve('no token at all'),
    ];
    for (const [at, sign] of ways.entries()) {
      idp.sign = sign;
      expect(await refusal(), String(sign)).toMatch(at < 3 ? /^answer_forged: .*"alg"/ : /^answer_forged: /);
    }
  });
});

describe('of a person is not taken', () => {
  test.each([
    ['no name', { preferred_username: undefined }, 'the claim "preferred_username" is missing'],
    ['an empty name', { preferred_username: '' }, 'the claim "preferred_username" is ""'],
    ['a list as name', { preferred_username: ['olga'] }, 'the claim "preferred_username" is another kind of list'],
    ['an object as name', { preferred_username: { a: 1 } }, 'the claim "preferred_username" is {"a":1}'],
    ['a number as groups', { groups: 5 }, 'the claim "groups" is no list of the names of groups: it is 5'],
    ['objects as groups', { groups: [{ name: 'dev-team' }] }, 'it is another kind of list'],
    ['very many groups', { groups: Array.from({ length: 10_001 }, () => 'a') }, 'it has 10001 entries'],
    ['groups that are said elsewhere', { groups: undefined, _claim_names: { groups: 'src1' } }, 'too long'],
    ['groups that are said to be many', { groups: undefined, hasgroups: true }, 'too long'],
  ])('%s', async (_, claims, said) => {
    idp.claims = { ...idp.claims, ...claims };
    idp.metadata = { userinfo_endpoint: undefined };
    const found = await refusal(open());
    expect(found).toMatch(/^person_unusable: /);
    expect(found).toContain(said);
  });

  test.each(['email', '/email'])('an e-mail address that nobody verified, as %s', async (name) => {
    const by = open({ name });
    for (const email_verified of [undefined, false, 'no']) {
      idp.claims = { ...idp.claims, email: 'olga@example.com', email_verified };
      expect(await refusal(by)).toContain('has not verified');
    }
    idp.claims = { ...idp.claims, email_verified: true };
    expect(await logIn(by)).toMatchObject({ person: { name: 'olga@example.com' } });
  });

  test('anything inherited: claims may be called as they like', async () => {
    idp.sign = (claims, key) => {
      const text = `{"__proto__":{"preferred_username":"admin","groups":["admins"]},${JSON.stringify(claims).slice(1)}`;
      return signToken(key, JSON.parse(text) as object);
    };
    idp.claims = { sub: 'sub-1', preferred_username: 'olga' };
    expect(await logIn()).toMatchObject({ person: { name: 'olga', groups: [] } });
    idp.claims = { sub: 'sub-1' };
    expect(await refusal()).toContain('is missing');
    expect(await refusal(open({ name: 'constructor' }))).toContain('"constructor" is missing');
  });
});

describe('a provider', () => {
  test('that is away is asked again, and says so meanwhile', async () => {
    await idp.stop();
    const by = open();
    expect(await by.begin()).toMatchObject({ ok: false, reason: 'unavailable' });
    expect(by.health()).toMatchObject({ ok: false, detail: expect.stringContaining('cannot be asked') as string });
    await idp.start();
    await eventually('it is asked again', async () => (await by.begin()).ok);
    expect(by.health()).toEqual({ ok: true, detail: idp.issuer });
    const login = await begun(by);
    const { searchParams } = await visit(login.url);
    await idp.stop();
    expect(await by.finish(searchParams, login)).toMatchObject({ ok: false, reason: 'unavailable' });
    expect(by.health().ok).toBe(false);
    await idp.start();
  });

  test.each([
    ['fails', 500, {}, '', 'answers with status 500'],
    ['is not there', 404, {}, '', 'answers with status 404'],
    ['redirects', 302, { location: 'http://127.0.0.1:1/' }, '', 'redirects, which is not followed'],
    ['says what is no JSON', 200, { 'content-type': 'application/json' }, '<html>', 'pars'],
    ['says a page', 200, { 'content-type': 'text/html' }, '<html>', 'content-type'],
    ['says too much', 200, { 'content-type': 'application/json' }, 'x'.repeat(300_000), 'more than 256 KiB'],
  ])('that %s is unavailable at each step', async (_, status, headers, body, said) => {
    const failing = (which: string): void => {
      idp.answer = (path, response) => {
        if (path !== which) return false;
        response.writeHead(status, headers).end(body);
        return true;
      };
    };
    failing('/.well-known/openid-configuration');
    const first = await open().begin();
    expect(first).toMatchObject({ ok: false, reason: 'unavailable' });
    expect(first.ok ? '' : first.detail).toContain(said);
    idp.answer = undefined;
    const by = open();
    await begun(by);
    for (const step of ['/token', '/keys', '/userinfo']) {
      idp.claims = step === '/userinfo' ? { sub: 'sub-1' } : idp.claims;
      failing(step);
      const outcome = await logIn(by);
      expect(outcome.ok, step).toBe(false);
      expect(outcome.ok ? '' : outcome.reason, step).toMatch(
        status === 200 ? /unavailable|answer_forged/ : /^unavailable$/,
      );
      idp.answer = undefined;
    }
  });

  test('that does not answer is not waited for', async () => {
    const by = open();
    const login = await begun(by);
    const { searchParams } = await visit(login.url);
    idp.answer = (path) => path === '/token';
    expect(await by.finish(searchParams, login)).toEqual({
      ok: false,
      reason: 'unavailable',
      detail: `${new URL(idp.issuer).host} does not answer in time`,
    });
  });

  test.each([
    ['another issuer', { issuer: 'https://evil.example.com' }, 'calls itself https://evil.example.com'],
    ['many tenants', { issuer: 'http://127.0.0.1/{tenantid}/' }, 'it speaks for many tenants'],
    ['itself with a slash more', { issuer: 'SELF/' }, ''],
    ['no place to log in', { authorization_endpoint: undefined }, 'authorization_endpoint'],
    ['a place to log in that is none', { authorization_endpoint: 'javascript:alert(1)' }, ''],
    ['a token endpoint elsewhere in clear', { token_endpoint: 'http://example.com/token' }, 'is not https'],
    ['keys elsewhere in clear', { jwks_uri: 'http://example.com/keys' }, 'is not https'],
  ])('that names %s is none', async (_, metadata, said) => {
    const { issuer } = idp;
    idp.metadata = JSON.parse(JSON.stringify(metadata).replace('SELF', issuer)) as object as Idp['metadata'];
    if ('authorization_endpoint' in metadata) idp.metadata = metadata;
    const by = open();
    const first = await by.begin();
    const outcome = first.ok ? await logIn(by) : first;
    expect(outcome).toMatchObject({ ok: false, reason: 'unavailable' });
    expect(outcome.ok ? '' : outcome.detail).toContain(said);
  });

  test('is called as it calls itself, to the last slash', async () => {
    const { origin } = new URL(idp.issuer);
    idp.metadata = { issuer: `${origin}/` };
    expect(await open({ issuer: origin }).begin()).toMatchObject({
      ok: false,
      detail: `${origin} calls itself ${origin}/: write that as issuer`,
    });
    expect(await open({ issuer: `${origin}/` }).begin()).toMatchObject({ ok: true });
  });

  test('in clear is for this machine only', async () => {
    expect(await open({ issuer: 'http://example.com' }).begin()).toMatchObject({
      ok: false,
      detail: expect.stringContaining('not https') as string,
    });
  });
});
