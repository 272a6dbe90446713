import { readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateKey } from '../../src/adapters/files/key-ring.ts';
import { run } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { callProgram } from './in-process.ts';

const cli = join(import.meta.dirname, '../../dist/cli.js');
let directory: string;
beforeEach(async () => void (directory = await makeTempDir('keys')));
afterEach(() => removeTempDir(directory));

const key = (...args: string[]) =>
  callProgram(['key', ...args, '--keys', directory], { cwd: directory, env: { HOME: directory } });
const built = (...args: string[]) =>
  run(process.execPath, [cli, 'key', ...args, '--keys', directory], { cwd: directory, env: { HOME: directory } });
interface Listed {
  readonly keys: readonly { readonly kid: string; readonly signing: boolean; readonly next: boolean }[];
}
const listed = async (): Promise<Listed['keys']> => (JSON.parse((await key('list', '--json')).stdout) as Listed).keys;

test('key rotate adds a key that does not sign yet, and keeps the one that does', async () => {
  generateKey(directory, Date.now() - 3_600_000);
  const [old] = await listed();
  const rotated = await built('rotate');
  expect(rotated).toMatchObject({ code: 0, stderr: '' });
  expect(rotated.stdout).toMatch(/^new key .*\.pem\nit signs from \d{4}-/);
  expect((await listed()).map(({ kid, signing }) => [kid === old?.kid, signing])).toEqual([
    [true, true],
    [false, false],
  ]);
});

test('key rotate removes keys whose last token has expired, and only those', async () => {
  const now = Date.now();
  const day = 86_400_000;
  generateKey(directory, now - 10 * day);
  generateKey(directory, now - 5 * day);
  generateKey(directory, now - 1000);
  const rotated = await key('rotate');
  expect(rotated.stdout.match(/^removed /gm)).toHaveLength(1);
  expect(await listed()).toHaveLength(3);
});

test('key list says that there is no key, and what to do', async () => {
  expect(await built('list')).toMatchObject({ code: 1, stderr: expect.stringContaining('portcullis key rotate') });
  expect(await readdir(directory)).toEqual([]);
});

test('key next publishes a key that signs nothing, and the next rotate makes it sign', async () => {
  generateKey(directory, Date.now() - 3_600_000);
  const next = await built('next');
  expect(next).toMatchObject({ code: 0, stderr: '' });
  expect(next.stdout).toMatch(/^next key .*\.next\.pem\n/);
  const [old, waiting] = await listed();
  expect(waiting).toMatchObject({ next: true, signing: false });
  expect((await key('list')).stdout).toMatch(/ next +\S+\.next\.pem/);
  expect(await key('next')).toMatchObject({ code: 1, stderr: expect.stringContaining('portcullis key rotate') });

  const rotated = await key('rotate');
  expect(rotated.stdout).toMatch(/^the next key is now .*\d{3}Z\.pem\nit signs from /);
  expect((await listed()).map(({ kid, next: isNext, signing }) => [kid, isNext, signing])).toEqual([
    [old?.kid, false, true],
    [waiting?.kid, false, false],
  ]);
});

test('a directory with nothing but a next key cannot sign, and says so; rotate makes that one sign', async () => {
  generateKey(directory, Date.now(), true);
  expect(await key('list')).toMatchObject({ code: 1, stderr: expect.stringContaining('portcullis key rotate') });
  expect(await key('rotate')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^the next key is now /) });
  expect(await listed()).toHaveLength(1);
});

test('key next makes none where no key signs: with it alone no gateway would start', async () => {
  expect(await key('next')).toMatchObject({ code: 1, stderr: expect.stringContaining('portcullis key rotate') });
  expect(await readdir(directory)).toEqual([]);
});

test('beside a key that cannot be read none is made, and the one that waits goes on waiting', async () => {
  generateKey(directory, Date.now() - 3_600_000);
  const next = basename(generateKey(directory, Date.now() - 1_800_000, true));
  await writeFile(join(directory, 'zz.pem'), 'no key', { mode: 0o600 });
  const before = await readdir(directory);
  for (const verb of ['rotate', 'next'])
    expect(await key(verb)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('zz.pem') });
  expect(await readdir(directory)).toEqual(before);
  expect(before).toContain(next);
});
