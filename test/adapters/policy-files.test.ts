import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readPolicyFiles } from '../../src/adapters/files/policy-loading.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

let place: string;
beforeEach(async () => void (place = await makeTempDir('policies')));
afterEach(() => removeTempDir(place));

async function put(name: string, content: string | Buffer): Promise<string> {
  await writeFile(join(place, name), content);
  return join(place, name);
}

/** `file: text` of what was read, or `file: problem`. */
async function read(...paths: readonly string[]): Promise<readonly string[]> {
  const reading = await readPolicyFiles(paths.length === 0 ? [place] : paths);
  return reading.ok
    ? reading.files.map(({ file, text }) => `${file}: ${text}`)
    : reading.problems.map(({ file, code, message }) => `${file}: ${code} ${message}`);
}

describe('policy files', () => {
  test('are the *.yaml and *.yml of a directory, in the order of their names, and nothing else in it', async () => {
    await put('b.yaml', 'B');
    await put('a.yml', 'A');
    await put('README.md', 'x');
    await put('.hidden.yaml', 'x');
    await put('c.yaml~', 'x');
    await put('d.YAML', 'x');
    await mkdir(join(place, 'deeper'));
    await writeFile(join(place, 'deeper', 'e.yaml'), 'x');
    expect(await read()).toEqual([`${place}/a.yml: A`, `${place}/b.yaml: B`]);
  });

  test('may be single files of any name, and several paths', async () => {
    const [one, two] = [await put('policy', 'A'), await put('b.yaml', 'B')];
    expect(await read(one, two)).toEqual([`${one}: A`, `${two}: B`]);
  });

  test('are reached through links, as Kubernetes mounts them', async () => {
    await mkdir(join(place, '..2026'));
    await writeFile(join(place, '..2026', 'a.yaml'), 'A');
    await symlink('..2026', join(place, '..data'));
    await symlink('..data/a.yaml', join(place, 'a.yaml'));
    expect(await read()).toEqual([`${place}/a.yaml: A`]);
  });

  test('are named relative to the working directory where that is shorter', async () => {
    const reading = await readPolicyFiles([join(process.cwd(), 'policies')]);
    expect(reading.ok && reading.files.map(({ file }) => file)).toContain('policies/areas.yaml');
  });

  test('may begin with a byte order mark', async () => {
    await put('a.yaml', '\ufeffA');
    expect(await read()).toEqual([`${place}/a.yaml: A`]);
  });
});

describe('policy files are refused, all of them, for', () => {
  const cases: readonly (readonly [what: string, make: () => unknown, problem: string])[] = [
    ['a FIFO, which would never end', () => execFileSync('mkfifo', [join(place, 'x.yaml')]), 'is not a regular file'],
    ['a directory with the name of a file', () => mkdir(join(place, 'x.yaml')), 'is not a regular file'],
    ['a device', () => symlink('/dev/zero', join(place, 'x.yaml')), 'is not a regular file'],
    ['a link to nowhere', () => symlink('nowhere', join(place, 'x.yaml')), 'does not exist; check its owner and mode'],
    [
      'a link to itself',
      () => symlink('x.yaml', join(place, 'x.yaml')),
      'cannot be read (ELOOP); check its owner and mode',
    ],
    ['bytes that are no UTF-8', () => put('x.yaml', Buffer.from([0x61, 0xff])), 'is not UTF-8 text'],
    ['UTF-16', () => put('x.yaml', Buffer.from('\ufeffrules: []', 'utf16le')), 'is not UTF-8 text'],
    ['half a character at the end', () => put('x.yaml', Buffer.from('# ä').subarray(0, -1)), 'is not UTF-8 text'],
    ['more than 4 MiB', () => put('x.yaml', 'x'.repeat(4 * 1024 * 1024 + 1)), 'is larger than 4 MiB; split it'],
  ];
  test.each(cases)('%s', async (_what, make, problem) => {
    await put('good.yaml', 'rules: []');
    await make();
    expect(await read()).toEqual([`${place}/x.yaml: unreadable ${problem}`]);
  });

  test('a path that does not exist', async () => {
    expect(await read(join(place, 'nowhere'))).toEqual([
      `${place}/nowhere: unreadable does not exist; create it, or name another path with \`policies\` (PORTCULLIS_POLICIES)`,
    ]);
  });

  test('a path that is no file and no directory', async () => {
    expect(await read('/dev/null')).toEqual(['/dev/null: unreadable is neither a file nor a directory']);
  });

  test('several reasons at once', async () => {
    await mkdir(join(place, 'a.yaml'));
    await put('b.yaml', Buffer.from([0xff]));
    expect(await read(place, join(place, 'nowhere'))).toHaveLength(3);
  });
});
