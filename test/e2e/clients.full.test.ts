import { randomBytes } from 'node:crypto';
import { hash } from 'argon2';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { clientKinds, importIntoContainerd } from '../support/clients.ts';
import type { Login, RunningClient, Session } from '../support/clients.ts';
import {
  createCtrClient,
  createDockerClient,
  createSkopeoClient,
  startContainerd,
  startDocker,
} from '../support/docker.ts';
import type { Client, Containerd, Docker } from '../support/docker.ts';
import { startGatewayProcess } from '../support/gateway.ts';
import type { GatewayProcess, LogRecord } from '../support/gateway.ts';
import { pushImage } from '../support/image.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { startRegistry } from '../support/registry.ts';
import type { RegistryProcess } from '../support/registry.ts';

/**
 * What each client prints for the same four refusals. Docker shows our sentence word for word; the others show it where
 * their request has a reply body, and the status where it is a HEAD.
 */
interface Wording {
  readonly wrongPassword: RegExp;
  readonly refusedPush: (account: string, repository: string) => RegExp;
  readonly refusedPull: (account: string, repository: string) => RegExp;
  readonly anonymousRefused: RegExp;
}

/** A blob request names no tag. skopeo logs the sentence in quotes, with its own quotes escaped. */
const sentence = (account: string, action: string, repository: string): string =>
  `user \\\\?"${account}\\\\?" may not ${action} ${repository}(:1)?: no rule allows it`;

const containersWording: Wording = {
  wrongPassword: /invalid username\/password/,
  refusedPush: (account, repository) =>
    new RegExp(`${repository}: 403 \\(Forbidden\\)|denied: ${sentence(account, 'push', repository)}`),
  refusedPull: (account, repository) => new RegExp(`denied: ${sentence(account, 'pull', repository)}`),
  anonymousRefused: /denied: requested access to the resource is denied/,
};

const wordings: Readonly<Record<string, Wording>> = {
  docker: {
    wrongPassword: /unauthorized: incorrect username or password$/m,
    refusedPush: (account, repository) => new RegExp(`^denied: ${sentence(account, 'push', repository)}$`, 'm'),
    refusedPull: (account, repository) =>
      new RegExp(
        `pull access denied for \\S+/${repository}, repository does not exist or may require 'docker login': ` +
          `denied: ${sentence(account, 'pull', repository)}$`,
        'm',
      ),
    anonymousRefused: /pull access denied for \S+, repository does not exist or may require 'docker login'/,
  },
  skopeo: containersWording,
  podman: containersWording,
  buildah: containersWording,
  ctr: {
    wrongPassword: /401 Unauthorized/,
    refusedPush: () => /403 Forbidden/,
    refusedPull: () => /403 Forbidden/,
    anonymousRefused: /insufficient_scope: authorization failed/,
  },
};

const dana = newLogin('dana');
const bob = newLogin('bob');
const rita = newLogin('rita');

let registry: RegistryProcess;
let gateway: GatewayProcess;
/** Where clients log in: `127.0.0.1:PORT`, which Docker takes for a registry without TLS. */
let host: string;

describeWithPrograms(['docker-registry'], 'in front of a real registry', () => {
  beforeAll(async () => {
    registry = await startRegistry();
    gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'team.yaml': await writePolicy() } });
    host = new URL(gateway.url).host;
  });
  afterAll(async () => {
    await gateway?.stop();
    await registry?.stop();
  });

  for (const kind of clientKinds) {
    const wording = wordings[kind.name];
    if (wording === undefined) throw new Error(`no wording for ${kind.name}`);

    describeWithPrograms(kind.needs, kind.name, () => {
      let client: RunningClient;
      beforeAll(async () => {
        client = await kind.start(host);
      });
      afterAll(() => client?.stop());

      const inSession = (login: Login | undefined, work: (session: Session) => Promise<void>): Promise<void> =>
        withSession(client, login, work);

      test('pushes with the right password, and pulls the same image back', () =>
        inSession(dana, async (session) => {
          const repository = `sandbox/${kind.name}/app`;
          const pushed = await session.push(`${host}/${repository}:1`);
          expect(pushed).toMatchObject({ succeeded: true });
          expect(await digestInRegistry(repository)).toBe(pushed.digest);
          expect(await session.pull(`${host}/${repository}:1`)).toMatchObject({
            succeeded: true,
            digest: pushed.digest,
          });
          await audited({ decision: 'allow', account: 'dana', repository, action: 'push' });
          await audited({ decision: 'allow', account: 'dana', repository, action: 'pull' });
        }));

      test('pulls what another account was allowed to push', async () => {
        const repository = `integration/${kind.name}`;
        let digest: string | undefined;
        await inSession(bob, async (session) => {
          const pushed = await session.push(`${host}/${repository}:1`);
          expect(pushed).toMatchObject({ succeeded: true });
          digest = pushed.digest;
        });
        await inSession(dana, async (session) => {
          expect(await session.pull(`${host}/${repository}:1`)).toMatchObject({ succeeded: true, digest });
        });
        await audited({ decision: 'allow', account: 'bob', repository, action: 'push' });
        await audited({ decision: 'allow', account: 'dana', repository, action: 'pull' });
      });

      test('is refused with a wrong password', () =>
        inSession(undefined, async (session) => {
          const repository = `sandbox/wrong-password-${kind.name}`;
          const wrong: Login = { account: 'dana', password: `not-${dana.password}` };
          const seen = gateway.logs().length;
          // Where login asks nobody, the first command does.
          const login = await session.login(wrong);
          const refused = login.succeeded ? await session.push(`${host}/${repository}:1`) : login;
          expect(refused.succeeded).toBe(false);
          expect(refused.text).toMatch(wording.wrongPassword);
          await gateway.findLog(
            ({ event, decision, account }, index) =>
              index >= seen && isLogin(event) && decision === 'deny' && account === 'dana',
          );
          expect(await requestsFor(repository)).toEqual([]);
        }));

      test('is refused a push that no rule allows, and nothing of it reaches the registry', () =>
        inSession(dana, async (session) => {
          const repository = `release/${kind.name}/app`;
          const refused = await session.push(`${host}/${repository}:1`);
          expect(refused.succeeded).toBe(false);
          expect(refused.text).toMatch(wording.refusedPush('dana', repository));
          await audited({ decision: 'deny', account: 'dana', repository });
          expect(await requestsFor(repository)).toEqual([]);
        }));

      test('is refused a pull that no rule allows, though the image exists', async () => {
        const repository = `sandbox/${kind.name}/private`;
        await pushImage(registry.url, repository, '1');
        const before = await requestsFor(repository);
        await inSession(bob, async (session) => {
          const refused = await session.pull(`${host}/${repository}:1`);
          expect(refused.succeeded).toBe(false);
          expect(refused.text).toMatch(wording.refusedPull('bob', repository));
        });
        await audited({ decision: 'deny', account: 'bob', repository, action: 'pull' });
        expect(await requestsFor(repository)).toEqual(before);
      });

      test('pulls a public image without a login', async () => {
        const repository = `public/${kind.name}/app`;
        const { digest } = await pushImage(registry.url, repository, '1');
        await inSession(undefined, async (session) => {
          expect(await session.pull(`${host}/${repository}:1`)).toMatchObject({ succeeded: true, digest });
        });
        await audited({ decision: 'allow', kind: 'anonymous', repository, action: 'pull' });
      });

      test('is refused a private image without a login', async () => {
        const repository = `sandbox/${kind.name}/hidden`;
        await pushImage(registry.url, repository, '1');
        const before = await requestsFor(repository);
        await inSession(undefined, async (session) => {
          const refused = await session.pull(`${host}/${repository}:1`);
          expect(refused.succeeded).toBe(false);
          expect(refused.text).toMatch(wording.anonymousRefused);
        });
        await audited({ decision: 'deny', kind: 'anonymous', repository, action: 'pull' });
        expect(await requestsFor(repository)).toEqual(before);
      });
    });
  }

  describeWithPrograms(['root', 'docker', 'dockerd', 'containerd', 'ctr'], 'docker push across repositories', () => {
    let docker: Docker;
    beforeAll(async () => {
      docker = await startDocker();
    });
    afterAll(() => docker?.stop());

    const loggedIn = (login: Login): Promise<Client> => logIn(createDockerClient(docker), login);

    test('mounts the layers of a repository that the account may pull', async () => {
      const client = await loggedIn(dana);
      const [source, target] = ['sandbox/mount-source', 'sandbox/mount-target'];
      await docker.importImage(`${host}/${source}:1`);
      expect(await client.run(['push', `${host}/${source}:1`])).toMatchObject({ code: 0 });
      await client.run(['tag', `${host}/${source}:1`, `${host}/${target}:1`]);
      const pushed = await client.run(['push', `${host}/${target}:1`]);
      expect(pushed).toMatchObject({ code: 0 });
      expect(pushed.stdout).toContain(`Mounted from ${source}`);
      expect(await mountsInto(target)).not.toEqual([]);
      expect(await digestInRegistry(target)).toBe(await digestInRegistry(source));
    });

    test('uploads the layers of a repository that the account may not pull', async () => {
      const [source, target] = ['release/mount-source', 'sandbox/mount-refused'];
      const manager = await loggedIn(rita);
      await docker.importImage(`${host}/${source}:1`);
      expect(await manager.run(['push', `${host}/${source}:1`])).toMatchObject({ code: 0 });
      const developer = await loggedIn(dana);
      await developer.run(['tag', `${host}/${source}:1`, `${host}/${target}:1`]);
      const pushed = await developer.run(['push', `${host}/${target}:1`]);
      expect(docker.log()).toMatch(new RegExp(`attempting to mount layer .* from ${host}/${source}`));
      expect(pushed).toMatchObject({ code: 0 });
      expect(pushed.stdout).not.toContain('Mounted from');
      expect(await mountsInto(target)).toEqual([]);
      expect(await digestInRegistry(target)).toBe(await digestInRegistry(source));
    });
  });

  describeWithPrograms(['root', 'containerd', 'ctr'], 'ctr push across repositories', () => {
    let containerd: Containerd;
    beforeAll(async () => {
      containerd = await startContainerd();
    });
    afterAll(() => containerd?.stop());

    const pushAs = ({ account, password }: Login, reference: string): readonly string[] => [
      ...['images', 'push', '--plain-http', '--user', `${account}:${password}`, reference],
    ];
    /** Pushed, then pulled: only a pull makes containerd remember where a layer came from. */
    const obtain = async (client: Client, login: Login, reference: string): Promise<void> => {
      await importIntoContainerd(client, reference);
      expect(await client.run(pushAs(login, reference))).toMatchObject({ code: 0 });
      await client.run(['images', 'rm', '--sync', reference]);
      const pull = ['content', 'fetch', '--plain-http', '--user', `${login.account}:${login.password}`, reference];
      expect(await client.run(pull)).toMatchObject({ code: 0 });
    };

    test('mounts the layers of a repository that the account may pull', async () => {
      const client = await forThisTest(createCtrClient(containerd));
      const [source, target] = ['sandbox/ctr-mount-source', 'sandbox/ctr-mount-target'];
      await obtain(client, dana, `${host}/${source}:1`);
      await client.run(['images', 'tag', `${host}/${source}:1`, `${host}/${target}:1`]);
      expect(await client.run(pushAs(dana, `${host}/${target}:1`))).toMatchObject({ code: 0 });
      expect(await mountsInto(target)).not.toEqual([]);
      expect(await digestInRegistry(target)).toBe(await digestInRegistry(source));
    });

    test('uploads the layers of a repository that the account may not pull', async () => {
      const client = await forThisTest(createCtrClient(containerd));
      const [source, target] = ['release/ctr-mount-source', 'sandbox/ctr-mount-refused'];
      await obtain(client, rita, `${host}/${source}:1`);
      await client.run(['images', 'tag', `${host}/${source}:1`, `${host}/${target}:1`]);
      expect(await client.run(pushAs(dana, `${host}/${target}:1`))).toMatchObject({ code: 0 });
      expect(await mountsInto(target)).toEqual([]);
      expect(await digestInRegistry(target)).toBe(await digestInRegistry(source));
    });
  });

  describeWithPrograms(['skopeo'], 'skopeo copy across repositories', () => {
    const loggedIn = (login: Login): Promise<Client> => logIn(createSkopeoClient(), login, ['--tls-verify=false']);
    const copy = ['copy', '--src-tls-verify=false', '--dest-tls-verify=false'];

    test('mounts the layers of a repository that the account may pull', async () => {
      const client = await loggedIn(dana);
      const [source, target] = ['sandbox/skopeo-mount-source', 'sandbox/skopeo-mount-target'];
      await pushImage(registry.url, source, '1');
      // What it has copied once, it knows where to find.
      const folder = `dir:${client.dir}/copied`;
      expect(await client.run([...copy, `docker://${host}/${source}:1`, folder])).toMatchObject({ code: 0 });
      expect(await client.run([...copy, folder, `docker://${host}/${target}:1`])).toMatchObject({ code: 0 });
      expect(await mountsInto(target)).not.toEqual([]);
      expect(await digestInRegistry(target)).toBe(await digestInRegistry(source));
    });

    test('uploads the layers of a repository that the account may not pull', async () => {
      const manager = await loggedIn(rita);
      const [source, target] = ['release/skopeo-mount-source', 'sandbox/skopeo-mount-refused'];
      await pushImage(registry.url, source, '1');
      const folder = `dir:${manager.dir}/copied`;
      expect(await manager.run([...copy, `docker://${host}/${source}:1`, folder])).toMatchObject({ code: 0 });
      const developer = await loggedIn(dana);
      expect(await developer.run([...copy, folder, `docker://${host}/${target}:1`])).toMatchObject({ code: 0 });
      expect(await mountsInto(target)).toEqual([]);
      expect(await digestInRegistry(target)).toBe(await digestInRegistry(source));
    });
  });

  // Last, so that it reads what every client above left behind.
  describe('the log', () => {
    test('holds no password, no hash and no token', async () => {
      const basic = Buffer.from(`dana:${dana.password}`).toString('base64');
      const scope = 'repository:sandbox/log:pull';
      const reply = await fetch(`${gateway.url}/token?service=${encodeURIComponent(host)}&scope=${scope}`, {
        headers: { authorization: `Basic ${basic}` },
      });
      const { token } = (await reply.json()) as { readonly token: string };
      const asked = await fetch(`${gateway.url}/v2/sandbox/log/manifests/1`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(asked.status).toBe(404);
      await audited({ decision: 'allow', account: 'dana', repository: 'sandbox/log', action: 'pull' });

      const log = `${gateway.stdout()}${gateway.stderr()}`;
      for (const { account, password } of [dana, bob, rita]) {
        expect(log).not.toContain(password);
        expect(log).not.toContain(Buffer.from(`${account}:${password}`).toString('base64'));
      }
      expect(log).not.toContain('$argon2');
      expect(log).not.toContain(token);
      // The start of every JSON Web Token: base64url of `{"`.
      expect(log).not.toMatch(/eyJ[\w-]+\.[\w-]+/);
    });
  });
});

async function withSession(
  client: RunningClient,
  login: Login | undefined,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const session = await client.open();
  try {
    if (login !== undefined) expect(await session.login(login)).toMatchObject({ succeeded: true });
    await work(session);
  } finally {
    await session.end();
  }
}

async function logIn(creating: Promise<Client>, login: Login, flags: readonly string[] = []): Promise<Client> {
  const client = await forThisTest(creating);
  const args = ['login', ...flags, '-u', login.account, '--password-stdin', host];
  expect(await client.run(args, login.password)).toMatchObject({ code: 0 });
  return client;
}

async function forThisTest(creating: Promise<Client>): Promise<Client> {
  const client = await creating;
  onTestFinished(client.remove);
  return client;
}

/** The audit record of a request for a repository. Awaited, since it is written when the reply has ended. */
function audited(expected: LogRecord): Promise<LogRecord> {
  const fields = Object.entries({ event: 'access', ...expected });
  return gateway.findLog((record) => fields.every(([name, value]) => record[name] === value));
}

function isLogin(event: unknown): boolean {
  return event === 'login' || event === 'token';
}

/** What the registry itself says it was asked about one repository. */
async function requestsFor(repository: string): Promise<readonly string[]> {
  const log = await registry.settledAccessLog();
  return log.split('\n').filter((line) => line.includes(`/v2/${repository}/`));
}

async function mountsInto(repository: string): Promise<readonly string[]> {
  const requests = await requestsFor(repository);
  return requests.filter((line) => /[?&]mount=/.test(line) && line.includes('" 201 '));
}

async function digestInRegistry(repository: string): Promise<string | null> {
  const accept = [
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
  ].join(', ');
  const reply = await fetch(`${registry.url}/v2/${repository}/manifests/1`, { method: 'HEAD', headers: { accept } });
  expect(reply.status).toBe(200);
  return reply.headers.get('docker-content-digest');
}

function newLogin(account: string): Login {
  return { account, password: randomBytes(12).toString('hex') };
}

async function writePolicy(): Promise<string> {
  const cheap = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
  const user = async ({ account, password }: Login, group: string): Promise<string> =>
    `  ${account}: { password: '${await hash(password, cheap)}', groups: [${group}] }`;
  return [
    'users:',
    await user(dana, 'developers'),
    await user(bob, 'build-servers'),
    await user(rita, 'release-managers'),
    'groups:',
    '  developers: { description: people who write the software }',
    '  build-servers: { description: machines that build it }',
    '  release-managers: { description: people who decide what customers get }',
    'rules:',
    rule('developers-share-sandbox', 'group:developers', 'sandbox/**', 'pull, push'),
    rule('build-servers-fill-integration', 'group:build-servers', 'integration/**', 'push'),
    rule('developers-try-integration', 'group:developers', 'integration/**', 'pull'),
    rule('release-managers-release', 'group:release-managers', 'release/**', 'pull, push'),
    rule('release-managers-publish', 'group:release-managers', 'public/**', 'push'),
    rule('everybody-out-there-may-try', 'anonymous', 'public/**', 'pull'),
    '',
  ].join('\n');
}

function rule(name: string, subject: string, repositories: string, actions: string): string {
  return `  - { name: ${name}, subjects: ['${subject}'], repositories: ['${repositories}'], actions: [${actions}] }`;
}
