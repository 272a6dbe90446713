import { describe, expect, test } from 'vitest';
import { createRepositoryMarks } from '../../src/adapters/memory/repository-marks.ts';
import { describeRepositoryMarks } from './repository-marks.contract.ts';

describe('marks of repositories in one process', () => {
  describeRepositoryMarks(() =>
    Promise.resolve({ processes: [createRepositoryMarks(1000)], close: () => Promise.resolve() }),
  );

  test('are bounded: one that was forgotten is made anew', async () => {
    const marks = createRepositoryMarks();
    const first = await marks.read('team/0');
    for (let count = 1; count <= 50_000; count++) await marks.read(`team/${count}`);
    const again = await marks.read('team/0');
    expect(again).toMatch(/^[0-9a-f-]{36}$/);
    expect(again).not.toBe(first);
  });
});
