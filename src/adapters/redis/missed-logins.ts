/** What Redis missed of failed and good logins while it was away, until it has been told. */
import type { LoginAttempt } from '../../ports.ts';
import { batches } from '../batches.ts';
import { failedBy, partsOf, recordName } from '../memory/login-names.ts';
import type { LoginRecords } from '../memory/login-records.ts';
import { Recent } from '../recent.ts';
import type { RedisCalls } from './connection.ts';
import { forgiveFailures, raiseFailures } from './login-scripts.ts';
import { Runs } from '../runs.ts';
import { goodKey, keysOf, labelOf, recordKey } from './stored-logins.ts';

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
