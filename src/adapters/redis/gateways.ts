/** How many gateways share this Redis: each says every two seconds that it is there. */
import { randomUUID } from 'node:crypto';
import { type RedisConnection, listOf } from './connection.ts';
import { gatewaysKey } from './keys.ts';
import { greetGateways, leaveGateways } from './limit-scripts.ts';

export type Gateways = ReturnType<typeof followGateways>;

const greetMs = 2000;
const silentMs = 8000;

/** Greets Redis until `close`; while it is away the last count stands. */
export function followGateways(connection: RedisConnection) {
  const calls = connection.calls();
  const self = randomUUID();
  let count = 1;
  let skewMs = 0;
  let unsureUntil = -Infinity;
  let closed = false;

  async function greet(): Promise<void> {
    const asked = Date.now();
    const reply = listOf(await calls.run(greetGateways, [gatewaysKey], [self, silentMs]));
    if (reply === undefined || closed) return;
    const [gateways, now] = reply.map(Number);
    const alive = Math.max(1, gateways ?? 1);
    count = performance.now() < unsureUntil ? Math.max(count, alive) : alive;
    // Half of the way there and back: Redis read its clock about then.
    if (now !== undefined) skewMs = (asked + Date.now()) / 2 - now;
  }

  const timer = setInterval(() => void greet(), greetMs).unref();
  connection.onReady(() => {
    if (closed) return;
    // It may have forgotten the others, who have yet to greet it again.
    unsureUntil = performance.now() + silentMs;
    void greet();
  });
  void greet();

  return {
    /** At the last answer; 1 before the first. For some seconds after Redis came back never fewer than before. */
    count: () => count,
    /** Milliseconds by which this machine's clock is ahead of that of Redis, at the last answer. */
    clockSkewMs: () => skewMs,
    async close(): Promise<void> {
      closed = true;
      clearInterval(timer);
      await calls.run(leaveGateways, [gatewaysKey], [self]);
    },
  };
}
