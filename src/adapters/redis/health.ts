/** Asks Redis every two seconds for one of everything that the gateway needs, so that what it would refuse is known before. */
import type { RedisConnection } from './connection.ts';
import { sessionsPrefix } from './keys.ts';
import { script } from './redis-script.ts';

const checkMs = 2000;

/** Every command of the scripts of this folder but those that they can do without (INFO, PUBLISH). Leaves nothing behind. */
const selfCheck = script('SelfCheck')`
local key = '${sessionsPrefix}check'
redis.call('TIME')
redis.call('SET', key, '1', 'PX', 1000)
redis.call('GET', key)
redis.call('MGET', key)
redis.call('PEXPIRE', key, 1000)
redis.call('PTTL', key)
redis.call('DEL', key)
redis.call('HSET', key, 'field', '1')
redis.call('HGET', key, 'field')
redis.call('HMGET', key, 'field')
redis.call('DEL', key)
redis.call('ZADD', key, 1, 'member')
redis.call('ZCARD', key)
redis.call('ZRANGE', key, 0, 0)
redis.call('ZRANGEBYSCORE', key, 1, 1)
redis.call('ZREVRANGEBYSCORE', key, 1, 1)
redis.call('ZSCORE', key, 'member')
redis.call('ZREMRANGEBYRANK', key, 1, 1)
redis.call('ZREMRANGEBYSCORE', key, 2, 2)
redis.call('ZREM', key, 'member')
redis.call('DEL', key)
return 1`;

/** Returns how to stop. */
export function followHealth(connection: RedisConnection): () => void {
  const calls = connection.calls();
  const check = async (): Promise<void> => {
    if ((await calls.run(selfCheck, [`${sessionsPrefix}check`])).ok) connection.proved();
  };
  const timer = setInterval(() => void check(), checkMs).unref();
  connection.onReady(() => void check());
  return () => clearInterval(timer);
}
