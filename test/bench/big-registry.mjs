/** The files of a large docker-registry, written directly: pushing as much takes an hour. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const areas = ['sandbox', 'integration', 'release', 'people/dana'];

/** So many repositories of one tag in four areas, and `release/big` with so many tags, each an image of its own. */
export function writeBigRegistry(root, { repositories, tags }) {
  const base = join(root, 'docker/registry/v2');
  const blob = (content) => {
    const hex = createHash('sha256').update(content).digest('hex');
    const dir = join(base, 'blobs/sha256', hex.slice(0, 2), hex);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'data'), content);
    return hex;
  };
  const link = (dir, hex) => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'link'), `sha256:${hex}`);
  };
  const layer = blob('x'.repeat(1000));
  const image = (serial) => {
    const config = JSON.stringify({
      ...{
        architecture: 'amd64',
        os: 'linux',
        created: '2026-11-20T10:00:00Z',
        config: { Labels: { serial: `${serial}` } },
      },
      rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
    });
    const configHex = blob(config);
    const described = (mediaType, hex, size) => ({ mediaType, digest: `sha256:${hex}`, size });
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: described('application/vnd.oci.image.config.v1+json', configHex, config.length),
      layers: [described('application/vnd.oci.image.layer.v1.tar', layer, 1000)],
    });
    return { configHex, hex: blob(manifest) };
  };
  const repository = (name, images) => {
    const dir = join(base, 'repositories', name);
    link(join(dir, '_layers/sha256', layer), layer);
    for (const [tag, { configHex, hex }] of images) {
      link(join(dir, '_layers/sha256', configHex), configHex);
      link(join(dir, '_manifests/revisions/sha256', hex), hex);
      link(join(dir, '_manifests/tags', tag, 'current'), hex);
      link(join(dir, '_manifests/tags', tag, 'index/sha256', hex), hex);
    }
  };
  const one = image(0);
  for (let at = 0; at < repositories; at++)
    repository(`${areas[at % areas.length]}/app${String(at).padStart(5, '0')}`, [['v1', one]]);
  repository(
    'release/big',
    Array.from({ length: tags }, (_, at) => [`v${Math.floor(at / 100)}.${at % 100}`, image(at)]),
  );
}
