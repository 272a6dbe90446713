/** What every memory of tags promises. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TagActivity, TagMove } from '../../src/ports.ts';

export interface TagActivityUnderTest {
  readonly activity: TagActivity;
  /** The same memory, seen by a process that begins now. */
  readonly reopen: () => Promise<TagActivity>;
}

/** In the past of any store. */
export const then = Date.now() - 3_600_000;
const repository = 'release/app';

export const digest = (number: number): string => `sha256:${String(number).padStart(64, '0')}`;
export const move = (tag: string, number: number, at: number, by = 'dana'): TagMove => ({
  tag,
  digest: digest(number),
  at,
  by,
});

export function describeTagActivity(open: () => Promise<TagActivityUnderTest>): void {
  describe('as every other', () => {
    let under: TagActivityUnderTest;
    beforeEach(async () => {
      under = await open();
    });
    afterEach(() => under.activity.close());

    /** As any process knows it that begins after everything was noted. */
    async function settled(): Promise<TagActivity> {
      await under.activity.close();
      return under.reopen();
    }

    test('a tag has its last moves, the latest first, and who made them', async () => {
      const { activity } = under;
      activity.noteWritten(repository, move('1.0', 1, then, 'dana'));
      activity.noteWritten(repository, move('1.0', 2, then + 1, 'robot:ci'));
      const known = await (await settled()).of(repository, ['1.0', 'never']);
      expect(known).toEqual(
        new Map([
          ['1.0', { moves: [move('1.0', 2, then + 1, 'robot:ci'), move('1.0', 1, then, 'dana')], lastPull: undefined }],
        ]),
      );
    });

    test('of moves the last five are kept', async () => {
      for (let number = 0; number < 8; number++)
        under.activity.noteWritten(repository, move('t', number, then + number));
      const known = await (await settled()).of(repository, ['t']);
      expect(known?.get('t')?.moves).toEqual([7, 6, 5, 4, 3].map((number) => move('t', number, then + number)));
    });

    test('the same digest once more is the same move, by whoever wrote it last', async () => {
      under.activity.noteWritten(repository, move('t', 1, then, 'dana'));
      under.activity.noteWritten(repository, move('t', 2, then + 1, 'dana'));
      under.activity.noteWritten(repository, move('t', 2, then + 2, 'tess'));
      const known = await (await settled()).of(repository, ['t']);
      expect(known?.get('t')?.moves).toEqual([move('t', 2, then + 2, 'tess'), move('t', 1, then, 'dana')]);
    });

    test('moves are in the order of their times, whichever is noted last', async () => {
      under.activity.noteWritten(repository, move('t', 2, then + 2));
      under.activity.noteWritten(repository, move('t', 1, then + 1));
      const again = await settled();
      expect((await again.of(repository, ['t']))?.get('t')?.moves.map(({ at }) => at - then)).toEqual([2, 1]);
      expect(await again.newest(repository, 5)).toEqual([move('t', 2, then + 2)]);
    });

    test('the newest tags come first, so many as are wanted', async () => {
      for (const [tag, at] of [
        ['a', 3],
        ['b', 1],
        ['c', 2],
      ] as const)
        under.activity.noteWritten(repository, move(tag, 1, then + at));
      const again = await settled();
      expect((await again.newest(repository, 2))?.map(({ tag }) => tag)).toEqual(['a', 'c']);
      expect((await again.newest(repository, 100))?.map(({ tag }) => tag)).toEqual(['a', 'c', 'b']);
      expect(await again.newest('never/seen', 100)).toEqual([]);
    });

    test('a deleted tag is forgotten, with its pulls', async () => {
      under.activity.noteWritten(repository, move('a', 1, then));
      under.activity.noteWritten(repository, move('b', 1, then));
      under.activity.notePulled(repository, 'a', then);
      under.activity.noteDeleted(repository, { tag: 'a' }, then + 1);
      const again = await settled();
      expect([...((await again.of(repository, ['a', 'b'])) ?? [])].map(([tag]) => tag)).toEqual(['b']);
      expect((await again.newest(repository, 9))?.map(({ tag }) => tag)).toEqual(['b']);
    });

    test('with a digest go the tags that led there, and no others', async () => {
      under.activity.noteWritten(repository, move('a', 1, then));
      under.activity.noteWritten(repository, move('moved', 1, then));
      under.activity.noteWritten(repository, move('moved', 2, then + 1));
      under.activity.noteWritten(repository, move('b', 1, then));
      under.activity.noteWritten('other/app', move('a', 1, then));
      under.activity.noteDeleted(repository, { digest: digest(1) }, then + 2);
      const again = await settled();
      expect((await again.newest(repository, 9))?.map(({ tag }) => tag)).toEqual(['moved']);
      expect((await again.newest('other/app', 9))?.map(({ tag }) => tag)).toEqual(['a']);
    });

    test('a tag that was written after its deletion stays', async () => {
      under.activity.noteWritten(repository, move('a', 2, then + 2));
      under.activity.noteDeleted(repository, { tag: 'a' }, then + 1);
      under.activity.noteDeleted(repository, { digest: digest(2) }, then + 1);
      expect((await (await settled()).newest(repository, 9))?.map(({ tag }) => tag)).toEqual(['a']);
    });

    test('pulls are known of tags that were never written here', async () => {
      under.activity.notePulled(repository, 'old', then);
      const again = await settled();
      expect(await again.of(repository, ['old'])).toEqual(new Map([['old', { moves: [], lastPull: then }]]));
      expect(await again.newest(repository, 9)).toEqual([]);
      expect(await again.lastWrites([repository])).toEqual(new Map());
    });

    test('the last pull counts, noted at most once a minute', async () => {
      under.activity.notePulled(repository, 't', then);
      under.activity.notePulled(repository, 't', then + 59_999);
      under.activity.notePulled(repository, 'other', then + 59_999);
      expect((await under.activity.of(repository, ['t']))?.get('t')?.lastPull).toBe(then);
      under.activity.notePulled(repository, 't', then + 60_000);
      const known = await (await settled()).of(repository, ['t', 'other']);
      expect([...(known ?? [])].map(([tag, { lastPull }]) => [tag, (lastPull ?? 0) - then])).toEqual([
        ['t', 60_000],
        ['other', 59_999],
      ]);
    });

    test('repositories say when they were last written to', async () => {
      under.activity.noteWritten('a/b', move('t', 1, then + 5));
      under.activity.noteWritten('a/b', move('u', 1, then + 7));
      under.activity.noteWritten('c', move('t', 1, then));
      const known = await (await settled()).lastWrites(['a/b', 'c', 'never']);
      expect(known).toEqual(
        new Map([
          ['a/b', then + 7],
          ['c', then],
        ]),
      );
    });

    test('names of any content are told apart', async () => {
      for (const name of ['__proto__', 'constructor', 'x'.repeat(255), 'a/b', 'a:b'])
        under.activity.noteWritten(name, move('__proto__', 1, then, `${name}\n"'\u0000é`));
      const again = await settled();
      for (const name of ['__proto__', 'constructor', 'x'.repeat(255), 'a/b', 'a:b'])
        expect(await again.of(name, ['__proto__', 'constructor'])).toEqual(
          new Map([['__proto__', { moves: [move('__proto__', 1, then, `${name}\n"'\u0000é`)], lastPull: undefined }]]),
        );
    });

    test('of 5,000 tags in a repository the least recently written leave', async () => {
      for (let number = 0; number < 5003; number++)
        under.activity.noteWritten(repository, move(`t${number}`, number, then + number));
      const again = await settled();
      const newest = await again.newest(repository, 10_000);
      expect(newest?.length).toBe(5000);
      expect(newest?.at(-1)?.tag).toBe('t3');
      expect((await again.of(repository, ['t2', 't3']))?.size).toBe(1);
    });

    test('what was before 400 days is forgotten', async () => {
      const old = Date.now() - 400 * 86_400_000 - 1000;
      under.activity.noteWritten(repository, move('old', 1, old));
      under.activity.notePulled(repository, 'old', old);
      under.activity.noteWritten(repository, move('young', 1, old + 60_000));
      const again = await settled();
      expect((await again.newest(repository, 9))?.map(({ tag }) => tag)).toEqual(['young']);
      expect([...((await again.of(repository, ['old', 'young'])) ?? [])].map(([tag]) => tag)).toEqual(['young']);
    });

    test('nothing asked is nothing answered', async () => {
      expect(await under.activity.of(repository, [])).toEqual(new Map());
      expect(await under.activity.lastWrites([])).toEqual(new Map());
      expect(await under.activity.newest(repository, 0)).toEqual([]);
    });
  });
}
