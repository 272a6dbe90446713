/** What the load scripts start, and how they ask it. Everything listens on loopback and ends with the script. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import argon2 from 'argon2';
import { freePort } from '../support/free-port.mjs';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
export const account = 'dana';
export const password = 'of the load test';
export const mebibyte = 1_048_576;

const children = new Set();
const dirs = new Set();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

export function tempDir(what) {
  const dir = mkdtempSync(join(tmpdir(), `portcullis-${what}-`));
  dirs.add(dir);
  return dir;
}

export function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'inherit'], ...options });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** The registry of registry.mjs. */
export async function startLoadRegistry(blobBytes) {
  const child = start(process.execPath, [fileURLToPath(new URL('registry.mjs', import.meta.url)), String(blobBytes)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  const url = `http://127.0.0.1:${Number(line.toString())}`;
  return { url, child, stats: async () => JSON.parse((await ask(`${url}/_stats`)).body.toString()) };
}

/** The built gateway, as in production; one account that may do everything below load/. `openFiles`: its limit. */
export async function startGateway(upstream, env = {}, nodeOptions = [], openFiles = undefined) {
  const dir = tempDir('load');
  const hash = await argon2.hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
  mkdirSync(join(dir, 'policies'));
  writeFileSync(
    join(dir, 'policies/load.yaml'),
    `users: { ${account}: { password: '${hash}' } }
rules:
  - { name: load, subjects: ['user:${account}'], repositories: ['load/**'], actions: [pull, push, delete, catalog] }
  - { name: keep, effect: deny, subjects: [everyone], repositories: ['load/**'], tags: ['v*'], actions: [overwrite] }
`,
  );
  const [port, adminPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const command = [process.execPath, ...nodeOptions, cli, 'serve'];
  const limited = openFiles === undefined ? [] : ['sh', '-c', 'ulimit -n "$0" && exec "$@"', String(openFiles)];
  const [program, ...args] = [...limited, ...command];
  const child = start(program, args, {
    cwd: dir,
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      PORTCULLIS_LISTEN: `127.0.0.1:${port}`,
      PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
      PORTCULLIS_PUBLIC_URL: url,
      PORTCULLIS_UPSTREAM: upstream,
      ...env,
    },
  });
  await until('the gateway is ready', async () => (await ask(`${adminUrl}/readyz`)).status === 200, 20_000);
  const metrics = async () => {
    const { body } = await ask(`${adminUrl}/metrics`);
    const value = (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body.toString())?.[1]);
    return {
      rss: value('process_resident_memory_bytes'),
      heap: value('nodejs_heap_size_used_bytes'),
      descriptors: value('process_open_fds'),
      inFlight: value('portcullis_transfers_in_flight'),
    };
  };
  return { url, port, child, metrics };
}

export async function startRegistry() {
  const dir = tempDir('load-registry');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: dir }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, secret: 'load' },
  };
  writeFileSync(join(dir, 'config.yml'), JSON.stringify(config));
  const child = start('docker-registry', ['serve', join(dir, 'config.yml')], { stdio: ['ignore', 'ignore', 'ignore'] });
  await until('the registry answers', async () => (await ask(`${url}/v2/`)).status === 200, 20_000);
  return { url, child };
}

export async function startRedis() {
  const port = await freePort();
  const options = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--dir', tempDir('load-redis')];
  const child = start('redis-server', options);
  await until('redis listens', () => listens(port), 20_000);
  return { url: `redis://127.0.0.1:${port}/0`, child };
}

function listens(port) {
  return new Promise((resolve) => {
    const probe = httpRequest({ port, host: '127.0.0.1', agent: false });
    probe.on('socket', (socket) =>
      socket.on('connect', () => {
        resolve(true);
        probe.destroy();
      }),
    );
    probe.on('error', () => resolve(false));
  });
}

/** Resolves with the milliseconds that it took. */
export async function until(what, holds, withinMs) {
  const begun = performance.now();
  for (;;) {
    if (await Promise.resolve(holds()).catch(() => false)) return performance.now() - begun;
    if (performance.now() - begun > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(10);
  }
}

const kept = new Agent({ keepAlive: true, maxFreeSockets: 16 });

/** One whole request. `agent: false` opens a connection for it alone. */
export function ask(url, { method = 'GET', headers = {}, body, agent = kept } = {}) {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const asked = httpRequest(url, { method, agent, headers: { ...length, ...headers } });
    asked.on('error', reject);
    asked.on('response', (response) => {
      const chunks = [];
      response.on('error', reject);
      response.on('data', (part) => chunks.push(part));
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    asked.end(body);
  });
}

export const basic = `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;

export async function fetchToken(gateway, scope, extra = '') {
  const service = new URL(gateway.url).host;
  const { status, body } = await ask(`${gateway.url}/token?service=${service}&scope=${scope}${extra}`, {
    headers: { authorization: basic },
  });
  if (status !== 200) throw new Error(`no token: ${status}`);
  return JSON.parse(body.toString());
}

/** The hard limit on open files; Node raises its own to it when it starts. */
export function openFilesLimit() {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? Infinity);
}

let missed = 0;
/** Prints a figure beside its target. */
export function figure(what, value, unit, isReached, target) {
  if (!isReached) missed++;
  console.log(
    `${isReached ? 'ok    ' : 'MISSED'} ${what}: ${value}${unit === '' ? '' : ` ${unit}`} (target: ${target})`,
  );
}
export const missedTargets = () => missed;
