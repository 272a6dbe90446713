/**
 * Failed logins in Redis, for any number of gateways. While it is away this process goes on with what it knows, and counts
 * each failure once for every gateway known. When Redis is back, it is told of whoever had failed often.
 */
import type { FailedBy, FailedLogins, LoginAttempt, LoginRecord } from '../../ports.ts';
import { createMemoryFailedLogins, failedBy, isSite, partsOf, recordName } from '../memory/failed-logins.ts';
import { clientSite } from '../../limits/client-network.ts';
import { maxListedName, turnMs } from '../limit-bounds.ts';
import type { RedisConnection } from './connection.ts';
import { loginsPrefix, nameKey, worstKey } from './keys.ts';
import {
  countFailure,
  forgiveFailures,
  listFailures,
  lookFailures,
  raiseFailures,
  rememberGood,
  takeTurn,
} from './login-scripts.ts';
import { createTelling } from './telling.ts';

export interface RedisFailedLoginsOptions {
  /** How many gateways there are, as far as is known. */
  readonly gateways: () => number;
}

const raisedAtOnce = 300;
/** Logins of which Redis is told when it is back; beyond them the first are not. */
const maxUnforgiven = 10_000;

/** Never rejects: without Redis the answers are of this process. */
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
  /** Logins that Redis missed, by the name of their pair. */
  const unforgiven = new Map<string, LoginAttempt>();
  const telling = createTelling(raise);

  function miss(): void {
    isAhead = true;
    misses += 1;
    telling.soon();
  }

  async function raise(): Promise<boolean> {
    if (!isAhead) return true;
    const missed = misses;
    for (const [name, attempt] of unforgiven) {
      if (!(await calls.run(forgiveFailures, keysOf(attempt))).ok) return false;
      unforgiven.delete(name);
    }
    const many = local.many();
    for (const [index, by] of failedBy.entries()) {
      const ofKind = many.filter((record) => record.by === by);
      for (let begin = 0; begin < ofKind.length; begin += raisedAtOnce) {
        const part = ofKind.slice(begin, begin + raisedAtOnce);
        const keys = part.flatMap(({ name }) => [recordKey(by, name), ...(by === 'pair' ? [goodKey(name)] : [])]);
        const values = part.flatMap(({ name, failures: { count, ageMs } }) => {
          const { account = '', network = '' } = partsOf(by, name);
          return [count, Math.floor(ageMs), labelOf(by, { account, network })];
        });
        if (!(await calls.run(raiseFailures, keys, [index + 1, ...values])).ok) return false;
      }
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
      const known = local.lookNow(attempt);
      if (record === undefined) {
        miss();
        return known;
      }
      if (known.isKnownGood && !record.isKnownGood) {
        // Redis has lost it, or will be told of a login soon.
        await calls.run(rememberGood, [goodKey(recordName(attempt, 'pair'))], [local.goodMs(attempt)]);
      }
      if (!isAhead) {
        local.learn(attempt, record, record.goodMs);
        return { ...record, isKnownGood: record.isKnownGood || known.isKnownGood };
      }
      telling.now();
      return unforgiven.has(recordName(attempt, 'pair')) ? known : worse(record, known);
    },

    async fail(attempt) {
      const labels = failedBy.map((by) => labelOf(by, attempt));
      const answer = await calls.run(countFailure, keysOf(attempt), [attempt.fingerprint, ...labels]);
      local.failNow(attempt, answer.ok ? 1 : gateways());
      if (!answer.ok) miss();
    },

    async succeed(attempt) {
      local.succeedNow(attempt);
      const answer = await calls.run(forgiveFailures, keysOf(attempt));
      if (answer.ok) return;
      unforgiven.set(recordName(attempt, 'pair'), attempt);
      const [oldest] = unforgiven.keys();
      if (unforgiven.size > maxUnforgiven && oldest !== undefined) unforgiven.delete(oldest);
      miss();
    },

    async turn(account, take) {
      const name = recordName({ account, network: '', fingerprint: '' }, 'account');
      const answer = await calls.run(takeTurn, [`${loginsPrefix}turn:${nameKey(name)}`], [take ? 1 : 0]);
      return answer.ok ? Number(answer.reply) : local.turnNow(account, take, turnMs * gateways());
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
  return [...keys, goodKey(recordName(attempt, 'pair'))];
}

function goodKey(pair: string): string {
  return `${loginsPrefix}good:${nameKey(pair)}`;
}

/** In clear, for people; what a client sent is cut. */
function labelOf(by: FailedBy, { account, network }: Pick<LoginAttempt, 'account' | 'network'>): string {
  if (by === 'site' && !isSite(clientSite(network))) return '';
  return recordName({ account: account.slice(0, maxListedName), network, fingerprint: '' }, by);
}

function readRecord(reply: unknown): (LoginRecord & { readonly goodMs: number }) | undefined {
  if (!Array.isArray(reply) || reply.length !== 10) return undefined;
  const numbers = reply.map(Number);
  const failures = (at: number): LoginRecord['failures']['pair'] => ({
    count: numbers[at] ?? 0,
    ageMs: numbers[at + 1] ?? 0,
  });
  return {
    failures: { pair: failures(0), network: failures(2), site: failures(4), account: failures(6) },
    isKnownGood: numbers[8] !== 0,
    goodMs: numbers[8] ?? 0,
    isKnownWrong: numbers[9] === 1,
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
    failures: { pair: of('pair'), network: of('network'), site: of('site'), account: of('account') },
    isKnownGood: left.isKnownGood || right.isKnownGood,
    isKnownWrong: left.isKnownWrong || right.isKnownWrong,
  };
}
