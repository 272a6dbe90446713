/** CI jobs log in with their ID token by the clients that people use. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { clientKinds } from '../support/clients.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { type Issuer, type SigningKey, makeSigningKey, signToken, startIssuer } from '../support/issuer.ts';
import { describeWithPrograms, findProgram } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';

let issuer: Issuer | undefined;
let key: SigningKey;
let registry: RegistryProcess | undefined;
let gateway: GatewayProcess | undefined;
let host: string;
beforeAll(async () => {
  if (findProgram('docker-registry') === undefined) return;
  key = await makeSigningKey('one');
  issuer = await startIssuer([key]);
  registry = await startRegistry();
  gateway = await startGatewayProcess({
    upstream: registry.url,
    policies: {
      'p.yaml': `
workloads:
  job: { issuer: '${issuer.url}', audience: registry, ca: '${issuer.ca}', claims: { ref: main }, groups: [ci] }
groups: { ci: }
rules: [{ name: build, subjects: ['group:ci'], repositories: ['apps/**'], actions: [pull, push] }]
`,
    },
  });
  ({ host } = new URL(gateway.url));
});
afterAll(async () => {
  await gateway?.stop();
  await registry?.stop();
  await issuer?.close();
});

const tokenOf = (more: object = {}): Promise<string> => {
  const iat = Math.floor(Date.now() / 1000);
  return signToken(key, { iss: issuer?.url, aud: 'registry', ref: 'main', iat, exp: iat + 300, ...more });
};

/** As long as a token may be, or a few characters less. */
async function longToken(): Promise<string> {
  const { length } = await tokenOf({ filler: '' });
  const token = await tokenOf({ filler: 'x'.repeat(Math.floor(((8192 - length) * 3) / 4) - 1) });
  expect(token.length).toBeGreaterThan(8185);
  expect(token.length).toBeLessThanOrEqual(8192);
  return token;
}

for (const kind of clientKinds) {
  describeWithPrograms(['docker-registry', ...kind.needs], `with ${kind.name} a CI job`, () => {
    test.each(['job', 'oidc'])('logs in as %s with a token of 8 KiB, pushes and pulls', async (account) => {
      const client = await kind.start(host);
      onTestFinished(client.stop);
      const session = await client.open();
      const token = await longToken();
      const login = await session.login({ account, password: token });
      expect(login, login.text).toMatchObject({ succeeded: true });
      const reference = `${host}/apps/${kind.name}:${account}`;
      const pushed = await session.push(reference);
      expect(pushed, pushed.text).toMatchObject({ succeeded: true });
      expect(await session.pull(reference)).toMatchObject({ succeeded: true, digest: pushed.digest });
      await session.end();
      const written = `${gateway?.stdout()}${gateway?.stderr()}`;
      expect(written).toContain('"method":"workload"');
      for (const part of token.split('.').slice(1)) expect(written).not.toContain(part.slice(0, 40));
    });

    test('is refused with the token of another job, and docker says why', async () => {
      const client = await kind.start(host);
      onTestFinished(client.stop);
      const session = await client.open();
      const login = await session.login({ account: 'job', password: await tokenOf({ ref: 'other' }) });
      const refused = login.succeeded ? await session.push(`${host}/apps/${kind.name}:refused`) : login;
      expect(refused.succeeded).toBe(false);
      if (kind.name === 'docker') expect(refused.text).toContain('its claim "ref" is "other"');
      await session.end();
    });
  });
}
