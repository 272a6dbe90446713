/** The pages of a registry's content, by the built program in front of a real registry (distribution 2.8). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contentWriter, named, types } from '../support/content.ts';
import type { GatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { quickEnough } from '../support/quick-enough.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { startStandIn } from '../support/stand-in.ts';
import { startPage, testsOfDeleting, visitorAt } from './support/page-on-registry.ts';

describeWithPrograms(['docker-registry'], 'the page in front of distribution 2.8', () => {
  let registry: RegistryProcess;
  let gateway: GatewayProcess;
  beforeAll(async () => {
    registry = await startRegistry({ delete: true });
    gateway = await startPage(registry.url);
  });
  afterAll(async () => {
    await gateway.stop();
    await registry.stop();
  });

  describe('deleting', () =>
    testsOfDeleting({ url: () => gateway.url, registry: () => registry.url, deletesTags: false }));

  test('what BuildKit attests in an index is no platform, and charts and SBOMs are what they are', async () => {
    const there = contentWriter(registry.url);
    const image = await there.image('team/kinds');
    const proof = await there.attach('team/other', image, 'application/vnd.in-toto+json').catch(() => undefined);
    expect(proof).toBeDefined();
    const attestation = await there.image('team/kinds', undefined, { layers: 1 });
    await there.manifest(
      'team/kinds',
      {
        schemaVersion: 2,
        mediaType: types.index,
        manifests: [
          { ...named(image), platform: { os: 'linux', architecture: 'amd64' } },
          {
            ...named(attestation),
            platform: { os: 'unknown', architecture: 'unknown' },
            annotations: {
              'vnd.docker.reference.type': 'attestation-manifest',
              'vnd.docker.reference.digest': image.digest,
            },
          },
        ],
      },
      'attested',
    );
    const config = await there.blob(
      'team/kinds',
      Buffer.from('{"name":"shop"}'),
      'application/vnd.cncf.helm.config.v1+json',
    );
    const layer = await there.blob(
      'team/kinds',
      Buffer.from('chart'),
      'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
    );
    const chart = { schemaVersion: 2, mediaType: types.manifest, config: named(config), layers: [named(layer)] };
    await there.manifest('team/kinds', chart, 'chart-1.0.0');
    const signed = await there.image('team/kinds', 'signed');
    await there.sign('team/kinds', signed);
    await there.attach('team/kinds', signed);
    const dana = await visitorAt(gateway.url, 'dana');
    const { body } = await dana.get('/ui/r/team/kinds?order=name');
    expect(body).not.toContain('unknown/unknown');
    expect(body).toContain('Helm chart');
    expect(body).toContain('>signed<');
    expect(body).toContain('>SBOM<');
    expect(body).not.toContain('sha256-');
    const shown = await dana.get('/ui/r/team/kinds?tag=attested');
    expect(shown.body).not.toContain('unknown/unknown');
    expect(shown.body).toContain('Attestation');
    expect((await dana.get('/ui/r/team/kinds?tag=chart-1.0.0')).body).toContain('helm pull');
    expect((await dana.get('/ui/r/team/kinds?tag=signed')).body).toContain('not verified');
  });

  test('an index of forty platforms lists each with its own page', async () => {
    const there = contentWriter(registry.url);
    const manifests = [];
    for (let number = 0; number < 40; number++)
      manifests.push({
        ...named(await there.image('team/forty', undefined, { layers: 1 })),
        platform: { os: 'linux', architecture: `cpu${number}` },
      });
    await there.manifest('team/forty', { schemaVersion: 2, mediaType: types.index, manifests }, 'all');
    const dana = await visitorAt(gateway.url, 'dana');
    const { body } = await dana.get('/ui/r/team/forty?tag=all');
    expect(body.match(/linux\/cpu\d+/g)?.length).toBeGreaterThanOrEqual(40);
    expect((await dana.get('/ui/r/team/forty')).body).toContain('and 34 more');
    const [, digest = ''] = /\?digest=(sha256%3A[0-9a-f]{64})/.exec(body) ?? [];
    expect((await dana.get(`/ui/r/team/forty?digest=${digest}`)).status).toBe(200);
  });

  test('a repository that may not be seen and one that is not there are the same page', async () => {
    const there = contentWriter(registry.url);
    await there.image('hidden/app', 'v1');
    const dana = await visitorAt(gateway.url, 'dana');
    const [hidden, nowhere] = [await dana.get('/ui/r/hidden/app'), await dana.get('/ui/r/hidden/xyz')];
    const plain = ({ body }: typeof hidden): string =>
      body.replace(/app|xyz/g, 'NAME').replace(/value="[^"]*"|<code>[0-9a-f-]{32,36}<\/code>/g, '');
    expect([hidden.status, nowhere.status]).toEqual([404, 404]);
    expect(plain(hidden)).toBe(plain(nowhere));
    expect(hidden.body).toContain('There is no repository');
    const tom = await visitorAt(gateway.url, 'tom');
    await there.image('team/app', 'v1');
    await there.image('team/app', 'secret');
    const { body } = await tom.get('/ui/r/team/app');
    expect(body).toContain('?tag=v1');
    expect(body).not.toContain('secret');
    expect((await tom.get('/ui/r/team/app?tag=secret')).status).toBe(404);
  });
});

describe('a registry that is not well', () => {
  const ways: Readonly<Record<string, Parameters<typeof startStandIn>[0]>> = {
    'answers 500': (_request, response) => void response.writeHead(500).end('oops'),
    'hangs up': (request) => void request.socket.destroy(),
    'cuts its answers': (_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"tags":');
      setTimeout(() => response.destroy(), 20);
    },
    'redirects elsewhere': (_request, response) =>
      void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
    'takes its time': (_request, response) => void setTimeout(() => response.end('{}'), 5000),
  };
  test.each(Object.entries(ways))('%s: every page says so within 2.5 seconds', async (_name, answer) => {
    const registry = await startStandIn((request, response) => {
      if (request.url === '/v2/') return void response.end('{}');
      return answer(request, response);
    });
    const gateway = await startPage(registry.url);
    const dana = await visitorAt(gateway.url, 'dana');
    for (const path of ['/ui/', '/ui/r/team/app', '/ui/r/team/app?tag=v2', '/ui/delete?repository=team/app&tag=wip']) {
      const { status, body } = await quickEnough(path, 2500, () => dana.get(path));
      expect([200, 404, 503], path).toContain(status);
      expect(body, path).toMatch(/does not answer|did not say|not known yet|not answered/);
    }
    await registry.close();
    await gateway.stop();
  });
});
