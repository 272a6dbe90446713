/** `audit query` and `audit verify` on directories that nobody prepared for them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { callProgram } from './in-process.ts';

let dir: string;
beforeAll(async () => {
  dir = await makeTempDir('audit-query');
  await mkdir(join(dir, 'audit'));
});
afterAll(() => removeTempDir(dir));

const audit = (...args: readonly string[]) => callProgram(['audit', ...args], { cwd: dir });
const numbersOf = (stdout: string): string => [...stdout.matchAll(/:v(\d)/g)].map(([, number]) => number).join('');
const line = (day: number, number: number, more: object = {}): string =>
  `${JSON.stringify({
    ...{ instance: 'a', time: `2026-11-${day}T00:0${number}:00.000Z`, event: 'access', decision: 'allow' },
    ...{ reason: 'rule_allows', action: 'pull', repository: 'a/b', reference: `v${number}`, ...more },
  })}\n`;

test('a file that cannot be read to its end hides none of the others, and is said', async () => {
  const place = (name: string): string => join(dir, 'audit', name);
  await writeFile(place('2026-11-24.a.jsonl'), line(24, 1) + line(24, 2));
  await writeFile(place('2026-11-25.a.jsonl.gz'), gzipSync(line(25, 3) + line(25, 4)).subarray(0, -4));
  await writeFile(place('2026-11-25.b.jsonl'), line(25, 5));
  await mkdir(place('2026-11-26.a.jsonl'));
  await writeFile(place('2026-11-27.a.jsonl.gz'), 'never packed');
  await writeFile(place('2026-11-27.b.jsonl'), line(27, 6));
  for (const args of [[], ['--json']]) {
    const { code, stdout, stderr } = await audit('query', 'audit', ...args);
    expect(code).toBe(1);
    expect(stdout.match(/v\d/g)?.join('')).toBe('v6v5v4v3v2v1');
    for (const name of ['2026-11-25.a.jsonl.gz', '2026-11-26.a.jsonl', '2026-11-27.a.jsonl.gz'])
      expect(stderr).toContain(`${place(name)} `);
    expect(stderr.trim().split('\n')).toHaveLength(3);
  }
  const unfinished = await audit('query', 'audit', '--unfinished');
  expect([unfinished.code, unfinished.stdout]).toEqual([1, '']);
});

test('a push is also what was judged as making or moving a tag', async () => {
  const lines = ['pull', 'push', 'create', 'overwrite', 'delete'].map((action, at) => line(26, at, { action }));
  await mkdir(join(dir, 'pushes'));
  await writeFile(join(dir, 'pushes', '2026-11-26.a.jsonl'), lines.join(''));
  const found = async (action: string) => numbersOf((await audit('query', 'pushes', '--action', action)).stdout);
  expect([await found('push'), await found('create'), await found('pull')]).toEqual(['321', '2', '0']);
});

test('verify says that it misses no gateway all of whose files are gone', async () => {
  await mkdir(join(dir, 'one'));
  const first = { seq: 1, prev: '', instance: 'a', time: '2026-11-26T00:00:00.000Z', event: 'file' };
  await writeFile(
    join(dir, 'one', '2026-11-26.a.jsonl'),
    `${JSON.stringify({ ...first, name: '2026-11-26.a.jsonl', first: 1 })}\n`,
  );
  const { code, stdout } = await audit('verify', 'one', '--json');
  expect(code).toBe(0);
  expect((JSON.parse(stdout) as { readonly cannotSee: readonly string[] }).cannotSee.at(-1)).toContain(
    'a gateway all of whose files are gone would not be missed',
  );
});

test('keys that cannot be read are no fault of the files', async () => {
  await writeFile(join(dir, 'none.jwks'), '[]');
  for (const [name, problem] of [
    ['nowhere.jwks', 'cannot be read'],
    ['none.jwks', 'is no JWK set'],
  ] as const) {
    const { code, stdout, stderr } = await audit('verify', 'pushes', '--jwks', name);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`--jwks: "${name}" ${problem}`);
  }
});
