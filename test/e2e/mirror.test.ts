/** The mirror of public images as deploy/ sets it up, with a registry of our own in the place of Docker Hub. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { soleUpstream } from '../../src/config/upstreams.ts';
import { type GatewayHere, basic, startGatewayHere, testConfig } from '../support/gateway.ts';
import { pushImage } from '../support/image.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { projectDir } from '../support/trial.ts';

/** dana's, as `basic` has it. */
const password = '$argon2id$v=19$m=8192,t=1,p=1$iKSpCHSoNI8PAz4ateNqYg$M2VJNCPpSgUmYyHR2e/+3dj57D+SFIDZ+OG0HU6URjk';

describeWithPrograms(['docker-registry'], 'a mirror of public images under policy', () => {
  let hub: RegistryProcess;
  let cache: RegistryProcess;
  let main: RegistryProcess;
  let front: GatewayHere;
  const ask = (path: string, authorization: string, method = 'GET'): Promise<Response> =>
    fetch(`${front.url}/v2/${path}`, {
      method,
      headers: {
        accept: 'application/vnd.oci.image.manifest.v1+json',
        authorization,
      },
    });
  const dana = `Basic ${basic}`;
  /** As docker does without a login: with a token that nobody's name is in. */
  const askAsNobody = async (name: string, method = 'GET'): Promise<Response> => {
    const scope = `repository:${name}:pull`;
    const reply = await fetch(`${front.url}/token?service=registry.test&scope=${encodeURIComponent(scope)}`);
    const { token } = (await reply.json()) as { readonly token: string };
    return ask(`${name}/manifests/1`, `Bearer ${token}`, method);
  };

  beforeAll(async () => {
    [hub, main] = await Promise.all([startRegistry(), startRegistry()]);
    for (const name of ['library/alpine', 'grafana/grafana', 'acme/miner']) await pushImage(hub.url, name, '1');
    cache = await startRegistry({ mirrorOf: hub.url });
    const text = await readFile(join(projectDir, 'deploy/mirror/policies/mirror.yaml'), 'utf8');
    const withPassword = text.replace('dana: {', `dana: { password: '${password}',`);
    const terms = {
      timeouts: { connectMs: 500, idleMs: 5000, responseMs: 5000 },
      redirects: { mode: 'pass', hosts: [] },
    } as const;
    const mirror = { ...soleUpstream(cache.url, terms), name: 'hub', prefix: 'mirror', library: true };
    const upstreams = [soleUpstream(main.url, terms), { ...mirror, access: 'read' as const }];
    front = await startGatewayHere({ 'mirror.yaml': withPassword }, testConfig('', {}, undefined, upstreams));
  });
  afterAll(async () => {
    await front.close();
    await Promise.all([hub, cache, main].map((registry) => registry.stop()));
  });

  test('official images are everybody’s, others for those whom a rule names', async () => {
    const direct = await fetch(`${hub.url}/v2/library/alpine/manifests/1`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    const short = await askAsNobody('mirror/alpine');
    expect([short.status, short.headers.get('docker-content-digest')]).toEqual([
      200,
      direct.headers.get('docker-content-digest'),
    ]);
    expect((await askAsNobody('mirror/grafana/grafana')).status).toBe(401);
    expect((await ask('mirror/grafana/grafana/manifests/1', dana)).status).toBe(200);
    expect((await ask('mirror/acme/miner/manifests/1', dana)).status).toBe(403);
  });

  test('nobody pushes into it', async () => {
    expect((await ask('mirror/grafana/grafana/blobs/uploads/', dana, 'POST')).status).toBe(403);
    expect((await ask('apps/shop/blobs/uploads/', dana, 'POST')).status).toBe(202);
  });

  test('an address without a login pulls ten an hour, by either name, and hears what is left as at Docker Hub', async () => {
    // One was pulled above.
    const left: (string | null)[] = [];
    for (let n = 0; n < 9; n++) {
      const reply = await askAsNobody(`mirror/${n % 2 === 0 ? '' : 'library/'}alpine`);
      expect([reply.status, reply.headers.get('ratelimit-limit')]).toEqual([200, '10;w=3600']);
      left.push(reply.headers.get('ratelimit-remaining'));
    }
    expect(left.at(-1)).toBe('0;w=3600');
    const refused = await askAsNobody('mirror/alpine');
    expect(refused.status).toBe(429);
    expect(await refused.text()).toContain('TOOMANYREQUESTS');
    expect((await ask('mirror/alpine/manifests/1', dana)).status).toBe(200);
    expect((await askAsNobody('mirror/alpine', 'HEAD')).status).toBe(200);
  });

  test('what was pulled once is there when the public registry is not', async () => {
    await hub.stop();
    const reply = await ask('mirror/grafana/grafana/manifests/1', dana);
    expect(reply.status).toBe(200);
  });
});
