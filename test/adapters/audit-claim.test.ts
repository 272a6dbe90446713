/** A name for a gateway's audit files, where several want the one that a dead process left. */
import * as fs from 'node:fs';
import { readFile, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { claimInstance } from '../../src/adapters/audit/claim.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  return { ...real, readFileSync: vi.fn(real.readFileSync) };
});

const living = '12 another-host pid:[1] 1';

test('a name that another process has just taken over from a dead one is left to it', async () => {
  const directory = await makeTempDir('audit-claim');
  onTestFinished(() => removeTempDir(directory));
  const lock = join(directory, '.gate.lock');
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
  const dead = `999999999 ${boot} ${await readlink('/proc/self/ns/pid')} 1`;
  await writeFile(lock, dead);
  const read = vi.mocked(fs.readFileSync);
  const really = read.getMockImplementation();
  // Between the look at what was left and taking it away.
  read.mockImplementation((...asked) => {
    const text = really?.(...asked) ?? '';
    if (asked[0] === lock && text === dead) {
      fs.rmSync(lock);
      fs.writeFileSync(lock, living);
    }
    return text;
  });
  const claim = claimInstance(directory, 'gate');
  expect(claim.instance).toBe('gate-2');
  expect(await readFile(lock, 'utf8')).toBe(living);
  claim.release();
  expect(await readdir(directory)).toEqual(['.gate.lock']);
});
