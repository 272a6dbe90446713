/** What happens while Redis is being told of what it missed is not taken for told. Redis answers here when a test says so. */
import { expect, test } from 'vitest';
import { LoginRecords } from '../../src/adapters/memory/failed-logins.ts';
import type { Answer, RedisCalls } from '../../src/adapters/redis/connection.ts';
import { KnownBudgets } from '../../src/adapters/redis/rate-limiter.ts';
import { MissedLogins } from '../../src/adapters/redis/failed-logins.ts';
import { attemptOf } from './failed-logins.contract.ts';
import { budgetOf } from './rate-limiter.contract.ts';

interface Asked {
  readonly script: string;
  readonly values: readonly (string | number)[];
  readonly answer: (answer: Answer) => void;
}

/** Calls that wait for their answer, in order. */
function waiting(): { readonly asked: Asked[]; readonly calls: RedisCalls } {
  const asked: Asked[] = [];
  const run: RedisCalls['run'] = ({ name: script }, _keys, values = []) =>
    new Promise((answer) => void asked.push({ script, values, answer }));
  return { asked, calls: { run, isCut: () => false } };
}

const done: Answer = { ok: true, reply: 'OK' };

test('a budget that is charged while Redis is told of it is told again, as it is then', async () => {
  const { asked, calls } = waiting();
  const known = new KnownBudgets();
  const budget = budgetOf('dana', 3600, 20);
  const chargeAlone = (): void => {
    known.miss([budget]);
    known.charge([budget], 1);
  };
  chargeAlone();
  const told = known.tell(calls);
  chargeAlone();
  asked[0]?.answer(done);
  await Promise.resolve();
  await Promise.resolve();
  expect(known.isAhead, 'Redis knows of one only').toBe(true);
  await expect.poll(() => asked.length).toBe(2);
  asked[1]?.answer(done);
  expect(await told).toBe(true);
  expect(known.isAhead).toBe(false);
  const of = ({ values }: Asked): number => Math.round(Number(values[0]) / budget.intervalUs);
  expect(asked.map(of)).toEqual([1, 2]);
});

test('failed logins that Redis misses while it is told of others are not taken for told', async () => {
  const { asked, calls } = waiting();
  const local = new LoginRecords(() => 0);
  const missed = new MissedLogins(calls, local);
  const answerAll = async (): Promise<void> => {
    for (let next = 0, idle = 0; idle < 20; idle++) {
      for (; next < asked.length; next++, idle = 0) asked[next]?.answer(done);
      await Promise.resolve();
    }
  };
  local.fail(attemptOf('dana', 'guess'), 9);
  missed.miss();
  missed.tellNow();
  local.fail(attemptOf('rita', 'guess'), 9);
  missed.miss();
  await answerAll();
  expect(missed.isAhead, 'Redis may know of one only').toBe(true);
  missed.tellNow();
  await answerAll();
  expect(missed.isAhead).toBe(false);
});
