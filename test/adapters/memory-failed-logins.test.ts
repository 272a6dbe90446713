import { describe, expect, test } from 'vitest';
import { createMemoryFailedLogins } from '../../src/adapters/memory/failed-logins.ts';
import { liveBytes } from '../support/heap.ts';
import { attemptOf, countsOf, describeFailedLogins, hour } from './failed-logins.contract.ts';

describe('failed logins in this process', () => {
  describeFailedLogins(() => {
    let now = 0;
    return Promise.resolve({
      failed: createMemoryFailedLogins(() => now),
      elapse(ms) {
        now += ms;
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    });
  });

  test('are forgotten a day after the last one, and a good login thirty days after', async () => {
    let now = 0;
    const failed = createMemoryFailedLogins(() => now);
    await failed.succeed(attemptOf('dana', 'right'));
    await failed.fail(attemptOf('dana', 'wrong'));
    now = 24 * hour - 1;
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([1, 1, 1]);
    now = 24 * hour;
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([0, 0, 0]);
    expect(await failed.look(attemptOf('dana', 'wrong'))).toMatchObject({ isKnownWrong: false, isKnownGood: true });
    now = 30 * 24 * hour;
    expect(await failed.look(attemptOf('dana', 'x'))).toMatchObject({ isKnownGood: false });
  });

  test('are bounded: of 100,000 names and addresses those that failed least recently are forgotten', async () => {
    const failed = createMemoryFailedLogins(() => 0, 1000);
    for (let n = 0; n < 100_000; n++) await failed.fail(attemptOf(`name-${n}`, 'p', `10.0.${n >> 8}.${n & 255}`));
    expect(await countsOf(failed, attemptOf('name-99999', 'x', '10.0.390.159'))).toEqual([1, 1, 1]);
    expect(await countsOf(failed, attemptOf('name-0', 'x', '10.0.0.0'))).toEqual([0, 0, 0]);
    expect(await countsOf(failed, attemptOf('name-98998', 'x', '10.0.386.182'))).toEqual([0, 0, 0]);
  });

  test('are listed a thousand at most', async () => {
    const failed = createMemoryFailedLogins(() => 0);
    for (let n = 0; n < 1100; n++) {
      for (let guess = 0; guess < 5; guess++) await failed.fail(attemptOf(`n${n}`, `g${guess}`, '192.0.2.1'));
    }
    const listed = await failed.worst();
    expect(listed.ok && listed.worst.length).toBe(1000);
  });

  test('hold names of bounded length, and nothing of the headers that they came in', async () => {
    const failed = createMemoryFailedLogins(() => 0);
    const before = liveBytes();
    for (let n = 0; n < 4000; n++) {
      const sent = Buffer.from(`${'u'.repeat(120)}${n}:${'p'.repeat(20_000)}`).toString();
      const forwarded = Buffer.from(`${'x'.repeat(20_000)},2001:db8:${n.toString(16)}:1::/64`).toString();
      const network = forwarded.slice(forwarded.indexOf(',') + 1);
      await failed.fail({ account: sent.slice(0, sent.indexOf(':')), network, fingerprint: 'f'.repeat(22) });
      await failed.fail({ account: `${sent}${n}`, network, fingerprint: 'f'.repeat(22) });
      await failed.succeed({ account: `${sent}good`, network, fingerprint: 'f'.repeat(22) });
    }
    expect((liveBytes() - before) / 4000).toBeLessThan(8000);
    expect(await countsOf(failed, attemptOf('u'.repeat(120) + '7', 'x', '2001:db8:7:1::/64'))).toEqual([1, 2, 1]);
  });
});
