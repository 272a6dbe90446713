import { describe, expect, test } from 'vitest';
import { createRecent } from '../../src/adapters/memory/recent.ts';
import type { AuditRecord } from '../../src/ports.ts';
import { liveBytes } from '../support/heap.ts';

const now = Date.UTC(2026, 10, 26, 12);
const hour = 3_600_000;
const record = (more: Partial<AuditRecord> = {}): AuditRecord => ({
  event: 'access',
  decision: 'allow',
  reason: 'rule_allows',
  ...more,
});

describe('what was decided lately', () => {
  test('is told the latest first, at most as many as asked for, and only what is wanted', () => {
    const recent = createRecent(() => now);
    for (let at = 0; at < 10; at++)
      recent.note(record({ reason: `r${at}`, account: at % 2 ? 'odd' : 'even' }), now + at);
    const reasons = (wish: Parameters<typeof recent.list>[0]): readonly string[] =>
      recent.list(wish).map((each) => each.record.reason);
    expect(reasons({ limit: 3 })).toEqual(['r9', 'r8', 'r7']);
    expect(reasons({ limit: 2, matches: ({ account }) => account === 'even' })).toEqual(['r8', 'r6']);
  });

  test('goes on behind one, and goes back ahead of one', () => {
    const recent = createRecent(() => now);
    for (let at = 0; at < 5; at++) recent.note(record({ reason: `r${at}` }), now);
    const [, , middle] = recent.list({ limit: 5 });
    const reasons = (wish: { after?: number | undefined; before?: number | undefined }): readonly string[] =>
      recent.list({ limit: 5, ...wish }).map((each) => each.record.reason);
    expect(reasons({ after: middle?.number })).toEqual(['r4', 'r3']);
    expect(reasons({ before: middle?.number })).toEqual(['r1', 'r0']);
  });

  test('is numbered so that numbers grow, also when the clock is set back, and say nothing of what lies between', () => {
    const recent = createRecent(() => now);
    recent.note(record(), now);
    for (let one = 0; one < 400; one++) recent.note(record(), now + 500);
    recent.note(record(), now + 1000);
    recent.note(record(), now - hour);
    const numbers = recent.list({ limit: 500 }).map(({ number }) => number);
    expect(numbers).toEqual(numbers.toSorted((left, right) => right - left));
    const [, last = 0] = numbers;
    expect(last - (numbers.at(-1) ?? 0)).toBe(1_000_000);
  });

  test('is forgotten after a day, and when more came than there is room for', () => {
    let clock = now;
    const recent = createRecent(() => clock, 100);
    for (let at = 0; at < 250; at++) recent.note(record({ reason: `r${at}` }), now + at);
    expect(recent.list({ limit: 1000 }).map((each) => each.record.reason)).toEqual(
      Array.from({ length: 100 }, (_, back) => `r${249 - back}`),
    );
    clock = now + 24 * hour + 200;
    expect(recent.list({ limit: 1000 })).toHaveLength(50);
    clock = now + 25 * hour;
    expect(recent.list({ limit: 1000 })).toEqual([]);
  });

  test('says from when on nothing is missing in it: the start, what had to make room, a day', () => {
    let clock = now;
    const recent = createRecent(() => clock, 100);
    for (let at = 1; at <= 100; at++) recent.note(record(), now + at);
    expect(recent.since()).toBe(now);
    for (let at = 101; at <= 150; at++) recent.note(record(), now + at);
    expect(recent.since()).toBe(now + 50);
    clock = now + 25 * hour;
    expect(recent.since()).toBe(now + hour);
  });

  test('is without the claims and groups of people, and without what is no field of a record', () => {
    const recent = createRecent(() => now);
    const whole = { ...record({ claims: { sub: 'x' }, groups: ['ldap:a'], issuer: 'https://i' }), password: 'CANARY' };
    recent.note(whole, now);
    expect(JSON.stringify(recent.list({ limit: 1 }))).not.toMatch(/claims|groups|issuer|CANARY/);
  });

  test('takes little memory, whatever texts come and whatever they were cut from', () => {
    const recent = createRecent(() => now);
    const before = liveBytes();
    for (let one = 0; one < 5000; one++) {
      const request = `${one} ${'x'.repeat(65_000)}`;
      recent.note(record({ repository: request.slice(10, 60), userAgent: request, account: request.slice(9) }), now);
    }
    const grown = liveBytes() - before;
    expect(recent.list({ limit: 1 })[0]?.record.userAgent).toHaveLength(256);
    // Whole requests would be 325 MB and more.
    expect(grown).toBeLessThan(100e6);
  });
});
