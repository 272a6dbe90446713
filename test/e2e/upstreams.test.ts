/** Several real registries under the names of one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type UpstreamTerms, soleUpstream } from '../../src/config/upstreams.ts';
import { type GatewayHere, basic, startGatewayHere, testConfig } from '../support/gateway.ts';
import { pushImage } from '../support/image.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';

const policies = `
users:
  dana: { password: "$argon2id$v=19$m=8192,t=1,p=1$iKSpCHSoNI8PAz4ateNqYg$M2VJNCPpSgUmYyHR2e/+3dj57D+SFIDZ+OG0HU6URjk" }
rules:
  - { name: all, subjects: ["user:dana"], repositories: ["**"], actions: [pull, push, delete, catalog, promote] }
  - { name: hidden, effect: deny, subjects: [everyone], repositories: ["partner/secret"], actions: [pull, catalog] }
`;

describeWithPrograms(['docker-registry'], 'several registries behind one door', () => {
  let registries: Record<'main' | 'cloud' | 'hub', RegistryProcess>;
  let front: GatewayHere;
  const authorization = `Basic ${basic}`;
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${front.url}${path}`, { redirect: 'manual', ...init, headers: { authorization, accept, ...init.headers } });

  beforeAll(async () => {
    const [main, cloud, hub] = await Promise.all([startRegistry(), startRegistry(), startRegistry()]);
    registries = { main, cloud, hub };
    await pushImage(main.url, 'shop/app', 'v1');
    // Nobody can reach what has the name of a prefix.
    await pushImage(main.url, 'partner/shadowed', 'v1');
    await pushImage(cloud.url, 'team/app', 'v1');
    await pushImage(cloud.url, 'team/secret', 'v1');
    await pushImage(cloud.url, 'others/app', 'v1');
    await pushImage(hub.url, 'library/alpine', 'v1');
    await pushImage(hub.url, 'grafana/grafana', 'v1');
    const rules = {
      timeouts: { connectMs: 500, idleMs: 2000, responseMs: 2000 },
      redirects: { mode: 'pass', hosts: [] },
    } as const;
    const at = (url: string, terms: Partial<UpstreamTerms>): UpstreamTerms => ({
      ...soleUpstream(url, rules),
      ...terms,
    });
    const upstreams = [
      at(hub.url, { name: 'hub', prefix: 'mirror', access: 'read', library: true }),
      at(main.url, {}),
      at(cloud.url, { name: 'cloud', prefix: 'partner', remotePrefix: 'team' }),
    ];
    front = await startGatewayHere({ 'policy.yaml': policies }, testConfig('', {}, undefined, upstreams));
  });

  afterAll(async () => {
    await front.close();
    await Promise.all(Object.values(registries).map((registry) => registry.stop()));
  });

  const answers: readonly (readonly [path: string, status: number])[] = [
    ['shop/app/manifests/v1', 200],
    ['partner/app/manifests/v1', 200],
    ['partner/shadowed/manifests/v1', 404],
    ['partner/others/app/manifests/v1', 404],
    ['team/app/manifests/v1', 404],
    ['mirror/grafana/grafana/manifests/v1', 200],
    ['mirror/library/alpine/manifests/v1', 200],
    ['mirror/alpine/manifests/v1', 200],
    ['alpine/manifests/v1', 404],
    ['partner/secret/manifests/v1', 403],
  ];
  for (const [path, status] of answers) {
    test(`GET ${path} is ${status}`, async () => {
      expect((await ask(`/v2/${path}`)).status).toBe(status);
    });
  }

  test('lists show one registry after the other, each name once, none that is hidden or out of reach', async () => {
    for (const size of [1, 2, 3, 100]) {
      const names: string[] = [];
      let path: string | undefined = `/v2/_catalog?n=${size}`;
      while (path !== undefined) {
        const reply: Response = await ask(path);
        names.push(...((await reply.json()) as { repositories: string[] }).repositories);
        path = /<([^>]+)>/.exec(reply.headers.get('link') ?? '')?.[1];
      }
      expect(names).toEqual(['shop/app', 'mirror/grafana/grafana', 'mirror/library/alpine', 'partner/app']);
    }
  });

  test('a list goes on behind any name that a client says', async () => {
    const behind = async (last: string): Promise<unknown> =>
      ((await (await ask(`/v2/_catalog?last=${encodeURIComponent(last)}`)).json()) as { repositories: unknown })
        .repositories;
    expect(await behind('shop/app')).toEqual(['mirror/grafana/grafana', 'mirror/library/alpine', 'partner/app']);
    expect(await behind('zebra')).toEqual(['mirror/grafana/grafana', 'mirror/library/alpine', 'partner/app']);
    expect(await behind('mirror/grafana/grafana')).toEqual(['mirror/library/alpine', 'partner/app']);
    expect(await behind('partner/app')).toEqual([]);
  });

  test('tags, places of what was pushed and errors have the names of clients', async () => {
    expect(await (await ask('/v2/partner/app/tags/list')).json()).toEqual({ name: 'partner/app', tags: ['v1'] });
    expect(await (await ask('/v2/mirror/alpine/tags/list')).json()).toEqual({ name: 'mirror/alpine', tags: ['v1'] });
    const manifest = await ask('/v2/partner/app/manifests/v1');
    const content = await manifest.text();
    const type = { 'content-type': manifest.headers.get('content-type') ?? '' };
    const pushed = await ask('/v2/partner/app/manifests/v2', { method: 'PUT', headers: type, body: content });
    expect(pushed.status).toBe(201);
    expect(pushed.headers.get('location')).toBe(
      `/v2/partner/app/manifests/${manifest.headers.get('docker-content-digest')}`,
    );
    const unknown = await ask('/v2/partner/none/manifests/v1');
    expect(await unknown.text()).not.toContain('team');
  });

  test('an image is pushed through a prefix', async () => {
    const opened = await ask('/v2/partner/new/blobs/uploads/', { method: 'POST' });
    expect(opened.status).toBe(202);
    expect(opened.headers.get('location')).toMatch(/^\/v2\/partner\/new\/blobs\/uploads\//);
    const layer = Buffer.from('layer');
    const digest = 'sha256:c27d8ebd8e3c1a4ad1ad3ef7f8b4a7f0a3c6f1a1bd9df2ce8a1cb4ad1f6d3a77';
    const wrong = await ask(`${opened.headers.get('location')}&digest=${digest}`, { method: 'PUT', body: layer });
    expect(wrong.status).toBe(400);
  });

  test('a mount from another registry becomes an ordinary upload; within one it is a mount', async () => {
    const layer = async (repository: string): Promise<string> => {
      const manifest = (await (await ask(`/v2/${repository}/manifests/v1`)).json()) as { layers: { digest: string }[] };
      return manifest.layers[0]?.digest ?? '';
    };
    const mount = async (into: string, from: string): Promise<Response> =>
      ask(`/v2/${into}/blobs/uploads/?mount=${await layer(from)}&from=${from}`, { method: 'POST' });
    expect((await mount('partner/copy', 'shop/app')).status).toBe(202);
    const mounted = await mount('partner/copy', 'partner/app');
    expect(mounted.status).toBe(201);
    expect(mounted.headers.get('location')).toMatch(/^\/v2\/partner\/copy\/blobs\/sha256:/);
  });

  test('nothing is written into a registry that is read-only here', async () => {
    const refused = await ask('/v2/mirror/alpine/blobs/uploads/', { method: 'POST' });
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('the registry behind \\"mirror\\" is read-only here');
    const promoted = await promote('shop/app:v1', 'mirror/alpine:v2');
    expect(promoted.status).toBe(403);
  });

  const promote = (source: string, target: string): Promise<Response> =>
    ask('/api/v1/promotions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ source, target }),
    });

  test('a promotion into another registry sends what it cannot mount', async () => {
    const promoted = await promote('shop/app:v1', 'partner/promoted:v1');
    expect(promoted.status).toBe(201);
    const { digest, mounted, bytes } = (await promoted.json()) as Record<string, unknown>;
    expect(mounted).toBe(0);
    expect(bytes).toBeGreaterThan(0);
    const there = await fetch(`${registries.cloud.url}/v2/team/promoted/manifests/v1`, {
      method: 'HEAD',
      headers: { accept },
    });
    expect(there.headers.get('docker-content-digest')).toBe(digest);
  });

  test('tokens for either spelling serve both', async () => {
    for (const name of ['mirror/alpine', 'mirror/library/alpine']) {
      const query = new URLSearchParams({ service: 'registry.test', scope: `repository:${name}:pull` });
      const { token } = (await (await ask(`/token?${query.toString()}`)).json()) as { token: string };
      for (const each of ['mirror/alpine', 'mirror/library/alpine']) {
        const reply = await ask(`/v2/${each}/manifests/v1`, { headers: { authorization: `Bearer ${token}` } });
        expect(reply.status).toBe(200);
      }
    }
  });

  test('records name the registry', async () => {
    await ask('/v2/partner/app/manifests/v1');
    expect(front.records.at(-1)).toMatchObject({ repository: 'partner/app', upstream: 'cloud' });
  });
});
