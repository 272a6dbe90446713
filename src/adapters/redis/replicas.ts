/** What each gateway says of itself to the others, so that it shows where they differ. Nothing is decided by it. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { ReplicaFacts } from '../../ports/doctor.ts';
import type { RedisConnection } from './connection.ts';
import { replicasKey } from './keys.ts';
import { script } from './redis-script.ts';

const sayMs = 10_000;
/** A silent one is gone after so long. */
const silentMs = 30_000;
/** Replicas that are remembered at once; more go unheard. */
const most = 1000;

/** ARGV: this gateway, what it says, ms after which a silent one is gone, how many at most. */
const say = script('SayReplica')`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local all = redis.call('HGETALL', '${replicasKey}')
for at = 1, #all, 2 do
  local said = tonumber(string.match(all[at + 1], '^%d+'))
  if said == nil or said < now - ARGV[3] or said > now + ARGV[3] then redis.call('HDEL', '${replicasKey}', all[at]) end
end
if redis.call('HEXISTS', '${replicasKey}', ARGV[1]) == 1 or redis.call('HLEN', '${replicasKey}') < tonumber(ARGV[4]) then
  redis.call('HSET', '${replicasKey}', ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
end
redis.call('PEXPIRE', '${replicasKey}', ARGV[3])
return 1`;

/** ARGV: this gateway. */
const leave = script('LeaveReplica')`return redis.call('HDEL', '${replicasKey}', ARGV[1])`;

/** Says every ten seconds, and when Redis is back, what `describe` gives, until `close`. */
export function announceReplica(connection: RedisConnection, describe: () => ReplicaFacts): { close(): Promise<void> } {
  const calls = connection.calls();
  const self = randomUUID();
  let closed = false;
  const tell = (): void => {
    if (!closed) void calls.run(say, [replicasKey], [self, JSON.stringify(describe()), silentMs, most]);
  };
  const timer = setInterval(tell, sayMs).unref();
  connection.onReady(tell);
  tell();
  return {
    async close() {
      closed = true;
      clearInterval(timer);
      await calls.run(leave, [replicasKey], [self]);
    },
  };
}

const text = z.string().catch('?');

/** What another version says otherwise differs from everything that this one says. */
const facts: z.ZodType<ReplicaFacts> = z.object({
  version: text,
  revision: text,
  kids: z.array(z.string()).catch([]),
  publicUrl: text,
  service: text,
});

/** What was said, by gateway, as it lies in Redis; of those heard of within half a minute before `now` on its clock. */
export function readReplicas(stored: Readonly<Record<string, string>>, now: number): readonly ReplicaFacts[] {
  return Object.values(stored).flatMap((text) => {
    const [, said, json] = /^(\d+) (.*)$/s.exec(text) ?? [];
    if (json === undefined || Number(said) < now - silentMs) return [];
    try {
      const read = facts.safeParse(JSON.parse(json));
      return read.success ? [read.data] : [];
    } catch {
      return [];
    }
  });
}
