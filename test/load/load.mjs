/**
 * `npm run load`: slow transfers, clients that leave, idle connections, against the built gateway and a registry that keeps
 * nothing, and transfers that hardly move. Prints each figure with its target; exits 1 when one is missed. Takes about five
 * minutes; not part of npm test.
 *
 *   --transfers N  pulls and as many pushes at once (200)      --rate KIB     KiB per second of each (256)
 *   --seconds N    how long they are watched (60)              --idle N       idle connections (10,000)
 */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  ask,
  fetchToken,
  figure,
  mebibyte,
  missedTargets,
  openFilesLimit,
  startGateway,
  startLoadRegistry,
  stop,
  until,
} from './programs.mjs';

const { values } = parseArgs({
  options: Object.fromEntries(['transfers', 'rate', 'seconds', 'idle'].map((name) => [name, { type: 'string' }])),
});
const transfers = Number(values.transfers ?? 200);
const rate = Number(values.rate ?? 256) * 1024;
const seconds = Number(values.seconds ?? 60);
const gibibyte = 1024 * mebibyte;
const mb = (bytes) => (bytes / 1e6).toFixed(1);

const registry = await startLoadRegistry(gibibyte);
/** As `npm start` and the image run it. */
const gateway = await startGateway(registry.url, {}, ['--max-semi-space-size=4']);
const { token } = await fetchToken(gateway, 'repository:load/app:pull,push');
const headers = { authorization: `Bearer ${token}`, 'user-agent': 'load' };
const blob = (id) => `${gateway.url}/v2/load/app/blobs/sha256:${id.padEnd(64, '0')}`;
const upload = (id) => `${gateway.url}/v2/load/app/blobs/uploads/${id}`;
const open = (url, method = 'GET', extra = {}) => {
  const opened = httpRequest(url, { method, agent: false, headers: { ...headers, ...extra } });
  opened.on('error', () => {});
  return opened;
};

console.log(`node ${process.version}, open files at most ${openFilesLimit()}`);
await slowTransfers();
await aborts();
await idleConnections();
await moving();
await stop(gateway.child);
await stop(registry.child);
process.exit(missedTargets() === 0 ? 0 : 1);

/** Reads at `rate`, with the socket paused in between, so that back-pressure reaches the registry. */
function slowPull(count, bytesPerSecond = rate) {
  const pull = open(blob(`a${count}`));
  let bytes = 0;
  let isCut = false;
  pull.on('response', (response) => {
    response.on('error', () => (isCut = true));
    response.on('data', (part) => {
      bytes += part.length;
      response.pause();
      setTimeout(() => response.resume(), (part.length / bytesPerSecond) * 1000);
    });
  });
  pull.end();
  return { bytes: () => bytes, isCut: () => isCut, leave: () => pull.destroy() };
}

function slowPush(count) {
  const push = open(upload(`a${count}`), 'PATCH', { 'content-length': gibibyte });
  const part = Buffer.alloc(32_768);
  let bytes = 0;
  const beat = setInterval(
    () => {
      if (push.writableNeedDrain || push.destroyed) return;
      bytes += part.length;
      push.write(part);
    },
    (part.length / rate) * 1000,
  );
  const leave = () => {
    clearInterval(beat);
    push.destroy();
  };
  return { bytes: () => bytes, leave };
}

async function slowTransfers() {
  console.log(
    `\n${transfers} pulls and ${transfers} pushes of 1 GiB at once, each at ${rate / 1024} KiB/s, cut after ${seconds} s`,
  );
  const before = (await gateway.metrics()).rss;
  const running = Array.from({ length: transfers }, (_, count) => [slowPull(count), slowPush(count)]).flat();
  let peak = before;
  let atOnce = 0;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await delay(500)) {
    const { rss, inFlight } = await gateway.metrics();
    peak = Math.max(peak, rss);
    atOnce = Math.max(atOnce, inFlight);
  }
  const moved = running.map(({ bytes }) => bytes());
  for (const { leave } of running) leave();
  const total = moved.reduce((sum, bytes) => sum + bytes, 0);
  const each = `each ${mb(Math.min(...moved))} to ${mb(Math.max(...moved))} MB`;
  figure('transfers in flight together', atOnce, '', atOnce === 2 * transfers, String(2 * transfers));
  figure('moved', mb(total), `MB, ${each}`, Math.min(...moved) > mebibyte, 'every one of them moves');
  const growth = peak - before;
  figure('resident memory grew by', mb(growth), `MB, from ${mb(before)} MB`, growth < 100e6, 'below 100 MB');
  const leftMs = await nothingLeft();
  figure('after all were cut, nothing left after', leftMs.toFixed(0), 'ms', leftMs < 1000, 'below 1000 ms');
}

/** Neither the gateway nor the registry has a connection for a request of ours. */
function nothingLeft() {
  return until(
    'no transfer and no upstream connection is left',
    async () => (await gateway.metrics()).inFlight === 0 && (await registry.stats()).open === 0,
    10_000,
  );
}

async function aborts() {
  const count = 200;
  const part = Buffer.alloc(65_536);
  const kinds = [
    [
      'a download in its middle',
      async () => {
        const pull = open(blob('a')).end();
        const [response] = await once(pull, 'response');
        response.on('error', () => {});
        await once(response, 'data');
        return pull;
      },
    ],
    [
      'an upload in its middle',
      (arrived) => {
        const push = open(upload('a'), 'PATCH', { 'content-length': gibibyte });
        push.write(part);
        return arrived.then(() => push);
      },
    ],
    [
      'a download before its response',
      (arrived) => {
        const pull = open(blob('00')).end();
        return arrived.then(() => pull);
      },
    ],
    [
      'an upload after its last byte',
      (arrived) => {
        const push = open(upload('00'), 'PUT', { 'content-length': part.length }).end(part);
        return arrived.then(() => push);
      },
    ],
  ];
  console.log(`\n${count} clients leave, 50 at a time, half of them with a reset`);
  for (const [what, begin] of kinds) {
    let slowest = 0;
    for (let done = 0; done < count; done += 50) {
      const before = (await registry.stats()).requests;
      const arrived = until(
        'the registry has all',
        async () => (await registry.stats()).requests >= before + 50,
        20_000,
      );
      const requests = await Promise.all(Array.from({ length: 50 }, () => begin(arrived)));
      await arrived;
      requests.forEach((each, index) => (index % 2 === 0 ? each.destroy() : each.socket.resetAndDestroy()));
      slowest = Math.max(slowest, await nothingLeft());
    }
    figure(`${count} left ${what}, nothing left after`, slowest.toFixed(0), 'ms', slowest < 1000, 'below 1000 ms');
  }
}

async function idleConnections() {
  const limit = openFilesLimit();
  const count = Math.min(Number(values.idle ?? 10_000), limit - 1000);
  const before = await gateway.metrics();
  console.log(`\n${count} idle connections, half of them never used, half kept after a request`);
  const sockets = [];
  const begun = performance.now();
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(250, count - sockets.length) }, async (_, index) => {
      // Of one address each: none may hold a quarter of the descriptors.
      const localAddress = `127.0.1.${1 + index}`;
      const socket = connect({ port: gateway.port, host: '127.0.0.1', localAddress }).on('error', () => {});
      await once(socket, 'connect');
      socket.resume();
      if (index % 2 === 0) {
        socket.write('GET /v2/ HTTP/1.1\r\nHost: load\r\n\r\n');
        await once(socket, 'data');
      }
      return socket;
    });
    sockets.push(...(await Promise.all(batch)));
  }
  const openedMs = performance.now() - begun;
  const { descriptors, rss } = await gateway.metrics();
  figure(
    'connections held by the gateway',
    descriptors - before.descriptors,
    `after ${(openedMs / 1000).toFixed(1)} s`,
    descriptors > before.descriptors + 0.9 * count,
    `about ${count}`,
  );
  const times = [];
  for (let request = 0; request < 100; request++) {
    const asked = performance.now();
    const { status } = await ask(`${gateway.url}/v2/load/app/manifests/1`, { headers, agent: false });
    if (status !== 200) throw new Error(`status ${status}`);
    times.push(performance.now() - asked);
    await delay(20);
  }
  times.sort((a, b) => a - b);
  const slowest = times.at(-1);
  figure(
    '100 pulls beside them took at most',
    slowest.toFixed(0),
    `ms, half of them ${times[50].toFixed(1)} ms or less`,
    slowest < 1000,
    'below 1000 ms',
  );
  figure('resident memory grew by', mb(rss - before.rss), 'MB', rss - before.rss < 300e6, 'below 300 MB');
  const reapedMs = await until(
    'the unused ones are closed',
    async () => (await gateway.metrics()).descriptors < before.descriptors + 0.55 * count,
    30_000,
  );
  figure(
    'the never used ones were closed after',
    ((openedMs + reapedMs) / 1000).toFixed(1),
    's at most',
    true,
    'about 16 s',
  );
  for (const socket of sockets) socket.resetAndDestroy();
}

/** The limit on time without a byte is 60 s, in either direction; there is none on the whole. */
async function moving() {
  console.log(
    '\na pull and a push of 90 KiB at 1 KiB/s, a pull of 1 GiB whose client reads 16 KiB/s, and a pull of which',
  );
  console.log('no byte comes after the first 60');
  const reader = slowPull('e', 16_384);
  const begun = performance.now();
  const passed = () => (performance.now() - begun) / 1000;
  const ended = async (request) => {
    const [response] = await once(request, 'response');
    let bytes = 0;
    response.on('data', (part) => (bytes += part.length));
    response.on('error', () => {});
    await new Promise((resolve) => response.once('close', resolve));
    return { status: response.statusCode, bytes, isWhole: response.complete, seconds: passed() };
  };
  const slow = ended(open(blob('02')).end());
  const stalled = ended(open(blob('01')).end());
  const push = open(upload('b'), 'PATCH', { 'content-length': 90 * 1024 });
  const pushed = ended(push);
  for (let sent = 0; sent < 90; sent++, await delay(1000)) push.write(Buffer.alloc(1024));
  push.end();
  const [pull, cut, upTo] = await Promise.all([slow, stalled, pushed]);
  const seconds = (time) => time.toFixed(0);
  figure(
    'the slow reader has after 90 s',
    (reader.bytes() / 1024).toFixed(0),
    'KiB',
    !reader.isCut() && reader.bytes() > mebibyte,
    'not cut',
  );
  reader.leave();
  figure('the slow pull ended after', seconds(pull.seconds), 's', pull.isWhole && pull.bytes === 92_160, 'whole');
  figure('the slow push ended after', seconds(upTo.seconds), `s with ${upTo.status}`, upTo.status === 202, '202');
  const isCutInTime = !cut.isWhole && cut.seconds > 59 && cut.seconds < 65;
  figure('the stalled one was cut after', seconds(cut.seconds), 's', isCutInTime, '60 to 65 s');
}
