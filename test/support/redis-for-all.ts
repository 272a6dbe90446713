/** One redis-server for all tests of a describe. */
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type RedisServer, startRedisServer } from './redis.ts';

/** Empty at the beginning of each test. It is there from the first hook on. */
export function redisForAll(): RedisServer {
  let started: RedisServer | undefined;
  const server = new Proxy({} as RedisServer, {
    get(_none, name) {
      if (started === undefined) throw new Error('the redis-server of these tests has not been started yet');
      return Reflect.get(started, name) as unknown;
    },
  });
  beforeAll(async () => {
    started = await startRedisServer();
  });
  afterAll(() => started?.stop());
  beforeEach(() => server.admin.flushall());
  return server;
}
