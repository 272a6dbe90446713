/** What every record of robots' uses promises. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RobotUses } from '../../src/ports.ts';

export interface RobotUsesUnderTest {
  readonly uses: RobotUses & { close(): Promise<void> };
  /** The same record, seen by a process that begins now. */
  readonly reopen: () => Promise<RobotUses>;
}

export const now = Date.UTC(2025, 10, 23, 12);

export function describeRobotUses(open: () => Promise<RobotUsesUnderTest>): void {
  describe('as every other', () => {
    let under: RobotUsesUnderTest;
    beforeEach(async () => {
      under = await open();
    });
    afterEach(() => under.uses.close());

    test('a use is known at once where it was marked', async () => {
      under.uses.mark('k3v9', now);
      expect(await under.uses.lastUsed(['k3v9', 'never'])).toEqual(new Map([['k3v9', now]]));
    });

    test('the latest use counts, whichever is marked last', async () => {
      for (const time of [now, now + 5, now + 1]) under.uses.mark('k3v9', time);
      expect(await under.uses.lastUsed(['k3v9'])).toEqual(new Map([['k3v9', now + 5]]));
    });

    test('uses survive the process', async () => {
      under.uses.mark('k3v9', now);
      under.uses.mark('x'.repeat(10_000), now + 1);
      under.uses.mark('a\u0000b', now + 2);
      under.uses.mark('__proto__', now + 3);
      await under.uses.close();
      const again = await under.reopen();
      expect(await again.lastUsed(['k3v9', 'x'.repeat(10_000), 'a\u0000b', '__proto__', 'constructor'])).toEqual(
        new Map([
          ['k3v9', now],
          ['x'.repeat(10_000), now + 1],
          ['a\u0000b', now + 2],
          ['__proto__', now + 3],
        ]),
      );
    });

    test('thousands of secrets are marked and read', async () => {
      const ids = Array.from({ length: 2500 }, (_, number) => `token-${number}`);
      for (const id of ids) under.uses.mark(id, now);
      await under.uses.close();
      expect((await (await under.reopen()).lastUsed(ids)).size).toBe(2500);
    });

    test('nothing asked is nothing answered', async () => {
      expect(await under.uses.lastUsed([])).toEqual(new Map());
    });
  });
}
