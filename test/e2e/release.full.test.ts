/** The five practices as one story, with real docker clients and the policies that are shipped. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Client, type Docker, createDockerClient, startDocker } from '../support/docker.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { pushImage } from '../support/image.ts';
import { quickHash } from '../support/policies.ts';
import { type RunResult, describeWithPrograms, run } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { cli, copyPolicies } from '../support/trial.ts';

const password = 'correct horse battery';
const people = ['dana', 'builder', 'theo', 'rita', 'acme', 'ops'] as const;
type Person = (typeof people)[number] | 'dave' | 'releaser';

describeWithPrograms(
  ['root', 'docker', 'dockerd', 'containerd', 'ctr', 'docker-registry'],
  'from sandbox to a customer',
  () => {
    let registry: RegistryProcess;
    let gateway: GatewayProcess;
    let docker: Docker;
    let host: string;
    let workDir: string;
    const clients = new Map<Person, Client>();

    beforeAll(async () => {
      workDir = await makeTempDir('release');
      await copyPolicies(workDir);
      const secret = await preparePolicies(join(workDir, 'policies'));
      registry = await startRegistry();
      gateway = await startGatewayProcess({
        upstream: registry.url,
        policies: {},
        env: { PORTCULLIS_POLICIES: join(workDir, 'policies') },
      });
      ({ host } = new URL(gateway.url));
      docker = await startDocker();
      for (const name of [...people, 'dave', 'releaser'] as const) {
        const client = await createDockerClient(docker);
        clients.set(name, client);
        const login = ['login', '-u', name, '--password-stdin', host];
        const shown = await client.run(login, name === 'releaser' ? secret : password);
        expect(shown.stdout + shown.stderr).toContain('Login Succeeded');
      }
    });
    afterAll(async () => {
      for (const client of clients.values()) await client.remove();
      await docker?.stop();
      await gateway?.stop();
      await registry?.stop();
      await removeTempDir(workDir);
    });

    /** `docker …` as somebody; what was printed, as one text. */
    async function as(
      who: Person,
      ...args: readonly string[]
    ): Promise<{ readonly code: number | null; readonly text: string }> {
      const { code, stdout, stderr } = await clients.get(who)!.run(args.map((arg) => arg.replace(/^HOST/, host)));
      return { code, text: stdout + stderr };
    }

    async function forget(...images: readonly string[]): Promise<void> {
      await as('dana', 'image', 'rm', '--force', ...images);
    }

    /** `portcullis promote …` by the login that docker stored for somebody, on a machine that has nothing else of the gateway. */
    function promote(who: Person, source: string, target: string, ...options: readonly string[]): Promise<RunResult> {
      const { dir } = clients.get(who)!;
      const env = { HOME: dir, DOCKER_CONFIG: join(dir, 'config'), NODE_ENV: 'production' };
      return run(process.execPath, [cli, 'promote', `${host}/${source}`, target, ...options], { cwd: dir, env });
    }

    const digestIn = (text: string): string => /sha256:[0-9a-f]{64}/.exec(text)?.[0] ?? '';

    async function digestOf(name: string): Promise<string | null> {
      const [repository = '', tag = ''] = name.split(':');
      const accept = 'application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json';
      const reply = await fetch(`${registry.url}/v2/${repository}/manifests/${tag}`, {
        method: 'HEAD',
        headers: { accept },
      });
      return reply.status === 200 ? reply.headers.get('docker-content-digest') : null;
    }

    test('developers share in sandbox, and nobody else looks in', async () => {
      await docker.importImage(`${host}/sandbox/app:wip`);
      expect(await as('dana', 'push', 'HOST/sandbox/app:wip')).toMatchObject({ code: 0 });
      await forget(`${host}/sandbox/app:wip`);
      expect(await as('dave', 'pull', 'HOST/sandbox/app:wip')).toMatchObject({ code: 0 });
      for (const who of ['theo', 'acme'] as const)
        expect((await as(who, 'pull', 'HOST/sandbox/app:wip')).text).toContain(
          'may not pull sandbox/app:wip: no rule allows it',
        );
    });

    test('only the build server writes integration', async () => {
      await docker.importImage(`${host}/integration/app:build-7`);
      for (const who of ['dana', 'theo', 'rita', 'releaser', 'acme'] as const)
        expect((await as(who, 'push', 'HOST/integration/app:build-7')).text, who).toMatch(
          new RegExp(`denied: (user|robot) "${who}" may not push integration/app(:build-7)?: (a|no) rule`),
        );
      expect(await digestOf('integration/app:build-7')).toBeNull();
      const pushed = await as('builder', 'push', 'HOST/integration/app:build-7');
      expect(pushed.code).toBe(0);
      expect(await digestOf('integration/app:build-7')).toBe(digestIn(pushed.text));
    });

    test('staging pulls from integration, and writes nothing', async () => {
      await forget(`${host}/integration/app:build-7`);
      expect(await as('ops', 'pull', 'HOST/integration/app:build-7')).toMatchObject({ code: 0 });
      await as('ops', 'tag', 'HOST/integration/app:build-7', 'HOST/integration/app:staged');
      expect((await as('ops', 'push', 'HOST/integration/app:staged')).text).toContain(
        'denied: user "ops" may not push',
      );
    });

    test('what nobody approved is not released: not by promote, and not by the release scripts', async () => {
      const promoted = await promote('rita', 'integration/app:build-7', 'release/app:v1.0.0');
      expect([promoted.code, promoted.stdout]).toEqual([1, '']);
      expect(promoted.stderr).toContain('release/app:v1.0.0');
      expect(promoted.stderr).toContain('approved-');
      await as('releaser', 'pull', 'HOST/integration/app:build-7');
      await as('releaser', 'tag', 'HOST/integration/app:build-7', 'HOST/release/app:v1.0.0');
      const pushed = await as('releaser', 'push', 'HOST/release/app:v1.0.0');
      expect([pushed.code, pushed.text]).toEqual([
        1,
        expect.stringMatching(/denied: robot "releaser" may not push release\/app:v1\.0\.0: .*integration\/app/),
      ]);
      expect(await digestOf('release/app:v1.0.0')).toBeNull();
    });

    test('a tester approves what a build server made, once, and nobody else does', async () => {
      for (const who of ['dana', 'rita', 'builder'] as const)
        expect((await promote(who, 'integration/app:build-7', 'integration/app:approved-1.0')).stderr, who).toContain(
          `user "${who}" may not promote integration/app:approved-1.0`,
        );
      expect(await promote('theo', 'integration/app:build-7', 'integration/app:approved-1.0')).toMatchObject({
        code: 0,
      });
      expect(await digestOf('integration/app:approved-1.0')).toBe(await digestOf('integration/app:build-7'));
      // An image of the tester's own making has no name that a build server gave.
      await docker.importImage(`${host}/integration/app:approved-2.0`);
      expect((await as('theo', 'push', 'HOST/integration/app:approved-2.0')).text).toMatch(
        /denied: user "theo" may not push integration\/app:approved-2\.0: .*integration\/app/,
      );
      expect(await digestOf('integration/app:approved-2.0')).toBeNull();
    });

    test('a release manager promotes what the tester approved, by the login that docker stored', async () => {
      const approved = await digestOf('integration/app:approved-1.0');
      const planned = await promote('rita', 'integration/app:approved-1.0', 'release/app:v1.0.0', '--dry-run');
      expect([planned.code, await digestOf('release/app:v1.0.0')]).toEqual([0, null]);
      const args = ['integration/app:approved-1.0', 'release/app:v1.0.0', '--reason', 'ticket 123'] as const;
      const promoted = await promote('rita', ...args);
      expect([promoted.code, promoted.stderr]).toEqual([0, '']);
      expect(promoted.stdout).toMatch(
        /^promoted integration\/app:approved-1\.0 to release\/app:v1\.0\.0\nsha256:\S+ .*nothing copied/,
      );
      expect([await digestOf('release/app:v1.0.0'), digestIn(promoted.stdout)]).toEqual([approved, approved]);
      await gateway.findLog(
        ({ event, account, decision, detail, digest }) =>
          event === 'promotion' &&
          account === 'rita' &&
          decision === 'allow' &&
          detail === 'ticket 123' &&
          digest === approved,
      );
      const again = await promote('rita', ...args);
      expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('already')]);
    });

    test('the same by push is refused to her, and goes in when the release scripts do it', async () => {
      const source = `${host}/integration/app:approved-1.0`;
      for (const who of ['rita', 'releaser'] as const) {
        await forget(source, `${host}/integration/app:build-7`);
        expect(await as(who, 'pull', source)).toMatchObject({ code: 0 });
        await as(who, 'tag', source, 'HOST/release/app:v1.0.1');
        const pushed = await as(who, 'push', 'HOST/release/app:v1.0.1');
        if (who === 'rita')
          expect(pushed.text).toMatch(/denied: user "rita" may not push release\/app(:v1\.0\.1)?: (a|no) rule/);
        else expect(pushed).toMatchObject({ code: 0 });
      }
      expect(await digestOf('release/app:v1.0.1')).not.toBeNull();
    });

    test('also where docker writes the manifest anew: an OCI image is released under another digest', async () => {
      // As a build tool pushes it, without docker.
      await pushImage(registry.url, 'integration/oci', 'build-1');
      expect(await promote('theo', 'integration/oci:build-1', 'integration/oci:approved-1')).toMatchObject({ code: 0 });
      expect(await as('releaser', 'pull', 'HOST/integration/oci:approved-1')).toMatchObject({ code: 0 });
      await as('releaser', 'tag', 'HOST/integration/oci:approved-1', 'HOST/release/oci:v1');
      expect(await as('releaser', 'push', 'HOST/release/oci:v1')).toMatchObject({ code: 0 });
      expect(await digestOf('release/oci:v1')).not.toBe(await digestOf('integration/oci:build-1'));
    });

    test('a self-built image is refused, with the reason that docker prints', async () => {
      await docker.importImage(`${host}/release/app:v6.6.6`);
      const pushed = await as('releaser', 'push', 'HOST/release/app:v6.6.6');
      expect([pushed.code, pushed.text]).toEqual([
        1,
        expect.stringMatching(
          /denied: robot "releaser" may not push release\/app:v6\.6\.6: this image is not in integration\/app/,
        ),
      ]);
      expect(await digestOf('release/app:v6.6.6')).toBeNull();
    });

    test('a released version is not moved: not by push, and not by promote', async () => {
      const released = await digestOf('release/app:v1.0.0');
      await docker.importImage(`${host}/integration/app:build-8`);
      expect(await as('builder', 'push', 'HOST/integration/app:build-8')).toMatchObject({ code: 0 });
      expect(await promote('theo', 'integration/app:build-8', 'integration/app:approved-1.1')).toMatchObject({
        code: 0,
      });
      const promoted = await promote('rita', 'integration/app:approved-1.1', 'release/app:v1.0.0');
      expect([promoted.code, promoted.stderr]).toEqual([
        1,
        expect.stringContaining('release/app:v1.0.0 is another image already'),
      ]);
      await as('releaser', 'tag', 'HOST/integration/app:build-8', 'HOST/release/app:v1.0.0');
      expect((await as('releaser', 'push', 'HOST/release/app:v1.0.0')).text).toContain(
        'denied: robot "releaser" may not overwrite release/app:v1.0.0: a rule forbids it',
      );
      expect(await digestOf('release/app:v1.0.0')).toBe(released);
      // Nor is an approval.
      expect((await promote('theo', 'integration/app:build-8', 'integration/app:approved-1.0')).code).toBe(1);
    });

    test('a customer pulls what was released and sees nothing else', async () => {
      await forget(`${host}/release/app:v1.0.0`);
      const pulled = await as('acme', 'pull', 'HOST/release/app:v1.0.0');
      expect([pulled.code, digestIn(pulled.text)]).toEqual([0, await digestOf('release/app:v1.0.0')]);
      for (const image of ['integration/app:build-7', 'sandbox/app:wip', 'integration/no-such:1'])
        expect((await as('acme', 'pull', `HOST/${image}`)).text).toContain('may not pull');
      expect((await promote('acme', 'integration/app:approved-1.1', 'release/app:v1.1.0')).stderr).toContain(
        'may not promote',
      );
      const authorization = `Basic ${Buffer.from(`acme:${password}`).toString('base64')}`;
      const listed = await fetch(`${gateway.url}/v2/_catalog`, { headers: { authorization } });
      expect(await listed.json()).toEqual({ repositories: ['release/app', 'release/oci'] });
    });

    test('no secret of the story is in the log of the gateway', () => {
      for (const secret of [password, 'pct_']) expect(gateway.stdout()).not.toContain(secret);
    });
  },
);

/**
 * The shipped policies with passwords, a second developer, and somebody who runs staging; the year-end freeze, which would make
 * the story depend on the day, in the past. Gives the secret of the release scripts.
 */
async function preparePolicies(dir: string): Promise<string> {
  const file = join(dir, 'people.yaml');
  const hash = await quickHash(password);
  let text = await readFile(file, 'utf8');
  for (const name of ['dana', 'theo', 'rita', 'acme', 'builder'])
    text = text.replace(`  ${name}: { groups:`, `  ${name}: { password: "${hash}", groups:`);
  await writeFile(file, text);
  await writeFile(
    join(dir, 'staging.yaml'),
    `users:
  dave: { password: "${hash}", groups: [developers] }
  ops: { password: "${hash}", groups: [staging] }
groups: { staging: { description: they run what is tested } }
rules: [{ name: staging-pulls-integration, subjects: [group:staging], repositories: ['integration/**'], actions: [pull] }]
`,
  );
  const areas = join(dir, 'areas.yaml');
  const freeze = /2026-12-(?=2[45]T)|2027-01-(?=02T)/g;
  await writeFile(
    areas,
    (await readFile(areas, 'utf8')).replace(freeze, (day) => day.replace(/^\d+/, (year) => String(Number(year) - 10))),
  );
  const made = await run(process.execPath, [cli, 'token', 'create', 'releaser', '--policies', dir], { cwd: dir });
  if (made.code !== 0) throw new Error(made.stderr);
  return made.stdout.trim();
}
