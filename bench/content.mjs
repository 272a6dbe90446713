/** What is pulled and pushed, the same bytes in every run: an image of 20 layers and three loose blobs. */
import { createCipheriv, createHash } from 'node:crypto';
import { ask, header } from './client.mjs';

/** Bytes that do not compress, always the same for a seed. */
function bytes(seed, size) {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  const stream = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  return stream.update(Buffer.alloc(size));
}

/** @param {Buffer} content */
const blob = (content) => ({
  content,
  size: content.length,
  digest: `sha256:${createHash('sha256').update(content).digest('hex')}`,
});

const type = 'application/vnd.oci.image.manifest.v1+json';
const layerCount = 20;
const layers = Array.from({ length: layerCount }, (_, index) => blob(bytes(`layer ${index}`, 262_144)));
const config = blob(
  Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['/app'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
      history: layers.map((_, index) => ({ created_by: `step ${index} of a build`, comment: 'measured' })),
    }),
  ),
);
const described = ({ digest, size }, mediaType, annotations) => ({ mediaType, digest, size, annotations });

/** The image that is pulled: its manifest by tag and digest, its config, its layers. 5.5 kB of manifest. */
export const image = {
  type,
  tag: 'hot',
  manifest: blob(
    Buffer.from(
      JSON.stringify(
        {
          schemaVersion: 2,
          mediaType: type,
          config: described(config, 'application/vnd.oci.image.config.v1+json'),
          layers: layers.map((layer, index) =>
            described(layer, 'application/vnd.oci.image.layer.v1.tar+gzip', {
              'org.example.step': `step ${index} of a build`,
            }),
          ),
        },
        undefined,
        2,
      ),
    ),
  ),
  config,
  layers,
};
/** A config of a small image, a layer of a megabyte, one of a hundred. */
export const blobs = {
  small: blob(bytes('small', 1000)),
  medium: blob(bytes('medium', 1e6)),
  large: blob(bytes('large', 1e8)),
};

/** The repository that may be pulled and pushed. */
export const repository = 'bench/app';
/** The one that nobody here may. */
export const closed = 'secret/app';

async function push(port, name, { content, digest }) {
  const opened = await ask(port, { method: 'POST', path: `/v2/${name}/blobs/uploads/` });
  const location = new URL(header(opened, 'location') ?? '', `http://127.0.0.1:${port}`);
  location.searchParams.set('digest', digest);
  const headers = { 'Content-Type': 'application/octet-stream' };
  const { status } = await ask(port, {
    method: 'PUT',
    path: location.pathname + location.search,
    headers,
    body: content,
  });
  if (status !== 201) throw new Error(`the registry answers ${status} to a push into ${name}`);
}

/**
 * Puts everything into the bare registry at that port.
 * @param {number} port
 */
export async function fill(port) {
  for (const each of Object.values(blobs)) await push(port, repository, each);
  for (const name of [repository, closed]) {
    for (const each of [config, ...layers]) await push(port, name, each);
    const { status } = await ask(port, {
      method: 'PUT',
      path: `/v2/${name}/manifests/${image.tag}`,
      headers: { 'Content-Type': type },
      body: image.manifest.content,
    });
    if (status !== 201) throw new Error(`the registry answers ${status} to the manifest of ${name}`);
  }
}
