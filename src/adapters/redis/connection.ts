/**
 * The way to Redis: one server, the master that sentinels name, or a cluster. Made so that a call ends soon and happens at
 * most once: nothing is queued while there is no connection, nothing is sent again after an answer was lost.
 */
import { parseRedisUrl } from '../../network/redis-url.ts';
import type { Unavailable } from '../../ports.ts';
import { unavailable } from '../bounds.ts';
import {
  type ChannelListener,
  type RedisClient,
  clientSettings,
  createClient,
  createSubscriberClient,
  followChannels,
  reconnectDelayMs,
  runScript,
  within,
} from './client.ts';
import { type RedisHealth, ConnectionHealth } from './connection-health.ts';
import { roomOf } from './keys.ts';
import type { RedisScript } from './redis-script.ts';

export type Answer = { readonly ok: true; readonly reply: unknown } | Unavailable;

/** The reply where it is a list; undefined for anything else, and where there was none. */
export function listOf(answer: Answer): readonly unknown[] | undefined {
  return answer.ok && Array.isArray(answer.reply) ? answer.reply : undefined;
}

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
  readonly waitForReplica: (key: string, timeoutMs: number) => Promise<boolean>;
  /** Messages of a channel, over a connection of its own. Some are lost: Redis does not keep them for who is away. */
  readonly follow: (channel: string, listener: ChannelListener) => void;
  /** Runs `listener` each time the connection is ready again. */
  onReady(listener: () => void): void;
  isReady(): boolean;
  /** By the last outcome, in Redis' own words: connected and refusing is not well. */
  health(): RedisHealth;
  /** Everything that the gateway needs was just done. */
  proved(): void;
  close(): Promise<void>;
}

interface RedisConnectionOptions {
  /** Called when it breaks, again when Redis gives another reason, and when it is `proved` to work again. */
  readonly onHealth?: (health: RedisHealth) => void;
  /** Hears how long each call took that was answered, and what it was about. */
  readonly onAnswer?: (what: string, seconds: number) => void;
  /** How long one command may take. */
  readonly commandTimeoutMs?: number;
  /** Certificates (PEM) of the authorities to believe instead of the system's; for `rediss`. */
  readonly ca?: string;
}

/** Throws for a URL that `parseRedisUrl` refuses. Connects in the background, and again after every loss, until `close`. */
export function createRedisConnection(url: string, options: RedisConnectionOptions = {}): RedisConnection {
  const parsed = parseRedisUrl(url);
  if (!parsed.ok) throw new TypeError(`not a Redis URL: ${parsed.message}`);
  const target = parsed.value;
  const commandTimeoutMs = options.commandTimeoutMs ?? 300;
  // A cluster client may hold a command for a while before it sends it.
  const limitMs = target.kind === 'cluster' ? commandTimeoutMs * 2 : commandTimeoutMs;
  const settings = clientSettings(target, Math.max(1000, limitMs * 2), options.ca);
  const client = createClient(target, settings);
  const isReady = (): boolean => client.status === 'ready';
  const health = new ConnectionHealth(target.kind, isReady, options.onHealth ?? (() => {}));
  const readyListeners = new Set<() => void>();
  let closed = false;

  // Without a listener each of these would end the process or fill standard error.
  const onError = (error: unknown): void => {
    health.trouble(error);
    health.report();
  };
  client.on('error', onError);
  client.on('node error', onError);
  client.on('close', () => health.report());
  client.on('ready', () => readyListeners.forEach((listener) => listener()));
  client.on('end', () => {
    if (closed) return;
    setTimeout(() => {
      if (!closed) client.connect().catch(() => {});
    }, reconnectDelayMs()).unref();
  });
  const channels = followChannels(() => createSubscriberClient(target, settings, client), isReady);
  readyListeners.add(channels.connect);

  return {
    calls: () => createCalls(client, health, limitMs, options.onAnswer),
    waitForReplica: createReplicaWait(client, limitMs, (error) => health.trouble(error)),
    follow: (channel, listener) => channels.follow(channel, listener),
    onReady: (listener) => void readyListeners.add(listener),
    isReady,
    health: () => health.now(),
    proved: () => health.proved(),
    async close() {
      closed = true;
      health.close();
      const ended = client.status === 'end' ? Promise.resolve() : new Promise((resolve) => client.once('end', resolve));
      channels.close();
      client.disconnect();
      // A client that is asking sentinels ends when they have answered; nobody needs to wait for that.
      await within(500, ended).catch(() => {});
    },
  };
}

function createCalls(
  client: RedisClient,
  health: ConnectionHealth,
  limitMs: number,
  onAnswer: RedisConnectionOptions['onAnswer'] = () => {},
): RedisCalls {
  const breaker = new Breaker();
  return {
    async run(script, keys, values = []) {
      if (client.status !== 'ready' || !breaker.admit()) return unavailable;
      const begun = performance.now();
      try {
        const reply = await within(limitMs, runScript(client, script, keys, values));
        onAnswer(roomOf(keys[0]), (performance.now() - begun) / 1000);
        breaker.succeeded();
        health.succeeded(script.name);
        return { ok: true, reply };
      } catch (error) {
        breaker.failed();
        health.failed(script.name, error);
        return unavailable;
      }
    },
    isCut: () => breaker.isOpen,
  };
}

const failuresUntilOpen = 5;
const pauseMs = 500;

class Breaker {
  #failures = 0;
  #nextProbe = 0;
  #isProbing = false;

  /** Calls are refused at once. */
  get isOpen(): boolean {
    return this.#failures >= failuresUntilOpen;
  }

  /** Whether a call may go out; who may reports its end. While it is open one may at a time, each after a pause: it decides. */
  admit(): boolean {
    if (!this.isOpen) return true;
    if (this.#isProbing || performance.now() < this.#nextProbe) return false;
    this.#isProbing = true;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#isProbing = false;
  }

  failed(): void {
    this.#failures += 1;
    this.#isProbing = false;
    // Half of the pause is left to chance: replicas that lost the same server do not ask in step.
    if (this.isOpen) this.#nextProbe = performance.now() + pauseMs * (0.5 + Math.random() / 2);
  }
}

const laggingReplicaPauseMs = 2000;

/** Returns what `RedisConnection.waitForReplica` promises. After `limitMs` the question itself has failed. */
function createReplicaWait(
  client: RedisClient,
  limitMs: number,
  onFailure: (error: unknown) => void,
): (key: string, timeoutMs: number) => Promise<boolean> {
  let current: Promise<boolean> | undefined;
  let next: Promise<boolean> | undefined;
  let askedAfter = 0;

  async function ask(key: string, timeoutMs: number): Promise<boolean> {
    if (client.status !== 'ready' || performance.now() < askedAfter) return false;
    try {
      // A key goes with it because in a cluster only that leads to the connection that wrote.
      const replies = await within(limitMs, client.pipeline().exists(key).wait(1, timeoutMs).exec());
      const confirmed = Number(replies?.[1]?.[1] ?? 0) > 0;
      if (!confirmed) askedAfter = performance.now() + laggingReplicaPauseMs;
      return confirmed;
    } catch (error) {
      onFailure(error);
      return false;
    }
  }

  function begin(key: string, timeoutMs: number): Promise<boolean> {
    next = undefined;
    return (current = ask(key, timeoutMs).finally(() => (current = undefined)));
  }

  // WAIT counts everything written before it: one answers for all that wrote while the one before was under way.
  return (key, timeoutMs) => {
    if (current === undefined) return begin(key, timeoutMs);
    return (next ??= current.then(() => begin(key, timeoutMs)));
  };
}
