/** What clients of registries make of a limit: they show it or wait. */
import { expect, test } from 'vitest';
import { clientKinds } from '../support/clients.ts';
import { createDockerClient, createPodmanClient, createSkopeoClient, startDocker } from '../support/docker.ts';
import { eventually } from '../support/eventually.ts';
import type { LogRecord } from '../support/gateway.ts';
import { pushImage } from '../support/image.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { openRepository, startLimitedSite } from './support/limited-site.ts';

const password = 'right-and-long';

async function policy(): Promise<string> {
  const hash = await quickHash(password);
  return `
users:
${['cora', 'dana', 'emil', 'finn'].map((name) => `  ${name}: { password: "${hash}" }`).join('\n')}
rules:
  - { name: all, subjects: [authenticated], repositories: ["**"], actions: [pull, push] }
limits:
  - { name: two-pulls, subjects: [user:dana], count: pull, per: account, rate: 2/6h }
  - { name: slow-pulls, subjects: [user:emil, user:finn], count: pull, per: account, rate: 1/6s }
`;
}

describeWithPrograms(
  ['root', 'docker', 'dockerd', 'containerd', 'ctr', 'docker-registry', 'redis-server'],
  'docker at a limit',
  () => {
    test('prints whose budget is used up and when the next pull is free, and that logins failed too often', async () => {
      const site = await startLimitedSite(await policy());
      const docker = await startDocker();
      const client = await createDockerClient(docker);
      const { host } = new URL(site.replicas.url);
      const login = (account: string, secret: string) =>
        client.run(['login', host, '-u', account, '--password-stdin'], secret);
      try {
        expect((await login('dana', password)).code).toBe(0);
        // Another image each time: docker does not fetch a manifest that it has seen.
        const images = ['v1', 'v2', 'v3'].map((tag) => `${host}/${openRepository}:${tag}`);
        for (const tag of ['v2', 'v3']) await pushImage(site.registry.url, openRepository, tag);
        for (const image of images.slice(0, 2)) {
          const pulled = await client.run(['pull', image]);
          expect(pulled.code, pulled.stderr).toBe(0);
        }
        const refused = await client.run(['pull', images[2] ?? '']);
        expect(refused.code).not.toBe(0);
        expect(refused.stderr).toMatch(
          /toomanyrequests: user "dana" has used up 2 pulls per 6 hours \(limit "two-pulls"\); the next one is free in \d/,
        );

        // POST, then GET: five times both, and still one mistake each.
        for (let n = 0; n < 5; n++) {
          expect((await login('cora', `wrong-${n}`)).stderr).toContain('incorrect username or password');
        }
        let told = '';
        for (let n = 5; n < 11 && !told.includes('too many'); n++) told = (await login('cora', `wrong-${n}`)).stderr;
        expect(told).toContain('too many failed logins; try again in ');
      } finally {
        await client.remove();
        await docker.stop();
        await site.stop();
      }
    });
  },
);

const patient = [
  { name: 'skopeo', account: 'emil', create: createSkopeoClient },
  { name: 'podman', account: 'finn', create: createPodmanClient },
];
for (const { name, account, create } of patient) {
  const needs = clientKinds.find((kind) => kind.name === name)?.needs ?? [];
  describeWithPrograms([...needs, 'docker-registry', 'redis-server'], `${name} at a limit`, () => {
    test('waits as long as Retry-After says, and succeeds', async () => {
      const site = await startLimitedSite(await policy());
      const client = await create();
      const { host } = new URL(site.replicas.url);
      const fetchImage = (): ReturnType<typeof client.run> =>
        name === 'podman'
          ? client.run(['pull', '--tls-verify=false', `${host}/${openRepository}:v1`])
          : client.run([
              'copy',
              '--src-tls-verify=false',
              `docker://${host}/${openRepository}:v1`,
              `dir:${client.dir}/x`,
            ]);
      try {
        const login = ['login', '--tls-verify=false', '-u', account, '--password-stdin', host];
        expect((await client.run(login, password)).code).toBe(0);
        for (let round = 0; round < 2; round++) {
          const fetched = await fetchImage();
          expect(fetched.code, fetched.stderr).toBe(0);
          if (name === 'podman') await client.run(['rmi', '--all', '--force']);
        }
        const manifests = (): readonly LogRecord[] =>
          site.replicas.gateways
            .flatMap((gateway) => gateway.logs())
            .filter((line) => line['action'] === 'pull' && line['account'] === account && 'reference' in line)
            .toSorted((left, right) => String(left['time']).localeCompare(String(right['time'])));
        await eventually('all are written down', () => manifests().length >= 3);
        // Asked again before six seconds were over it would have been refused once more.
        expect(manifests().map(({ status }) => status)).toEqual([200, 429, 200]);
      } finally {
        await client.remove();
        await site.stop();
      }
    });
  });
}
