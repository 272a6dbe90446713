/**
 * Failed logins in Redis, for any number of gateways. While it is away this process goes on with what it knows, and counts
 * each failure once for every gateway known. When Redis is back, it is told of whoever had failed often.
 */
import type { FailedBy, FailedLogins, LoginAttempt, LoginRecord } from '../../ports.ts';
import { createMemoryFailedLogins, failedBy, partsOf, recordName } from '../memory/failed-logins.ts';
import { maxListedName } from '../limit-bounds.ts';
import type { RedisConnection } from './connection.ts';
import { loginsPrefix, nameKey, worstKey } from './keys.ts';
import { countFailure, forgiveFailures, listFailures, lookFailures, raiseFailures } from './login-scripts.ts';
import { createTelling } from './telling.ts';

export interface RedisFailedLoginsOptions {
  /** How many gateways there are, as far as is known. */
  readonly gateways: () => number;
}

const raisedAtOnce = 300;

export function createRedisFailedLogins(
  connection: Pick<RedisConnection, 'calls' | 'onReady'>,
  { gateways }: RedisFailedLoginsOptions,
): FailedLogins {
  const calls = connection.calls();
  const local = createMemoryFailedLogins(() => performance.now());
  /** Redis may know less than this process. */
  let isAhead = false;
  /** How often this process noticed that. */
  let misses = 0;
  const telling = createTelling(raise);

  function miss(): void {
    isAhead = true;
    misses += 1;
    telling.soon();
  }

  async function raise(): Promise<boolean> {
    if (!isAhead) return true;
    const missed = misses;
    const many = local.many();
    for (let begin = 0; begin < many.length; begin += raisedAtOnce) {
      const part = many.slice(begin, begin + raisedAtOnce);
      const keys = part.map(({ by, name }) => recordKey(by, name));
      const values = part.flatMap(({ failures }) => [failures.count, Math.floor(failures.ageMs)]);
      if (!(await calls.run(raiseFailures, keys, values)).ok) return false;
    }
    if (misses !== missed) return false;
    isAhead = false;
    return true;
  }

  connection.onReady(() => {
    miss();
    telling.now();
  });

  return {
    async look(attempt) {
      const answer = await calls.run(lookFailures, keysOf(attempt), [attempt.fingerprint]);
      const record = answer.ok ? readRecord(answer.reply) : undefined;
      if (record === undefined) {
        miss();
        return local.lookNow(attempt);
      }
      if (!isAhead) {
        local.learn(attempt, record);
        return record;
      }
      telling.now();
      return worse(record, local.lookNow(attempt));
    },

    async fail(attempt) {
      const labels = failedBy.map((by) => labelOf(by, attempt));
      const answer = await calls.run(countFailure, keysOf(attempt), [attempt.fingerprint, ...labels]);
      local.failNow(attempt, answer.ok ? 1 : gateways());
      if (!answer.ok) miss();
    },

    async succeed(attempt) {
      local.succeedNow(attempt);
      await calls.run(forgiveFailures, keysOf(attempt));
    },

    async worst() {
      const answer = await calls.run(listFailures, [worstKey]);
      if (!answer.ok || !Array.isArray(answer.reply)) return { ok: false, reason: 'unavailable' };
      const flat: readonly unknown[] = answer.reply;
      const worst = [];
      for (let at = 0; at + 3 < flat.length; at += 4) {
        const by = failedBy.find((each) => each === flat[at]);
        if (by === undefined) continue;
        const failures = { count: Number(flat[at + 2]), ageMs: Number(flat[at + 3]) };
        worst.push({ by, ...partsOf(by, String(flat[at + 1])), failures });
      }
      return { ok: true, worst };
    },
  };
}

function recordKey(by: FailedBy, name: string): string {
  return `${loginsPrefix}${by}:${nameKey(name)}`;
}

function keysOf(attempt: LoginAttempt): readonly string[] {
  const keys = failedBy.map((by) => recordKey(by, recordName(attempt, by)));
  return [...keys, `${loginsPrefix}good:${nameKey(recordName(attempt, 'pair'))}`];
}

/** In clear, for people; what a client sent is cut. */
function labelOf(by: FailedBy, { account, network, fingerprint }: LoginAttempt): string {
  return recordName({ account: account.slice(0, maxListedName), network, fingerprint }, by);
}

function readRecord(reply: unknown): LoginRecord | undefined {
  if (!Array.isArray(reply) || reply.length !== 8) return undefined;
  const numbers = reply.map(Number);
  const failures = (at: number): LoginRecord['failures']['pair'] => ({
    count: numbers[at] ?? 0,
    ageMs: numbers[at + 1] ?? 0,
  });
  return {
    failures: { pair: failures(0), network: failures(2), account: failures(4) },
    isKnownGood: numbers[6] === 1,
    isKnownWrong: numbers[7] === 1,
  };
}

/** Of two records of one attempt, the one that holds back longer, kind by kind. */
function worse(left: LoginRecord, right: LoginRecord): LoginRecord {
  const of = (by: FailedBy): LoginRecord['failures'][FailedBy] =>
    left.failures[by].count >= right.failures[by].count ? left.failures[by] : right.failures[by];
  return {
    failures: { pair: of('pair'), network: of('network'), account: of('account') },
    isKnownGood: left.isKnownGood || right.isKnownGood,
    isKnownWrong: left.isKnownWrong || right.isKnownWrong,
  };
}
