/**
 * `node deploy/image/layout.mjs DIR ARCH VERSION LAYER…`: an OCI image layout (image-spec 1.1) of these gzipped archives, lowest
 * first, that runs the gateway. What it says of user, port, volume, variables and health is what deploy/Dockerfile says.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const [dir, architecture, version, ...layers] = process.argv.slice(2);
const seconds = 1_000_000_000;
const program = ['node', '/app/dist/cli.js'];
const config = {
  User: '65532:65532',
  ExposedPorts: { '5050/tcp': {} },
  Env: [
    'PATH=/usr/local/bin',
    'NODE_ENV=production',
    'PORTCULLIS_CONFIG=/etc/portcullis/portcullis.yaml',
    'NODE_OPTIONS=--max-semi-space-size=4',
    'NODE_COMPILE_CACHE=/var/lib/portcullis/compile-cache',
  ],
  Entrypoint: program,
  Cmd: ['serve'],
  Volumes: { '/var/lib/portcullis': {} },
  WorkingDir: '/app',
  Labels: {
    'org.opencontainers.image.title': 'portcullis',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.licenses': 'Apache-2.0',
  },
  StopSignal: 'SIGTERM',
  // Docker's own, beside what image-spec knows.
  Healthcheck: {
    Test: ['CMD', ...program, 'healthcheck'],
    Interval: 15 * seconds,
    Timeout: 5 * seconds,
    StartPeriod: 15 * seconds,
  },
};

const created = '1970-01-01T00:00:00Z';
const digestOf = (content) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const pathOf = (digest) => join(dir, 'blobs', digest.replace(':', '/'));
const json = (mediaType, value, more = {}) => {
  const content = JSON.stringify(value);
  const digest = digestOf(content);
  writeFileSync(pathOf(digest), content);
  return { mediaType, digest, size: Buffer.byteLength(content), ...more };
};

mkdirSync(join(dir, 'blobs/sha256'), { recursive: true });
const packed = layers.map((file) => {
  const content = readFileSync(file);
  const digest = digestOf(content);
  copyFileSync(file, pathOf(digest));
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  return { descriptor: { mediaType, digest, size: content.length }, unpacked: digestOf(gunzipSync(content)) };
});
const image = json('application/vnd.oci.image.config.v1+json', {
  created,
  architecture,
  os: 'linux',
  config,
  rootfs: { type: 'layers', diff_ids: packed.map(({ unpacked }) => unpacked) },
  history: layers.map(() => ({ created, created_by: 'deploy/image.sh' })),
});
const mediaType = 'application/vnd.oci.image.manifest.v1+json';
const manifest = json(
  mediaType,
  { schemaVersion: 2, mediaType, config: image, layers: packed.map(({ descriptor }) => descriptor) },
  { platform: { architecture, os: 'linux' }, annotations: { 'org.opencontainers.image.ref.name': version } },
);
writeFileSync(join(dir, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
writeFileSync(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const size = packed.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
console.log(`portcullis ${version} for ${architecture}: ${manifest.digest}, ${megabytes(size)} compressed`);
