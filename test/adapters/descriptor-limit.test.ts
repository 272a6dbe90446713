import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readDescriptorLimit } from '../../src/adapters/kernel/descriptor-limit.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

test.each([
  ['the soft limit', 'Max open files            256                  4096                 files', 256],
  ['no limit', 'Max open files            unlimited            unlimited            files', Infinity],
  ['nothing in words that it does not know', 'Max open files            many                 many', undefined],
])('the limit on open files is %s of the table', async (_what, line, limit) => {
  const dir = await makeTempDir('limits');
  onTestFinished(() => removeTempDir(dir));
  const file = join(dir, 'limits');
  await writeFile(file, `Limit                     Soft Limit           Hard Limit           Units\n${line}     \n`);
  expect(readDescriptorLimit(file)).toBe(limit);
});

test('where the system has no table, the limit on open files is unknown', () => {
  expect(readDescriptorLimit('/nonexistent/limits')).toBeUndefined();
});
