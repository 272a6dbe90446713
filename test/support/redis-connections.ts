/** Connections to a Redis that end with the test that opened them. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { type RedisConnection, createRedisConnection } from '../../src/adapters/redis/connection.ts';

type Options = Parameters<typeof createRedisConnection>[1];

/** Connected or not. */
export function openRedis(url: string, options?: Options): RedisConnection {
  const connection = createRedisConnection(url, options);
  onTestFinished(() => connection.close());
  return connection;
}

/** Answers within two seconds unless told otherwise. */
export async function connectRedis(url: string, options: Options = {}): Promise<RedisConnection> {
  const connection = openRedis(url, { commandTimeoutMs: 2000, ...options });
  expect(await isConnected(connection, 5000)).toBe(true);
  return connection;
}

/** Whether it is ready, or becomes so within so many milliseconds. */
export async function isConnected(connection: RedisConnection, withinMs: number): Promise<boolean> {
  const ready = new Promise<void>((resolve) => connection.onReady(resolve));
  if (!connection.isReady()) await Promise.race([ready, delay(withinMs, undefined, { ref: false })]);
  return connection.isReady();
}
