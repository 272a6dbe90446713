/**
 * Failed logins in Redis, for any number of gateways. While it is away this process goes on with what it knows, and counts
 * each failure once for every gateway known. When Redis is back, it is told of whoever had failed often.
 */
import type { FailedBy, FailedLogins, LoginRecord } from '../../ports.ts';
import { turnMs } from '../limit-bounds.ts';
import { failedBy, ofEach, recordName } from '../memory/login-names.ts';
import { LoginRecords } from '../memory/login-records.ts';
import { unavailable } from '../session-limits.ts';
import type { RedisConnection } from './connection.ts';
import { worstKey } from './keys.ts';
import { countFailure, forgiveFailures, listFailures, lookFailures, rememberGood, takeTurn } from './login-scripts.ts';
import { MissedLogins } from './missed-logins.ts';
import { goodKey, keysOf, labelOf, readRecord, readWorst, turnKey } from './stored-logins.ts';

/** Never rejects: without Redis the answers are of this process. `gateways`: how many there are, as far as is known. */
export function createRedisFailedLogins(
  connection: Pick<RedisConnection, 'calls' | 'onReady'>,
  gateways: () => number,
): FailedLogins {
  const calls = connection.calls();
  const local = new LoginRecords(() => performance.now());
  const missed = new MissedLogins(calls, local);
  connection.onReady(() => {
    missed.miss();
    missed.tellNow();
  });

  return {
    async look(attempt) {
      const answer = await calls.run(lookFailures, keysOf(attempt), [attempt.fingerprint]);
      const record = readRecord(answer);
      const known = local.look(attempt);
      if (record === undefined) {
        missed.miss();
        return known;
      }
      if (known.isKnownGood && !record.isKnownGood) {
        // Redis has lost it, or will be told of a login soon.
        await calls.run(rememberGood, [goodKey(recordName(attempt, 'pair'))], [local.goodMs(attempt)]);
      }
      if (!missed.isAhead) {
        local.learn(attempt, record, record.goodMs);
        return { ...record, isKnownGood: record.isKnownGood || known.isKnownGood };
      }
      missed.tellNow();
      return missed.isUnforgiven(attempt) ? known : worse(record, known);
    },

    async fail(attempt) {
      const labels = failedBy.map((by) => labelOf(by, attempt));
      const answer = await calls.run(countFailure, keysOf(attempt), [attempt.fingerprint, ...labels]);
      local.fail(attempt, answer.ok ? 1 : gateways());
      if (!answer.ok) missed.miss();
    },

    async succeed(attempt) {
      local.succeed(attempt);
      if (!(await calls.run(forgiveFailures, keysOf(attempt))).ok) missed.missLogin(attempt);
    },

    async turn(account, take) {
      const answer = await calls.run(takeTurn, [turnKey(account)], [take ? 1 : 0]);
      return answer.ok ? Number(answer.reply) : local.turn(account, take, turnMs * gateways());
    },

    async worst() {
      const worst = readWorst(await calls.run(listFailures, [worstKey]));
      return worst === undefined ? unavailable : { ok: true, worst };
    },
  };
}

/** What two records of one attempt say together: it holds back as long as either, or longer. */
function worse(left: LoginRecord, right: LoginRecord): LoginRecord {
  const of = (by: FailedBy): LoginRecord['failures'][FailedBy] => {
    const [one, other] = [left.failures[by], right.failures[by]];
    if (one.count === 0 || other.count === 0) return one.count === 0 ? other : one;
    return { count: Math.max(one.count, other.count), ageMs: Math.min(one.ageMs, other.ageMs) };
  };
  return {
    failures: ofEach(of),
    isKnownGood: left.isKnownGood || right.isKnownGood,
    isKnownWrong: left.isKnownWrong || right.isKnownWrong,
  };
}
