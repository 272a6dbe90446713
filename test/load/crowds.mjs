/**
 * `npm run crowds`: connections of few that would leave nothing for others, against the built gateway on loopback.
 *
 * - at a limit of 256 open files, 1,000 connections of one address (kept without a request; with a request that lasts) or
 *   of twenty, opened again whenever they are ended: what a newcomer from another address waits for a pull;
 * - 300 connections of one account with manifests of 4 MiB that never end: how much memory grows.
 */
import { connect } from 'node:net';
import { request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fetchToken, figure, mebibyte, missedTargets, startGateway, startLoadRegistry, stop } from './programs.mjs';

const openFiles = 256;
const crowd = 1000;
const again = 1000;
const manifests = 300;
const newcomer = '127.0.0.9';
const registry = await startLoadRegistry(mebibyte);

const idle = 'GET /v2/ HTTP/1.1\r\nHost: load\r\n\r\n';
const lasting = (token) =>
  `GET /v2/load/app/blobs/sha256:${'0'.repeat(64)} HTTP/1.1\r\nHost: load\r\nUser-Agent: load\r\nAuthorization: Bearer ${token}\r\n\r\n`;
for (const [what, request, addresses] of [
  ['of one address that wait without a request', () => idle, ['127.0.0.2']],
  ['of one address with a request that lasts', lasting, ['127.0.0.2']],
  ['of twenty addresses with requests that last', lasting, Array.from({ length: 20 }, (_, n) => `127.0.2.${n + 1}`)],
]) {
  const gateway = await startGateway(registry.url, {}, ['--max-semi-space-size=4'], openFiles);
  const { token } = await fetchToken(gateway, 'repository:load/app:pull');
  const leave = surround(gateway.port, request(token), addresses);
  await delay(3000);
  const waits = [];
  for (let time = 0; time < 20; time++) {
    waits.push(await pull(gateway, token));
    await delay(100);
  }
  const { descriptors } = await gateway.metrics();
  leave();
  const slowest = Math.max(...waits);
  const target = 'each of 20 within 1000 ms';
  figure(
    `beside ${crowd} connections ${what}, a newcomer waits at most`,
    slowest.toFixed(0),
    'ms',
    slowest < 1000,
    target,
  );
  console.log(`       ${descriptors} of ${openFiles} descriptors are in use`);
  await stop(gateway.child);
}
await unfinishedManifests();
await stop(registry.child);
process.exit(missedTargets() === 0 ? 0 : 1);

/** Comes back a second after each end. */
function surround(port, request, addresses) {
  const sockets = new Set();
  let isOver = false;
  const open = (localAddress) => {
    if (isOver) return;
    const socket = connect({ port, host: '127.0.0.1', localAddress }, () => socket.write(request)).resume();
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      setTimeout(open, again, localAddress);
    });
  };
  for (let count = 0; count < crowd; count++) open(addresses[count % addresses.length]);
  return () => {
    isOver = true;
    for (const socket of sockets) socket.destroy();
  };
}

/** Milliseconds of a whole pull on a connection of its own; Infinity for anything but the manifest. */
function pull(gateway, token) {
  const begun = performance.now();
  return new Promise((resolve) => {
    const asked = httpRequest(`${gateway.url}/v2/load/app/manifests/1`, {
      agent: false,
      localAddress: newcomer,
      headers: { authorization: `Bearer ${token}` },
    });
    asked.on('error', () => resolve(Infinity));
    asked.on('response', (response) => {
      response.on('error', () => resolve(Infinity)).resume();
      response.on('end', () => resolve(response.statusCode === 200 ? performance.now() - begun : Infinity));
    });
    asked.end();
  });
}

async function unfinishedManifests() {
  const gateway = await startGateway(registry.url, {}, ['--max-semi-space-size=4']);
  const { token } = await fetchToken(gateway, 'repository:load/app:pull,push');
  const before = (await gateway.metrics()).rss;
  const content = Buffer.alloc(4 * mebibyte - 1, 0x20);
  const statuses = {};
  const pushes = Array.from({ length: manifests }, (_, count) => {
    const push = httpRequest(`${gateway.url}/v2/load/app/manifests/t${count}`, {
      method: 'PUT',
      agent: false,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/vnd.oci.image.manifest.v1+json',
        'content-length': 4 * mebibyte,
      },
    });
    push.on('error', () => {});
    push.on('response', (response) => {
      statuses[response.statusCode] = (statuses[response.statusCode] ?? 0) + 1;
      response.on('error', () => {}).resume();
    });
    push.write(content);
    return push;
  });
  let peak = before;
  for (const end = performance.now() + 10_000; performance.now() < end; await delay(250))
    peak = Math.max(peak, (await gateway.metrics()).rss);
  for (const push of pushes) push.destroy();
  const grown = (peak - before) / 1e6;
  figure(
    `${manifests} unfinished manifests of one account: memory grows by`,
    grown.toFixed(1),
    'MB',
    grown < 100,
    'below 100 MB',
  );
  console.log(`       answered meanwhile: ${JSON.stringify(statuses)}`);
  await stop(gateway.child);
}
