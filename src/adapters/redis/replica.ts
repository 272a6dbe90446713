/** Waiting until a replica of Redis has what was written. WAIT blocks the connection, so it is asked for one at a time. */
import { type RedisClient, within } from './client.ts';

const laggingReplicaPauseMs = 2000;

/** Returns what `RedisConnection.waitForReplica` promises. After `limitMs` the question itself has failed. */
export function createReplicaWait(
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
