/** CI jobs log in with their ID token by the clients that people use. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Docker, createDockerClient, createSkopeoClient, startDocker } from '../support/docker.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { type Issuer, type SigningKey, makeSigningKey, signToken, startIssuer } from '../support/issuer.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { startRegistry } from '../support/registry.ts';

describeWithPrograms(['dockerd', 'docker', 'containerd', 'docker-registry', 'skopeo'], 'a CI job', () => {
  let issuer: Issuer;
  let key: SigningKey;
  let registry: Awaited<ReturnType<typeof startRegistry>>;
  let gateway: GatewayProcess;
  let docker: Docker;
  beforeAll(async () => {
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
    docker = await startDocker();
  });
  afterAll(async () => {
    await docker.stop();
    await gateway.stop();
    await registry.stop();
    await issuer.close();
  });

  const tokenOf = (more: object = {}): Promise<string> => {
    const iat = Math.floor(Date.now() / 1000);
    return signToken(key, { iss: issuer.url, aud: 'registry', ref: 'main', iat, exp: iat + 300, ...more });
  };

  test.each(['job', 'oidc'])('logs in with docker as %s, with a token of nearly 8 KiB, and pushes', async (account) => {
    const { host } = new URL(gateway.url);
    const client = await createDockerClient(docker);
    const token = await tokenOf({ filler: 'x'.repeat(5500) });
    expect(token.length).toBeGreaterThan(7500);
    const login = await client.run(['login', host, '-u', account, '--password-stdin'], token);
    expect(login, login.stderr).toMatchObject({ code: 0 });
    const image = `${host}/apps/one:${account}`;
    await docker.importImage(image);
    const pushed = await client.run(['push', image]);
    expect(pushed, pushed.stderr).toMatchObject({ code: 0 });
    const refused = await client.run(['login', host, '-u', 'job', '--password-stdin'], await tokenOf({ ref: 'other' }));
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('its claim "ref" is "other"');
    expect(gateway.stdout()).not.toContain((token.split('.')[2] ?? '').slice(0, 40));
    await client.remove();
  });

  test('logs in with skopeo', async () => {
    const client = await createSkopeoClient();
    const { host } = new URL(gateway.url);
    const login = await client.run(['login', '--tls-verify=false', host, '-u', 'job', '-p', await tokenOf()]);
    expect(login, login.stderr).toMatchObject({ code: 0 });
    await client.remove();
  });
});
