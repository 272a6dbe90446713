/** People of an LDAP directory by the clients that people use, and the figures that are promised of real servers. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { clientKinds } from '../support/clients.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms, findProgram } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { type Slapd, groups, password, people, service, startSlapd } from '../support/slapd.ts';

let slapd: Slapd | undefined;
let registry: RegistryProcess | undefined;
let gateway: GatewayProcess | undefined;
let host: string;
beforeAll(async () => {
  if (findProgram('docker-registry') === undefined || findProgram('slapd') === undefined) return;
  slapd = await startSlapd();
  registry = await startRegistry();
  gateway = await startGatewayProcess({
    upstream: registry.url,
    policies: {
      'p.yaml': `
groups: { writers: { from: ["ldap:developers"] } }
rules: [{ name: share, subjects: ['group:writers'], repositories: ['sandbox/**'], actions: [pull, push] }]
`,
    },
    env: {
      PORTCULLIS_LOGINS_LDAP_URL: slapd.secureUrl,
      PORTCULLIS_LOGINS_LDAP_CA: slapd.ca,
      PORTCULLIS_LOGINS_LDAP_BIND_DN: service.dn,
      PORTCULLIS_LOGINS_LDAP_BIND_PASSWORD: service.password,
      PORTCULLIS_LOGINS_LDAP_USERS_BASE: people,
      PORTCULLIS_LOGINS_LDAP_GROUPS_BASE: groups,
    },
  });
  ({ host } = new URL(gateway.url));
});
afterAll(async () => {
  const written = `${gateway?.stdout() ?? ''}${gateway?.stderr() ?? ''}`;
  await gateway?.stop();
  await registry?.stop();
  await slapd?.stop();
  expect(written).not.toContain(password);
  expect(written).not.toContain(service.password);
});

for (const kind of clientKinds) {
  describeWithPrograms(
    ['docker-registry', 'slapd', 'openssl', ...kind.needs],
    `with ${kind.name} a person of a directory`,
    () => {
      test('logs in with their password, pushes and pulls where a group of theirs may', async () => {
        const client = await kind.start(host);
        onTestFinished(client.stop);
        const session = await client.open();
        const login = await session.login({ account: 'dana', password });
        expect(login, login.text).toMatchObject({ succeeded: true });
        const pushed = await session.push(`${host}/sandbox/${kind.name}:1`);
        expect(pushed, pushed.text).toMatchObject({ succeeded: true });
        const pulled = await session.pull(`${host}/sandbox/${kind.name}:1`);
        expect(pulled, pulled.text).toMatchObject({ succeeded: true });
        const refused = await session.push(`${host}/release/${kind.name}:1`);
        expect(refused.succeeded).toBe(false);
        await session.end();
      });

      test('is told when the password is wrong', async () => {
        const client = await kind.start(host);
        onTestFinished(client.stop);
        const session = await client.open();
        const login = await session.login({ account: 'dana', password: 'wrong' });
        // Some keep what they are given and show it with the first push.
        const pushed = login.succeeded ? await session.push(`${host}/sandbox/${kind.name}:2`) : login;
        expect(pushed.succeeded).toBe(false);
        await session.end();
      });
    },
  );
}
