/**
 * `npm run bench:delete [-- TAGS]`: what deleting by digest costs where every tag is protected, beside what the registry takes
 * to answer one HEAD for each of these tags, 16 at once. With docker-registry; in turns, three rounds. Asserts nothing.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import argon2 from 'argon2';
import { freePort } from '../support/free-port.mjs';

const tagCount = Number(process.argv[2] ?? 5000);
const rounds = 3;
const atOnce = 16;
const password = 'bench-password-of-dana';
const repository = 'release/app';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
/** As docker and containerd ask. */
const accept = [
  'application/vnd.oci.image.index.v1+json',
  manifestType,
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  '*/*',
].join(', ');
const dir = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));
const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
const children = [];

const sha256 = (text) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

async function start(command, args, env, ready) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, cwd: dir, stdio: 'ignore' });
  children.push(child);
  let failure;
  child.on('error', (error) => (failure = error));
  for (let waited = 0; waited < 20_000; waited += 50) {
    if (failure !== undefined) throw failure;
    if ((await ask('GET', ready).catch(() => 0)) === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${command} did not start`);
}

function ask(method, url, { headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const asked = request(url, { method, agent, headers: { ...headers, ...length } }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
      ask.location = response.headers.location;
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

async function push(registry, serial) {
  const config = JSON.stringify({ serial });
  await ask('POST', `${registry}/v2/${repository}/blobs/uploads/`);
  const upload = `${ask.location}&digest=${sha256(config)}`;
  await ask('PUT', upload, { headers: { 'content-type': 'application/octet-stream' }, body: config });
  const described = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: sha256(config),
    size: config.length,
  };
  const body = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: described, layers: [] });
  const url = `${registry}/v2/${repository}/manifests/${sha256(body)}`;
  const status = await ask('PUT', url, { headers: { 'content-type': manifestType }, body });
  if (status !== 201) throw new Error(`the push of a manifest is answered ${status}`);
  return sha256(body);
}

async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function headEvery(registry) {
  let next = 0;
  const worker = async () => {
    while (next < tagCount) {
      const url = `${registry}/v2/${repository}/manifests/v${next++}`;
      const status = await ask('HEAD', url, { headers: { accept } });
      if (status !== 200) throw new Error(`a HEAD is answered ${status}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function main() {
  const [registryPort, port, adminPort] = [await freePort(), await freePort(), await freePort()];
  const registry = `http://127.0.0.1:${registryPort}`;
  const storage = join(dir, 'data');
  writeFileSync(
    join(dir, 'config.yml'),
    JSON.stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
      http: { addr: `127.0.0.1:${registryPort}`, secret: 'bench' },
    }),
  );
  await start('docker-registry', ['serve', 'config.yml'], {}, `${registry}/v2/`);
  const kept = await push(registry, 'kept');
  const tags = join(storage, 'docker/registry/v2/repositories', repository, '_manifests/tags');
  for (let n = 0; n < tagCount; n++) {
    mkdirSync(join(tags, `v${n}/current`), { recursive: true });
    writeFileSync(join(tags, `v${n}/current/link`), kept);
  }
  const hash = await argon2.hash(password, { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1 });
  writeFileSync(
    join(dir, 'policy.yaml'),
    `users: { dana: { password: '${hash}' } }
rules:
  - { name: may, subjects: ['user:dana'], repositories: ['**'], actions: [pull, push, delete] }
  - { name: keep, effect: deny, subjects: [everyone], repositories: ['**'], tags: ['v*'], actions: [overwrite, delete] }
`,
  );
  const gateway = `http://127.0.0.1:${port}`;
  const env = {
    NODE_ENV: 'production',
    PORTCULLIS_LISTEN: `127.0.0.1:${port}`,
    PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    PORTCULLIS_PUBLIC_URL: gateway,
    PORTCULLIS_UPSTREAM: registry,
    PORTCULLIS_POLICIES: join(dir, 'policy.yaml'),
    PORTCULLIS_STATE_DIR: join(dir, 'state'),
  };
  const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
  await start(process.execPath, [cli, 'serve'], env, `http://127.0.0.1:${adminPort}/readyz`);
  const authorization = `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`;
  await ask('GET', `${gateway}/v2/`, { headers: { authorization } });

  console.log(`${tagCount} protected tags, docker-registry behind`);
  for (let round = 0; round < rounds; round++) {
    const heads = await timed(() => headEvery(registry));
    const digest = await push(registry, `free-${round}`);
    const remove = async (wanted, which) => {
      const status = await ask('DELETE', `${gateway}/v2/${repository}/manifests/${which}`, {
        headers: { authorization },
      });
      if (status !== wanted) throw new Error(`a deletion is answered ${status}`);
    };
    const allowed = await timed(() => remove(202, digest));
    const bare = await push(registry, `bare-${round}`);
    const direct = await timed(() => ask('DELETE', `${registry}/v2/${repository}/manifests/${bare}`));
    const refused = await timed(() => remove(403, kept));
    console.log(
      `  HEAD of each, ${atOnce} at once: ${heads.toFixed(0)} ms   DELETE by digest: ${allowed.toFixed(0)} ms` +
        ` (${(allowed / heads).toFixed(2)} of it)   refused: ${refused.toFixed(0)} ms   DELETE at the registry: ${direct.toFixed(0)} ms`,
    );
  }
}

try {
  await main();
} finally {
  for (const child of children) child.kill('SIGKILL');
  agent.destroy();
  rmSync(dir, { recursive: true, force: true });
}
