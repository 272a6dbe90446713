/** Logins with the ID tokens of a real OpenID provider, at the built program: whose documents, keys and tokens are not ours. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { type SigningKey, makeSigningKey } from '../support/issuer.ts';
import { type OidcProvider, startOidcProvider } from '../support/oidc-provider.ts';
import { startObedientRegistry } from '../support/registries.ts';

const algorithms = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];
let registry: Awaited<ReturnType<typeof startObedientRegistry>>;
let keys: readonly SigningKey[];
beforeAll(async () => {
  registry = await startObedientRegistry({});
  keys = await Promise.all(algorithms.map((alg) => makeSigningKey(`first-${alg}`, alg)));
});
afterAll(() => registry.close());

const startProvider = async (): Promise<OidcProvider> => {
  const provider = await startOidcProvider(algorithms, keys, (account) => ({
    project: { path: `acme/${account}`, protected: true },
    teams: ['guests', 'builders'],
  }));
  onTestFinished(provider.close);
  return provider;
};

const startGateway = async ({ url, ca }: OidcProvider): Promise<GatewayProcess> => {
  const workload = (alg: string): string => `
  with-${alg.toLowerCase()}:
    issuer: ${url}
    audience: ${alg}
    ca: ${ca}
    claims: { /project/path: acme/*, /project/protected: "true", teams: builders }`;
  const gateway = await startGatewayProcess({
    upstream: registry.url,
    policies: { 'p.yaml': `workloads:${algorithms.map(workload).join('')}\nusers: { dana: {} }\n` },
  });
  onTestFinished(async () => void (await gateway.stop()));
  return gateway;
};

async function logIn(gateway: GatewayProcess, account: string, password: string) {
  const authorization = `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;
  const reply = await fetch(`${gateway.url}/token?offline_token=true`, { headers: { authorization } });
  const { token = '', refresh_token } = (await reply.json()) as { readonly token?: string; refresh_token?: string };
  return { status: reply.status, subject: token === '' ? '' : decodeJwt(token).sub, refresh_token };
}

test('a token of each algorithm is taken as that of its workload, by name and as oidc', async () => {
  const provider = await startProvider();
  const gateway = await startGateway(provider);
  const shown: string[] = [];
  for (const alg of algorithms) {
    const token = await provider.idToken(alg, 'shop');
    shown.push(token);
    expect(decodeProtectedHeader(token)).toMatchObject({ alg, kid: `first-${alg}` });
    const in_ = { status: 200, subject: `with-${alg.toLowerCase()}`, refresh_token: undefined };
    expect(await logIn(gateway, in_.subject, token)).toEqual(in_);
    expect(await logIn(gateway, 'oidc', token)).toEqual(in_);
    expect(await logIn(gateway, alg === 'RS256' ? 'with-es256' : 'with-rs256', token)).toMatchObject({ status: 401 });
    expect(await logIn(gateway, 'dana', token)).toMatchObject({ status: 401 });
  }
  expect(await logIn(gateway, 'oidc', await provider.idToken('ES256', 'a/b'))).toMatchObject({ status: 401 });
  const record = await gateway.findLog(({ event, account }) => event === 'login' && account === 'with-eddsa');
  expect(record).toMatchObject({ method: 'workload', issuer: provider.url, claims: { '/project/path': 'acme/shop' } });
  const written = gateway.stdout() + gateway.stderr();
  for (const part of shown.flatMap((token) => token.split('.').slice(1)))
    expect(written).not.toContain(part.slice(0, 40));
});

test('its keys are rotated without one refused token', async () => {
  const provider = await startProvider();
  const gateway = await startGateway(provider);
  const old = await provider.idToken('ES256', 'shop');
  expect(await logIn(gateway, 'with-es256', old)).toMatchObject({ status: 200 });
  const next = await makeSigningKey('second-ES256', 'ES256');
  await provider.rotate([next, ...keys]);
  const fresh = await Promise.all(Array.from({ length: 10 }, (_, n) => provider.idToken('ES256', `job-${n}`)));
  expect(decodeProtectedHeader(fresh[0] ?? '').kid).toBe('second-ES256');
  const more = await provider.idToken('RS256', 'shop');
  const outcomes = await Promise.all([
    ...fresh.map((token) => logIn(gateway, 'with-es256', token)),
    logIn(gateway, 'with-es256', old),
    logIn(gateway, 'with-rs256', more),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(outcomes.map(() => 200));
});

test('while it is gone, whoever has its keys takes its tokens, and whoever has none says so', async () => {
  const provider = await startProvider();
  const [warm, cold] = await Promise.all([startGateway(provider), startGateway(provider)]);
  const [first, second] = [await provider.idToken('RS256', 'shop'), await provider.idToken('RS256', 'yard')];
  expect(await logIn(warm, 'oidc', first)).toMatchObject({ status: 200 });
  await provider.stop();
  expect(await logIn(warm, 'oidc', second)).toMatchObject({ status: 200 });
  expect(await logIn(cold, 'oidc', second)).toMatchObject({ status: 503 });
  const metrics = await (await fetch(`${cold.adminUrl}/metrics`)).text();
  expect(metrics).toContain(`portcullis_login_source_up{source="${provider.url}"} 0\n`);
  expect(metrics).toContain('portcullis_logins_total{method="workload",result="unavailable"} 1\n');
});
