/**
 * `npm run bench:page [-- --repositories 10000 --tags 5000 --before DIST]`: the page in front of a large docker-registry, and
 * lists that hide names. With `--before`, the lists by another build's cli.js as well. Asserts nothing.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer as createProxy, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import argon2 from 'argon2';
import { freePort } from '../support/free-port.mjs';
import { writeBigRegistry } from './big-registry.mjs';

const { values: options } = parseArgs({
  options: {
    repositories: { type: 'string', default: '10000' },
    tags: { type: 'string', default: '5000' },
    before: { type: 'string' },
    rounds: { type: 'string', default: '12' },
    only: { type: 'string', default: 'lists,once,pages,memory' },
  },
});
/** Each may have sixty pages a minute. */
const accounts = Array.from({ length: 24 }, (_, at) => `dana${at}`);
const password = 'bench-password-of-dana';
const own = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const preload = new URL('./loop-delay.mjs', import.meta.url).href;
const dir = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const children = [];

const basic = (account) => `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const sorted = (all) => [...all].sort((left, right) => left - right);
const at = (all, part) => sorted(all)[Math.min(all.length - 1, Math.floor(all.length * part))] ?? NaN;
const shown = (all) =>
  `p50 ${at(all, 0.5).toFixed(1)} ms, p95 ${at(all, 0.95).toFixed(1)} ms, worst ${at(all, 1).toFixed(1)} ms`;

/** `first`: milliseconds to the head of the answer; `bytes`: of its body as it came. */
function ask(method, url, headers = {}, body = undefined) {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const asked = request(url, { method, agent, headers }, (response) => {
      const first = performance.now() - begun;
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const content = Buffer.concat(chunks);
        resolve({ status: response.statusCode, headers: response.headers, first, bytes: content.length, content });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

async function start(command, args, env, ready) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    cwd: dir,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  children.push(child);
  for (let waited = 0; waited < 20_000; waited += 50) {
    if ((await ask('GET', ready).catch(() => ({}))).status === 200) return child;
    await pause(50);
  }
  throw new Error(`${command} did not start`);
}

async function stop(child) {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

async function startGateway(name, upstream, { cli = own, env: more = {} } = {}) {
  const [port, adminPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const env = {
    NODE_ENV: 'production',
    PORTCULLIS_LISTEN: `127.0.0.1:${port}`,
    PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    PORTCULLIS_PUBLIC_URL: url,
    PORTCULLIS_UPSTREAM: upstream,
    PORTCULLIS_POLICIES: join(dir, 'policy.yaml'),
    PORTCULLIS_STATE_DIR: join(dir, name),
    ...more,
  };
  const args = ['--max-semi-space-size=4', '--import', preload, cli, 'serve'];
  const child = await start(process.execPath, args, env, `http://127.0.0.1:${adminPort}/readyz`);
  const held = () =>
    new Promise((resolve) => {
      child.once('message', resolve);
      child.send('read');
    });
  return { url, child, held, stop: () => stop(child) };
}

const rssOf = ({ pid }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

async function logIn(url, account) {
  const form = await ask('GET', `${url}/ui/login`);
  const cookie = cookieOf(form);
  const csrf = /name="csrf" value="([^"]+)"/.exec(form.content.toString())?.[1] ?? '';
  const body = new URLSearchParams({ account, password, csrf, next: '/ui/' }).toString();
  const done = await ask(
    'POST',
    `${url}/ui/login`,
    { cookie, origin: url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' },
    body,
  );
  if (done.status !== 303) throw new Error(`the login of ${account} is answered ${done.status}`);
  return cookieOf(done);
}

function cookieOf({ headers }) {
  return (headers['set-cookie'] ?? []).map((line) => line.split(';')[0]).join('; ');
}

const browserLike = { accept: 'text/html', 'accept-encoding': 'gzip, br' };

/** One page of each account in turn: every account may have fifty. */
async function timePages(url, cookies, path, count) {
  const firsts = [];
  let bytes = 0;
  for (let each = 0; each < count; each++) {
    const page = await ask('GET', url + path, { ...browserLike, cookie: cookies[each % cookies.length] });
    if (page.status !== 200) throw new Error(`${path} is answered ${page.status}`);
    firsts.push(page.first);
    bytes = page.bytes;
  }
  return { firsts, bytes };
}

async function assetBytes(url, cookie) {
  const page = await ask('GET', `${url}/ui/`, { accept: 'text/html', cookie });
  const paths = new Set(
    [...page.content.toString().matchAll(/(?:href|src)="(\/ui\/[^"]*\.(?:css|js|svg))"/g)].map(([, path]) => path),
  );
  const sizes = await Promise.all([...paths].map(async (path) => (await ask('GET', url + path, browserLike)).bytes));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function timeLists(url, label) {
  const authorization = basic('tess');
  await ask('GET', `${url}/v2/`, { authorization });
  const page = (target) => ask('GET', url + target, { authorization });
  const one = await page('/v2/_catalog?n=100');
  if (one.status !== 200) throw new Error(`the list is answered ${one.status}`);
  await pause(8000);
  const firsts = [];
  for (let each = 0; each < 20; each++) firsts.push((await page('/v2/_catalog?n=100')).first);
  const begun = performance.now();
  let count = 0;
  for (let target = '/v2/_catalog?n=500'; target !== undefined;) {
    const reply = await page(target);
    count += JSON.parse(reply.content).repositories.length;
    target = /^<([^>]+)>; rel="next"$/.exec(reply.headers.link ?? '')?.[1];
  }
  const whole = performance.now() - begun;
  console.log(
    `${label}: first list ${one.first.toFixed(0)} ms; then ${shown(firsts)}; all ${count} names by 500 in ${whole.toFixed(0)} ms`,
  );
}

/** Requests per second by eight that pull a manifest by its tag again and again. */
async function pulls(url, ms) {
  const headers = { authorization: basic('tess'), accept: 'application/vnd.oci.image.manifest.v1+json' };
  const until = performance.now() + ms;
  let count = 0;
  const worker = async () => {
    while (performance.now() < until) {
      const { status } = await ask('GET', `${url}/v2/release/app00002/manifests/v1`, headers);
      if (status !== 200) throw new Error(`a pull is answered ${status}`);
      count++;
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return (count * 1000) / ms;
}

/** One person who turns pages as fast as is allowed, and ten of them. */
const pagesASecond = [1, 10];
const slotMs = 2000;

async function pullsBesidePages(url, cookies, ms, pagesPerSecond) {
  let isOver = false;
  const pages = (async () => {
    for (let each = 0; !isOver; each++) {
      const path = each % 2 === 0 ? '/ui/' : '/ui/r/release/big';
      void ask('GET', url + path, { ...browserLike, cookie: cookies[each % cookies.length] }).catch(() => {});
      await pause(1000 / pagesPerSecond);
    }
  })();
  const rate = await pulls(url, ms);
  isOver = true;
  await pages;
  return rate;
}

/**
 * Pulls beside pages against the pulls just before and just after, since the machine drifts; and those against one another,
 * for what two runs of the same differ by.
 */
async function comparePulls(url, cookies) {
  const alone = [await pulls(url, slotMs)];
  const ratios = new Map([['nothing', []], ...pagesASecond.map((rate) => [`${rate} pages a second`, []])]);
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const [index, found] of [...ratios.values()].entries()) {
      const rate = [0, ...pagesASecond][index];
      const here = rate === 0 ? await pulls(url, slotMs) : await pullsBesidePages(url, cookies, slotMs, rate);
      const after = await pulls(url, slotMs);
      found.push(here / ((alone.at(-1) + after) / 2) - 1);
      alone.push(after);
    }
  }
  const percent = (part) => `${(part * 100).toFixed(1)} %`;
  return `pulls: alone ${at(alone, 0.5).toFixed(0)}/s; ${[...ratios]
    .map(
      ([what, found]) =>
        `beside ${what} ${percent(at(found, 0.5))} (quartiles ${percent(at(found, 0.25))}, ${percent(at(found, 0.75))})`,
    )
    .join('; ')}`;
}

/** What stands between a gateway and the registry counts what is asked at once. */
async function countingProxy(target) {
  const seen = { now: 0, most: 0 };
  const server = createProxy((incoming, outgoing) => {
    seen.most = Math.max(seen.most, ++seen.now);
    outgoing.once('close', () => seen.now--);
    const passed = request(
      target + incoming.url,
      { method: incoming.method, headers: incoming.headers, agent },
      (reply) => {
        outgoing.writeHead(reply.statusCode, reply.headers);
        reply.pipe(outgoing);
      },
    );
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  const port = await freePort();
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${port}`, seen, close: () => (server.closeAllConnections(), server.close()) };
}

async function measurePages(registry) {
  const gateway = await startGateway('warm', registry);
  const cookies = [];
  for (const account of accounts) cookies.push(await logIn(gateway.url, account));
  const [cookie] = cookies;
  console.log(`script, style and picture: ${(await assetBytes(gateway.url, cookie)) / 1000} kB`);
  await gateway.held();
  await pause(5000);
  console.log(`event loop of a gateway that does nothing: held up at most ${(await gateway.held()).max.toFixed(1)} ms`);
  for (const path of ['/ui/', '/ui/r/release/big', '/ui/r/release/big?tag=v1.1']) {
    const cold = await ask('GET', gateway.url + path, { ...browserLike, cookie });
    await timePages(gateway.url, cookies, path, 24);
    await pause(300);
    await gateway.held();
    const { firsts, bytes } = await timePages(gateway.url, cookies, path, 120);
    const held = await gateway.held();
    console.log(
      `${path}: first ever ${cold.first.toFixed(0)} ms (${cold.status}); warm ${shown(firsts)}; ${(bytes / 1000).toFixed(1)} kB; ` +
        `event loop held up at most ${held.max.toFixed(1)} ms (p99 ${held.p99.toFixed(1)})`,
    );
  }
  console.log(await comparePulls(gateway.url, cookies));
  console.log(`memory after all this: ${rssOf(gateway.child).toFixed(0)} MB`);
  await gateway.stop();
}

async function measureAtOnce(registry) {
  const proxy = await countingProxy(registry);
  const gateway = await startGateway('counted', proxy.url);
  const cookies = [];
  for (const account of accounts.slice(0, 8)) cookies.push(await logIn(gateway.url, account));
  proxy.seen.most = 0;
  const paths = ['/ui/', ...Array.from({ length: 24 }, (_, page) => `/ui/r/release/big?page=${page}`)];
  await Promise.all(
    paths.map((path, each) =>
      ask('GET', gateway.url + path, { ...browserLike, cookie: cookies[each % cookies.length] }),
    ),
  );
  console.log(`${paths.length} pages at once: at most ${proxy.seen.most} requests at the registry at once`);
  await gateway.stop();
  proxy.close();
}

async function measureMemory(registry) {
  for (const enabled of ['true', 'false', 'true', 'false']) {
    const gateway = await startGateway(`idle-${enabled}`, registry, { env: { PORTCULLIS_PAGE_ENABLED: enabled } });
    await pause(8000);
    console.log(`idle with page ${enabled === 'true' ? 'on' : 'off'}: ${rssOf(gateway.child).toFixed(1)} MB`);
    await gateway.stop();
  }
}

async function measureLists(registry) {
  for (const [label, cli] of [
    ['lists before', options.before],
    ['lists', own],
  ]) {
    if (cli === undefined) continue;
    const gateway = await startGateway(label.replace(' ', '-'), registry, { cli });
    await timeLists(gateway.url, label);
    await gateway.stop();
  }
}

async function main() {
  const registryPort = await freePort();
  const registry = `http://127.0.0.1:${registryPort}`;
  const storage = join(dir, 'data');
  const begun = performance.now();
  writeBigRegistry(storage, { repositories: Number(options.repositories), tags: Number(options.tags) });
  console.log(
    `${options.repositories} repositories, ${options.tags} tags in one: written in ${((performance.now() - begun) / 1000).toFixed(0)} s`,
  );
  writeFileSync(
    join(dir, 'config.yml'),
    JSON.stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: storage } },
      http: { addr: `127.0.0.1:${registryPort}`, secret: 'bench' },
    }),
  );
  await start('docker-registry', ['serve', 'config.yml'], {}, `${registry}/v2/`);
  const hash = await argon2.hash(password, { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1 });
  const users = [...accounts, 'tess'].map((name) => `  ${name}: { password: '${hash}' }`).join('\n');
  writeFileSync(
    join(dir, 'policy.yaml'),
    `users:\n${users}
rules:
  - { name: all, subjects: [${accounts.map((name) => `'user:${name}'`).join(', ')}], repositories: ['**'], actions: [catalog, pull, push] }
  - { name: release, subjects: ['user:tess'], repositories: ['release/**'], actions: [catalog, pull] }
`,
  );
  const wanted = options.only.split(',');
  if (wanted.includes('lists')) await measureLists(registry);
  if (wanted.includes('once')) await measureAtOnce(registry);
  if (wanted.includes('pages')) await measurePages(registry);
  if (wanted.includes('memory')) await measureMemory(registry);
}

try {
  await main();
} finally {
  for (const child of children) child.kill('SIGKILL');
  agent.destroy();
  rmSync(dir, { recursive: true, force: true });
}
