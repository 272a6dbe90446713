/** Asks Redis every two seconds for one of everything that the gateway needs, so that what it would refuse is known before. */
import type { RedisConnection } from './connection.ts';
import { sessionsPrefix } from './keys.ts';
import { selfCheck } from './self-check.ts';

const checkMs = 2000;

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
