/** The image of deploy/image.sh: built twice, looked into, and run in front of a real registry, which then holds it. */
import { chown, cp, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Pod, type Rendering, render } from '../support/chart.ts';
import { type Client, createGoClient, createSkopeoClient } from '../support/docker.ts';
import { type Contained, type Container, type Containers, openContainers } from '../support/container.ts';
import { dockerfileContents } from '../support/dockerfile.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.mjs';
import { type ReadImage, readImage } from '../support/oci-layout.ts';
import { makeKey } from '../support/keys.ts';
import { type Volumes, layOutVolumes } from '../support/pod.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms, run, startProgram } from '../support/programs.ts';
import { digestOf } from '../support/content.ts';
import { type RedisProcess, type RegistryProcess, answersOk, startRedis, startRegistry } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { basic, projectDir } from '../support/trial.ts';

const dana = { account: 'dana', password: 'writes the software' };
const uid = 65532;
const megabyte = 1_000_000;
const buildMs = 300_000;

describeWithPrograms(['root', 'buildah', 'skopeo', 'docker-registry', 'apt-get', 'strip'], 'the image', () => {
  let dir: string;
  let layout: string;
  let image: ReadImage;
  let containers: Containers;
  let untouched: Container;

  beforeAll(async () => {
    dir = await makeTempDir('image');
    containers = await openContainers();
    layout = join(dir, 'built');
    await build(join(projectDir, 'deploy/image.sh'), '--output', layout);
    image = await readImage(layout);
    untouched = await containers.create(layout, versionOf(image), []);
  }, buildMs);
  afterAll(async () => {
    await containers?.remove();
    await removeTempDir(dir);
  });

  test(
    'two builds are one image, whoever makes them and wherever',
    async () => {
      const copy = join(dir, 'another place');
      await mkdir(copy);
      for (const name of ['src', 'dist', 'deploy', 'policies', 'package.json', 'package-lock.json', 'LICENSE'])
        await cp(join(projectDir, name), join(copy, name), { recursive: true, preserveTimestamps: true });
      await cp(join(projectDir, 'bundle.mjs'), join(copy, 'bundle.mjs'), { preserveTimestamps: true });
      await symlink(join(projectDir, 'node_modules'), join(copy, 'node_modules'));
      await run('chmod', ['-R', 'g=,o=', join(copy, 'policies'), join(copy, 'dist')]);
      await run('touch', [join(copy, 'policies/people.yaml')]);
      await build('sh', '-c', 'umask 077 && cd / && exec "$0"', join(copy, 'deploy/image.sh'));
      const built = (await readdir(join(copy, 'build'))).find((name) => !name.endsWith('.json')) ?? '';
      expect((await readImage(join(copy, 'build', built))).digest).toBe(image.digest);
      const list = (path: string): Promise<string> => readFile(`${path}.cdx.json`, 'utf8');
      expect(await list(join(copy, 'build', built))).toBe(await list(layout));
    },
    buildMs,
  );

  test('is at most 60 MB to fetch and 130 MB to keep', async () => {
    const unpacked = await Promise.all(image.layers.map(async ({ path }) => gunzipSync(await readFile(path)).length));
    expect(image.layers.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(60 * megabyte);
    expect(unpacked.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(130 * megabyte);
  });

  test('lists Node, the libraries of Debian and every package of the program', async () => {
    const { components } = JSON.parse(await readFile(`${layout}.cdx.json`, 'utf8')) as {
      readonly components: readonly { readonly purl: string }[];
    };
    const listed = components.map(({ purl }) => purl).join('\n');
    for (const part of ['pkg:generic/node@24.', 'pkg:deb/debian/libc6@', 'pkg:deb/debian/libstdc', 'pkg:npm/express@'])
      expect(listed).toContain(part);
    expect(listed).not.toContain('pkg:npm/vitest@');
  });

  const inside = async (...find: readonly string[]): Promise<readonly string[]> =>
    (await run('find', [untouched.root, '-xdev', ...find, '-printf', '/%P\n'])).stdout.split('\n').filter(Boolean);

  test('has no shell, no other program, and nothing that changes who one is', async () => {
    const programs = await inside('-type', 'f', '-perm', '/111', '!', '-path', '*/app/*', '!', '-name', '*.so*');
    expect(programs).toEqual(['/usr/local/bin/node']);
    expect(await inside('-perm', '/6000', '!', '-type', 'd')).toEqual([]);
    expect(
      await inside('-iname', '*busybox*', '-o', '-name', 'sh', '-o', '-name', 'bash', '-o', '-name', 'npm'),
    ).toEqual([]);
  });

  test('may be written to only where its state lies, and in /tmp', async () => {
    const written = await inside('!', '-type', 'l', '(', '-user', String(uid), '-o', '-perm', '/022', ')');
    expect([...written].sort()).toEqual(['/tmp', '/var/lib/portcullis']);
    expect(await inside('-path', '*/var/lib/portcullis', '-perm', '700', '-user', String(uid))).toHaveLength(1);
  });

  test('holds what the Dockerfile copies, and the files of dist as they are', async () => {
    expect((await readdir(join(untouched.root, 'app'))).sort()).toEqual([...dockerfileContents()].sort());
    const files = async (path: string): Promise<string> =>
      (await run('sh', ['-c', 'cd "$0" && find . -type f | sort | xargs sha256sum', path])).stdout;
    expect(await files(join(untouched.root, 'app/dist'))).toBe(await files(join(projectDir, 'dist')));
  });

  describeWithPrograms(['helm', 'redis-server'], 'as the chart runs it', () => {
    let registry: RegistryProcess;
    let redis: RedisProcess;
    let rendering: Rendering;
    let volumes: Volumes;
    let container: Container;
    let gateway: Contained;
    let url: string;
    let adminUrl: string;

    beforeAll(async () => {
      [registry, redis] = await Promise.all([startRegistry(), startRedis()]);
      const [port, adminPort] = [await freePort(), await freePort()];
      [url, adminUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${adminPort}`];
      const values = {
        ...{ replicaCount: 3, keysSecret: 'keys', redis: { existingSecret: 'redis' } },
        config: { publicUrl: url, upstream: registry.url },
        policies: { 'p.yaml': policy(await quickHash(dana.password, { memoryCost: 8192 })) },
        // The addresses of a pod are its own; here they are the machine's.
        extraEnv: [
          { name: 'PORTCULLIS_LISTEN', value: new URL(url).host },
          { name: 'PORTCULLIS_ADMIN_LISTEN', value: new URL(adminUrl).host },
        ],
      };
      await writeFile(join(dir, 'values.json'), JSON.stringify(values));
      rendering = await render(['--values', join(dir, 'values.json')]);
      const key = (await makeKey()).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const secrets = { keys: { 'key.pem': key }, redis: { url: redis.url } };
      volumes = await layOutVolumes(join(dir, 'volumes'), rendering, secrets);
      const env = Object.fromEntries((rendering.pod.containers[0].env ?? []).map(({ name, value }) => [name, value]));
      container = await containers.create(layout, versionOf(image), volumes.mounts, env);
      const command = [...image.config.Entrypoint, ...rendering.pod.containers[0].args];
      gateway = await container.start(command, () => answersOk(`${adminUrl}/readyz`));
    });
    afterAll(async () => {
      await gateway?.program.stop();
      await Promise.all([registry?.stop(), redis?.stop()]);
    });

    const login = async (): Promise<number> =>
      (await fetch(`${url}/v2/`, { headers: { authorization: basic(dana.account, dana.password) } })).status;

    test('its probes are answered, and people log in', async () => {
      const [{ livenessProbe, readinessProbe }] = rendering.pod.containers;
      for (const probe of [livenessProbe, readinessProbe])
        expect(await answersOk(`${adminUrl}${probe?.httpGet.path}`)).toBe(true);
      expect(await (await fetch(`${adminUrl}/readyz?verbose`)).text()).not.toMatch(/degraded|failed/);
      expect(await login()).toBe(200);
    });

    test('the keys and Redis are those of its Secrets', async () => {
      const authorization = basic(dana.account, dana.password);
      const opened = await fetch(`${url}/token?offline_token=true`, { headers: { authorization } });
      expect(await opened.json()).toMatchObject({ refresh_token: expect.any(String) });
      const { keys } = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { readonly keys: unknown[] };
      expect(keys).toHaveLength(1);
      expect(await readdir(join(dir, 'volumes/state/state')).catch(() => [])).not.toContain('keys');
    });

    test('an edit of its policies is in force without a restart', async () => {
      await volumes.update('policies', { 'p.yaml': policy('', '{ disabled: true }') });
      await eventually('dana is shut out', async () => (await login()) === 401);
    });

    test('the pod of helm test tells that the registry is not locked here', async () => {
      const [{ command = [], args }] = (rendering.find('Pod').spec as unknown as Pod).containers;
      expect(args.slice(3)).toEqual([registry.url]);
      const asked = await container.run([...command, ...args.slice(0, 2), url, registry.url]);
      expect(asked).toMatchObject({ code: 1, stderr: expect.stringContaining('can be reached from this pod') });
    });
  });

  describe('in a container', () => {
    let registry: RegistryProcess;
    let container: Container;
    let gateway: Contained;
    let host: string;
    let url: string;
    let adminUrl: string;
    let config: string;
    let state: string;

    beforeAll(async () => {
      registry = await startRegistry();
      [config, state] = [join(dir, 'config'), join(dir, 'state')];
      await mkdir(join(config, 'policies'), { recursive: true });
      await mkdir(state, { mode: 0o700 });
      await chown(state, uid, uid);
      const [port, adminPort] = [await freePort(), await freePort()];
      host = `127.0.0.1:${port}`;
      [url, adminUrl] = [`http://${host}`, `http://127.0.0.1:${adminPort}`];
      await writeFile(join(config, 'portcullis.yaml'), configuration(host, adminPort, registry.url));
      await writeFile(join(config, 'policies/p.yaml'), policy(await quickHash(dana.password, { memoryCost: 8192 })));
      container = await containers.create(layout, versionOf(image), [
        `${config}:/etc/portcullis:ro`,
        `${state}:/var/lib/portcullis`,
      ]);
      gateway = await container.start([...image.config.Entrypoint, ...image.config.Cmd], () =>
        answersOk(`${adminUrl}/readyz`),
      );
    });
    afterAll(async () => {
      if (gateway !== undefined) await gateway.program.stop();
      await registry?.stop();
    });

    test('it runs as the user of its image', async () => {
      expect(await readFile(`/proc/${gateway.pid}/status`, 'utf8')).toMatch(
        new RegExp(`^Uid:\\t${uid}\\t${uid}\\t`, 'm'),
      );
    });

    test('its health check is content, and says so by exit code 0', async () => {
      const [, ...command] = image.config.Healthcheck['Test'] as readonly string[];
      expect(await container.run(command)).toMatchObject({ code: 0 });
    });

    test('every verb works, such as one that needs policies beside the program, and both kinds of hash', async () => {
      expect(await container.run([...image.config.Entrypoint, 'check'])).toMatchObject({ code: 0 });
      expect(await container.run([...image.config.Entrypoint, 'init', '/tmp/first'])).toMatchObject({ code: 0 });
      for (const library of ['argon2', 'bcrypt'])
        expect(await container.run(['node', '-e', `require('/app/node_modules/${library}')`])).toMatchObject({
          code: 0,
        });
    });

    test('it starts and is well where nothing but its state can be written to', async () => {
      const readOnly = `
set -e
mount --bind "$0" "$0"
mount --bind "$1" "$0/etc/portcullis"
mount --bind "$2" "$0/var/lib/portcullis"
mount -t proc proc "$0/proc"
mount -o remount,bind,ro "$0"
exec chroot --userspec=${uid}:${uid} "$0" /usr/local/bin/node /app/dist/cli.js serve`;
      const [port, adminPort] = [await freePort(), await freePort()];
      const other = join(dir, 'read-only');
      await cp(config, other, { recursive: true });
      await writeFile(
        join(other, 'portcullis.yaml'),
        configuration(`127.0.0.1:${port}`, adminPort, registry.url, '/var/lib/portcullis/second'),
      );
      const args = ['--mount', 'sh', '-c', readOnly, container.root, other, state];
      const program = await startProgram('unshare', args, {
        env: { NODE_ENV: 'production', PORTCULLIS_CONFIG: '/etc/portcullis/portcullis.yaml' },
        isReady: () => answersOk(`http://127.0.0.1:${adminPort}/readyz`),
      });
      expect((await fetch(`http://127.0.0.1:${port}/v2/`)).status).toBe(401);
      expect(await program.stop()).toMatchObject({ code: 0 });
    });

    describe('clients', () => {
      let skopeo: Client;
      let name: string;
      beforeAll(async () => {
        skopeo = await createSkopeoClient();
        name = `${host}/sandbox/portcullis:0.1.0`;
      });
      afterAll(() => skopeo?.remove());

      test('log in, push this very image through itself, and pull it back', async () => {
        const login = ['login', '--tls-verify=false', '-u', dana.account, '--password-stdin', host];
        expect(await skopeo.run(login, 'a wrong one')).not.toMatchObject({ code: 0 });
        expect(await skopeo.run(login, dana.password)).toMatchObject({ code: 0 });
        const push = ['copy', '--dest-tls-verify=false', `oci:${layout}`, `docker://${name}`];
        expect(await skopeo.run(push)).toMatchObject({ code: 0 });
        const pull = ['copy', '--src-tls-verify=false', `docker://${name}`, `oci:${dir}/pulled:0.1.0`];
        expect(await skopeo.run(pull)).toMatchObject({ code: 0 });
        expect((await readImage(join(dir, 'pulled'))).digest).toBe(image.digest);
      });

      describeWithPrograms(['oras'], 'its list', () => {
        test('is attached to it through the gateway, and found again', async () => {
          const oras = await createGoClient('oras');
          const login = ['login', '--plain-http', '-u', dana.account, '--password-stdin', host];
          expect(await oras.run(login, dana.password)).toMatchObject({ code: 0 });
          const type = 'application/vnd.cyclonedx+json';
          const list = `built.cdx.json:${type}`;
          await cp(`${layout}.cdx.json`, join(oras.dir, 'built.cdx.json'));
          const attach = ['attach', '--plain-http', '--artifact-type', type, name, list];
          expect(await oras.run(attach)).toMatchObject({ code: 0 });
          expect((await oras.run(['discover', '--plain-http', name])).stdout).toContain(type);
          await oras.remove();
        });
      });

      test('an upload that runs when SIGTERM comes is finished, and then the exit code is 0', async () => {
        const content = randomBytes(4 * megabyte);
        const authorization = basic(dana.account, dana.password);
        const begun = await fetch(`${url}/v2/sandbox/app/blobs/uploads/`, {
          method: 'POST',
          headers: { authorization },
        });
        const target = new URL(begun.headers.get('location') ?? '', url);
        target.searchParams.set('digest', digestOf(content));
        const headers = { authorization, 'content-length': content.length, 'content-type': 'application/octet-stream' };
        const upload = request(target, { method: 'PUT', headers });
        const answered = new Promise<number | undefined>((resolve, reject) => {
          upload.on('response', (response) => resolve(response.resume().statusCode));
          upload.on('error', reject);
        });
        upload.write(content.subarray(0, content.length / 2));
        const inFlight = async (): Promise<boolean> =>
          /^portcullis_transfers_in_flight(?:\{.*\})? 1$/m.test(await (await fetch(`${adminUrl}/metrics`)).text());
        await eventually('the upload runs', inFlight);
        process.kill(gateway.pid, 'SIGTERM');
        await eventually('it leaves', async () => !(await answersOk(`${adminUrl}/readyz`)));
        upload.end(content.subarray(content.length / 2));
        expect(await answered).toBe(201);
        expect(await gateway.program.exited).toMatchObject({ code: 0 });
        const held = await fetch(`${registry.url}/v2/sandbox/app/blobs/${digestOf(content)}`, { method: 'HEAD' });
        expect([held.status, held.headers.get('content-length')]).toEqual([200, String(content.length)]);
      });
    });
  });
});

function versionOf({ config }: ReadImage): string {
  return config.Labels['org.opencontainers.image.version'] ?? '';
}

async function build(command: string, ...args: readonly string[]): Promise<void> {
  const env = Object.entries(process.env).filter(([, value]) => value !== undefined) as [string, string][];
  const built = await run(command, args, { env: Object.fromEntries(env), timeoutMs: buildMs });
  expect([built.code, built.stderr]).toEqual([0, '']);
}

function configuration(host: string, adminPort: number, registryUrl: string, state = '/var/lib/portcullis'): string {
  return `listen: ${host}
publicUrl: http://${host}
upstream: ${registryUrl}
policies: /etc/portcullis/policies
stateDir: ${state}
admin: { listen: 127.0.0.1:${adminPort} }
`;
}

function policy(hash: string, dana = `{ password: '${hash}' }`): string {
  return `users: { dana: ${dana} }
rules:
  - { name: sandbox, subjects: ['user:dana'], repositories: ['sandbox/**'], actions: [pull, push] }
`;
}
