import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { run } from './programs.ts';

/** A new folder outside the repository. Names are short: the path of a socket inside may have 107 bytes. */
export async function makeTempDir(what: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `portcullis-${what}-`));
}

/** Removes the folder with everything in it, after taking down whatever a container tool left mounted there. */
export async function removeTempDir(dir: string): Promise<void> {
  for (const mount of await mountsBelow(dir)) await run('umount', ['--lazy', mount]);
  await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** Innermost first. */
async function mountsBelow(dir: string): Promise<readonly string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return table
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((mount) => mount.startsWith(dir + sep))
    .reverse();
}
