/**
 * `npm run bench:token [-- PART…]`: what logins, tokens and limits cost, and what a crowd of logins or an attack does to pulls.
 * Prints figures, asserts nothing. Needs redis-server. The gateway, the registry behind it and the crowd are processes of
 * their own; what is compared is measured in turns in one run. Parts: rates, counted, redis, crowd, guesses.
 */
import { fork, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';

const self = fileURLToPath(import.meta.url);
const ports = { gateway: 15_250, admin: 15_251, registry: 15_252, redis: 15_253 };
const url = `http://127.0.0.1:${ports.gateway}`;
const crowdSize = 1000;
const rounds = 3;
const password = 'correct horse battery';
const manifest = JSON.stringify({ schemaVersion: 2, config: {}, layers: [] });
const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;

const basic = (account, secret) => `Basic ${Buffer.from(`${account}:${secret}`).toString('base64')}`;

/** One request; resolves with its status, text and milliseconds. */
function ask(agent, path, { method = 'GET', headers = {}, body, to = url } = {}) {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const sending = request(to + path, { agent, method, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          text: Buffer.concat(chunks).toString(),
          ms: performance.now() - begun,
        }),
      );
    });
    sending.on('error', reject);
    sending.end(body);
  });
}

/** The registry: the same small manifest and blob for every name. */
function serveRegistry() {
  const blob = randomBytes(1024);
  createServer((incoming, response) => {
    const isManifest = incoming.url.includes('/manifests/');
    const content = isManifest ? manifest : incoming.url.includes('/blobs/') ? blob : '{}';
    response.writeHead(200, {
      'Content-Type': isManifest ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream',
      'Content-Length': Buffer.byteLength(content),
      ...(isManifest ? { 'Docker-Content-Digest': digest } : {}),
    });
    response.end(incoming.method === 'HEAD' ? undefined : content);
  }).listen(ports.registry, '127.0.0.1', () => process.send('ready'));
}

/** Logins as the parent tells: each with account, password and address, `atOnce` of them under way. */
function serveCrowd() {
  process.on('message', async ({ logins, atOnce }) => {
    const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
    const begun = performance.now();
    const statuses = {};
    let next = 0;
    const one = async () => {
      while (next < logins.length) {
        const { account, secret, address } = logins[next++];
        const headers = { authorization: basic(account, secret), 'x-forwarded-for': address };
        const { status } = await ask(agent, '/token', { headers }).catch(() => ({ status: 'broken' }));
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    agent.destroy();
    process.send({ ms: performance.now() - begun, statuses });
  });
  process.send('ready');
}

const children = [];
const dir = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));

async function forkRole(role) {
  const child = fork(self, [`serve-${role}`], { stdio: 'inherit' });
  children.push(child);
  await new Promise((resolve) => child.once('message', resolve));
  return child;
}

function start(name, args, env = {}) {
  const out = openSync(join(dir, `${children.length}.log`), 'w');
  const child = spawn(name, args, { cwd: dir, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', out, out] });
  children.push(child);
  return child;
}

async function until(holds) {
  for (let n = 0; n < 1000; n++) {
    if (await holds().catch(() => false)) return;
    await pause(20);
  }
  throw new Error(`not ready; see ${dir}`);
}

const address = (n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
const robotSecrets = [];

async function writePolicy() {
  const { hashPassword } = await import('../../build/identity/password.js');
  const { makeSecret, secretHash } = await import('../../build/identity/carried-secret.js');
  const hash = await hashPassword(password);
  // One hash text for all: an account's password is remembered for that account only.
  const users = Array.from({ length: 400 + rounds * crowdSize }, (_, n) => `  user-${n}: { password: "${hash}" }`);
  const robots = Array.from({ length: 302 }, (_, n) => {
    const secret = makeSecret('robot').text;
    robotSecrets.push(secret);
    return `  robot-${n}: { tokens: [{ id: robot${n}, sha256: ${secretHash(secret)} }] }`;
  });
  writeFileSync(
    join(dir, 'policy.yaml'),
    [
      'users:',
      ...users,
      'robots:',
      ...robots,
      'rules: [{ name: all, subjects: [authenticated], repositories: ["**"], actions: [pull, push] }]',
      'limits: [{ name: pulls, subjects: [authenticated], except: [robot:robot-0], count: pull, per: account, rate: 1000000/1m }]',
      '',
    ].join('\n'),
  );
}

async function tokenOf(agent, account, secret, offline = false) {
  const scope = 'repository:team/app:pull';
  const query = `/token?scope=${scope}${offline ? '&offline_token=true' : ''}`;
  const { status, text } = await ask(agent, query, { headers: { authorization: basic(account, secret) } });
  if (status !== 200) throw new Error(text);
  return JSON.parse(text);
}

/** Requests per second with `width` under way, for `ms` or until `send` says that it has no more. */
async function throughput(send, { ms = 1000, width = 16 } = {}) {
  const begun = performance.now();
  let done = 0;
  const one = async () => {
    while (performance.now() - begun < ms) {
      const reply = await send();
      if (reply === undefined) return;
      if (reply.status !== 200) throw new Error(`${reply.status} ${reply.text}`);
      done++;
    }
  };
  await Promise.all(Array.from({ length: width }, one));
  return { done, seconds: (performance.now() - begun) / 1000 };
}

/** Rates of several senders, a second each in turns. */
async function inTurns(senders, turns = 3) {
  const sums = new Map(senders.map(([name]) => [name, { done: 0, seconds: 0 }]));
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, send] of senders) {
      const { done, seconds } = await throughput(send);
      const sum = sums.get(name);
      sum.done += done;
      sum.seconds += seconds;
    }
  }
  return [...sums].map(([name, { done, seconds }]) => [name, done / seconds]);
}

/** Pulls at a steady pace, sent whether or not earlier ones were answered, until `ended`; milliseconds of each. */
async function probe(agent, headers, ended) {
  const times = [];
  const under = [];
  let stop = false;
  void ended.then(() => (stop = true));
  const begun = performance.now();
  for (let n = 0; !stop; n++) {
    const path = n % 2 === 0 ? '/v2/team/app/manifests/v1' : `/v2/team/app/blobs/${digest}`;
    under.push(
      ask(agent, path, { headers }).then(({ status, ms }) => {
        if (status !== 200) throw new Error(`a pull was answered ${status}`);
        times.push(ms);
      }),
    );
    const wait = begun + (n + 1) * 10 - performance.now();
    if (wait > 0) await pause(wait);
  }
  await Promise.all(under);
  return times.sort((left, right) => left - right);
}

const at = (times, part) => (times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? NaN).toFixed(1);
const describeTimes = (times) =>
  `p50 ${at(times, 0.5)}, p99 ${at(times, 0.99)}, longest ${at(times, 1)} ms (${times.length} pulls)`;

async function hashes(agent) {
  const { text } = await ask(agent, '/metrics', { to: `http://127.0.0.1:${ports.admin}` });
  return Number(/^portcullis_password_hashes_total\{scheme="argon2id"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** Round trips and all commands, those inside scripts among them. */
async function redisWork(redis) {
  const stats = await redis.info('commandstats');
  const scripts = [...stats.matchAll(/^cmdstat_(?:evalsha|eval):calls=(\d+)/gm)];
  const total = /total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1];
  return { trips: scripts.reduce((sum, [, calls]) => sum + Number(calls), 0), total: Number(total) };
}

/** `work` per piece, less what happens anyway in the same time. */
async function redisPerPiece(redis, pieces, work) {
  const idleFrom = await redisWork(redis);
  await pause(4000);
  const idleTo = await redisWork(redis);
  const begun = performance.now();
  await work();
  const seconds = (performance.now() - begun) / 1000;
  const end = await redisWork(redis);
  const of = (kind) => (end[kind] - idleTo[kind] - ((idleTo[kind] - idleFrom[kind]) / 4) * seconds) / pieces;
  return `${of('trips').toFixed(2)} round trips, ${of('total').toFixed(2)} commands with those inside scripts`;
}

async function main() {
  await writePolicy();
  start('redis-server', [
    ...['--bind', '127.0.0.1', '--port', `${ports.redis}`, '--save', '', '--appendonly', 'no', '--dir', dir],
  ]);
  await forkRole('registry');
  const crowd = await forkRole('crowd');
  const redis = new Redis({ port: ports.redis, retryStrategy: () => 50 });
  redis.on('error', () => {});
  await until(async () => (await redis.ping()) === 'PONG');
  start(process.execPath, [join(dirname(self), '../../dist/cli.js'), 'serve'], {
    NODE_ENV: 'production',
    PORTCULLIS_LISTEN: `127.0.0.1:${ports.gateway}`,
    PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${ports.admin}`,
    PORTCULLIS_PUBLIC_URL: url,
    PORTCULLIS_UPSTREAM: `http://127.0.0.1:${ports.registry}`,
    PORTCULLIS_POLICIES: join(dir, 'policy.yaml'),
    PORTCULLIS_STATE_DIR: join(dir, 'state'),
    PORTCULLIS_REDIS: `redis://127.0.0.1:${ports.redis}/0`,
    PORTCULLIS_TRUSTED_PROXIES: '127.0.0.1',
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  await until(async () => (await ask(agent, '/readyz', { to: `http://127.0.0.1:${ports.admin}` })).status === 200);
  const load = loadavg()
    .map((each) => each.toFixed(1))
    .join(' ');
  console.log(`node ${process.version}, load average at the start ${load}`);

  const counted = { authorization: `Bearer ${(await tokenOf(agent, 'robot-1', robotSecrets[1])).token}` };
  const free = { authorization: `Bearer ${(await tokenOf(agent, 'robot-0', robotSecrets[0])).token}` };

  const measureRates = async () => {
    const { refresh_token: refreshToken } = await tokenOf(agent, 'user-0', password, true);
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      scope: 'a',
    }).toString();
    const formType = { 'content-type': 'application/x-www-form-urlencoded' };
    const path = '/token?scope=repository:team/app:pull';
    console.log('\n/token, requests a second, 16 at once');
    const rates = await inTurns([
      ['remembered password', () => ask(agent, path, { headers: { authorization: basic('user-0', password) } })],
      ['robot token', () => ask(agent, path, { headers: { authorization: basic('robot-0', robotSecrets[0]) } })],
      ['refresh token', () => ask(agent, '/token', { method: 'POST', headers: formType, body: form })],
    ]);
    for (const [name, rate] of rates) console.log(`  ${name.padEnd(22)} ${rate.toFixed(0)}`);
    let cold = 1;
    const coldLogin = () => {
      if (cold >= 300) return undefined;
      const headers = { authorization: basic(`user-${cold}`, password), 'x-forwarded-for': address(cold++) };
      return ask(agent, path, { headers });
    };
    const { done, seconds } = await throughput(async () => coldLogin(), { ms: 5000 });
    console.log(`  ${'cold argon2id'.padEnd(22)} ${(done / seconds).toFixed(0)}`);
  };

  const measureCounted = async () => {
    const get = (headers) => () => ask(agent, '/v2/team/app/manifests/v1', { headers });
    console.log('\na manifest GET, counted by a limit or not');
    for (const [name, rate] of await inTurns(
      [
        ['uncounted', get(free)],
        ['counted', get(counted)],
      ],
      5,
    )) {
      console.log(`  ${name.padEnd(22)} ${rate.toFixed(0)} a second, ${(1e6 / rate).toFixed(0)} µs each`);
    }
    const single = { uncounted: [], counted: [] };
    for (let n = 0; n < 2000; n++) {
      single.uncounted.push((await get(free)()).ms);
      single.counted.push((await get(counted)()).ms);
    }
    for (const [name, times] of Object.entries(single)) {
      console.log(`  ${name.padEnd(22)} one at a time: ${describeTimes(times.sort((left, right) => left - right))}`);
    }
  };

  const measureRedis = async () => {
    console.log('\nRedis, for each pull (HEAD of the tag, GET by digest, as docker does)');
    const pull = async (headers) => {
      await ask(agent, '/v2/team/app/manifests/v1', { method: 'HEAD', headers });
      await ask(agent, `/v2/team/app/manifests/${digest}`, { headers });
    };
    const manyPulls = async () => {
      for (let n = 0; n < 2000; n++) await pull(counted);
    };
    console.log(`  one account            ${await redisPerPiece(redis, 2000, manyPulls)}`);
    const others = [];
    for (let n = 2; n < 302; n++) {
      const { token } = await tokenOf(agent, `robot-${n}`, robotSecrets[n]);
      others.push({ authorization: `Bearer ${token}` });
    }
    const firstPulls = async () => {
      for (const headers of others) await pull(headers);
    };
    console.log(`  an account's first     ${await redisPerPiece(redis, others.length, firstPulls)}`);
  };

  const send = (logins, atOnce) =>
    new Promise((resolve) => {
      crowd.once('message', resolve);
      crowd.send({ logins, atOnce });
    });
  const compare = async (title, logins, atOnce) => {
    const quiet = await probe(agent, free, pause(4000));
    const before = await hashes(agent);
    const sent = send(logins, atOnce);
    const busy = await probe(agent, free, sent);
    const { ms, statuses } = await sent;
    console.log(`\n${title}`);
    console.log(`  pulls without them     ${describeTimes(quiet)}`);
    console.log(`  pulls meanwhile        ${describeTimes(busy)}`);
    const answers = Object.entries(statuses).map(([status, count]) => `${count} × ${status}`);
    console.log(`  answers                ${answers.join(', ')}; the last after ${ms.toFixed(0)} ms`);
    console.log(`  hashes                 ${(await hashes(agent)) - before}`);
  };

  const measureCrowd = async () => {
    for (let round = 0; round < rounds; round++) {
      const logins = Array.from({ length: crowdSize }, (_, n) => {
        const account = `user-${400 + round * crowdSize + n}`;
        return { account, secret: password, address: address(70_000 + round * crowdSize + n) };
      });
      await compare(`${crowdSize} cold logins at once, each from its own address`, logins, crowdSize);
    }
  };

  const measureGuesses = async () => {
    const guesses = (of) => Array.from({ length: 10_000 }, (_, n) => ({ secret: `guess-${n}`, ...of(n) }));
    await compare(
      '10,000 guesses at 400 accounts from one address',
      guesses((n) => ({ account: `user-${n % 400}`, address: '192.0.2.1' })),
      200,
    );
    await compare(
      '10,000 guesses at 10 accounts from 1,000 addresses',
      guesses((n) => ({ account: `user-${300 + (n % 10)}`, address: address(140_000 + (n % 1000)) })),
      200,
    );
  };

  const measures = {
    rates: measureRates,
    counted: measureCounted,
    redis: measureRedis,
    crowd: measureCrowd,
    guesses: measureGuesses,
  };
  const wanted = process.argv.slice(2);
  for (const [name, measure] of Object.entries(measures)) {
    if (wanted.length === 0 || wanted.includes(name)) await measure();
  }
  redis.disconnect();
  agent.destroy();
}

if (process.argv[2] === 'serve-registry') serveRegistry();
else if (process.argv[2] === 'serve-crowd') serveCrowd();
else {
  try {
    await main();
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}
