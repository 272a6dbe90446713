import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMemoryRobotUses } from '../../src/adapters/memory/robot-uses.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { describeRobotUses, now } from './robot-uses.contract.ts';

describe('robots’ uses in one process', () => {
  let dir = '';
  let problems: string[] = [];
  beforeEach(async () => {
    dir = await makeTempDir('robots');
    problems = [];
  });
  afterEach(() => removeTempDir(dir));
  // One of a test before may write late, into a folder that is gone.
  const open = (own = problems): ReturnType<typeof createMemoryRobotUses> =>
    createMemoryRobotUses({ file: join(dir, 'robots.json'), onProblem: ({ message }) => own.push(message) });

  describeRobotUses(() => Promise.resolve({ uses: open(), reopen: () => Promise.resolve(open()) }));

  test('are kept in a private file', async () => {
    const uses = open();
    uses.mark('k3v9', now);
    await uses.close();
    expect((await stat(join(dir, 'robots.json'))).mode & 0o777).toBe(0o600);
  });

  test('begin anew when the file is damaged, and say so', async () => {
    await writeFile(join(dir, 'robots.json'), '[["k3v9"');
    const uses = open();
    expect(await uses.lastUsed(['k3v9'])).toEqual(new Map());
    expect(problems).toEqual([expect.stringMatching(/not complete JSON/)]);
    expect(await readdir(dir)).toEqual([expect.stringMatching(/\.aside$/)]);
  });
});
