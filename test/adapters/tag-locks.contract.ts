/** What every implementation of tag locks promises. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TagLocks } from '../../src/ports.ts';
import { waited } from '../support/loop-time.ts';

export interface TagLocksUnderTest {
  /** One for each process that writes; at least one. */
  readonly processes: readonly TagLocks[];
  readonly close: () => Promise<void>;
}

interface Gate {
  readonly opened: Promise<void>;
  readonly open: () => void;
}

export function createGate(): Gate {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

const patient = 10_000;

export function describeTagLocks(start: () => Promise<TagLocksUnderTest>): void {
  describe('as every other', () => {
    let under: TagLocksUnderTest;
    let locks: TagLocks;
    let other: TagLocks;
    beforeEach(async () => {
      under = await start();
      const [first, second = first] = under.processes;
      if (first === undefined || second === undefined) throw new Error('no process');
      [locks, other] = [first, second];
    });
    afterEach(() => under.close());

    test('run the task and give back its result', async () => {
      expect(await locks.withTags('team/app', ['v1'], patient, () => Promise.resolve(7))).toEqual({
        ok: true,
        value: 7,
      });
    });

    test('run a task that names no tag', async () => {
      expect(await locks.withTags('team/app', [], 0, () => Promise.resolve(7))).toEqual({ ok: true, value: 7 });
    });

    test('take the same tag named twice once', async () => {
      expect(await locks.withTags('team/app', ['v1', 'v1'], patient, () => Promise.resolve(7))).toMatchObject({
        ok: true,
      });
      expect(await locks.withTags('team/app', ['v1'], patient, () => Promise.resolve(7))).toMatchObject({ ok: true });
    });

    test('let a task that throws throw, and free its tags', async () => {
      const broken = new Error('broken');
      await expect(locks.withTags('team/app', ['v1'], patient, () => Promise.reject(broken))).rejects.toBe(broken);
      expect(await other.withTags('team/app', ['v1'], patient, () => Promise.resolve(1))).toMatchObject({ ok: true });
    });

    test('keep two writers of one tag apart', async () => {
      const gate = createGate();
      const order: string[] = [];
      const holding = createGate();
      const first = locks.withTags('team/app', ['v1'], patient, async () => {
        holding.open();
        await gate.opened;
        order.push('first');
      });
      await holding.opened;
      const second = other.withTags('team/app', ['v1'], patient, () => Promise.resolve(order.push('second')));
      gate.open();
      await Promise.all([first, second]);
      expect(order).toEqual(['first', 'second']);
    });

    test('do not let the task run when its turn does not come in time', async () => {
      const gate = createGate();
      const holding = createGate();
      const first = locks.withTags('team/app', ['v1'], patient, () => {
        holding.open();
        return gate.opened;
      });
      await holding.opened;
      let ran = false;
      const { value: outcomes, ms } = await waited(() =>
        Promise.all(
          [locks, other].map((process) =>
            process.withTags('team/app', ['v0', 'v1'], 150, () => Promise.resolve((ran = true))),
          ),
        ),
      );
      expect(ms).toBeLessThan(2000);
      expect(outcomes).toEqual([
        { ok: false, reason: 'busy' },
        { ok: false, reason: 'busy' },
      ]);
      expect(ran).toBe(false);
      // Those who gave up did not open the way for whoever comes next.
      expect(await locks.withTags('team/app', ['v1'], 0, () => Promise.resolve((ran = true)))).toEqual({
        ok: false,
        reason: 'busy',
      });
      expect(ran).toBe(false);
      gate.open();
      await first;
      expect(await other.withTags('team/app', ['v0', 'v1'], patient, () => Promise.resolve(1))).toMatchObject({
        ok: true,
      });
    });

    test('do not make other tags and other repositories wait', async () => {
      const gate = createGate();
      const holding = createGate();
      const first = locks.withTags('team/app', ['v1'], patient, () => {
        holding.open();
        return gate.opened;
      });
      await holding.opened;
      for (const [repository, tag] of [
        ['team/app', 'v2'],
        ['team/app2', 'v1'],
        ['team/app:v1', ''],
        ['team', 'app:v1'],
      ] as const)
        expect(await other.withTags(repository, [tag], 0, () => Promise.resolve(1))).toMatchObject({ ok: true });
      gate.open();
      await first;
    });

    test('never deadlock writers of several tags in different orders', async () => {
      let inside = 0;
      let most = 0;
      const outcomes = await Promise.all(
        Array.from({ length: 24 }, (_, number) =>
          (number % 2 === 0 ? locks : other).withTags(
            'team/app',
            number % 3 === 0 ? ['a', 'b', 'shared'] : ['shared', 'b', 'a'],
            patient,
            async () => {
              inside += 1;
              most = Math.max(most, inside);
              await new Promise((resolve) => setImmediate(resolve));
              inside -= 1;
            },
          ),
        ),
      );
      expect(outcomes.every(({ ok }) => ok)).toBe(true);
      expect(most).toBe(1);
    });

    test('keep many writers of one tag apart and give each its turn', async () => {
      let inside = 0;
      let most = 0;
      let created = 0;
      const outcomes = await Promise.all(
        Array.from({ length: 30 }, (_, number) =>
          (number % 2 === 0 ? locks : other).withTags('team/app', ['v1'], patient, async () => {
            inside += 1;
            most = Math.max(most, inside);
            const missing = created === 0;
            await new Promise((resolve) => setImmediate(resolve));
            if (missing) created += 1;
            inside -= 1;
          }),
        ),
      );
      expect(outcomes.every(({ ok }) => ok)).toBe(true);
      expect({ most, created }).toEqual({ most: 1, created: 1 });
    });

    test.each([
      ['10 kB', 'x'.repeat(10_000)],
      ['NULs', 'a\u0000b'],
      ['braces', '{a}{b}'],
      ['nothing', ''],
    ])('take names of %s', async (_, name) => {
      expect(await locks.withTags(name, [name, 'v1'], patient, () => Promise.resolve(1))).toMatchObject({ ok: true });
    });
  });
}
