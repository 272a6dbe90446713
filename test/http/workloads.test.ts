/** CI jobs log in with the ID token of their platform: over HTTP as clients do, and what is written down about it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeJwt } from 'jose';
import { type Issuer, type SigningKey, makeSigningKey, signToken, startIssuer } from '../support/issuer.ts';
import { type Front, credentials, passwordOf, service, startFront } from './support/front.ts';

let issuer: Issuer;
let key: SigningKey;
let front: Front;

const workloads = (claims: string, more = ''): string => `
workloads:
  release-job:
    issuer: ${issuer.url}
    audience: ${service}
    ca: ${issuer.ca}
    claims: ${claims}
    groups: [builders]
    ${more}
groups: { builders: }
rules: [{ name: build, subjects: ['group:builders'], repositories: ['apps/**'], actions: [pull, push] }]
`;
const usual = '{ repository: "acme/app", ref: "refs/heads/*" }';

beforeAll(async () => {
  key = await makeSigningKey('first');
  issuer = await startIssuer([key]);
  front = await startFront({ rules: workloads(usual) });
});
afterAll(async () => {
  await front.close();
  await issuer.close();
});
beforeEach(() => front.setPolicy(workloads(usual)));

const now = (): number => Math.floor(Date.now() / 1000);
const claims = (more: object = {}): object => ({
  iss: issuer.url,
  aud: service,
  sub: 'repo:acme/app:ref:refs/heads/main',
  repository: 'acme/app',
  ref: 'refs/heads/main',
  iat: now(),
  exp: now() + 300,
  ...more,
});

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly token: string;
  readonly expires_in: number;
  readonly refresh_token?: string;
  readonly errors: readonly { readonly message: string }[];
}

async function login(account: string, password: string, query = ''): Promise<Reply> {
  const reply = await fetch(`${front.url}/token?service=${service}&offline_token=true${query}`, {
    headers: { authorization: `Basic ${credentials(account, password)}` },
  });
  return { status: reply.status, headers: reply.headers, ...((await reply.json()) as object) } as Reply;
}

const bearer = (token: string, path: string): Promise<Response> =>
  fetch(`${front.url}${path}`, { headers: { authorization: `Bearer ${token}` } });

describe('a CI job', () => {
  test('logs in by its name with its ID token, and gets no refresh token', async () => {
    const reply = await login('release-job', await signToken(key, claims()));
    expect(reply).toMatchObject({ status: 200 });
    expect(reply.refresh_token).toBeUndefined();
    expect(decodeJwt(reply.token)).toMatchObject({ sub: 'release-job', iss: 'https://registry.test' });
    expect(reply.expires_in).toBeLessThanOrEqual(300);
    expect(front.records.at(-1)).toMatchObject({
      event: 'login',
      decision: 'allow',
      account: 'release-job',
      kind: 'workload',
      method: 'workload',
      issuer: issuer.url,
      claims: { repository: 'acme/app', ref: 'refs/heads/main' },
      source: expect.stringMatching(/rules\.yaml:3$/),
    });
  });

  test('logs in as oidc when exactly one workload accepts its token, and is that workload from then on', async () => {
    const reply = await login('oidc', await signToken(key, claims()), '&scope=repository:apps/one:pull,push');
    expect(decodeJwt(reply.token)).toMatchObject({
      sub: 'release-job',
      access: [{ name: 'apps/one', actions: ['pull', 'push'] }],
    });
  });

  test('logs in by POST, and by Basic on any route, but never by showing its ID token as a Bearer token', async () => {
    const password = await signToken(key, claims());
    const form = new URLSearchParams({ grant_type: 'password', username: 'release-job', password, service });
    expect((await fetch(`${front.url}/token`, { method: 'POST', body: form })).status).toBe(200);
    const headers = { authorization: `Basic ${credentials('release-job', password)}` };
    expect((await fetch(`${front.url}/v2/`, { headers })).status).toBe(200);
    expect(front.records.at(-1)).toMatchObject({
      ...{ account: 'release-job', kind: 'workload', method: 'workload', issuer: issuer.url },
      claims: { repository: 'acme/app', ref: 'refs/heads/main' },
    });
    expect((await bearer(password, '/v2/')).status).toBe(401);
  });

  test('may have a token of 8 KiB, however it shows it', async () => {
    const { length } = await signToken(key, claims({ filler: '' }));
    const filler = 'x'.repeat(Math.floor(((8192 - length) * 3) / 4) - 1);
    const password = await signToken(key, claims({ filler }));
    expect(password.length).toBeGreaterThan(8185);
    expect((await login('release-job', password)).status).toBe(200);
    const form = new URLSearchParams({ grant_type: 'password', username: 'release-job', password, service });
    expect((await fetch(`${front.url}/token`, { method: 'POST', body: form })).status).toBe(200);
    // As the kubelet does, and whoever asks for no token first.
    const headers = { authorization: `Basic ${credentials('release-job', password)}` };
    expect((await fetch(`${front.url}/v2/`, { headers })).status).toBe(200);
    const longer = await signToken(key, claims({ filler: `${filler}more than that` }));
    expect((await login('release-job', longer)).errors[0]?.message).toBe('the token is longer than 8 KiB');
  });

  test('has an access token that ends with its ID token, or with the lifetime that the policy gives it', async () => {
    const old = claims({ iat: now() - 400, exp: now() - 100 });
    expect((await login('release-job', await signToken(key, claims({ exp: now() + 100 })))).expires_in).toBeLessThan(
      101,
    );
    expect((await login('release-job', await signToken(key, old))).status).toBe(401);
    await front.setPolicy(workloads(usual, 'lifetime: 10m'));
    const reply = await login('release-job', await signToken(key, old));
    expect(reply.status).toBe(200);
    expect(reply.expires_in).toBeLessThanOrEqual(200);
    expect(reply.expires_in).toBeGreaterThan(150);
  });

  test.each([
    ['is disabled', usual, 'disabled: true'],
    ['must have other claims', '{ repository: "acme/app", ref: refs/tags/* }', ''],
    ['is reset by validFrom', usual, `validFrom: ${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`],
  ])('loses its live access tokens when it %s', async (_, wanted, more) => {
    const { token } = await login('release-job', await signToken(key, claims()));
    expect((await bearer(token, '/v2/')).status).toBe(200);
    await front.setPolicy(workloads(wanted, more));
    expect((await bearer(token, '/v2/')).status).toBe(401);
  });

  test('is told in words what to do when its token has expired, and only when it is a token of the issuer', async () => {
    const expired = claims({ iat: now() - 1000, exp: now() - 700 });
    const reply = await login('release-job', await signToken(key, expired));
    expect(reply.errors[0]?.message).toBe(
      'the CI token of workload "release-job" has expired (5 minutes after it was made); fetch it right before the push or set lifetime',
    );
    const forged = await login('release-job', await signToken(await makeSigningKey('first'), expired));
    const unknown = await login('no-such-job', await signToken(key, expired));
    expect(forged.errors).toEqual(unknown.errors);
    expect(forged.errors[0]?.message).not.toContain('expired');
  });
});

describe('while the issuer', () => {
  test('cannot be asked, the job is told to come again, and not that its token is wrong', async () => {
    const other = await startIssuer([key]);
    await front.setPolicy(workloads(usual).replace(issuer.url, other.url).replace(issuer.ca, other.ca));
    const password = await signToken(key, claims({ iss: other.url }));
    other.instead = () => ({ status: 500 });
    const reply = await login('release-job', password);
    expect(reply.status).toBe(503);
    expect(reply.headers.get('retry-after')).toBe('5');
    const headers = { authorization: `Basic ${credentials('release-job', password)}` };
    expect((await fetch(`${front.url}/v2/`, { headers })).status).toBe(503);
    expect(front.records.at(-1)).toMatchObject({
      decision: 'error',
      reason: 'source_unavailable',
      detail: expect.stringContaining('answers with status 500'),
    });
    expect(front.logged.join()).toContain('the keys of a token issuer cannot be read');
    await other.close();
  });
});

describe('the metrics', () => {
  const samples = async (name: string): Promise<readonly string[]> =>
    (await (await fetch(`${front.adminUrl}/metrics`)).text()).split('\n').filter((line) => line.startsWith(`${name}{`));

  test('count logins by method and by what became of them, never by what was sent', async () => {
    const countOf = async (labels: string): Promise<number> => {
      const line = (await samples('portcullis_logins_total')).find((each) => each.includes(labels));
      return Number(line?.split(' ')[1] ?? 0);
    };
    const shown: readonly (readonly [labels: string, show: () => Promise<unknown>])[] = [
      ['method="workload",result="ok"', async () => login('release-job', await signToken(key, claims()))],
      ['method="workload",result="wrong"', async () => login('made-up', await signToken(key, claims({ aud: 'x' })))],
      ['method="password",result="wrong"', () => login('made-up', 'made up')],
      ['method="password",result="ok"', () => login('dana', passwordOf('dana'))],
      ['method="robot-token",result="wrong"', () => login('made-up', 'pct_made-up')],
    ];
    for (const [labels, show] of shown) {
      const before = await countOf(labels);
      await show();
      expect(await countOf(labels), labels).toBe(before + 1);
    }
    expect((await samples('portcullis_logins_total')).join('\n')).not.toMatch(/made/);
  });

  test('say of each issuer that the policy names, once it was asked, whether its keys could be read', async () => {
    const other = await startIssuer([key]);
    const sourceUp = (): Promise<readonly string[]> => samples('portcullis_login_source_up');
    await login('release-job', await signToken(key, claims()));
    expect(await sourceUp()).toEqual([`portcullis_login_source_up{source="${issuer.url}"} 1`]);
    const more = ['second', 'third'].map((name, index) => {
      const { ca } = [other, issuer][index] ?? other;
      return `  ${name}: { issuer: '${other.url}', audience: x, ca: '${ca}', claims: { ref: a } }`;
    });
    await front.setPolicy(workloads(usual).replace('groups: {', `${more.join('\n')}\ngroups: {`));
    expect(await sourceUp()).toHaveLength(1);
    const ask = async (account: string): Promise<unknown> =>
      login(account, await signToken(key, claims({ iss: other.url })));
    await ask('second');
    expect(await sourceUp()).toContain(`portcullis_login_source_up{source="${other.url}"} 1`);
    // By another authority the same issuer cannot be asked.
    await ask('third');
    expect(await sourceUp()).toContain(`portcullis_login_source_up{source="${other.url}"} 0`);
    await login('release-job', await signToken(key, claims({ iss: 'https://made-up.example.com' })));
    await front.setPolicy(workloads(usual));
    expect(await sourceUp()).toEqual([`portcullis_login_source_up{source="${issuer.url}"} 1`]);
    await other.close();
  });
});

test('tokens that somebody makes up are limited, and a job that was there before goes on beside them', async () => {
  const attacked = await startFront({ rules: workloads(usual) });
  const show = async (account: string, token: string): Promise<Response> =>
    fetch(`${attacked.url}/token?service=${service}`, {
      headers: { authorization: `Basic ${credentials(account, token)}` },
    });
  const stranger = await makeSigningKey('first');
  const forged = async (): Promise<string> => signToken(stranger, claims({ jti: crypto.randomUUID() }));
  expect((await show('release-job', await signToken(key, claims()))).status).toBe(200);
  for (let n = 0; n < 30; n++) expect((await show('oidc', await forged())).status).toBe(401);
  const held = await show('oidc', await forged());
  expect(held.status).toBe(429);
  expect(held.headers.get('retry-after')).toBe('1');
  expect(attacked.records.at(-1)).toMatchObject({
    ...{ event: 'limit', decision: 'deny', reason: 'login_held', account: 'oidc' },
    detail: expect.stringMatching(/^failed logins of this address; \d+ s left$/),
  });
  expect((await show('release-job', await forged())).status).toBe(401);
  expect((await show('release-job', await signToken(key, claims()))).status).toBe(200);
  expect((await show('dana', passwordOf('dana'))).status).toBe(200);
  const metrics = await (await fetch(`${attacked.adminUrl}/metrics`)).text();
  expect(metrics).toContain('portcullis_logins_total{method="workload",result="limited"} 1\n');
  await attacked.close();
});

test('nothing of an ID token is in any record or line, whatever becomes of it', async () => {
  const expired = claims({ iat: now() - 1000, exp: now() - 700 });
  const tokens = [
    await signToken(key, claims({ secret: 'CANARY-claim' })),
    await signToken(key, expired),
    await signToken(await makeSigningKey('first'), claims()),
    await signToken(await makeSigningKey('unknown'), claims()),
    await signToken(key, claims({ aud: 'elsewhere' })),
    await signToken(key, claims({ ref: 'other' })),
    await signToken(key, claims({ filler: 'x'.repeat(8000) })),
  ];
  for (const token of tokens) {
    for (const account of ['release-job', 'oidc', 'dana', 'nobody']) {
      await login(account, token);
      const form = new URLSearchParams({ grant_type: 'password', username: account, password: token, service });
      await fetch(`${front.url}/token`, { method: 'POST', body: form });
      const headers = { authorization: `Basic ${credentials(account, token)}` };
      await fetch(`${front.url}/v2/apps/one/manifests/1`, { headers });
      await bearer(token, '/v2/apps/one/manifests/1');
    }
  }
  const written = JSON.stringify([front.records, front.logged]);
  expect(written).toContain('"method":"workload"');
  expect(written).not.toContain('CANARY-claim');
  for (const part of tokens.flatMap((token) => token.split('.').slice(1)))
    expect(written).not.toContain(part.slice(0, 40));
  expect(front.errors).toEqual([]);
});
