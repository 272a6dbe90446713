import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { makeCertificate } from './certificate.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.mjs';
import { pauseProcess } from './pause.ts';
import { startProgram, type Program } from './programs.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

/** A real redis-server that keeps nothing on disk. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** A client of the test's own, straight to the server. */
  readonly admin: Redis;
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
  /** Again on the same port, empty. */
  readonly restart: () => Promise<void>;
  /** SIGSTOP and SIGCONT: it accepts connections and says nothing. */
  readonly pause: () => Promise<void>;
  readonly resume: () => void;
  readonly stop: () => Promise<void>;
}

export interface RedisServerOptions {
  /** As on the command line: `['--requirepass', 'x']`. */
  readonly settings?: readonly string[];
  readonly password?: string;
}

/** Somebody else, often an outgoing connection, may have a port that was free a moment ago. */
async function onFreePorts<T>(start: () => Promise<T>, attempts = 4): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (attempts === 1 || !String(error).includes('Address already in use')) throw error;
    return onFreePorts(start, attempts - 1);
  }
}

/** Starts one server and waits until it answers. */
export function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  return onFreePorts(() => startOnce(options));
}

async function startOnce({ settings = [], password }: RedisServerOptions): Promise<RedisServer> {
  const dir = await makeTempDir('redis');
  const port = await freePort();
  const authentication = password === undefined ? [] : ['--requirepass', password, '--masterauth', password];
  const start = (): Promise<Program> =>
    startProgram(
      'redis-server',
      ['--bind', '127.0.0.1', '--port', `${port}`, '--save', '', '--dir', dir, ...authentication, ...settings],
      { isReady: () => answers(port) },
    );
  let program = await start();
  const admin = adminClient(port, password);
  return {
    port,
    url: `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}/0`,
    admin,
    kill: async () => void (await program.stop('SIGKILL')),
    restart: async () => void (program = await start()),
    pause: () => pauseProcess(program.pid),
    resume: () => void process.kill(program.pid, 'SIGCONT'),
    stop: async () => {
      admin.disconnect();
      await program.stop('SIGKILL');
      await removeTempDir(dir);
    },
  };
}

/** A server that speaks TLS only. Its certificate is for 127.0.0.1 and signed by nobody else. */
export async function startTlsRedis(): Promise<{
  readonly url: string;
  readonly ca: string;
  readonly stop: () => Promise<void>;
}> {
  const dir = await makeTempDir('redis-tls');
  const [key, cert] = [join(dir, 'tls.key'), join(dir, 'tls.crt')];
  await makeCertificate(cert, key);
  const port = await freePort();
  const program = await startProgram(
    'redis-server',
    [
      ...['--bind', '127.0.0.1', '--port', '0', '--tls-port', `${port}`, '--save', '', '--dir', dir],
      ...['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no'],
    ],
    { isReady: () => accepts(port) },
  );
  return {
    url: `rediss://127.0.0.1:${port}/0`,
    ca: await readFile(cert, 'utf8'),
    stop: async () => {
      await program.stop('SIGKILL');
      await removeTempDir(dir);
    },
  };
}

export interface RedisCluster {
  readonly url: string;
  readonly nodes: readonly RedisServer[];
  readonly flush: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Three masters that share the slots. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const started = await Promise.allSettled(
    [0, 1, 2].map(() =>
      onFreePorts(async () => {
        const busPort = await freePort();
        return startOnce({ settings: ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`] });
      }),
    ),
  );
  const nodes = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  try {
    for (const each of started) if (each.status === 'rejected') throw each.reason;
    await joinCluster(nodes);
  } catch (error) {
    await Promise.all(nodes.map((node) => node.stop()));
    throw error;
  }
  return {
    url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    nodes,
    flush: async () => {
      for (const { admin } of nodes) await admin.flushall();
    },
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

async function joinCluster(nodes: readonly RedisServer[]): Promise<void> {
  const bounds = [0, 5461, 10_923, 16_384];
  for (const [index, { admin }] of nodes.entries()) {
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', bounds[index] ?? 0, (bounds[index + 1] ?? 1) - 1);
  }
  const [first, ...others] = nodes;
  for (const { port, admin } of others) {
    const bus = await busPortOf(admin);
    await first?.admin.call('CLUSTER', 'MEET', '127.0.0.1', port, bus);
  }
  for (const { admin } of nodes) {
    await eventually('the cluster is complete', async () => {
      const info = String(await admin.call('CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3');
    });
  }
}

async function busPortOf(admin: Redis): Promise<number> {
  const reply: unknown = await admin.call('CONFIG', 'GET', 'cluster-port');
  return Array.isArray(reply) ? Number(reply[1]) : 0;
}

export interface RedisSentinels {
  readonly url: string;
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  /** The port of the master that the sentinels name now. */
  readonly masterPort: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

/**
 * A primary, a replica and three sentinels with one password. The primary is known to all of them by `primaryPort` only,
 * where a test may put something between them.
 */
export async function startRedisSentinels(publish: (primaryPort: number) => Promise<number>): Promise<RedisSentinels> {
  const password = 'only-for-tests';
  const [primary, replica] = await Promise.all([
    startRedisServer({ password, settings: ['--repl-diskless-sync-delay', '0'] }),
    startRedisServer({ password }),
  ]);
  const primaryPort = await publish(primary.port);
  await replica.admin.call('REPLICAOF', '127.0.0.1', primaryPort);
  await eventually('the replica follows', async () =>
    String(await replica.admin.info('replication')).includes('master_link_status:up'),
  );
  const dir = await makeTempDir('sentinel');
  const sentinels = await Promise.all(
    [1, 2, 3].map(async (number) => {
      const port = await freePort();
      const config = join(dir, `${number}.conf`);
      await writeSentinelConfig(config, { port, dir, primaryPort, password });
      const program = await startProgram('redis-server', [config, '--sentinel'], { isReady: () => answers(port) });
      return { port, program, admin: adminClient(port, password) };
    }),
  );
  const [watcher] = sentinels;
  if (watcher === undefined) throw new Error('no sentinel');
  await eventually('the sentinels know each other and the replica', async () => {
    const states = await Promise.all(sentinels.map(({ admin }) => masterState(admin)));
    return states.every((state) => state.get('num-other-sentinels') === '2' && state.get('num-slaves') === '1');
  });
  return {
    url: `redis+sentinel://:${password}@${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/gateway/0`,
    primary,
    replica,
    masterPort: async () => {
      const reply: unknown = await watcher.admin.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'gateway');
      return Array.isArray(reply) ? Number(reply[1]) : 0;
    },
    stop: async () => {
      for (const { admin } of sentinels) admin.disconnect();
      await Promise.all(sentinels.map(({ program }) => program.stop('SIGKILL')));
      await Promise.all([primary.stop(), replica.stop()]);
      await removeTempDir(dir);
    },
  };
}

interface SentinelConfig {
  readonly port: number;
  readonly dir: string;
  readonly primaryPort: number;
  readonly password: string;
}

/** Sentinels write their state into the file, so each has its own. */
async function writeSentinelConfig(path: string, { port, dir, primaryPort, password }: SentinelConfig): Promise<void> {
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${dir}`,
    `requirepass ${password}`,
    `sentinel sentinel-pass ${password}`,
    `sentinel monitor gateway 127.0.0.1 ${primaryPort} 2`,
    `sentinel auth-pass gateway ${password}`,
    'sentinel down-after-milliseconds gateway 700',
    'sentinel failover-timeout gateway 3000',
    'sentinel parallel-syncs gateway 1',
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
}

async function masterState(sentinel: Redis): Promise<ReadonlyMap<string, string>> {
  const reply: unknown = await sentinel.call('SENTINEL', 'MASTER', 'gateway');
  const flat = Array.isArray(reply) ? reply.map(String) : [];
  return new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ''] as const] : [])));
}

function adminClient(port: number, password: string | undefined): Redis {
  const client = new Redis({ host: '127.0.0.1', port, ...(password === undefined ? {} : { password }) });
  client.on('error', () => undefined);
  return client;
}

/** Any answer will do: a server with a password refuses the PING. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(/^[+-](?:PONG|NOAUTH)/.test(data.toString()));
    });
    socket.once('error', () => resolve(false));
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
