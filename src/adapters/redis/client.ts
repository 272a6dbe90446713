/** Clients of Redis by the kind of target: one server, the master that sentinels name, a cluster. None sends anything twice. */
import { type ClusterOptions, type RedisOptions, Cluster, Redis } from 'ioredis';
import type { RedisTarget } from '../../network/redis-url.ts';
import type { RedisScript } from './redis-script.ts';

export type RedisClient = Redis | Cluster;

/** What a connection to any server has. Reply mapping stays the library's: its type selects other shapes of replies. */
type Settings = Omit<
  RedisOptions,
  'replyMapping' | 'retryStrategy' | 'reconnectOnError' | 'enableOfflineQueue' | 'himportFieldsets'
>;
type ClusterSettings = Omit<ClusterOptions, 'redisOptions'> & { readonly redisOptions: Settings };

/** Not in step with other replicas, and at most twice a second. */
export function reconnectDelayMs(): number {
  return 500 + Math.random() * 500;
}

/** For clients of `target`. `commandTimeout`: milliseconds, longer than anybody waits; `ca`: PEM, only where it has TLS. */
export function clientSettings(target: RedisTarget, commandTimeout: number, ca: string | undefined): Settings {
  return {
    username: target.username,
    password: target.password,
    db: target.database,
    connectionName: 'portcullis',
    commandTimeout,
    connectTimeout: 1000,
    // A server that stopped talking is left, so that what waits for its answers does not grow.
    socketTimeout: 1000,
    disconnectTimeout: 100,
    maxLoadingRetryTime: 500,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Subscribes on its own, where nobody catches a failure.
    autoResubscribe: false,
    disableClientInfo: true,
    ...(target.tls ? { tls: ca === undefined ? {} : { ca } } : {}),
  };
}

/** Connects by itself, and again after a loss; not after `end`. */
export function createClient(target: RedisTarget, settings: Settings): RedisClient {
  const direct = {
    ...settings,
    enableOfflineQueue: false,
    retryStrategy: reconnectDelayMs,
    // A master that became a replica: connect to its successor. Never 2, which would send the command again.
    reconnectOnError: (error: Error) => /READONLY|MASTERDOWN/.test(error.message),
  };
  switch (target.kind) {
    case 'single':
      return new Redis({ ...direct, ...target.hosts[0] });
    case 'sentinel':
      return new Redis({ ...direct, ...sentinelOptions(target, settings), sentinelRetryStrategy: reconnectDelayMs });
    case 'cluster':
      return new Cluster([...target.hosts], clusterOptions(settings));
  }
}

function sentinelOptions(target: RedisTarget, settings: Settings): Settings {
  return {
    sentinels: [...target.hosts],
    name: target.masterName,
    // Sentinels without a password accept any.
    sentinelPassword: target.password,
    sentinelCommandTimeout: 1000,
    ...(target.tls ? { enableTLSForSentinelMode: true, sentinelTLS: settings.tls } : {}),
  };
}

function clusterOptions(settings: Settings): ClusterSettings {
  return {
    redisOptions: settings,
    // For nodes that are just being connected to; while the cluster is not ready, nothing is sent at all.
    enableOfflineQueue: true,
    clusterRetryStrategy: reconnectDelayMs,
    // Both would send a command again whose answer was lost.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    maxRedirections: 4,
    slotsRefreshTimeout: 1000,
    slotsRefreshInterval: 5000,
    // Certificates are for names: with TLS a name is not turned into an address here.
    ...(settings.tls === undefined ? {} : { dnsLookup: (host, callback) => callback(null, host) }),
  };
}

/** Connects once; who follows channels starts another when it ends. In a cluster every node passes messages on. */
export function createSubscriberClient(target: RedisTarget, settings: Settings, client: RedisClient): Redis {
  const once = {
    ...settings,
    connectionName: 'portcullis:revocations',
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: null,
  };
  if (target.kind === 'sentinel')
    return new Redis({ ...once, ...sentinelOptions(target, settings), sentinelRetryStrategy: () => null });
  if (!(client instanceof Cluster)) return new Redis({ ...once, ...target.hosts[0] });
  const nodes = client.nodes('master');
  const node = nodes[Math.floor(Math.random() * nodes.length)]?.options;
  return new Redis({ ...once, host: node?.host ?? target.hosts[0].host, port: node?.port ?? target.hosts[0].port });
}

/** EVALSHA, or EVAL when the server does not know the script; only that is tried twice. Rejects as the library does. */
export function runScript(
  client: RedisClient,
  { name, lua }: RedisScript,
  keys: readonly string[],
  values: readonly (string | number)[],
): Promise<unknown> {
  if (!(name in client)) client.defineCommand(name, { lua });
  const command = Reflect.get(client, name) as (...given: readonly (string | number)[]) => Promise<unknown>;
  return command.call(client, keys.length, ...keys, ...values);
}

/** The result, or a rejection after `limitMs`; but what had come while this process was busy for longer is in time. */
export async function within<T>(limitMs: number, result: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => setImmediate(() => reject(new Error('no answer in time'))), limitMs);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}

export interface ChannelListener {
  readonly onMessage: (message: string) => void;
  /** Messages arrive from now on; those of before were lost. */
  readonly onJoined: () => void;
}

const heartbeatMs = 2000;
/** After a refusal: an account of Redis that may not subscribe will not be allowed to a second later. */
const refusedPauseMs = 5000;

/**
 * Connects with the first channel; one that is followed later makes the connection begin anew. `open` makes a client that is
 * not connected yet and does not reconnect by itself; `isUp`: whether there is a server to follow at all.
 */
export function followChannels(open: () => Redis, isUp: () => boolean) {
  const listeners = new Map<string, ChannelListener>();
  let current: Redis | undefined;
  let pause: NodeJS.Timeout | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let closed = false;

  /** Now if it is time to; nothing while there is a connection. */
  function connect(): void {
    if (closed || current !== undefined || pause !== undefined || listeners.size === 0 || !isUp()) return;
    const client = open();
    let delayMs = reconnectDelayMs();
    current = client;
    client.on('error', () => {});
    client.on('message', (channel: string, message: string) => listeners.get(channel)?.onMessage(message));
    client.on('ready', () => {
      client.subscribe(...listeners.keys()).then(
        () => listeners.forEach(({ onJoined }) => onJoined()),
        () => {
          delayMs = refusedPauseMs;
          client.disconnect();
        },
      );
    });
    client.once('end', () => {
      current = undefined;
      if (closed) return;
      pause = setTimeout(() => {
        pause = undefined;
        connect();
      }, delayMs).unref();
    });
    client.connect().catch(() => {});
  }

  return {
    follow(channel: string, listener: ChannelListener): void {
      listeners.set(channel, listener);
      // A link that died without a word is found only by asking.
      heartbeat ??= setInterval(() => {
        const client = current;
        if (client?.status === 'ready') client.ping().catch(() => client.disconnect());
      }, heartbeatMs).unref();
      // One that is connected already begins anew, with this channel too.
      if (current?.status === 'ready') current.disconnect();
      else connect();
    },
    connect,
    close(): void {
      closed = true;
      clearTimeout(pause);
      clearInterval(heartbeat);
      current?.disconnect();
    },
  };
}
