import type { RedisConnection } from '../../src/adapters/redis/connection.ts';
import type { RedisScript } from '../../src/adapters/redis/redis-script.ts';

/** A way to Redis on which one script never arrives, and everything else does. */
export function withoutScript(
  connection: RedisConnection,
  lost: RedisScript,
): Pick<RedisConnection, 'calls' | 'onReady'> {
  return {
    onReady: (listener) => connection.onReady(listener),
    calls() {
      const calls = connection.calls();
      return {
        isCut: calls.isCut,
        run: (script, keys, values) =>
          script.name === lost.name
            ? Promise.resolve({ ok: false, reason: 'unavailable' })
            : calls.run(script, keys, values),
      };
    },
  };
}
