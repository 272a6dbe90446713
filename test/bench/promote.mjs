/**
 * `npm run bench:promote [-- MIB [URL]]`: a promotion of an image of two platforms, 1 GiB in four layers, with an SBOM for the index
 * and one for a platform, behind a gate: its time, and the bytes between gateway and registry, counted by a proxy on loopback.
 * With docker-registry and, where there is Go, distribution 3, or with the empty registry at URL; into a new repository each
 * round. Fails when a target is missed
 * or the target holds anything else than the source.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import argon2 from 'argon2';
import { NotRun, startServer } from '../conformance/programs.mjs';
import { registries, runningRegistry } from '../conformance/registries.mjs';
import { freePort } from '../support/free-port.mjs';

const mebibyte = 1024 * 1024;
const layerBytes = (Number(process.argv[2] ?? 1024) / 4) * mebibyte;
const rounds = 5;
const target = { seconds: 2, bytes: 100_000 };
const password = 'bench-password-of-rita';
const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  sbom: 'application/vnd.cyclonedx+json',
};
const accept = [types.index, types.manifest].join(', ');
const dir = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));

const sha256 = (content) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const json = (value) => Buffer.from(JSON.stringify(value));

/** Counts what passes between the gateway and `port`, in both directions. */
async function startCounter(port) {
  let bytes = 0;
  const server = createServer((socket) => {
    const upstream = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ]) {
      from.on('data', (chunk) => (bytes += chunk.length));
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    take: () => {
      const taken = bytes;
      bytes = 0;
      return taken;
    },
    close: () => server.close(),
  };
}

async function expectStatus(wanted, url, options) {
  const reply = await fetch(url, options);
  const body = Buffer.from(await reply.arrayBuffer());
  if (reply.status !== wanted) throw new Error(`${options?.method ?? 'GET'} ${url}: ${reply.status} ${body}`);
  return { body, headers: reply.headers };
}

/** A registry as its clients fill it, without the gateway. */
function repositoryAt(registry, name) {
  const base = `${registry}/v2/${name}`;
  const addBlob = async (mediaType, digest, size, body) => {
    const { headers } = await expectStatus(202, `${base}/blobs/uploads/`, { method: 'POST' });
    const place = new URL(headers.get('location'), registry);
    place.searchParams.set('digest', digest);
    const length = { 'content-length': String(size), 'content-type': 'application/octet-stream' };
    await expectStatus(201, place, { method: 'PUT', headers: length, body, duplex: 'half' });
    return { mediaType, digest, size };
  };
  const add = (mediaType, content) => addBlob(mediaType, sha256(content), content.length, content);
  const addManifest = async (reference, manifest) => {
    const content = json(manifest);
    const digest = sha256(content);
    const headers = { 'content-type': manifest.mediaType };
    await expectStatus(201, `${base}/manifests/${reference ?? digest}`, { method: 'PUT', headers, body: content });
    return { mediaType: manifest.mediaType, digest, size: content.length };
  };
  const hasList = async (digest) => (await fetch(`${base}/referrers/${digest}`)).status === 200;
  return { add, addBlob, addManifest, hasList };
}

/** So many bytes that no other layer begins with, one piece at a time. */
function* layerContent() {
  const piece = randomBytes(mebibyte);
  for (let sent = 0; sent < layerBytes; sent += mebibyte)
    yield piece.subarray(0, Math.min(mebibyte, layerBytes - sent));
}

async function addLayer({ addBlob }) {
  const pieces = [...layerContent()];
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return addBlob(types.layer, `sha256:${hash.digest('hex')}`, layerBytes, ReadableStream.from(pieces));
}

async function addImage(repository, architecture) {
  const layers = [await addLayer(repository), await addLayer(repository)];
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
  const config = await repository.add(types.config, json({ architecture, os: 'linux', config: {}, rootfs }));
  const image = { schemaVersion: 2, mediaType: types.manifest, config, layers };
  return { ...(await repository.addManifest(undefined, image)), platform: { architecture, os: 'linux' } };
}

/** As clients attach: where a registry lists no referrers, the list is a tag. */
async function attachSbom(repository, subject) {
  const empty = await repository.add('application/vnd.oci.empty.v1+json', Buffer.from('{}'));
  const layer = await repository.add(types.sbom, json({ bomFormat: 'CycloneDX', serialNumber: subject.digest }));
  const { mediaType, digest, size } = subject;
  const sbom = { schemaVersion: 2, mediaType: types.manifest, artifactType: types.sbom };
  const parts = { config: empty, layers: [layer], subject: { mediaType, digest, size } };
  const added = { ...(await repository.addManifest(undefined, { ...sbom, ...parts })), artifactType: types.sbom };
  if (await repository.hasList(digest)) return [`manifests/${added.digest}`, `referrers/${digest}`];
  const tag = digest.replace(':', '-');
  await repository.addManifest(tag, { schemaVersion: 2, mediaType: types.index, manifests: [added] });
  return [`manifests/${added.digest}`, `manifests/${tag}`];
}

async function fill(registry) {
  const repository = repositoryAt(registry, 'integration/app');
  const manifests = [await addImage(repository, 'amd64'), await addImage(repository, 'arm64')];
  const index = { schemaVersion: 2, mediaType: types.index, manifests };
  const root = await repository.addManifest('approved-1.0', index);
  const attached = [await attachSbom(repository, root), await attachSbom(repository, manifests[0])];
  const images = [root, ...manifests].map(({ digest }) => `manifests/${digest}`);
  return { digest: root.digest, parts: [...images, ...attached.flat()] };
}

async function startGateway(upstream) {
  const [port, adminPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const hash = await argon2.hash(password, { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1 });
  const place = mkdtempSync(join(dir, 'gateway-'));
  writeFileSync(
    join(place, 'policy.yaml'),
    `users: { rita: { password: '${hash}' } }
rules:
  - { name: reads, subjects: ['user:rita'], repositories: ['integration/**'], actions: [pull] }
  - { name: releases, subjects: ['user:rita'], repositories: ['release/**'], actions: [pull, promote] }
gates:
  - { name: approved, repositories: ['release/**'], from: ['integration/app'], fromTags: ['approved-*'] }
`,
  );
  const env = {
    ...process.env,
    NODE_ENV: 'production',
    PORTCULLIS_LISTEN: `127.0.0.1:${port}`,
    PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    PORTCULLIS_PUBLIC_URL: url,
    PORTCULLIS_UPSTREAM: upstream,
    PORTCULLIS_POLICIES: join(place, 'policy.yaml'),
    PORTCULLIS_STATE_DIR: join(place, 'state'),
  };
  const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
  const output = join(place, 'gateway.log');
  const readyUrl = `http://127.0.0.1:${adminPort}/readyz`;
  const server = await startServer(process.execPath, [cli, 'serve'], { cwd: place, env, output, readyUrl });
  return { url, stop: server.stop };
}

async function compare(registry, target, { digest, parts }) {
  const read = async (path) => (await expectStatus(200, `${registry}/v2/${path}`, { headers: { accept } })).body;
  for (const part of parts) {
    const [source, copy] = [await read(`integration/app/${part}`), await read(`${target}/${part}`)];
    if (!source.equals(copy)) throw new Error(`${target}: ${part} is not what the source has`);
  }
  const tagged = sha256(await read(`${target}/manifests/v1.0`));
  if (tagged !== digest) throw new Error(`${target}:v1.0 is ${tagged}`);
}

async function measure(registry, image) {
  const counter = await startCounter(Number(new URL(registry).port));
  const gateway = await startGateway(counter.url);
  const authorization = `Basic ${Buffer.from(`rita:${password}`).toString('base64')}`;
  await expectStatus(200, `${gateway.url}/v2/`, { headers: { authorization } });
  const figures = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const name = `release/app-${round}`;
      counter.take();
      const began = performance.now();
      const { body } = await expectStatus(201, `${gateway.url}/api/v1/promotions`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: json({ source: 'integration/app:approved-1.0', target: `${name}:v1.0` }),
      });
      const seconds = (performance.now() - began) / 1000;
      const bytes = counter.take();
      const answer = JSON.parse(body);
      if (answer.digest !== image.digest) throw new Error(`promoted ${answer.digest}, not ${image.digest}`);
      await compare(registry, name, image);
      figures.push({ seconds, bytes, answer });
    }
  } finally {
    await gateway.stop();
    counter.close();
  }
  return figures;
}

function report(title, figures) {
  const sorted = (key) => figures.map((each) => each[key]).sort((a, b) => a - b);
  const [seconds, bytes] = [sorted('seconds'), sorted('bytes')];
  const { manifests, blobs, mounted, bytes: copied } = figures[0].answer;
  const isMet = seconds.at(-1) < target.seconds && bytes.at(-1) < target.bytes;
  const middle = Math.floor(rounds / 2);
  console.log(
    `${title}: ${seconds[middle].toFixed(2)} s (${seconds[0].toFixed(2)} to ${seconds.at(-1).toFixed(2)}; target below ${target.seconds}), ` +
      `${bytes[middle]} bytes to and from the registry (at most ${bytes.at(-1)}; target below ${target.bytes}); ` +
      `${manifests} manifests, ${mounted} of ${blobs} blobs mounted, ${copied} bytes copied, digests and referrers equal` +
      (isMet ? '' : '  MISSED'),
  );
  return isMet;
}

async function main() {
  const given = process.argv[3];
  const measured =
    given === undefined ? [registries.distribution2, registries.distribution3] : [runningRegistry(given)];
  let areMet = true;
  for (const { title, provide, start } of measured) {
    try {
      const place = mkdtempSync(join(dir, 'registry-'));
      const program = await provide(place);
      const registry = await start(program, join(place, 'run'));
      try {
        areMet = report(title, await measure(registry.url, await fill(registry.url))) && areMet;
      } finally {
        await registry.stop();
        rmSync(join(place, 'run'), { recursive: true, force: true });
      }
    } catch (error) {
      if (!(error instanceof NotRun)) throw error;
      console.log(`${title}: not measured: ${error.message}`);
    }
  }
  if (!areMet) process.exitCode = 1;
}

try {
  await main();
} finally {
  rmSync(dir, { recursive: true, force: true });
}
