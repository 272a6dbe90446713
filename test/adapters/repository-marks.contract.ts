/** What every implementation of marks of repositories promises. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RepositoryMarks } from '../../src/ports.ts';
import { eventually } from '../support/eventually.ts';

export interface MarksUnderTest {
  /** One for each process, at least one; a write whose end nobody saw goes on for a second. */
  readonly processes: readonly RepositoryMarks[];
  readonly close: () => Promise<void>;
}

export function describeRepositoryMarks(start: () => Promise<MarksUnderTest>): void {
  describe('as every other', () => {
    let under: MarksUnderTest;
    let marks: RepositoryMarks;
    let other: RepositoryMarks;
    beforeEach(async () => {
      under = await start();
      const [first, second = first] = under.processes;
      if (first === undefined || second === undefined) throw new Error('no process');
      [marks, other] = [first, second];
    });
    afterEach(() => under.close());

    /** The same everywhere. */
    const now = async (repository: string): Promise<unknown> => {
      const [here, there] = [await marks.read(repository), await other.read(repository)];
      expect(there).toEqual(here);
      return here;
    };

    test('give a repository a mark that stays until something is written to it', async () => {
      const mark = await now('team/app');
      expect(mark).toMatch(/^[0-9a-f-]{36}$/);
      expect(await Promise.all([marks.read('team/app'), other.read('team/app'), marks.read('team/app')])).toEqual([
        mark,
        mark,
        mark,
      ]);
      await marks.around('team/other', () => Promise.resolve());
      expect(await now('team/app')).toBe(mark);
    });

    test('give none while something is written, and a new one after it', async () => {
      const before = await now('team/app');
      expect(
        await marks.around('team/app', async () => {
          expect(await now('team/app')).toBeUndefined();
          return 7;
        }),
      ).toEqual({ ok: true, value: 7 });
      const after = await now('team/app');
      expect(after).toMatch(/^[0-9a-f-]{36}$/);
      expect(after).not.toBe(before);
    });

    test('give a new one also after a write that throws, and let it throw', async () => {
      const before = await now('team/app');
      const broken = new Error('broken');
      await expect(marks.around('team/app', () => Promise.reject(broken))).rejects.toBe(broken);
      const after = await now('team/app');
      expect(after).toMatch(/^[0-9a-f-]{36}$/);
      expect(after).not.toBe(before);
    });

    test('give none for a while after a write that may go on unseen, and then a new one', async () => {
      const before = await now('team/app');
      for (const process of [marks, other]) {
        const written = await process.around(
          'team/app',
          () => Promise.resolve('cut'),
          (how) => how !== 'cut',
        );
        expect(written).toEqual({ ok: true, value: 'cut' });
      }
      expect(await now('team/app')).toBeUndefined();
      await marks.around('team/app', () => Promise.resolve());
      expect(await now('team/app')).toBeUndefined();
      await eventually('there is one again', async () => (await now('team/app')) !== undefined);
      expect(await now('team/app')).not.toBe(before);
    });

    test('give none until the last of several writers has ended', async () => {
      let end: () => void = () => {};
      const ended = new Promise<void>((resolve) => (end = resolve));
      let began: () => void = () => {};
      const beginning = new Promise<void>((resolve) => (began = resolve));
      const long = marks.around('team/app', () => {
        began();
        return ended;
      });
      await beginning;
      await other.around('team/app', () => Promise.resolve());
      await marks.around('team/app', () => Promise.resolve());
      expect(await now('team/app')).toBeUndefined();
      end();
      await long;
      expect(await now('team/app')).toMatch(/^[0-9a-f-]{36}$/);
    });

    test('never give a mark again', async () => {
      const seen = new Set<unknown>();
      for (let count = 0; count < 20; count++) {
        seen.add(await now('team/app'));
        await (count % 2 === 0 ? marks : other).around('team/app', () => Promise.resolve());
      }
      expect(seen.size).toBe(20);
    });
  });
}
