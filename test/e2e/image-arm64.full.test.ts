/** The image for arm64, run on this machine by qemu: the same program, with the parts of it that are compiled. */
import { chown, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../support/free-port.mjs';
import { readImage } from '../support/oci-layout.ts';
import { quickHash } from '../support/policies.ts';
import { type Program, describeWithPrograms, findProgram, run, startProgram } from '../support/programs.ts';
import { carrierAt } from '../support/pushed.ts';
import { type RegistryProcess, answersOk, startRegistry } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { basic, projectDir } from '../support/trial.ts';

const uid = 65532;
const emulator = 'qemu-aarch64-static';
const slowMs = 300_000;
const dana = { account: 'dana', password: 'writes the software' };

describeWithPrograms(
  ['root', emulator, 'aarch64-linux-gnu-strip', 'apt-get', 'readelf', 'docker-registry'],
  'the image for arm64',
  () => {
    let dir: string;
    let root: string;
    let registry: RegistryProcess;
    let gateway: Program | undefined;
    let url: string;

    const env = { NODE_ENV: 'production', PORTCULLIS_CONFIG: '/etc/portcullis/portcullis.yaml' };
    /** No machine need know how to run such programs by itself: the emulator lies beside them. */
    const inside = (...args: readonly string[]): readonly string[] => [
      ...[`--userspec=${uid}:${uid}`, root, '/emulator', '/usr/local/bin/node'],
      ...args,
    ];
    const node = (...args: readonly string[]) => run('chroot', inside(...args), { env, timeoutMs: slowMs });

    beforeAll(async () => {
      dir = await makeTempDir('arm64');
      const layout = join(dir, 'image');
      const machine = Object.entries(process.env).filter(([, value]) => value !== undefined) as [string, string][];
      const args = ['--arch', 'arm64', '--output', layout];
      const built = await run(join(projectDir, 'deploy/image.sh'), args, {
        ...{ env: Object.fromEntries(machine), timeoutMs: slowMs },
      });
      expect([built.code, built.stderr]).toEqual([0, '']);
      const image = await readImage(layout);
      expect(image.architecture).toBe('arm64');
      root = join(dir, 'root');
      await mkdir(root);
      for (const { path } of image.layers)
        expect(await run('tar', ['-xzf', path, '-C', root])).toMatchObject({ code: 0 });
      await copyFile(findProgram(emulator) ?? '', join(root, 'emulator'));
      await chown(join(root, 'var/lib/portcullis'), uid, uid);
      registry = await startRegistry();
      const [port, adminPort] = [await freePort(), await freePort()];
      url = `http://127.0.0.1:${port}`;
      const etc = join(root, 'etc/portcullis');
      await mkdir(join(etc, 'policies'));
      await writeFile(join(etc, 'portcullis.yaml'), configuration(port, adminPort, registry.url));
      await writeFile(join(etc, 'policies/p.yaml'), policy(await quickHash(dana.password)));
      gateway = await startProgram('chroot', inside('/app/dist/cli.js', 'serve'), {
        ...{ env, readyWithinMs: slowMs, isReady: () => answersOk(`http://127.0.0.1:${adminPort}/readyz`) },
      });
    }, 2 * slowMs);
    afterAll(async () => {
      await gateway?.stop();
      await registry?.stop();
      await removeTempDir(dir);
    });

    test(
      'says its version and finds its policies fine',
      async () => {
        expect((await node('-p', 'process.arch')).stdout).toBe('arm64\n');
        expect(await node('/app/dist/cli.js', '--version')).toMatchObject({ code: 0, stdout: '0.1.0\n' });
        const checked = await node('/app/dist/cli.js', 'check', '--policies', '/app/policies');
        expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining('ok: ') });
      },
      slowMs,
    );

    test(
      'bcrypt is there as well',
      async () => {
        const script = `const b = require('/app/node_modules/bcrypt'); console.log(b.compareSync('x', b.hashSync('x', 4)))`;
        expect(await node('-e', script)).toMatchObject({ code: 0, stdout: 'true\n' });
      },
      slowMs,
    );

    test(
      'people log in by their argon2 password, push and pull; a wrong password is refused',
      async () => {
        const wrong = carrierAt(url, basic(dana.account, 'a wrong one'));
        expect((await wrong.ask('/v2/')).status).toBe(401);
        const right = carrierAt(url, basic(dana.account, dana.password));
        expect(await right.push('sandbox/app', 'v1')).toBe(201);
        expect(await right.pull('sandbox/app', 'v1')).toEqual({ status: 200, isWhole: true });
        expect(await right.push('release/app', 'v1')).toBe(403);
      },
      slowMs,
    );

    test('ends by SIGTERM with exit code 0', async () => {
      expect(await gateway?.stop()).toMatchObject({ code: 0 });
    });
  },
);

function configuration(port: number, adminPort: number, registryUrl: string): string {
  return `listen: 127.0.0.1:${port}
publicUrl: http://127.0.0.1:${port}
upstream: ${registryUrl}
policies: /etc/portcullis/policies
stateDir: /var/lib/portcullis
admin: { listen: 127.0.0.1:${adminPort} }
timeouts: { leave: 0s }
`;
}

function policy(hash: string): string {
  return `users: { dana: { password: '${hash}' } }
rules:
  - { name: sandbox, subjects: ['user:dana'], repositories: ['sandbox/**'], actions: [pull, push] }
`;
}
