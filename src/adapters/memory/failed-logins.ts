/** Failed logins of one process: all there are without Redis. */
import type { FailedLogins } from '../../ports.ts';
import { maxWorst, turnMs } from '../limit-bounds.ts';
import { partsOf } from './login-names.ts';
import { LoginRecords } from './login-records.ts';

/** `now`: milliseconds on a clock that nobody sets. Of each kind `limit` records are kept. */
export function createMemoryFailedLogins(now: () => number, limit?: number): FailedLogins {
  const records = new LoginRecords(now, limit);
  return {
    look: (attempt) => Promise.resolve(records.look(attempt)),
    fail: (attempt) => Promise.resolve(records.fail(attempt)),
    succeed: (attempt) => Promise.resolve(records.succeed(attempt)),
    turn: (account, take) => Promise.resolve(records.turn(account, take, turnMs)),
    worst() {
      const worst = records
        .many()
        .toSorted((left, right) => left.failures.ageMs - right.failures.ageMs)
        .slice(0, maxWorst)
        .map(({ by, name, failures }) => ({ by, ...partsOf(by, name), failures }));
      return Promise.resolve({ ok: true, worst });
    },
  };
}
