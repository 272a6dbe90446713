/** What is measured. Before each round one reply is compared byte for byte; in the round the statuses of all count. */
import { setTimeout as delay } from 'node:timers/promises';
import { Connection, ask, drive, header } from './client.mjs';
import { blobs, image, repository } from './content.mjs';
import { coldAccounts, coldLogin, login, startPeer } from './peers.mjs';
import { wrk } from './wrk.mjs';

/**
 * @typedef {import('./peers.mjs').Peer} Peer
 * @typedef {import('./peers.mjs').Lab} Lab
 * @typedef {{ count: number, bytes: number, seconds: number, p50: number }} Sample
 * @typedef {{
 *   name: string, about: string, unit: string, isFor: (kind: string) => boolean, variant?: string, needs?: string,
 *   check?: (peer: Peer) => Promise<any>,
 *   load?: (peer: Peer, seconds: number, checked: any, lab: Lab) => Promise<Sample>,
 *   once?: (lab: Lab, name: string) => Promise<number>,
 * }} Row
 * A row has a load with a check before it, or is measured `once` a round on a process of its own.
 */

/** @type {(kind: string) => boolean} */
const any = (kind) => kind !== 'gateway-layers' && kind !== 'gateway-prefix';
const reads = (kind) => any(kind) || kind === 'gateway-prefix';
const butMemory = (kind) => any(kind) && kind !== 'answers';
const gateways = (kind) => kind === 'gateway' || kind === 'gateway-redis';
const programs = (kind) => ['registry', 'nginx', 'pipe'].includes(kind) || gateways(kind);
const guarded = (kind) => kind === 'nginx-auth' || gateways(kind);
const real = (kind) => ['registry', 'nginx'].includes(kind) || guarded(kind);

const accept = { Accept: image.type };
const tagPath = `/v2/${repository}/manifests/${image.tag}`;
const digestPath = `/v2/${repository}/manifests/${image.manifest.digest}`;
const blobPath = ({ digest }) => `/v2/${repository}/blobs/${digest}`;

function fail(what, reply) {
  throw new Error(`${what}: ${reply.status} ${reply.body.toString('latin1').slice(0, 120)}`);
}

/**
 * A row of small replies, by wrk. `asked` tells the request, `expected` its status, `isRight` whether a body will do.
 * @param {any} row
 */
function small({ name, about, asked, expected = () => 200, isRight, connections = 32, isFor = any, variant }) {
  return {
    name,
    about,
    unit: 'req/s',
    isFor,
    variant,
    needs: 'wrk',
    async check(peer) {
      const reply = await ask(peer.port, asked(peer));
      if (reply.status !== expected(peer) || !isRight(reply.body, peer)) fail('another reply than expected', reply);
      return reply;
    },
    load: (peer, seconds, checked, { cores }) =>
      wrk(peer.port, asked(peer), { connections, seconds, core: cores.others, checked }),
  };
}

const pulled = (path) => (peer) => ({ path, headers: { ...peer.headers, ...accept } });
const is =
  ({ content }) =>
  (body) =>
    body.equals(content);

function isToken(body) {
  const { token, access_token: access } = JSON.parse(body.toString());
  return (token ?? access).split('.').length === 3;
}

const refreshes = new WeakMap();
async function refreshToken(peer) {
  const extra = { offline_token: 'true', client_id: 'bench' };
  if (!refreshes.has(peer)) refreshes.set(peer, (await peer.token(extra)).refresh_token);
}
function refresh(peer) {
  const service = `127.0.0.1:${peer.port}`;
  const fields = { grant_type: 'refresh_token', service, client_id: 'bench', refresh_token: refreshes.get(peer) };
  return {
    method: 'POST',
    path: '/token',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ ...fields, scope: `repository:${repository}:pull` }).toString(),
  };
}

/** Replies of a blob: its status, its length. The body is dropped as it comes. */
async function fetchBlob(connection, peer, blob) {
  const reply = await connection.ask({ path: blobPath(blob), headers: peer.headers });
  if (reply.status !== 200 || Number(header(reply, 'content-length')) !== blob.size) fail('a pull', reply);
  return blob.size;
}

function pull({ name, about, blob, connections }) {
  return {
    name,
    about,
    unit: 'MB/s',
    isFor: butMemory,
    async check(peer) {
      const reply = await ask(peer.port, { path: blobPath(blob), headers: peer.headers });
      if (reply.status !== 200 || !reply.body.equals(blob.content)) fail('another blob than expected', reply);
    },
    load: (peer, seconds) =>
      drive(peer.port, { connections, seconds, job: (connection) => fetchBlob(connection, peer, blob) }),
  };
}

async function pushBlob(connection, peer, { content, digest, size }) {
  const { headers } = peer;
  const opened = await connection.ask({ method: 'POST', path: `/v2/${repository}/blobs/uploads/`, headers });
  if (opened.status !== 202) fail('an upload', opened);
  const location = new URL(header(opened, 'location') ?? '', `http://127.0.0.1:${peer.port}`);
  location.searchParams.set('digest', digest);
  const path = location.pathname + location.search;
  const put = {
    method: 'PUT',
    path,
    headers: { ...headers, 'Content-Type': 'application/octet-stream' },
    body: content,
  };
  const done = await connection.ask(put);
  if (done.status !== 201 || header(done, 'docker-content-digest') !== digest) fail('a push', done);
  return size;
}

/** Asks whether the manifest is there: what every pull begins with. */
async function headManifest(connection, headers) {
  const reply = await connection.ask({ method: 'HEAD', path: tagPath, headers: { ...headers, ...accept } });
  const isRight = header(reply, 'docker-content-digest') === image.manifest.digest;
  if (reply.status !== 200 || !isRight) fail('a HEAD', reply);
  return reply;
}

/** One client: logs in, asks for the image by tag, fetches it by digest, then its config and layers. */
async function pullImage(connection, peer) {
  let { headers } = peer;
  if (peer.isGateway) {
    const reply = await connection.ask({ path: peer.tokenPath(), headers: login, keep: true });
    if (reply.status !== 200) fail('a login', reply);
    headers = { Authorization: `Bearer ${JSON.parse(reply.body.toString()).token}` };
  }
  await headManifest(connection, headers);
  const manifest = await connection.ask({ path: digestPath, headers: { ...headers, ...accept }, keep: true });
  if (manifest.status !== 200 || !manifest.body.equals(image.manifest.content)) fail('a manifest', manifest);
  let bytes = image.manifest.size;
  for (const blob of [image.config, ...image.layers]) bytes += await fetchBlob(connection, { ...peer, headers }, blob);
  return bytes;
}

/** Waves of 64 clients that pull the image at once, until the time is over. */
async function storm(peer, seconds) {
  const waves = [];
  const sum = (key) => waves.reduce((total, wave) => total + wave[key], 0);
  do {
    const job = (connection) => pullImage(connection, peer);
    waves.push(await drive(peer.port, { connections: 64, seconds: 0, job }));
  } while (sum('seconds') < seconds);
  return { count: sum('count'), bytes: sum('bytes'), seconds: sum('seconds'), p50: waves[0].p50 };
}

/** A figure of a process that was started for it. */
async function fresh(lab, name, options, figure) {
  const peer = await startPeer(lab, name, { instance: 'fresh', ...options });
  try {
    return await figure(peer);
  } finally {
    await peer.program.stop();
  }
}

let cold = 0;

/** @type {readonly Row[]} */
export const rows = [
  small({ name: 'manifest', about: 'manifest by tag', asked: pulled(tagPath), isRight: is(image.manifest) }),
  small({ name: 'digest', about: 'manifest by digest', asked: pulled(digestPath), isRight: is(image.manifest) }),
  {
    name: 'head',
    about: 'manifest HEAD',
    unit: 'req/s',
    isFor: any,
    async check(peer) {
      const connection = new Connection(peer.port);
      await headManifest(connection, peer.headers).finally(() => connection.close());
    },
    load: (peer, seconds) =>
      drive(peer.port, {
        connections: 32,
        seconds,
        job: (connection) => headManifest(connection, peer.headers).then(({ size }) => size),
      }),
  },
  small({
    name: 'one',
    about: 'manifest by tag, one connection',
    isFor: reads,
    asked: pulled(tagPath),
    isRight: is(image.manifest),
    connections: 1,
  }),
  small({ name: 'blob', about: 'blob of 1 kB', asked: pulled(blobPath(blobs.small)), isRight: is(blobs.small) }),
  pull({ name: 'pull-1m', about: 'blob of 1 MB', blob: blobs.medium, connections: 8 }),
  pull({ name: 'pull-100m', about: 'blob of 100 MB', blob: blobs.large, connections: 4 }),
  {
    name: 'push-100m',
    about: 'push of 100 MB',
    unit: 'MB/s',
    isFor: (kind) => butMemory(kind) && kind !== 'gateway-uncached',
    load: (peer, seconds) =>
      drive(peer.port, { connections: 2, seconds, job: (connection) => pushBlob(connection, peer, blobs.large) }),
  },
  small({
    name: 'refused',
    about: 'refused',
    asked: (peer) => peer.refusal(),
    expected: (peer) => peer.refusal().status,
    isRight: (body, peer) => !peer.isGateway || body.includes('"code":"DENIED"'),
    isFor: guarded,
  }),
  small({
    name: 'ping',
    about: '`/v2/`',
    asked: ({ headers }) => ({ path: '/v2/', headers }),
    isRight: (body) => body.toString() === '{}',
    isFor: real,
  }),
  small({
    name: 'token',
    about: 'token, password remembered',
    asked: (peer) => ({ path: peer.tokenPath(), headers: login }),
    isRight: isToken,
    isFor: gateways,
  }),
  withFirst(
    small({ name: 'refresh', about: 'token by refresh token', asked: refresh, isRight: isToken, isFor: gateways }),
  ),
  {
    name: 'token-cold',
    about: 'token, first login (argon2id)',
    unit: 'req/s',
    isFor: gateways,
    variant: 'cold',
    load: (peer, seconds) =>
      drive(peer.port, {
        connections: 4,
        seconds,
        async job(connection) {
          const headers = coldLogin(cold++ % coldAccounts);
          const reply = await connection.ask({ path: peer.tokenPath(), headers, keep: true });
          if (reply.status !== 200 || !isToken(reply.body)) fail('a first login', reply);
          return reply.size;
        },
      }),
  },
  small({
    name: 'limits',
    about: 'manifest by tag, two limits on it',
    asked: pulled(tagPath),
    isRight: is(image.manifest),
    isFor: gateways,
    variant: 'limits',
  }),
  small({
    name: 'rules',
    about: 'manifest by tag, 10,000 rules',
    asked: pulled(tagPath),
    isRight: is(image.manifest),
    isFor: gateways,
    variant: 'rules',
  }),
  {
    name: 'storm',
    about: '64 clients pull 20 layers',
    unit: 'images/s',
    isFor: (kind) => kind !== 'answers',
    async check(peer) {
      const [layer] = image.layers;
      const reply = await ask(peer.port, { path: blobPath(layer), headers: peer.headers });
      if (!reply.body.equals(layer.content)) fail('another layer than expected', reply);
    },
    load: storm,
  },
  {
    name: 'start',
    about: 'exec to first answer',
    unit: 'ms',
    isFor: programs,
    once: (lab, name) => fresh(lab, name, {}, ({ startMs }) => startMs),
  },
  {
    name: 'idle',
    about: 'memory, idle',
    unit: 'MB',
    isFor: programs,
    once: (lab, name) =>
      fresh(lab, name, {}, async ({ program }) => {
        await delay(1500);
        return program.residentMB();
      }),
  },
  {
    name: 'memory-64',
    about: 'memory at most, 64 clients',
    unit: 'MB',
    isFor: programs,
    once: (lab, name) =>
      fresh(lab, name, {}, async (peer) => {
        await peer.logIn();
        await storm(peer, 1);
        return peer.program.peakMB();
      }),
  },
  {
    name: 'memory-rules',
    about: 'memory at most, 10,000 rules',
    unit: 'MB',
    isFor: gateways,
    once: (lab, name) =>
      fresh(lab, name, { variant: 'rules' }, async (peer) => {
        await peer.logIn();
        await storm(peer, 0);
        return peer.program.peakMB();
      }),
  },
];

/** The row with a refresh token that is fetched before its first request. */
function withFirst(row) {
  return { ...row, check: (peer) => refreshToken(peer).then(() => row.check(peer)) };
}
