/** A name for a gateway's audit files, where several want the one that a dead process left. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { readFile, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { claimInstance } from '../../src/adapters/audit/claim.ts';
import { eventually } from '../support/eventually.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>();
  return { ...real, readFileSync: vi.fn(real.readFileSync) };
});

/** What a process of this machine and container writes. */
const claimOf = async (pid: number, begun: string): Promise<string> => {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
  return `${pid} ${boot} ${await readlink('/proc/self/ns/pid')} ${begun}`;
};
const living = '12 another-host pid:[1] 1';

test('a name that another process has just taken over from a dead one is left to it', async () => {
  const directory = await makeTempDir('audit-claim');
  onTestFinished(() => removeTempDir(directory));
  const lock = join(directory, '.gate.lock');
  const dead = await claimOf(999_999_999, '1');
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

test('of a process that has ended before anybody asked how it is free', async () => {
  const directory = await makeTempDir('audit-claim');
  onTestFinished(() => removeTempDir(directory));
  // Its parent becomes a program that asks for no child.
  const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void parent.kill());
  const [said] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(said.toString());
  const stat = async (): Promise<readonly string[]> => {
    const text = await readFile(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  };
  await eventually('it has ended', async () => (await stat())[0] === 'Z');
  await writeFile(join(directory, '.gate.lock'), await claimOf(pid, (await stat())[19] ?? ''));
  const claim = claimInstance(directory, 'gate');
  expect(claim.instance).toBe('gate');
  claim.release();
});
