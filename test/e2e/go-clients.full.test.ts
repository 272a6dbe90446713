import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Client, type GoProgram, createGoClient } from '../support/docker.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { goClientKinds, packChart } from '../support/go-clients.ts';
import { createImageLayout, pushImage, writeImageLayout } from '../support/image.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { createApi } from '../support/registry-api.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';

const dana = { account: 'dana', password: 'writes the software' };
let registry: RegistryProcess;
let gateway: GatewayProcess;
let port: string;

beforeAll(async () => {
  registry = await startRegistry();
  const hash = await quickHash(dana.password, { memoryCost: 8192 });
  gateway = await startGatewayProcess({
    upstream: registry.url,
    policies: {
      'p.yaml': `
users: { dana: { password: '${hash}' } }
rules:
  - { name: sandbox, subjects: ['user:dana'], repositories: ['sandbox/**'], actions: [pull, push, delete, catalog] }
  - { name: versions-stay, effect: deny, subjects: [everyone], repositories: ['**'], tags: ['v*'], actions: [overwrite, delete] }
`,
    },
  });
  ({ port } = new URL(gateway.url));
});
afterAll(async () => {
  await gateway?.stop();
  await registry?.stop();
});

for (const kind of goClientKinds) {
  describeWithPrograms(['docker-registry', ...kind.needs], kind.name, () => {
    for (const name of ['127.0.0.1', 'localhost']) {
      test(`logs in, pushes and pulls the same image back at ${name}`, async () => {
        const host = `${name}:${port}`;
        const repository = `sandbox/${kind.name}/${name === 'localhost' ? 'name' : 'number'}`;
        const client = await kind.start(host);
        const session = await client.open();
        onTestFinished(session.end);
        expect(await session.login(dana)).toMatchObject({ succeeded: true });
        const pushed = await session.push(`${host}/${repository}:1.0.0`);
        expect(pushed).toMatchObject({ succeeded: true });
        expect(await createApi(registry.url).digestOf(repository, '1.0.0')).toBe(pushed.digest);
        const pulled = await session.pull(`${host}/${repository}:1.0.0`);
        expect(pulled).toMatchObject({ succeeded: true, digest: pushed.digest });
      });
    }

    test('is refused with a wrong password, and nothing reaches the registry', async () => {
      const host = `127.0.0.1:${port}`;
      const client = await kind.start(host);
      const session = await client.open();
      onTestFinished(session.end);
      const login = await session.login({ ...dana, password: 'misses the software' });
      const refused = login.succeeded ? await session.push(`${host}/sandbox/wrong/${kind.name}:1.0.0`) : login;
      expect(refused).toMatchObject({ succeeded: false });
      expect(refused.text).toMatch(/incorrect username or password|unauthorized/i);
      expect(await registry.settledAccessLog()).not.toContain(`/v2/sandbox/wrong/${kind.name}`);
    });

    test('works with the session that docker login left, which can be revoked', async () => {
      const host = `127.0.0.1:${port}`;
      const client = await openWithDockerSession(kind.name as GoProgram, host);
      const commands = inDockerSession[kind.name];
      if (commands === undefined) throw new Error(`no commands for ${kind.name}`);
      for (const args of await commands(client, host)) expect(await client.run(args)).toMatchObject({ code: 0 });
    });
  });
}

/** What each does with the login that it found. */
const inDockerSession: Readonly<
  Record<string, (client: Client, host: string) => Promise<readonly (readonly string[])[]>>
> = {
  crane: async (client, host) => {
    const dir = await addLayout(client);
    return [
      ['push', dir, `${host}/sandbox/session/crane:1`],
      ['pull', `${host}/sandbox/session/crane:1`, 'pulled.tar'],
    ];
  },
  oras: async (client, host) => {
    const dir = await addLayout(client);
    return [
      ['cp', '--from-oci-layout', `${dir}:1`, '--to-plain-http', `${host}/sandbox/session/oras:1`],
      ['cp', '--from-plain-http', `${host}/sandbox/session/oras:1`, '--to-oci-layout', 'pulled:1'],
    ];
  },
  regctl: async (client, host) => {
    const dir = await addLayout(client);
    const flags = ['--host', `reg=${host},tls=disabled`];
    return [
      [...flags, 'image', 'copy', `ocidir://${dir}:1`, `${host}/sandbox/session/regctl:1`],
      [...flags, 'image', 'copy', `${host}/sandbox/session/regctl:1`, 'ocidir://pulled:1'],
    ];
  },
  helm: async (client, host) => {
    const archive = await packChart(client, 'chart', '1.0.0');
    return [
      ['push', '--plain-http', archive, `oci://${host}/sandbox/session`],
      ['pull', '--plain-http', '--version', '1.0.0', `oci://${host}/sandbox/session/chart`],
    ];
  },
};

/** As docker keeps it: no password, but a refresh token that names its session. */
async function openWithDockerSession(name: GoProgram, host: string): Promise<Client> {
  const basic = Buffer.from(`${dana.account}:${dana.password}`).toString('base64');
  const reply = await fetch(`${gateway.url}/token?offline_token=true&client_id=docker`, {
    headers: { authorization: `Basic ${basic}` },
  });
  const { refresh_token: identitytoken } = (await reply.json()) as { readonly refresh_token: string };
  const client = await createGoClient(name);
  onTestFinished(client.remove);
  await mkdir(join(client.dir, 'config'), { recursive: true });
  const auth = Buffer.from(`${dana.account}:`).toString('base64');
  await writeFile(
    join(client.dir, 'config', 'config.json'),
    JSON.stringify({ auths: { [host]: { auth, identitytoken } } }),
  );
  return client;
}

/** An image that nobody else has, as `DIR:1`. */
async function addLayout(client: Client, layerBytes?: number): Promise<string> {
  const layout = createImageLayout('1', layerBytes);
  const dir = `image-${layout.digest.slice(-8)}`;
  await writeImageLayout(join(client.dir, dir), layout);
  return dir;
}

async function openLoggedIn(name: 'crane' | 'oras' | 'regctl', host: string): Promise<Client> {
  const client = await createGoClient(name);
  onTestFinished(client.remove);
  const verb = { crane: ['auth', 'login'], oras: ['login', '--plain-http'], regctl: ['registry', 'login'] }[name];
  const password = name === 'regctl' ? '--pass-stdin' : '--password-stdin';
  if (name === 'regctl') await client.run(['registry', 'set', '--tls', 'disabled', host]);
  const loggedIn = await client.run([...verb, '-u', dana.account, password, host], dana.password);
  expect(loggedIn).toMatchObject({ code: 0 });
  return client;
}

async function requestsFor(repository: string): Promise<readonly string[]> {
  const log = await registry.settledAccessLog();
  return log.split('\n').filter((line) => line.includes(`/v2/${repository}/`));
}

describeWithPrograms(['docker-registry', 'crane'], 'crane', () => {
  test('mounts the layers of a repository that the account may pull', async () => {
    const host = `127.0.0.1:${port}`;
    const client = await openLoggedIn('crane', host);
    await pushImage(registry.url, 'sandbox/mount/source', '1');
    const copied = await client.run(['copy', `${host}/sandbox/mount/source:1`, `${host}/sandbox/mount/target:1`]);
    expect(copied).toMatchObject({ code: 0 });
    const mounts = (await requestsFor('sandbox/mount/target')).filter((line) => /[?&]mount=.*" 201 /.test(line));
    expect(mounts).not.toEqual([]);
  });

  test('uploads what it copies from another registry, whatever a repository of that name holds here', async () => {
    const host = `127.0.0.1:${port}`;
    const client = await openLoggedIn('crane', host);
    const other = await startRegistry();
    onTestFinished(other.stop);
    // It asks for a mount from the other registry's name: here that is a repository dana may not read.
    await pushImage(other.url, 'private/source', '1');
    const copied = await client.run([
      ...['copy', `${new URL(other.url).host}/private/source:1`, `${host}/sandbox/foreign:1`],
    ]);
    expect(copied).toMatchObject({ code: 0 });
    expect((await requestsFor('sandbox/foreign')).filter((line) => line.includes('mount='))).toEqual([]);
    expect(await requestsFor('private/source')).toEqual([]);
  });

  test('reads a list of 1,200 tags to its end', async () => {
    const host = `127.0.0.1:${port}`;
    const client = await openLoggedIn('crane', host);
    const layout = await pushImage(registry.url, 'sandbox/tags', 'seed');
    const manifest = layout.files.get(layout.digest.replace('sha256:', 'blobs/sha256/')) ?? new Uint8Array();
    const tags = Array.from({ length: 1_200 }, (_, index) => `t${index}`);
    const type = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
    for (let begin = 0; begin < tags.length; begin += 50) {
      await Promise.all(
        tags.slice(begin, begin + 50).map(async (tag) => {
          const url = `${registry.url}/v2/sandbox/tags/manifests/${tag}`;
          const stored = await fetch(url, { method: 'PUT', headers: type, body: Buffer.from(manifest) });
          expect(stored.status).toBe(201);
        }),
      );
    }
    const listed = await client.run(['ls', `${host}/sandbox/tags`]);
    expect(listed.stdout.trim().split('\n').sort()).toEqual(['seed', ...tags].sort());
  });
});

describeWithPrograms(['docker-registry', 'regctl'], 'regctl', () => {
  test('pushes a layer in chunks', async () => {
    const host = `127.0.0.1:${port}`;
    const client = await openLoggedIn('regctl', host);
    await client.run(['registry', 'set', '--blob-chunk', '65536', '--blob-max', '1', host]);
    const dir = await addLayout(client, 300_000);
    const pushed = await client.run(['image', 'copy', `ocidir://${dir}:1`, `${host}/sandbox/chunks:1`]);
    expect(pushed).toMatchObject({ code: 0 });
    // Five of the layer, and the configuration.
    expect((await requestsFor('sandbox/chunks')).filter((line) => line.includes('"PATCH '))).toHaveLength(6);
  });

  test('cannot take away a protected tag by way of a placeholder', async () => {
    const host = `127.0.0.1:${port}`;
    const client = await openLoggedIn('regctl', host);
    for (const tag of ['v1', 'wip']) await pushImage(registry.url, 'sandbox/protected', tag);
    const { digestOf } = createApi(registry.url);
    const before = await digestOf('sandbox/protected', 'v1');
    // A registry that cannot untag is pushed another manifest under the tag, which is then deleted by its digest.
    expect(await client.run(['tag', 'delete', `${host}/sandbox/protected:v1`])).not.toMatchObject({ code: 0 });
    expect(await client.run(['tag', 'delete', `${host}/sandbox/protected:wip`])).toMatchObject({ code: 0 });
    expect(await digestOf('sandbox/protected', 'v1')).toBe(before);
    expect(await digestOf('sandbox/protected', 'wip')).toBeNull();
  });
});

describeWithPrograms(['docker-registry', 'regsync'], 'regsync', () => {
  test('copies 200 repositories in one run, in and out', async () => {
    const other = await startRegistry();
    onTestFinished(other.stop);
    const { digest } = await pushImage(other.url, 'base', '1');
    const client = await createGoClient('regsync');
    onTestFinished(client.remove);
    const [host, outside] = [`127.0.0.1:${port}`, new URL(other.url).host];
    const names = Array.from({ length: 200 }, (_, index) => `team-${index}/app-with-a-name`);
    const sync = async (pairs: readonly { readonly source: string; readonly target: string }[]): Promise<void> => {
      const config = {
        version: 1,
        creds: [
          { registry: host, user: dana.account, pass: dana.password, tls: 'disabled' },
          { registry: outside, tls: 'disabled' },
        ],
        defaults: { parallel: 4 },
        sync: pairs.map((pair) => ({ ...pair, type: 'image' })),
      };
      await writeFile(join(client.dir, 'regsync.json'), JSON.stringify(config));
      // JSON is YAML.
      const synced = await client.run(['once', '--config', 'regsync.json', '--abort-on-error'], '', 120_000);
      if (synced.code !== 0) throw new Error(synced.stderr.slice(-2_000));
    };
    await sync(names.map((name) => ({ source: `${outside}/base:1`, target: `${host}/sandbox/synced/${name}:1` })));
    await sync(
      names.map((name) => ({ source: `${host}/sandbox/synced/${name}:1`, target: `${outside}/back/${name}:1` })),
    );
    const { digestOf } = createApi(other.url);
    for (const name of names) expect(await digestOf(`back/${name}`, '1')).toBe(digest);
  }, 300_000);
});
