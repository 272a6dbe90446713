/** A htpasswd file that is edited, replaced, swapped by links, emptied and taken away under a gateway. */
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type HtpasswdFile, followHtpasswdFile, readHtpasswdFile } from '../../src/adapters/files/htpasswd-file.ts';
import { eventually } from '../support/eventually.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const hashes = { one: `$2y$10$${'a'.repeat(53)}`, two: `$2y$10$${'b'.repeat(53)}` };

describe('a htpasswd file', () => {
  let dir: string;
  let path: string;
  let followed: HtpasswdFile | undefined;
  let told: string[];
  beforeEach(async () => {
    dir = await makeTempDir('htpasswd');
    path = join(dir, 'htpasswd');
    told = [];
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    followed?.close();
    await removeTempDir(dir);
  });

  async function follow(text: string | undefined, pollMs = 60_000): Promise<HtpasswdFile> {
    if (text !== undefined) await writeFile(path, text);
    const reading = await readHtpasswdFile(path);
    if (!reading.ok) throw new Error(reading.problem.message);
    followed = followHtpasswdFile(reading, {
      path,
      pollMs,
      onChange: (problems, isUsed) => told.push(`${isUsed ? 'used' : 'kept'} ${problems.length}`),
    });
    return followed;
  }
  const names = (): string => [...(followed?.people().users.keys() ?? [])].join();
  const hashOf = (name: string): string | undefined => followed?.people().users.get(name)?.password.text;

  test('is followed when it is written in place, and when another takes its place', async () => {
    await follow(`dana:${hashes.one}\n`);
    expect(names()).toBe('dana');
    await eventually('it is watched', async () => {
      await writeFile(path, `dana:${hashes.two}\nzoe:{SHA}x\n`);
      return hashOf('dana')?.endsWith('bbb') === true;
    });
    expect(followed?.problems()).toMatchObject([{ line: 2 }]);
    expect(told).toContain('used 1');
    await writeFile(join(dir, 'next'), `zoe:${hashes.one}\n`);
    await rename(join(dir, 'next'), path);
    await eventually('the new one is used', () => names() === 'zoe');
    expect(followed?.problems()).toEqual([]);
  });

  test('is followed through the links that Kubernetes swaps', async () => {
    for (const [version, hash] of Object.entries(hashes)) {
      await mkdir(join(dir, version));
      await writeFile(join(dir, version, 'htpasswd'), `dana:${hash}\n`);
    }
    await symlink('one', join(dir, '..data'));
    await symlink(join('..data', 'htpasswd'), path);
    await follow(undefined, 200);
    expect(hashOf('dana')).toMatch(/a$/);
    await symlink('two', join(dir, '..tmp'));
    await rename(join(dir, '..tmp'), join(dir, '..data'));
    await eventually('what the link leads to now is used', () => hashOf('dana')?.endsWith('b') === true);
  });

  test('that is gone or cannot be read leaves the last good one in use, and says so once', async () => {
    await follow(`dana:${hashes.one}\n`, 100);
    await rm(path);
    await eventually('it is missed', () => followed?.problems().length === 1);
    expect(names()).toBe('dana');
    expect(followed?.problems()).toMatchObject([{ message: expect.stringContaining('does not exist') }]);
    await mkdir(path);
    await eventually('it is no file', () => followed?.problems()[0]?.message.includes('not a regular file') === true);
    await rm(path, { recursive: true });
    await writeFile(path, `zoe:${hashes.one}\n`);
    await eventually('it is back', () => names() === 'zoe');
    expect(followed?.problems()).toEqual([]);
    expect(told.at(-1)).toBe('used 0');
    expect(told.filter((line) => line.startsWith('kept')).length).toBeLessThanOrEqual(4);
  });

  test('without anybody is believed when it stays like that', async () => {
    await follow(`dana:${hashes.one}\n`, 100);
    await writeFile(path, '');
    await eventually('nobody is left', () => names() === '');
    expect(told).toEqual(['used 0']);
  });

  test('that is half written is not believed at once, and a line taken from its end soon is', async () => {
    const [dana, zoe] = [`dana:${hashes.one}\n`, `zoe:${hashes.one}\n`];
    await follow(dana + zoe, 100);
    // However long the machine takes: a second has not passed.
    vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    await writeFile(path, dana.slice(0, 20));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await writeFile(path, `${dana}${zoe}# whole\n`);
    vi.restoreAllMocks();
    await eventually('it is whole', () => told.length > 0 && names() === 'dana,zoe');
    expect(told).toEqual(['used 0']);
    await writeFile(path, dana);
    await eventually('zoe is gone', () => names() === 'dana');
  });

  test('that cannot be read at the start is a problem with its path', async () => {
    const reading = await readHtpasswdFile(join(dir, 'missing'));
    expect(reading).toMatchObject({ ok: false, problem: { message: expect.stringContaining('does not exist') } });
    await writeFile(path, 'x');
    await chmod(path, 0o600);
    expect(await readHtpasswdFile(dir)).toMatchObject({ ok: false });
  });
});
