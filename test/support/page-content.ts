/** Images of all sorts, pushed as their makers push them: through the gateway, and one behind its back. */
import {
  type Made,
  artifactOf,
  attestationOf,
  cosignOf,
  digestOf,
  imageOf,
  indexOf,
  layerOf,
  referrersTag,
} from './image-world.ts';

/** Text of the worst kind that a label may have. */
export const hostileText = `"><script>alert(1)</script><img src=x onerror=alert(2)> \u202egnp.exe`;

/** What nobody wants to read twice. */
const labels = {
  'org.opencontainers.image.source': 'https://git.example.com/shop/checkout',
  'org.opencontainers.image.revision': '5b1f7a9',
  'org.opencontainers.image.description': 'The checkout service of the shop',
};

export const platforms = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64' },
] as const;

/** One image for several platforms, with what BuildKit attaches. */
export function builtImage(
  text: string,
  more: Readonly<Record<string, string>> = labels,
): readonly [index: Made, parts: readonly Made[]] {
  const images = platforms.map(({ os, architecture }) =>
    imageOf([layerOf(`${text} base`), layerOf(`${text} for ${architecture}`)], {
      config: {
        ...{ os, architecture, created: '2026-11-20T10:00:00Z' },
        config: { User: '65532', Entrypoint: ['/app/checkout'], ExposedPorts: { '8080/tcp': {} }, Labels: more },
        history: [
          { created_by: 'ADD rootfs.tar.gz / # buildkit' },
          { created_by: 'ENV PATH=/usr/bin', empty_layer: true },
          { created_by: 'COPY checkout /app/checkout # buildkit' },
        ],
      },
    }),
  );
  const [attestation, entry] = attestationOf(images[0] ?? { digest: '' });
  const index = indexOf([
    ...images.map((image, at) => [image, { platform: platforms[at] }] as const),
    [attestation, entry] as const,
  ]);
  return [index, [...images, attestation]];
}

/** Fills the registry of the shipped policies' areas. */
export async function createTestStore(gatewayUrl: string, registryUrl: string, password: string): Promise<void> {
  const as = (name: string): Pusher =>
    pusher(gatewayUrl, `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`);
  const [dana, builder, theo, rita] = [as('dana'), as('builder'), as('theo'), as('rita')];
  const behind = pusher(registryUrl, undefined);

  const [checkout, checkoutParts] = builtImage('checkout 1.4.2');
  await builder.putIndex('integration/shop/checkout', checkout, checkoutParts, 'build-142', 'latest');
  await builder.put('integration/shop/checkout', cosignOf(checkout), referrersTag(checkout, '.sig'));
  const sbom = artifactOf(checkout);
  await builder.attach('integration/shop/checkout', sbom);
  // A registry without the list of referrers has them under a tag, that clients keep.
  const { artifactType } = JSON.parse(sbom.content.toString()) as { readonly artifactType: string };
  await builder.put('integration/shop/checkout', indexOf([[sbom, { artifactType }]]), referrersTag(checkout));
  const [older, olderParts] = builtImage('checkout 1.4.1');
  await builder.putIndex('integration/shop/checkout', older, olderParts, 'build-141');
  await theo.promote('integration/shop/checkout:build-142', 'integration/shop/checkout:approved-1.4.2');
  await theo.promote('integration/shop/checkout:build-141', 'integration/shop/checkout:approved-1.4.1');
  await rita.promote('integration/shop/checkout:approved-1.4.1', 'release/shop/checkout:v1.4.1');
  await rita.promote('integration/shop/checkout:approved-1.4.2', 'release/shop/checkout:v1.4.2');
  await rita.promote('integration/shop/checkout:approved-1.4.2', 'release/shop/checkout:latest');

  const web = imageOf([layerOf('web')], { isDocker: true, config: { created: '2026-11-24T09:30:00Z' } });
  await dana.put(
    'sandbox/dana/web',
    web,
    'latest',
    'wip',
    'nightly-2026-very-long-branch-name-feature-JIRA-12345-do-not-use',
  );
  const unsafe = imageOf([layerOf('unsafe')], {
    config: {
      created: 'never',
      config: { Labels: { [hostileText.slice(0, 60)]: hostileText, note: 'x'.repeat(65_536) } },
    },
    fields: { annotations: { 'org.opencontainers.image.title': hostileText } },
  });
  await dana.put('sandbox/dana/hostile', unsafe, 'latest');
  const chart = imageOf([layerOf('chart')], {
    configType: 'application/vnd.cncf.helm.config.v1+json',
    layerType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
  });
  await dana.put('sandbox/charts/checkout', chart, '0.3.1');
  for (const name of ['api', 'cart', 'search', 'mail', 'jobs'])
    await dana.put(`sandbox/shop/${name}`, imageOf([layerOf(name)]), '0.1.0', 'latest');
  await behind.put('sandbox/old/tool', imageOf([layerOf('old')]), '2019');
  await dana.pull('sandbox/dana/web', 'latest');
}

interface Pusher {
  put(repository: string, image: Made, ...tags: readonly string[]): Promise<void>;
  putIndex(repository: string, index: Made, parts: readonly Made[], ...tags: readonly string[]): Promise<void>;
  /** By digest alone. */
  attach(repository: string, artifact: Made): Promise<void>;
  promote(source: string, target: string): Promise<void>;
  pull(repository: string, tag: string): Promise<void>;
}

function pusher(url: string, authorization: string | undefined): Pusher {
  const ask = async (path: string, init: RequestInit, expected: number): Promise<Response> => {
    const headers = { ...(authorization === undefined ? {} : { authorization }), ...(init.headers as object) };
    const reply = await fetch(new URL(path, url), { ...init, headers });
    if (reply.status !== expected) throw new Error(`${init.method} ${path}: ${reply.status} ${await reply.text()}`);
    return reply;
  };
  const blob = async (repository: string, content: Buffer): Promise<void> => {
    const begun = await ask(`/v2/${repository}/blobs/uploads/`, { method: 'POST' }, 202);
    const place = new URL(begun.headers.get('location') ?? '', url);
    place.searchParams.set('digest', digestOf(content));
    const headers = { 'content-type': 'application/octet-stream' };
    await ask(`${place.pathname}${place.search}`, { method: 'PUT', headers, body: new Uint8Array(content) }, 201);
  };
  const manifest = async (repository: string, { content, mediaType, digest }: Made, tag = digest): Promise<void> => {
    const headers = { 'content-type': mediaType };
    const body = typeof content === 'string' ? content : new Uint8Array(content);
    await ask(`/v2/${repository}/manifests/${tag}`, { method: 'PUT', headers, body }, 201);
  };
  const whole = async (repository: string, image: Made): Promise<void> => {
    for (const content of image.blobs) await blob(repository, Buffer.from(content));
  };
  return {
    async put(repository, image, ...tags) {
      await whole(repository, image);
      for (const tag of tags) await manifest(repository, image, tag);
    },
    async putIndex(repository, index, parts, ...tags) {
      for (const part of parts) {
        await whole(repository, part);
        await manifest(repository, part);
      }
      for (const tag of tags) await manifest(repository, index, tag);
    },
    async attach(repository, artifact) {
      await whole(repository, artifact);
      await manifest(repository, artifact);
    },
    async promote(source, target) {
      const headers = { 'content-type': 'application/json' };
      await ask('/api/v1/promotions', { method: 'POST', headers, body: JSON.stringify({ source, target }) }, 201);
    },
    async pull(repository, tag) {
      const accept = 'application/vnd.docker.distribution.manifest.v2+json';
      await ask(`/v2/${repository}/manifests/${tag}`, { method: 'GET', headers: { accept } }, 200);
    },
  };
}
