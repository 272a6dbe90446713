import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMemoryTagActivity } from '../../src/adapters/memory/tag-activity.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { describeTagActivity, move, then } from './tag-activity.contract.ts';

describe('tags in one process', () => {
  let dir = '';
  let problems: string[] = [];
  beforeEach(async () => {
    dir = await makeTempDir('activity');
    problems = [];
  });
  afterEach(() => removeTempDir(dir));
  // One of a test before may write late, into a folder that is gone.
  const open = (more: { readonly maxTags?: number; readonly maxRepositories?: number } = {}, own = problems) =>
    createMemoryTagActivity({
      file: join(dir, 'tags.json'),
      clock: Date.now,
      onProblem: ({ message }) => own.push(message),
      ...more,
    });

  describeTagActivity(() => Promise.resolve({ activity: open(), reopen: () => Promise.resolve(open()) }));

  test('are kept in a private file', async () => {
    const activity = open();
    activity.noteWritten('a', move('t', 1, then));
    await activity.close();
    expect((await stat(join(dir, 'tags.json'))).mode & 0o777).toBe(0o600);
    expect(problems).toEqual([]);
  });

  test('are written while others go on, however many they are', async () => {
    const activity = open();
    for (let number = 0; number < 40_000; number++)
      activity.noteWritten(`r/${number % 100}`, move(`t${number}`, number, then + number));
    let turns = 0;
    let isOver = false;
    const others = (async () => {
      for (; !isOver; turns++) await new Promise((resolve) => setImmediate(resolve));
    })();
    await activity.close();
    isOver = true;
    await others;
    expect(turns).toBeGreaterThan(40);
    expect((await open().newest('r/7', 10_000))?.length).toBe(400);
  });

  test.each(['[["a"]]', '[["a",[["t",[[1,2,3]]]],[]]]', '[["a",[],[["t"]]]]', '{}', '[7]'])(
    'begin anew when the content is not theirs: %s',
    async (content) => {
      await writeFile(join(dir, 'tags.json'), `{"kind":"portcullis tag activity","version":1,"content":${content}}`);
      expect(await open().newest('a', 9)).toEqual([]);
      expect(problems).toEqual([expect.stringMatching(/damaged/)]);
    },
  );

  test('begin anew when the file is damaged, and say so', async () => {
    await writeFile(join(dir, 'tags.json'), '{"kind":"portcullis tag activity"');
    expect(await open().newest('a', 9)).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(/not complete JSON/)]);
    expect(await readdir(dir)).toEqual([expect.stringMatching(/\.aside$/)]);
  });

  test('the repository of which nothing was heard for longest leaves whole', async () => {
    const activity = open({ maxTags: 4, maxRepositories: 10 });
    for (const name of ['a', 'b']) for (const tag of ['1', '2']) activity.noteWritten(name, move(tag, 1, then));
    activity.notePulled('a', '1', then);
    expect([...((await activity.lastWrites(['a', 'b'])) ?? [])].map(([name]) => name)).toEqual(['a']);
    const few = open({ maxRepositories: 2 });
    for (const name of ['x', 'y', 'x', 'z']) few.noteWritten(name, move('t', 1, then));
    expect([...((await few.lastWrites(['x', 'y', 'z'])) ?? [])].map(([name]) => name)).toEqual(['x', 'z']);
  });
});
