/**
 * Failed logins in Redis, for any number of gateways. While it is away this process goes on with what it knows, and counts
 * each failure once for every gateway known. When Redis is back, it is told of whoever had failed often.
 */
import type { FailedBy, FailedLogins, LoginAttempt, LoginRecord } from '../../ports.ts';
import { maxListedName, turnMs, unavailable } from '../bounds.ts';
import { LoginRecords, failedBy, isSite, ofEach, partsOf, recordName } from '../memory/failed-logins.ts';
import { type Answer, type RedisCalls, type RedisConnection, listOf } from './connection.ts';
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
import { Runs, batches } from '../runs.ts';
import { Recent } from '../recent.ts';
import { clientSite } from '../../limits/client-network.ts';

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

const raisedAtOnce = 300;
/** Something was missed, and nobody knows when the next call comes. */
const retellMs = 1000;
/** Logins of which Redis is told when it is back; beyond them the first are not. */
const maxUnforgiven = 10_000;

export class MissedLogins {
  readonly #calls: RedisCalls;
  readonly #local: LoginRecords;
  readonly #telling = new Runs(async () => ((await this.#tell()) ? undefined : retellMs));
  #isAhead = false;
  /** How often this process noticed that. */
  #misses = 0;
  /** Logins that Redis missed, by the name of their pair. */
  readonly #unforgiven = new Recent<LoginAttempt>(maxUnforgiven);

  constructor(calls: RedisCalls, local: LoginRecords) {
    this.#calls = calls;
    this.#local = local;
  }

  /** Redis may know less than this process. */
  get isAhead(): boolean {
    return this.#isAhead;
  }

  /** Whether Redis has yet to hear that this login was good. */
  isUnforgiven(attempt: LoginAttempt): boolean {
    return this.#unforgiven.has(recordName(attempt, 'pair'));
  }

  miss(): void {
    this.#isAhead = true;
    this.#misses += 1;
    this.#telling.soon(retellMs);
  }

  missLogin(attempt: LoginAttempt): void {
    this.#unforgiven.set(recordName(attempt, 'pair'), attempt);
    this.miss();
  }

  tellNow(): void {
    void this.#telling.now();
  }

  async #tell(): Promise<boolean> {
    const misses = this.#misses;
    const isTold = !this.#isAhead || ((await this.#tellLogins()) && (await this.#tellFailures()));
    if (isTold && this.#misses === misses) this.#isAhead = false;
    return !this.#isAhead;
  }

  async #tellLogins(): Promise<boolean> {
    for (const [name, attempt] of this.#unforgiven.entries()) {
      if (!(await this.#calls.run(forgiveFailures, keysOf(attempt))).ok) return false;
      this.#unforgiven.delete(name);
    }
    return true;
  }

  async #tellFailures(): Promise<boolean> {
    const many = this.#local.many();
    for (const [index, by] of failedBy.entries()) {
      const ofKind = many.filter((record) => record.by === by);
      for (const part of batches(ofKind, raisedAtOnce)) {
        const keys = part.flatMap(({ name }) => [recordKey(by, name), ...(by === 'pair' ? [goodKey(name)] : [])]);
        const values = part.flatMap(({ name, failures: { count, ageMs } }) => {
          const { account = '', network = '' } = partsOf(by, name);
          return [count, Math.floor(ageMs), labelOf(by, { account, network })];
        });
        if (!(await this.#calls.run(raiseFailures, keys, [index + 1, ...values])).ok) return false;
      }
    }
    return true;
  }
}

/** Of the record that is called `name`. */
function recordKey(by: FailedBy, name: string): string {
  return `${loginsPrefix}${by}:${nameKey(name)}`;
}

/** Of the good logins of an account at a network; `pair`: the name of their record. */
function goodKey(pair: string): string {
  return `${loginsPrefix}good:${nameKey(pair)}`;
}

/** Of the turns to try an account that is under attack. */
function turnKey(account: string): string {
  return `${loginsPrefix}turn:${nameKey(recordName({ account, network: '' }, 'account'))}`;
}

/** As scripts take them: pair, network, site, account, good. */
function keysOf(attempt: LoginAttempt): readonly string[] {
  return [...failedBy.map((by) => recordKey(by, recordName(attempt, by))), goodKey(recordName(attempt, 'pair'))];
}

/** In clear, for people; what a client sent is cut. Empty for what is not listed. */
function labelOf(by: FailedBy, { account, network }: Pick<LoginAttempt, 'account' | 'network'>): string {
  if (by === 'site' && !isSite(clientSite(network))) return '';
  return recordName({ account: account.slice(0, maxListedName), network }, by);
}

/** The answer of `lookFailures`; `goodMs`: for how long more the account is known at its network. Undefined for anything else. */
function readRecord(answer: Answer): (LoginRecord & { readonly goodMs: number }) | undefined {
  const numbers = listOf(answer)?.map(Number);
  if (numbers?.length !== 10) return undefined;
  const [goodMs = 0, isKnownWrong] = numbers.slice(8);
  return {
    failures: ofEach((by) => {
      const at = 2 * failedBy.indexOf(by);
      return { count: numbers[at] ?? 0, ageMs: numbers[at + 1] ?? 0 };
    }),
    isKnownGood: goodMs !== 0,
    goodMs,
    isKnownWrong: isKnownWrong === 1,
  };
}

/** The answer of `listFailures`; undefined where there is none. */
function readWorst(answer: Answer): Worst | undefined {
  const flat = listOf(answer);
  return flat?.flatMap((kind, at) => {
    const by = at % 4 === 0 ? failedBy.find((each) => each === kind) : undefined;
    if (by === undefined) return [];
    const failures = { count: Number(flat[at + 2]), ageMs: Number(flat[at + 3]) };
    return [{ by, ...partsOf(by, String(flat[at + 1])), failures }];
  });
}

type Worst = Extract<Awaited<ReturnType<FailedLogins['worst']>>, { readonly ok: true }>['worst'];
