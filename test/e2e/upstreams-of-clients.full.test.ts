/** Several real registries behind one door, by the clients that people have: each prefix is a registry like any other. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningClient, type Session, clientKinds } from '../support/clients.ts';
import { type Client, createGoClient } from '../support/docker.ts';
import { goClientKinds } from '../support/go-clients.ts';
import { createImageLayout, writeImageLayout } from '../support/image.ts';
import { type RunResult, describeWithPrograms, run } from '../support/programs.ts';
import { basic, cli } from '../support/trial.ts';
import { type Place, type SeveralSite, dana, nameAt, places, startSeveralSite } from './support/several-site.ts';

const clients = [
  ...clientKinds.filter(({ name }) => ['docker', 'skopeo', 'podman'].includes(name)),
  ...goClientKinds.filter(({ name }) => ['crane', 'oras', 'helm'].includes(name)),
];
const longMs = 120_000;

describeWithPrograms(['docker-registry', 'redis-server'], 'several registries behind one door', () => {
  let site: SeveralSite;
  beforeAll(async () => void (site = await startSeveralSite()), 600_000);
  afterAll(() => site.stop());

  for (const { name, needs, start } of clients)
    describeWithPrograms(needs, name, () => {
      let running: RunningClient;
      let session: Session;
      beforeAll(async () => {
        running = await start(site.host);
        session = await running.open();
        expect(await session.login(dana)).toMatchObject({ succeeded: true });
      }, longMs);
      afterAll(async () => {
        await session.end();
        await running.stop();
      });

      const throughIts = (place: Place): void =>
        test(
          `pushes and pulls ${nameAt(place, '…')}, and the registry has the same`,
          async () => {
            const reference = `${site.host}/${nameAt(place, name)}/app:1.0.0`;
            const pushed = await session.push(reference);
            expect(pushed).toMatchObject({ succeeded: true });
            expect(await site.digestAt(place, `${name}/app`, '1.0.0')).toBe(pushed.digest);
            expect(await session.pull(reference)).toMatchObject({ succeeded: true, digest: pushed.digest });
          },
          longMs,
        );
      for (const place of places)
        if (place === 'partner')
          describeWithPrograms(['go'], 'with tokens of another Portcullis', () => throughIts(place));
        else throughIts(place);

      // A chart is what it pulls, and the image is none.
      if (name !== 'helm')
        for (const alpine of ['mirror/alpine', 'mirror/library/alpine'])
          test(
            `pulls ${alpine} of the public registry`,
            async () => {
              const pulled = await session.pull(`${site.host}/${alpine}:1`);
              expect(pulled).toMatchObject({ succeeded: true, digest: site.alpine });
            },
            longMs,
          );

      test(
        'is told that nothing is pushed to the mirror',
        async () => {
          const refused = await session.push(`${site.host}/mirror/${name}/app:1.0.0`);
          expect(refused.succeeded).toBe(false);
          // These look for the manifest first, which such a mirror answers with 500 where there is none.
          if (name !== 'oras' && name !== 'helm') expect(refused.text).toContain('is read-only here');
        },
        longMs,
      );
    });

  describeWithPrograms(['crane'], 'crane', () => {
    let crane: Client;
    const put = async (name: string): Promise<string> => {
      const layout = createImageLayout('1');
      const dir = `image-${layout.digest.slice(-8)}`;
      await writeImageLayout(join(crane.dir, dir), layout);
      expect(await crane.run(['push', dir, `${site.host}/${name}`])).toMatchObject({ code: 0 });
      return layout.digest;
    };
    const linesOf = async (...args: readonly string[]): Promise<readonly string[]> => {
      const listed = await crane.run(args);
      expect(listed).toMatchObject({ code: 0 });
      return listed.stdout.trim().split('\n');
    };
    beforeAll(async () => {
      crane = await createGoClient('crane');
      const login = ['auth', 'login', '-u', dana.account, '--password-stdin', site.host];
      expect(await crane.run(login, dana.password)).toMatchObject({ code: 0 });
    });
    afterAll(() => crane.remove());

    test('lists the tags of each, and the repositories of all once', async () => {
      const names = ['main/listed', 'sandbox/listed', 'integration/listed'];
      for (const name of names) {
        await put(`${name}:1`);
        await put(`${name}:2`);
        expect([...(await linesOf('ls', `${site.host}/${name}`))].sort()).toEqual(['1', '2']);
      }
      expect(await linesOf('ls', `${site.host}/mirror/alpine`)).toEqual(['1']);
      const listed = await linesOf('catalog', site.host);
      for (const name of names) expect(listed.filter((each) => each === name)).toEqual([name]);
      expect(new Set(listed).size).toBe(listed.length);
    });

    test('mounts within one registry, and sends between two', async () => {
      const digest = await put('sandbox/mount/source:1');
      const copy = async (into: string) =>
        expect(
          await crane.run(['copy', `${site.host}/sandbox/mount/source:1`, `${site.host}/${into}:1`]),
        ).toMatchObject({
          code: 0,
        });
      await copy('sandbox/mount/target');
      const within = await site.requestsAt('sandbox', 'mount/target');
      expect(within.filter((line) => /[?&]mount=[^ ]*&from=mount%2Fsource[ &].*" 201 /.test(line))).not.toEqual([]);
      await copy('main/mount/target');
      const across = await site.requestsAt('', 'main/mount/target');
      expect(across.filter((line) => /mount=|from=/.test(line))).toEqual([]);
      expect(across.filter((line) => /"PUT [^ ]*uploads[^ ]* .*" 201 /.test(line))).not.toEqual([]);
      expect(await site.digestAt('sandbox', 'mount/target', '1')).toBe(digest);
      expect(await site.digestAt('', 'mount/target', '1')).toBe(digest);
    });

    test('deletes in one and in no other', async () => {
      for (const place of ['', 'sandbox', 'integration'] as const) {
        const digest = await put(`${nameAt(place, 'gone')}:1`);
        expect(await site.digestAt(place, 'gone', digest)).toBe(digest);
        const name = `${site.host}/${nameAt(place, 'gone')}@${digest}`;
        expect(await crane.run(['delete', name])).toMatchObject({ code: 0 });
        expect(await site.digestAt(place, 'gone', digest)).toBeNull();
        expect((await crane.run(['manifest', name])).code).not.toBe(0);
      }
    });
  });

  describeWithPrograms(['oras'], 'an image with an SBOM', () => {
    let oras: Client;
    const reference = 'release/app:v1';
    beforeAll(async () => {
      oras = await createGoClient('oras');
      const login = ['login', '--plain-http', '-u', dana.account, '--password-stdin', site.host];
      expect(await oras.run(login, dana.password)).toMatchObject({ code: 0 });
    });
    afterAll(() => oras.remove());

    const promote = (source: string): Promise<RunResult> =>
      run(
        process.execPath,
        [cli, 'promote', `${site.host}/${source}`, reference, '--user', dana.account, '--password-stdin'],
        { cwd: oras.dir, env: { HOME: oras.dir, NODE_ENV: 'production' }, input: dana.password },
      );
    const discovered = async (name: string): Promise<readonly string[]> => {
      const found = await oras.run(['discover', '--plain-http', '--format', 'json', `${site.host}/${name}`]);
      expect(found).toMatchObject({ code: 0 });
      const { referrers = [] } = JSON.parse(found.stdout) as { referrers?: readonly { readonly digest: string }[] };
      return referrers.map(({ digest }) => digest);
    };
    const pushed = async (name: string): Promise<string> => {
      const layout = createImageLayout('1');
      const dir = `image-${layout.digest.slice(-8)}`;
      await writeImageLayout(join(oras.dir, dir), layout);
      const copy = ['cp', '--from-oci-layout', `${dir}:1`, '--to-plain-http', `${site.host}/${name}`];
      expect(await oras.run(copy)).toMatchObject({ code: 0 });
      await writeFile(join(oras.dir, 'sbom.json'), '{"spdxVersion":"SPDX-2.3"}');
      const attach = ['attach', '--plain-http', '--no-tty', '--artifact-type', 'application/spdx+json'];
      const attached = await oras.run([...attach, `${site.host}/${name}`, 'sbom.json:application/spdx+json']);
      expect(attached).toMatchObject({ code: 0 });
      return layout.digest;
    };

    for (const place of ['', 'sandbox', 'integration'] as const)
      test(`is found through ${nameAt(place, '…')}`, async () => {
        await pushed(`${nameAt(place, 'sbom')}:1`);
        expect(await discovered(`${nameAt(place, 'sbom')}:1`)).toHaveLength(1);
      });

    test('is promoted from one machine to another once a gate lets it pass, with what is attached', async () => {
      const digest = await pushed('sandbox/app:build-1');
      const closed = await promote('sandbox/app:build-1');
      expect(closed.code).toBe(1);
      expect(closed.stderr).toContain('not in sandbox/app under a tag approved-*');
      expect(await site.requestsAt('', 'release/app')).toEqual(
        (await site.requestsAt('', 'release/app')).filter((line) => / "(?:GET|HEAD) /.test(line)),
      );
      const tag = ['tag', '--plain-http', `${site.host}/sandbox/app:build-1`, 'approved-1'];
      expect(await oras.run(tag)).toMatchObject({ code: 0 });
      expect(await promote('sandbox/app:approved-1')).toMatchObject({ code: 0, stderr: '' });
      const there = await fetch(`${site.gateway.url}/v2/${reference.replace(':', '/manifests/')}`, {
        method: 'HEAD',
        headers: {
          authorization: basic(dana.account, dana.password),
          accept: 'application/vnd.oci.image.manifest.v1+json',
        },
      });
      expect(there.headers.get('docker-content-digest')).toBe(digest);
      expect(await discovered(reference)).toEqual(await discovered('sandbox/app:approved-1'));
      expect(await discovered(reference)).toHaveLength(1);
      const again = await oras.run([
        'cp',
        '--from-plain-http',
        `${site.host}/${reference}`,
        '--to-oci-layout',
        'got:1',
      ]);
      expect(again).toMatchObject({ code: 0 });
    });

    test('goes into no registry that takes nothing, or that is none', async () => {
      const refusals = [
        ['mirror/app:v1', 'the registry behind "mirror" is read-only here'],
        [`sandbox:v1`, 'no rule allows it'],
      ] as const;
      for (const [target, words] of refusals) {
        const args = ['promote', `${site.host}/sandbox/app:approved-1`, target, '--user', dana.account];
        const options = { cwd: oras.dir, env: { HOME: oras.dir, NODE_ENV: 'production' }, input: dana.password };
        const refused = await run(process.execPath, [cli, ...args, '--password-stdin'], options);
        expect([target, refused.code]).toEqual([target, 1]);
        expect(refused.stderr).toContain(words);
      }
    });
  });

  describe('the log', () => {
    test('names the registry of each request, and holds no password', async () => {
      const upstreams = new Set(site.gateway.logs().map((record) => record['upstream']));
      for (const name of ['main', 'sandbox', 'integration', 'hub']) expect(upstreams).toContain(name);
      for (const secret of [dana.password, 'pass-word-of-svc']) expect(site.gateway.stdout()).not.toContain(secret);
      expect(site.gateway.logs().filter(({ level }) => level === 'error')).toEqual([]);
      expect((await fetch(`${site.gateway.adminUrl}/readyz?strict`)).status).toBe(200);
    });
  });
});
