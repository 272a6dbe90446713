/** Asks Redis, before anybody logs in, whether our account may do all that we will ask of it. */
import { sessionsPrefix } from './keys.ts';
import type { RedisScript } from './redis-script.ts';

/** Every command of the scripts of this folder but those that they can do without (INFO, PUBLISH). Leaves nothing behind. */
export const selfCheck: RedisScript = {
  name: 'portcullisSelfCheck',
  lua: `
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
return 1`,
};
