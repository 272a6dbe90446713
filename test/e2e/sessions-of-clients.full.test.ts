/** Sessions as clients of registries keep them: the built program twice, on one real Redis, in front of a real registry. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientKinds } from '../support/clients.ts';
import { createDockerClient, startDocker, type Client, type Docker } from '../support/docker.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type Site, startSite } from '../support/replicas.ts';

const password = `long-and-${randomBytes(6).toString('hex')}`;
const hash = await quickHash(password);

function policy({ danaDisabled = false } = {}): string {
  return `
users: { dana: { password: "${hash}", disabled: ${danaDisabled} } }
rules: [{ name: dev, subjects: [user:dana], repositories: ["sandbox/**"], actions: [pull, push] }]
`;
}

describeWithPrograms(
  ['root', 'docker', 'dockerd', 'containerd', 'ctr', 'docker-registry', 'redis-server'],
  'docker over two gateways',
  () => {
    let site: Site;
    let docker: Docker;
    let client: Client;

    beforeAll(async () => {
      site = await startSite(policy());
      docker = await startDocker();
      client = await createDockerClient(docker);
    });
    afterAll(async () => {
      await client?.remove();
      await docker?.stop();
      await site?.stop();
    });

    test('docker keeps an identity token instead of the password, pushes with it, and loses access on revocation', async () => {
      const { host } = new URL(site.url);
      const login = await client.run(['login', host, '-u', 'dana', '--password-stdin'], password);
      expect(login.code, login.stderr).toBe(0);
      const kept = await readFile(join(client.dir, 'config', 'config.json'), 'utf8');
      expect(kept).toContain('"identitytoken": "pct_session_');
      expect(kept).not.toContain(Buffer.from(`dana:${password}`).toString('base64'));
      const image = `${host}/sandbox/docker:1`;
      await docker.importImage(image);
      for (let round = 0; round < 3; round++) {
        const pushed = await client.run(['push', image]);
        expect(pushed.code, pushed.stderr).toBe(0);
      }
      const identity =
        (JSON.parse(kept) as { auths: Record<string, { identitytoken: string }> }).auths[host]?.identitytoken ?? '';
      const revoked = await fetch(`${site.url}/token/revoke`, {
        method: 'POST',
        body: new URLSearchParams({ token: identity }),
      });
      expect(revoked.status).toBe(200);
      const refused = await client.run(['push', image]);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr + refused.stdout).toContain('the login has ended; log in again');
    });
  },
);

for (const kind of clientKinds.filter(({ name }) => ['docker', 'podman', 'ctr'].includes(name))) {
  describeWithPrograms([...kind.needs, 'docker-registry', 'redis-server'], `${kind.name} over two gateways`, () => {
    test('logs in once, goes on after both gateways were restarted, and loses access when its user is locked out', async () => {
      const site = await startSite(policy());
      const { host } = new URL(site.url);
      const client = await kind.start(host);
      const person = await client.open();
      try {
        expect(await person.login({ account: 'dana', password })).toMatchObject({ succeeded: true });
        const image = `${host}/sandbox/${kind.name}:1`;
        const pushed = await person.push(image);
        expect(pushed, pushed.text).toMatchObject({ succeeded: true });
        await site.restart();
        const pulled = await person.pull(image);
        expect(pulled, pulled.text).toMatchObject({ succeeded: true, digest: pushed.digest });
        await writeFile(join(site.policiesDir, 'p.yaml'), policy({ danaDisabled: true }));
        for (const gateway of site.gateways) {
          await gateway.findLog(({ event, reason }) => event === 'policy' && reason === 'reloaded');
        }
        expect(await person.pull(image)).toMatchObject({ succeeded: false });
      } finally {
        await person.end();
        await client.stop();
        await site.stop();
      }
    });
  });
}
