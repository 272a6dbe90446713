/**
 * `npm run soak [-- --minutes N]`: pulls, pushes, logins, refusals, catalogs and clients that leave, for half an hour,
 * against the built gateway with a real registry and a real Redis. Prints the slope of its heap, descriptors and memory per
 * minute; exits 1 when one of them grows. Needs docker-registry and redis-server on PATH; not part of npm test.
 * Garbage is collected as in production, and on demand every few minutes to see how much of the heap is in use.
 *
 *   --minutes N    measured after the warm-up (30)      --clients N    at work at once (8)
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  ask,
  basic,
  fetchToken,
  figure,
  missedTargets,
  startGateway,
  startRedis,
  startRegistry,
  stop,
  until,
} from './programs.mjs';

const { values } = parseArgs({ options: { minutes: { type: 'string' }, clients: { type: 'string' } } });
const minutes = Number(values.minutes ?? 30);
const clients = Number(values.clients ?? 8);
/** Caches fill, code gets compiled: that is no leak. */
const warmUpMinutes = Math.min(3, minutes / 5);
const sampleMs = 1000;

const registry = await startRegistry();
const redis = await startRedis();
const collect = new URL('collect.mjs', import.meta.url).href;
const gateway = await startGateway(registry.url, { PORTCULLIS_REDIS: redis.url }, [
  '--max-semi-space-size=4',
  '--expose-gc',
  `--import=${collect}`,
]);

/** The same few blobs over and over: the registry is not to fill the disk. */
const blobs = Array.from({ length: 16 }, (_, index) => {
  const content = Buffer.alloc(65_536 * (1 + (index % 4)), `blob ${index} `);
  return { content, digest: `sha256:${createHash('sha256').update(content).digest('hex')}` };
});
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const manifests = blobs.map(({ content, digest }, index) => {
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: content.length };
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config,
    layers: [],
    annotations: { n: `${index}` },
  });
});
const counts = new Map();
const failures = new Map();
let scope = 0;
const pick = (list) => list[Math.floor(Math.random() * list.length)];
const repository = () => `load/app-${scope++ % 7}`;

/** Answers that sessions cannot be looked up now: the machine was too busy for Redis to answer in time. */
let busy = 0;

function expectStatus(what, status, ...wanted) {
  if (wanted.includes(status)) return;
  if (status === 503) return void busy++;
  const key = `${what}: status ${status}`;
  failures.set(key, (failures.get(key) ?? 0) + 1);
}

async function push(authorization, name = repository(), tag = undefined) {
  const index = Math.floor(Math.random() * blobs.length);
  const { content, digest } = blobs[index];
  const headers = { authorization };
  const begun = await ask(`${gateway.url}/v2/${name}/blobs/uploads/`, { method: 'POST', headers });
  expectStatus('upload', begun.status, 202);
  const sent = await ask(new URL(begun.headers.location, gateway.url), {
    method: 'PATCH',
    headers: { ...headers, 'content-type': 'application/octet-stream' },
    body: content,
  });
  expectStatus('chunk', sent.status, 202);
  const location = new URL(sent.headers.location, gateway.url);
  location.searchParams.set('digest', digest);
  expectStatus('commit', (await ask(location, { method: 'PUT', headers })).status, 201);
  const given = tag ?? pick(['latest', 'wip', `v${index}`]);
  const put = await ask(`${gateway.url}/v2/${name}/manifests/${given}`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': manifestType },
    body: manifests[index],
  });
  expectStatus('manifest', put.status, 201, 403);
}

/** From where nobody pushes: distribution answers 500 to whoever reads a tag or a layer while it is written. */
const quiet = 'load/quiet';

async function pull(authorization) {
  const name = quiet;
  const headers = { authorization, accept: manifestType };
  const { status, body } = await ask(`${gateway.url}/v2/${name}/manifests/latest`, { headers });
  expectStatus('pull', status, 200);
  const { digest } = JSON.parse(body.toString()).config;
  if (digest !== seeded) expectStatus('another image', 0);
  const url = `${gateway.url}/v2/${name}/blobs/${digest}`;
  expectStatus('blob', (await ask(url, { headers, agent: false })).status, 200);
  expectStatus('part', (await ask(url, { headers: { ...headers, range: 'bytes=100-199' } })).status, 206);
}

async function digestOfQuiet() {
  const headers = { authorization: basic, accept: manifestType };
  const { body } = await ask(`${gateway.url}/v2/${quiet}/manifests/latest`, { headers });
  return JSON.parse(body.toString()).config.digest;
}

async function login() {
  const { token, refresh_token: refresh } = await fetchToken(
    gateway,
    'repository:load/app-1:pull',
    '&offline_token=true',
  );
  const form = (fields) => ({
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  });
  const service = new URL(gateway.url).host;
  const again = await ask(
    `${gateway.url}/token`,
    form({ grant_type: 'refresh_token', service, refresh_token: refresh, client_id: 'soak', scope: '' }),
  );
  expectStatus('refresh', again.status, 200);
  // A few only: each revocation is remembered as long as an upload may take, some hours.
  if (Math.random() > 0.05) return;
  const revoked = await ask(`${gateway.url}/token/revoke`, form({ token: refresh }));
  expectStatus('revoke', revoked.status, 200);
  if (revoked.status !== 200) return;
  const late = await ask(`${gateway.url}/v2/`, { headers: { authorization: `Bearer ${token}` } });
  expectStatus('a revoked session', late.status, 401);
}

async function refusals(authorization) {
  const denied = await ask(`${gateway.url}/v2/other/app/manifests/latest`, { headers: { authorization } });
  expectStatus('a refusal', denied.status, 401, 403);
  const malformed = await ask(`${gateway.url}/v2/load/UPPER/manifests/latest`, { headers: { authorization } });
  expectStatus('a bad name', malformed.status, 400);
  const anonymous = await ask(`${gateway.url}/v2/`);
  expectStatus('nobody', anonymous.status, 401);
  if (Math.random() > 0.1) return;
  // Another account: guesses at ours, from where we log in, would keep us waiting too.
  const wrong = `Basic ${Buffer.from(`stranger:wrong ${Math.random()}`).toString('base64')}`;
  const { status } = await ask(`${gateway.url}/v2/`, { headers: { authorization: wrong } });
  expectStatus('a wrong password', status, 401, 429);
}

async function lists(authorization) {
  const headers = { authorization };
  expectStatus('catalog', (await ask(`${gateway.url}/v2/_catalog?n=3`, { headers })).status, 200);
  expectStatus('tags', (await ask(`${gateway.url}/v2/${repository()}/tags/list`, { headers })).status, 200, 404);
}

/** Leaves a download, an upload, or before there is an answer at all. */
async function leave(authorization) {
  const headers = { authorization };
  const begin = (url, options) => httpRequest(url, { agent: false, ...options }).on('error', () => {});
  const kind = pick(['download', 'upload', 'early']);
  if (kind === 'upload') {
    const begun = await ask(`${gateway.url}/v2/${repository()}/blobs/uploads/`, { method: 'POST', headers });
    const url = new URL(begun.headers.location, gateway.url);
    const upload = begin(url, { method: 'PATCH', headers: { ...headers, 'content-length': 1_000_000 } });
    upload.write(Buffer.alloc(8192));
    await delay(20);
    upload.destroy();
    await ask(url, { method: 'DELETE', headers });
    return;
  }
  const download = begin(`${gateway.url}/v2/${quiet}/blobs/${seeded}`, { headers }).end();
  if (kind === 'download') {
    const [response] = await once(download, 'response');
    response.on('error', () => {});
    await new Promise(setImmediate);
  } else await once(download, 'socket');
  download.destroy();
}

const kinds = [push, pull, pull, pull, login, refusals, lists, leave];
let running = true;

async function client(number) {
  let token;
  let fetchedAt = -Infinity;
  while (running) {
    if (performance.now() - fetchedAt > 5 * 60_000) {
      const scopes = Array.from({ length: 7 }, (_, index) => `repository:load/app-${index}:pull,push`);
      scopes.push(`repository:${quiet}:pull`, 'registry:catalog:*');
      ({ token } = await fetchToken(gateway, scopes.join('&scope=')));
      fetchedAt = performance.now();
    }
    const kind = pick(kinds);
    try {
      await kind(number % 4 === 0 ? basic : `Bearer ${token}`);
      counts.set(kind.name, (counts.get(kind.name) ?? 0) + 1);
    } catch (error) {
      if (error.message === 'no token: 503') busy++;
      const key = `${kind.name}: ${error.code ?? error.message}`;
      if (error.message !== 'no token: 503') failures.set(key, (failures.get(key) ?? 0) + 1);
    }
    await delay(20 + Math.random() * 60);
  }
}

/** Least squares: units per minute over samples of [minutes, value]. */
function slope(samples) {
  const mean = (index) => samples.reduce((sum, sample) => sum + sample[index], 0) / samples.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const over = samples.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = samples.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return over / under;
}

async function heapInUse() {
  gateway.child.kill('SIGUSR2');
  await delay(500);
  return (await gateway.metrics()).heap;
}

console.log(
  `node ${process.version}: ${clients} clients, ${warmUpMinutes} minutes of warm-up, then ${minutes} minutes measured`,
);
await push(basic, quiet, 'latest');
const seeded = await digestOfQuiet();
const work = Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
await delay(warmUpMinutes * 60_000);
const begun = performance.now();
const series = { heap: [], descriptors: [], rss: [] };
const collections = 10;
for (;;) {
  const passed = (performance.now() - begun) / 60_000;
  const { rss, descriptors } = await gateway.metrics();
  series.rss.push([passed, rss]);
  series.descriptors.push([passed, descriptors]);
  if (passed >= (series.heap.length * minutes) / collections) {
    const heap = await heapInUse();
    series.heap.push([passed, heap]);
    const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
    console.log(
      `${passed.toFixed(1)} min: heap in use ${megabytes(heap)}, rss ${megabytes(rss)}, ${descriptors} descriptors`,
    );
  }
  if (passed >= minutes) break;
  await delay(sampleMs);
}
running = false;
await work;
await until('nothing is in flight', async () => (await gateway.metrics()).inFlight === 0, 10_000);

const done = [...counts].map(([name, count]) => `${count} ${name}`).join(', ');
console.log(`\ndone: ${done}`);
for (const [what, count] of failures) console.log(`unexpected, ${count} times: ${what}`);
const kilobytes = (bytesPerMinute) => (bytesPerMinute / 1000).toFixed(1);
const heap = slope(series.heap);
const rss = slope(series.rss);
const descriptors = slope(series.descriptors);
figure('heap in use grew by', kilobytes(heap), 'KB a minute', heap < 100e3, 'below 100 KB a minute');
figure('resident memory grew by', kilobytes(rss), 'KB a minute', rss < 300e3, 'below 300 KB a minute');
figure('descriptors grew by', descriptors.toFixed(3), 'a minute', descriptors < 0.1, 'below 0.1 a minute');
const unexpected = [...failures.values()].reduce((sum, count) => sum + count, 0);
console.log(`       503 with advice to come back, Redis being slower than its limit: ${busy}`);
figure('unexpected answers', unexpected, '', unexpected === 0, 'none');
await stop(gateway.child);
process.exit(missedTargets() === 0 ? 0 : 1);
