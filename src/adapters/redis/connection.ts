/**
 * The way to Redis: one server, the master that sentinels name, or a cluster. Made so that a call ends soon and happens at
 * most once: nothing is queued while there is no connection, nothing is sent again after an answer was lost.
 */
import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import { parseRedisUrl, type RedisTarget } from '../../network/redis-url.ts';
import type { Unavailable } from '../../ports.ts';
import { createBreaker } from './breaker.ts';
import { createOutcomes, wordsOf } from './outcomes.ts';
import type { RedisScript } from './redis-script.ts';
import { allScripts } from './scripts.ts';
import { followChannel, type ChannelListener } from './subscriber.ts';

export type Answer = { readonly ok: true; readonly reply: unknown } | Unavailable;

/** Calls that fail and recover together: they share a circuit breaker. */
export interface RedisCalls {
  /** Never rejects. `unavailable` also when the script may have run: its answer is not known then. */
  run(script: RedisScript, keys: readonly string[], values?: readonly (string | number)[]): Promise<Answer>;
  /** The breaker is open: calls are refused at once. */
  readonly isCut: () => boolean;
}

export interface RedisConnection {
  calls(): RedisCalls;
  /**
   * Waits until a replica has what this process wrote to the slot of `key`. False when none confirms within `timeoutMs`;
   * after that it is not asked for a while, because other calls wait behind the question.
   */
  waitForReplica(key: string, timeoutMs: number): Promise<boolean>;
  /** Messages of a channel, over a connection of its own. Some are lost: Redis does not keep them for who is away. */
  readonly follow: (channel: string, listener: ChannelListener) => void;
  /** Runs `listener` each time the connection is ready again. */
  onReady(listener: () => void): void;
  isReady(): boolean;
  /** Whether the connection is ready within `timeoutMs`. */
  ready(timeoutMs: number): Promise<boolean>;
  /** By the last outcome, in Redis' own words: connected and refusing is not well. */
  health(): RedisHealth;
  /** Everything that the gateway needs was just done. */
  proved(): void;
  close(): Promise<void>;
}

export interface RedisHealth {
  readonly ok: boolean;
  readonly detail: string;
}

export interface RedisConnectionOptions {
  /** Called when it breaks, again when Redis gives another reason, and when it is `proved` to work again. */
  readonly onHealth?: (health: RedisHealth) => void;
  /** How long one command may take. */
  readonly commandTimeoutMs?: number;
  /** Certificates (PEM) of the authorities to believe instead of the system's; for `rediss`. */
  readonly ca?: string;
}

const failuresUntilCut = 5;
const pauseWhenCutMs = 500;
const laggingReplicaPauseMs = 2000;

/** Throws for a URL that `parseRedisUrl` refuses. Connects in the background, and again after every loss, until `close`. */
export function createRedisConnection(url: string, options: RedisConnectionOptions = {}): RedisConnection {
  const parsed = parseRedisUrl(url);
  if (!parsed.ok) throw new TypeError(`not a Redis URL: ${parsed.message}`);
  const target = parsed.value;
  const commandTimeoutMs = options.commandTimeoutMs ?? 300;
  const settings = commonOptions(target, commandTimeoutMs, options.ca);
  const client = createClient(target, settings);
  const readyListeners = new Set<() => void>();
  let problem = 'not connected yet';
  let closed = false;

  // Without a listener each of these would end the process or fill standard error.
  const onError = (error: unknown): void => {
    problem = wordsOf(error);
    report();
  };
  client.on('error', onError);
  client.on('node error', onError);
  client.on('close', () => report());
  client.on('ready', () => readyListeners.forEach((listener) => listener()));
  client.on('end', () => {
    if (closed) return;
    setTimeout(() => {
      if (!closed) client.connect().catch(() => {});
    }, reconnectDelayMs()).unref();
  });
  for (const { name, lua } of allScripts) client.defineCommand(name, { lua });

  const isReady = (): boolean => client.status === 'ready';
  const outcomes = createOutcomes(() => performance.now());
  /** The code of the refusal that was reported last; empty for a connection that is not there. */
  let reported: string | undefined;

  function health(): RedisHealth {
    if (!isReady()) return { ok: false, detail: `not connected: ${problem}` };
    const refused = outcomes.problem();
    return refused === undefined
      ? { ok: true, detail: `connected (${target.kind})` }
      : { ok: false, detail: `connected, but calls fail: ${refused}` };
  }

  function report(): void {
    if (closed) return;
    const now = health();
    if (now.ok) return;
    const code = /\b[A-Z]{4,}\b/.exec(outcomes.problem() ?? problem)?.[0] ?? '';
    if (reported !== undefined && (code === '' || code === reported || !isReady())) return;
    reported = code;
    options.onHealth?.(now);
  }
  const channels = followChannel({
    open: () => createSubscriberClient(target, settings, client),
    isUp: isReady,
    retryDelayMs: reconnectDelayMs,
  });
  readyListeners.add(channels.connect);

  let waiting: Promise<boolean> | undefined;
  let nextWaiting: Promise<boolean> | undefined;
  let replicaAskedAfter = 0;

  /** WAIT blocks the connection, and counts everything written before it: one at a time answers for all. */
  async function askReplica(key: string, timeoutMs: number): Promise<boolean> {
    if (!isReady() || performance.now() < replicaAskedAfter) return false;
    try {
      // A key goes with it because in a cluster only that leads to the connection that wrote.
      const replies = await within(commandTimeoutMs * 2, client.pipeline().exists(key).wait(1, timeoutMs).exec());
      const confirmed = Number(replies?.[1]?.[1] ?? 0) > 0;
      if (!confirmed) replicaAskedAfter = performance.now() + laggingReplicaPauseMs;
      return confirmed;
    } catch (error) {
      problem = wordsOf(error);
      return false;
    }
  }

  return {
    calls() {
      const breaker = createBreaker({
        failures: failuresUntilCut,
        pauseMs: pauseWhenCutMs,
        now: () => performance.now(),
      });
      return {
        async run(script, keys, values = []) {
          if (!isReady() || !breaker.admit()) return { ok: false, reason: 'unavailable' };
          try {
            // The client's own timer starts when a command is sent; a cluster client may hold it before that.
            const reply = await within(commandTimeoutMs * 2, runScript(client, script, keys, values));
            breaker.succeeded();
            outcomes.succeeded(script.name);
            return { ok: true, reply };
          } catch (error) {
            breaker.failed();
            problem = wordsOf(error);
            outcomes.failed(script.name, error);
            report();
            return { ok: false, reason: 'unavailable' };
          }
        },
        isCut: breaker.isOpen,
      };
    },
    waitForReplica(key, timeoutMs) {
      if (waiting === undefined) {
        waiting = askReplica(key, timeoutMs).finally(() => (waiting = undefined));
        return waiting;
      }
      nextWaiting ??= waiting.then(() => {
        nextWaiting = undefined;
        return (waiting = askReplica(key, timeoutMs).finally(() => (waiting = undefined)));
      });
      return nextWaiting;
    },
    follow: channels.follow,
    onReady: (listener) => void readyListeners.add(listener),
    isReady,
    ready(timeoutMs) {
      if (isReady()) return Promise.resolve(true);
      return new Promise((resolve) => {
        const settle = (): void => {
          clearTimeout(timer);
          readyListeners.delete(settle);
          resolve(isReady());
        };
        const timer = setTimeout(settle, timeoutMs);
        readyListeners.add(settle);
      });
    },
    health,
    proved() {
      outcomes.proved();
      const now = health();
      if (reported === undefined || !now.ok) return;
      reported = undefined;
      options.onHealth?.(now);
    },
    async close() {
      closed = true;
      const ended = client.status === 'end' ? Promise.resolve() : new Promise((resolve) => client.once('end', resolve));
      channels.close();
      client.disconnect();
      // A client that is asking sentinels ends when they have answered; nobody needs to wait for that.
      await within(500, ended).catch(() => {});
    },
  };
}

/** What a connection to any server has. Reply mapping stays the library's: its type selects other shapes of replies. */
type Settings = Omit<
  RedisOptions,
  'replyMapping' | 'retryStrategy' | 'reconnectOnError' | 'enableOfflineQueue' | 'himportFieldsets'
>;
type ClusterSettings = Omit<ClusterOptions, 'redisOptions'> & { readonly redisOptions: Settings };

/** Not in step with other replicas, and at most twice a second. */
function reconnectDelayMs(): number {
  return 500 + Math.random() * 500;
}

function commonOptions(target: RedisTarget, commandTimeout: number, ca: string | undefined): Settings {
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

function createClient(target: RedisTarget, settings: Settings): Redis | Cluster {
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
function createSubscriberClient(target: RedisTarget, settings: Settings, client: Redis | Cluster): Redis {
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

/** EVALSHA, or EVAL when the server does not know the script; only that is tried twice. */
function runScript(
  client: Redis | Cluster,
  { name }: RedisScript,
  keys: readonly string[],
  values: readonly (string | number)[],
): Promise<unknown> {
  const command: unknown = Reflect.get(client, name);
  if (typeof command !== 'function') throw new TypeError(`the script ${name} is not in the list of all scripts`);
  return Promise.resolve(Reflect.apply(command, client, [keys.length, ...keys, ...values]));
}

async function within<T>(limitMs: number, result: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), limitMs);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}
