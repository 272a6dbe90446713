/** The gateway's own login, at servers of every kind. */
import { createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createLoginServers } from '../../src/adapters/registry/login-servers.ts';
import type { StoredLogin } from '../../src/distribution/docker-logins.ts';
import type { Authorization, CredentialSource, LoginFailure, UpstreamLogin } from '../../src/ports.ts';
import { createRegistryLogin } from '../../src/registry-login/registry-login.ts';
import {
  type LoginStand,
  account,
  basicOf,
  good,
  password,
  startAsked,
  startLoginStand,
} from '../support/login-stand.ts';

let stand: LoginStand;
let now: number;
let failures: string[];
beforeAll(async () => void (stand = await startLoginStand()));
afterAll(() => stand.close());
beforeEach(() => {
  stand.reset();
  now = 1_000_000;
  failures = [];
});

const pull = 'repository:team/app:pull';
const svc: StoredLogin = { kind: 'password', account, password };

/** `logins`: the next one after each that was forgotten; the last one stays. */
function source(...logins: readonly StoredLogin[]): CredentialSource {
  let at = 0;
  return {
    get: () => Promise.resolve({ ok: true, login: logins[at] ?? svc }),
    forget: (login) => void (login === logins[at] && at < logins.length - 1 && at++),
  };
}

function loginBy(
  credentials: CredentialSource | undefined = source(svc),
  { origin = stand.registry.url, tokenHosts = [stand.tokens.host], withinMs = 5000 } = {},
): UpstreamLogin {
  return createRegistryLogin({
    origin: new URL(origin),
    tokenHosts,
    credentials,
    servers: createLoginServers(stand.trust, withinMs),
    onFailure: (detail) => failures.push(detail),
    now: () => now,
  });
}

const anonymous = (options?: Parameters<typeof loginBy>[1]): UpstreamLogin =>
  createRegistryLogin({
    origin: new URL(options?.origin ?? stand.registry.url),
    tokenHosts: options?.tokenHosts ?? [stand.tokens.host],
    credentials: undefined,
    servers: createLoginServers(stand.trust),
    onFailure: (detail) => failures.push(detail),
    now: () => now,
  });

async function headerOf(login: UpstreamLogin, scope = pull): Promise<string | undefined> {
  return granted(await login.authorize(scope)).header;
}

function granted(authorization: Authorization | LoginFailure): Authorization {
  if (authorization.ok) return authorization;
  throw new Error(`${authorization.reason}: ${authorization.detail}`);
}

function asBasic(accepted = good): void {
  stand.registry.says = ({ authorization }) =>
    authorization === accepted
      ? { status: 200, body: '{}' }
      : { status: 401, headers: { 'www-authenticate': 'Basic realm="registry"' } };
}

describe('a registry that asks for nothing', () => {
  test('is told nothing', async () => {
    stand.registry.says = () => ({ status: 200, body: '{}' });
    const login = loginBy();
    expect(await headerOf(login)).toBeUndefined();
    expect(await headerOf(login, 'registry:catalog:*')).toBeUndefined();
    expect(stand.registry.seen).toEqual([{ method: 'GET', target: '/v2/', authorization: undefined, body: '' }]);
    expect(stand.tokens.seen).toEqual([]);
  });

  test('is told when it begins to ask', async () => {
    stand.registry.says = () => ({ status: 200, body: '{}' });
    const login = loginBy();
    const before = granted(await login.authorize(pull));
    asBasic();
    expect(await login.refused(pull, before, 'Basic realm="registry"')).toBe('again');
    expect(await headerOf(login)).toBe(good);
  });
});

describe('a registry that asks for a password', () => {
  test('gets it, after it has asked', async () => {
    asBasic();
    expect(await headerOf(loginBy())).toBe(good);
    expect(stand.registry.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test('gets none without TLS, unless it is this machine, nor an identity token', async () => {
    const plain = await startAsked();
    onTestFinished(() => plain.close());
    plain.says = () => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } });
    expect(await headerOf(loginBy(source(svc), { origin: plain.url }))).toBe(good);
    const elsewhere = plain.url.replace('127.0.0.1', '0.0.0.0');
    expect(await loginBy(source(svc), { origin: elsewhere }).authorize(pull)).toMatchObject({
      ok: false,
      reason: 'login_failed',
      detail: expect.stringContaining('without TLS') as unknown,
    });
    expect(plain.seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
    asBasic();
    expect(await loginBy(source({ kind: 'identity-token', token: 'it' })).authorize(pull)).toMatchObject({ ok: false });
  });

  test('and refuses it is left alone for a while, longer each time', async () => {
    asBasic('Basic other');
    const login = loginBy();
    const used = granted(await login.authorize(''));
    const refused = await login.refused('', used, 'Basic realm="registry"');
    expect(refused).toMatchObject({
      reason: 'login_failed',
      detail: expect.stringMatching(/^its credentials are refused/) as unknown,
    });
    const shown = (): number => stand.registry.seen.filter(({ authorization }) => authorization === good).length;
    const before = shown();
    for (let count = 0; count < 20; count++) expect(await login.authorize(pull)).toMatchObject({ ok: false });
    expect(shown()).toBe(before);
    expect(failures).toHaveLength(1);
    now += 31_000;
    expect(await login.refused('', granted(await login.authorize('')), undefined)).toMatchObject({ ok: false });
    now += 31_000;
    expect(await login.authorize('')).toMatchObject({ ok: false });
    now += 31_000;
    asBasic();
    expect(await headerOf(login, '')).toBe(good);
  });

  test('and refuses one repository has not refused the password', async () => {
    asBasic();
    const login = loginBy();
    const used = granted(await login.authorize(pull));
    const refused = await Promise.all(
      Array.from({ length: 20 }, () => login.refused(pull, used, 'Basic realm="registry"')),
    );
    expect(new Set(refused.map((each) => (typeof each === 'object' ? each.detail : each)))).toEqual(
      new Set([`${stand.registry.host} refuses ${pull} to the account that the gateway has there (401)`]),
    );
    // One look for all.
    expect(stand.registry.seen.map(({ authorization }) => authorization)).toEqual([undefined, good]);
    expect(await headerOf(login, 'repository:other:pull')).toBe(good);
    expect(failures).toEqual([]);
  });

  test('is spoken of anew when its credentials are missing again', async () => {
    asBasic();
    const missing = { ok: false as const, detail: 'no helper' };
    const readings = [missing, missing, { ok: true as const, login: svc }, missing];
    let at = 0;
    const login = loginBy({ get: () => Promise.resolve(readings[at++] ?? missing), forget: () => {} });
    for (const isIn of [false, false, true, false]) expect((await login.authorize(pull)).ok).toBe(isIn);
    expect(failures).toEqual(['no helper', 'no helper']);
  });

  test('gets a newer one where there is one', async () => {
    asBasic();
    const login = loginBy(source({ ...svc, password: 'of yesterday' }, svc));
    const used = granted(await login.authorize(pull));
    expect(used.header).toBe(basicOf(account, 'of yesterday'));
    expect(await login.refused(pull, used, 'Basic realm="registry"')).toBe('again');
    expect(await headerOf(login)).toBe(good);
  });
});

describe('a registry that asks for tokens', () => {
  test('gets one for exactly the scope of each request', async () => {
    const login = loginBy();
    const mount = 'repository:team/app:pull,push repository:team/base:pull';
    expect(await headerOf(login)).toBe('Bearer t1');
    expect(await headerOf(login, mount)).toBe('Bearer t2');
    expect(await headerOf(login, '')).toBe('Bearer t3');
    expect(await headerOf(login)).toBe('Bearer t1');
    expect(
      stand.tokens.seen.map(({ method, target }) => [
        method,
        new URLSearchParams(target.split('?')[1]).getAll('scope'),
      ]),
    ).toEqual([
      ['GET', [pull]],
      ['GET', mount.split(' ')],
      ['GET', []],
    ]);
    for (const { target, authorization } of stand.tokens.seen) {
      expect(new URLSearchParams(target.split('?')[1]).getAll('service')).toEqual(['registry.test']);
      expect(authorization).toBe(good);
    }
    expect(stand.registry.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test('is asked once what it wants, and the token server once for a token, by a hundred at the same time', async () => {
    const login = loginBy();
    const headers = await Promise.all(Array.from({ length: 100 }, () => headerOf(login)));
    expect(new Set(headers)).toEqual(new Set(['Bearer t1']));
    expect([stand.registry.seen.length, stand.tokens.seen.length]).toEqual([1, 1]);
  });

  test.each([
    [{ expires_in: 300 }, 270],
    [{}, 30],
    [{ expires_in: 'soon' }, 30],
    [{ expires_in: -5 }, 30],
  ])('keeps one of %o for %d seconds', async (said, seconds) => {
    let count = 0;
    stand.tokens.says = () => ({ status: 200, body: JSON.stringify({ access_token: `a${++count}`, ...said }) });
    const login = loginBy();
    expect(await headerOf(login)).toBe('Bearer a1');
    now += seconds * 1000 - 1;
    expect(await headerOf(login)).toBe('Bearer a1');
    now += 1;
    expect(await headerOf(login)).toBe('Bearer a2');
  });

  test.each([{ token: '', access_token: 'a' }, { token: null, access_token: 'a' }, { access_token: 'a' }])(
    'takes it from %o',
    async (said) => {
      stand.tokens.says = () => ({ status: 200, body: JSON.stringify(said) });
      expect(await headerOf(loginBy())).toBe('Bearer a');
    },
  );

  test('keeps none that ends at once, beyond those who wait for it', async () => {
    const says = stand.tokens.says;
    stand.tokens.says = async (seen) => {
      const said = await says(seen);
      return { status: 200, body: said?.body?.replace('300', '20') ?? '' };
    };
    const login = loginBy();
    expect(await Promise.all([headerOf(login), headerOf(login)])).toEqual(['Bearer t1', 'Bearer t1']);
    expect(await headerOf(login)).toBe('Bearer t2');
  });

  test('and refuses one that it took gets a new one, and only one', async () => {
    const login = loginBy();
    await login.authorize(pull);
    const used = granted(await login.authorize(pull));
    expect(used).toEqual({ ok: true, header: 'Bearer t1', isNew: false });
    expect(await login.refused(pull, used, undefined)).toBe('again');
    const newer = granted(await login.authorize(pull));
    expect(newer).toEqual({ ok: true, header: 'Bearer t2', isNew: true });
    // Whoever was refused with the old one meanwhile does not take the new one away.
    expect(await login.refused(pull, used, undefined)).toBe('again');
    expect(await headerOf(login)).toBe('Bearer t2');
    expect(await login.refused(pull, newer, undefined)).toMatchObject({ ok: false, reason: 'login_failed' });
    for (let count = 0; count < 20; count++) expect(await login.authorize(pull)).toMatchObject({ ok: false });
    expect(stand.tokens.seen).toHaveLength(2);
    expect(await headerOf(login, 'repository:other:pull')).toBe('Bearer t3');
  });

  test('gets no token of another service, nor of another server', async () => {
    const login = loginBy();
    const used = granted(await login.authorize(pull));
    const other = `Bearer realm="${stand.tokens.url}/token",service="other.test"`;
    expect(await login.refused(pull, used, other)).toBe('again');
    expect(await headerOf(login)).toBe('Bearer t2');
    expect(stand.tokens.seen.map(({ target }) => new URLSearchParams(target.split('?')[1]).get('service'))).toEqual([
      'registry.test',
      'other.test',
    ]);
  });

  test('is logged in at with an identity token by a form, and never by its address', async () => {
    const login = loginBy(source({ kind: 'identity-token', token: 'identity-of-svc' }));
    expect(await headerOf(login)).toBe('Bearer t1');
    expect(stand.tokens.seen).toMatchObject([{ method: 'POST', target: '/token', authorization: undefined }]);
    expect(Object.fromEntries(new URLSearchParams(stand.tokens.seen[0]?.body))).toEqual({
      grant_type: 'refresh_token',
      client_id: 'portcullis',
      refresh_token: 'identity-of-svc',
      service: 'registry.test',
      scope: pull,
    });
  });
});

describe('a token server that refuses', () => {
  test('the credentials is left alone for a while', async () => {
    const login = loginBy(source({ ...svc, password: 'wrong' }));
    for (const scope of [pull, '', 'repository:other:pull', pull])
      expect(await login.authorize(scope)).toMatchObject({
        reason: 'login_failed',
        detail: `its credentials are refused by ${stand.tokens.host}`,
      });
    // For the request, and to tell what that meant.
    expect(stand.tokens.seen).toHaveLength(2);
    expect(failures).toHaveLength(1);
  });

  test('one scope has refused nothing else', async () => {
    const says = stand.tokens.says;
    stand.tokens.says = (seen) => (seen.target.includes('secret') ? { status: 403 } : says(seen));
    const login = loginBy();
    for (let count = 0; count < 20; count++)
      expect(await login.authorize('repository:secret/app:pull')).toMatchObject({
        reason: 'login_failed',
        detail: `${stand.tokens.host} gives the gateway's account no token for repository:secret/app:pull (403)`,
      });
    expect(stand.tokens.seen).toHaveLength(2);
    expect(await headerOf(login)).toMatch(/^Bearer t/);
    expect(failures).toEqual([]);
  });

  test('gets newer credentials where there are any', async () => {
    const login = loginBy(source({ ...svc, password: 'of yesterday' }, svc));
    expect(await headerOf(login)).toMatch(/^Bearer t/);
    expect(failures).toEqual([]);
  });

  test('an identity token says so in the words of OAuth', async () => {
    stand.tokens.says = () => ({ status: 400, body: '{"error":"invalid_grant"}' });
    const login = loginBy(source({ kind: 'identity-token', token: 'old' }));
    expect(await login.authorize(pull)).toMatchObject({
      detail: expect.stringContaining('credentials are refused') as unknown,
    });
  });
});

describe('a token server that is no good', () => {
  const says = (said: Awaited<ReturnType<LoginStand['tokens']['says']>>): void => void (stand.tokens.says = () => said);

  test.each<[string, () => void, LoginFailure['reason'], string]>([
    ['is down', () => says({ status: 503 }), 'login_failed', 'answers with status 503'],
    ['limits', () => says({ status: 429 }), 'login_failed', 'answers with status 429'],
    [
      'gives a token of 64 KiB',
      () => says({ status: 200, body: JSON.stringify({ token: 'x'.repeat(65_536) }) }),
      'login_failed',
      'larger than 64 KiB',
    ],
    ['speaks no JSON', () => says({ status: 200, body: '<html>' }), 'login_failed', 'gives no token that can be used'],
    ['gives no token', () => says({ status: 200, body: '{"token":null}' }), 'login_failed', 'gives no token'],
    ['gives an empty token', () => says({ status: 200, body: '{"token":""}' }), 'login_failed', 'gives no token'],
    [
      'gives a token with a line break',
      () => says({ status: 200, body: '{"token":"a\\r\\nx-y: z"}' }),
      'login_failed',
      'gives no token',
    ],
    [
      'gives a token with an umlaut',
      () => says({ status: 200, body: '{"token":"ä"}' }),
      'login_failed',
      'gives no token',
    ],
    ['says nothing', () => says(undefined), 'timeout', 'no whole answer within'],
    ['hangs up', () => (stand.tokens.says = () => (stand.tokens.drop(), undefined)), 'unreachable', ''],
  ])('and %s is a failure in words, and not asked by everybody', async (_what, prepare, reason, detail) => {
    prepare();
    const login = loginBy(source(svc), { withinMs: reason === 'timeout' ? 1000 : 10_000 });
    const found = await login.authorize(pull);
    expect(found).toMatchObject({ ok: false, reason, detail: expect.stringContaining(detail) as unknown });
    expect(found).toMatchObject({
      detail: expect.stringContaining(`the token server ${stand.tokens.host}`) as unknown,
    });
    expect(JSON.stringify(found)).not.toContain(password);
    for (let count = 0; count < 10; count++) expect(await login.authorize(pull)).toEqual(found);
    expect(stand.tokens.seen).toHaveLength(1);
    stand.reset();
    now += 5001;
    expect(await headerOf(login)).toBe('Bearer t1');
  });

  test('and dribbles is not waited for', async () => {
    const slow = createServer((socket) => {
      socket.on('error', () => {});
      const timer = setInterval(() => socket.write('x'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void slow.close());
    const { port } = slow.address() as { port: number };
    const servers = createLoginServers(stand.trust, 300);
    expect(await servers.ask({ url: new URL(`https://127.0.0.1:${port}/`), headers: {} })).toMatchObject({ ok: false });
    expect(await servers.ask({ url: new URL(`http://127.0.0.1:${port}/`), headers: {} })).toMatchObject({ ok: false });
  });

  test('and has a certificate that nobody vouches for gets nothing', async () => {
    const servers = createLoginServers(undefined);
    const answer = await servers.ask({ url: new URL(stand.tokens.url), headers: { authorization: good } });
    expect(answer).toMatchObject({ ok: false, detail: expect.stringContaining('self-signed') as unknown });
    expect(stand.tokens.seen).toEqual([]);
  });

  test('and redirects is not followed', async () => {
    const elsewhere = await startAsked();
    onTestFinished(() => elsewhere.close());
    for (const status of [301, 302, 303, 307, 308]) {
      says({ status, headers: { location: `${elsewhere.url}/token` } });
      const login = loginBy();
      expect(await login.authorize(pull)).toMatchObject({
        ok: false,
        detail: expect.stringContaining('redirect') as unknown,
      });
    }
    expect(elsewhere.connections()).toBe(0);
  });
});

describe('a foreign realm', () => {
  test('gets nothing, not even a connection', async () => {
    const foreign = await startAsked();
    onTestFinished(() => foreign.close());
    const realms = [
      foreign.url,
      `${foreign.url}/token`,
      `http://${stand.tokens.host}@${foreign.host}/token`,
      `${foreign.url}/${stand.tokens.url}`,
      foreign.url.replace('127.0.0.1', 'localhost'),
      foreign.url.replace('http', 'https'),
    ];
    for (const realm of realms) {
      const challenge = `Bearer realm="${realm}",service="registry.test"`;
      stand.registry.says = () => ({ status: 401, headers: { 'www-authenticate': challenge } });
      for (const login of [loginBy(), loginBy(source({ kind: 'identity-token', token: 'it' }))])
        expect(await login.authorize(pull)).toMatchObject({
          reason: 'login_failed',
          detail: expect.stringContaining('token server') as unknown,
        });
      const login = anonymous();
      const used = granted(await login.authorize(pull));
      expect(await login.refused(pull, used, challenge)).toMatchObject({ ok: false });
      expect(await headerOf(login)).toBeUndefined();
    }
    expect(foreign.connections()).toBe(0);
    expect(stand.tokens.seen).toEqual([]);
  });

  test('named in the middle of things gets nothing either, and is forgotten when it is gone', async () => {
    const login = loginBy();
    const used = granted(await login.authorize(pull));
    expect(await login.refused(pull, used, 'Bearer realm="https://evil.test/token"')).toMatchObject({ ok: false });
    expect(await headerOf(login)).toBe('Bearer t1');
  });
});

describe('without credentials', () => {
  const anybody = (): void => {
    let count = 0;
    stand.tokens.says = () => ({ status: 200, body: JSON.stringify({ token: `p${++count}`, expires_in: 300 }) });
  };
  const challenge = (): string => `Bearer realm="${stand.tokens.url}/token",service="registry.test"`;

  test('nobody is asked for anything until the registry wants a token, which comes without a login then', async () => {
    anybody();
    const login = anonymous();
    const used = granted(await login.authorize(pull));
    expect(used.header).toBeUndefined();
    expect([stand.registry.seen.length, stand.tokens.seen.length]).toEqual([0, 0]);
    expect(await login.refused(pull, used, challenge())).toBe('again');
    expect(await headerOf(login)).toBe('Bearer p1');
    expect(stand.tokens.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
    expect(login.isOpenToAll()).toBe(true);
  });

  test('a look without scope needs no token', async () => {
    const login = anonymous();
    const used = granted(await login.authorize(''));
    expect(await login.refused('', used, challenge())).toBe('guarded');
    expect(login.isOpenToAll()).toBe(true);
    expect(stand.tokens.seen).toEqual([]);
  });

  test('a registry that gives nobody a token has access control of its own', async () => {
    const login = anonymous();
    const used = granted(await login.authorize(pull));
    expect(await login.refused(pull, used, challenge())).toBe('again');
    expect(await login.authorize(pull)).toMatchObject({
      reason: 'login_failed',
      detail: `the registry has access control of its own: ${stand.tokens.host} gives nobody a token for ${pull}`,
    });
  });

  test('a registry that wants a password is what it was before', async () => {
    const login = anonymous();
    const used = granted(await login.authorize(pull));
    expect(await login.refused(pull, used, 'Basic realm="registry"')).toBe('guarded');
    expect(await login.refused(pull, used, undefined)).toBe('guarded');
    expect(await headerOf(login)).toBeUndefined();
    expect(login.isOpenToAll()).toBe(false);
    expect(failures).toEqual([]);
  });
});

describe('a registry that cannot be asked what it wants', () => {
  test('is unreachable', async () => {
    const gone = await startAsked();
    await gone.close();
    expect(await loginBy(source(svc), { origin: gone.url }).authorize(pull)).toMatchObject({ reason: 'unreachable' });
  });

  test('is asked again when it was only out of order', async () => {
    stand.registry.says = () => ({ status: 503 });
    const login = loginBy();
    expect(await headerOf(login)).toBeUndefined();
    asBasic();
    expect(await headerOf(login)).toBe(good);
  });
});
