/** The questions behind the page Policy, by files that are followed. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadPolicy } from '../../src/adapters/files/policy-loading.ts';
import { type PolicyFiles, followPolicyFiles } from '../../src/adapters/files/policy-source.ts';
import { type PolicyAnswer, policyOperation, reloadOperation } from '../../src/operations/policy-files.ts';
import type { Viewer } from '../../src/operations/viewer.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const hash = `$2b$10$${'a'.repeat(53)}`;
const people = `users:\n  dana: { groups: [devs], password: '${hash}' }\ngroups:\n  devs:\n`;
const rule = (name: string, group: string): string =>
  `  - { name: ${name}, subjects: ['group:${group}'], repositories: ['${name}/**'], actions: [pull] }\n`;

let place: string;
let files: PolicyFiles;
let now = Date.parse('2026-06-03T12:00:00Z');
const write = (name: string, text: string): Promise<void> => writeFile(join(place, name), text);

beforeEach(async () => {
  place = await makeTempDir('policy-files');
  await write('people.yaml', people);
  await write('rules.yaml', `rules:\n${rule('a', 'devs')}`);
  const loading = await loadPolicy([place], now);
  if (!loading.ok) throw new Error('not loaded');
  files = followPolicyFiles(loading.loaded, {
    paths: [place],
    clock: () => now,
    onReload: () => undefined,
    pollMs: 3_600_000,
  });
});
afterEach(async () => {
  files.close();
  await removeTempDir(place);
});

async function ask(input: { file?: string; line?: number } = {}): Promise<PolicyAnswer> {
  const compiled = files.current();
  const viewer: Viewer = { kind: 'operator', policy: compiled, circumstances: { now } };
  const outcome = await policyOperation.run({ policyFiles: files }, viewer, input);
  if (!outcome.ok) throw new Error(outcome.detail);
  return policyOperation.answer.parse(outcome.answer);
}

test('shows files without hashes, rules that no test exercises, and when it came into force', async () => {
  const answer = await ask({ file: join(place, 'people.yaml') });
  expect(answer).toMatchObject({
    rules: 1,
    problems: [],
    by: 'start',
    since: '2026-06-03T12:00:00.000Z',
    testsPassed: 0,
  });
  expect(answer.review?.changes).toBeNull();
  expect(answer.review?.unexercised.map(({ name }) => name)).toEqual(['a']);
  expect(answer.files.map(({ lines }) => lines)).toEqual([4, 2]);
  expect(answer.shown?.lines[1]).toBe('  dana: { groups: [devs], password: ******** }');
  expect(JSON.stringify(answer)).not.toContain(hash.slice(7));
});

test('says in words what the last reload changed', async () => {
  await write('rules.yaml', `rules:\n${rule('a', 'devs')}${rule('b', 'devs')}`);
  now += 60_000;
  const viewer: Viewer = { kind: 'operator', policy: files.current(), circumstances: { now } };
  const outcome = await reloadOperation.run({ policyFiles: files }, viewer, {});
  expect(outcome).toMatchObject({ ok: true, answer: { rules: 2, by: 'reload', since: new Date(now).toISOString() } });
  expect((await ask()).review?.changes).toEqual({
    isWhole: true,
    lines: [{ sign: '+', text: `group:devs may now pull b/** (rule b, rules.yaml:3)` }],
  });
});

test('shows the newest files where they are refused, with problems at their line, and the good ones otherwise', async () => {
  await write('rules.yaml', `rules:\n${rule('a', 'devs')}${rule('b', 'devz')}`);
  await files.reload();
  const { problems, shown, rules } = await ask();
  expect([rules, problems.map(({ file, line, message }) => [file, line, message])]).toEqual([
    1,
    [['rules.yaml', 3, expect.stringContaining('there is no group "devz"')]],
  ]);
  expect(shown).toMatchObject({ file: 'rules.yaml', isRefused: true, total: 3 });
  expect(shown?.lines[2]).toContain('devz');
  expect((await ask({ file: join(place, 'people.yaml') })).shown?.isRefused).toBe(false);
  await write('rules.yaml', `rules:\n${rule('a', 'devs')}`);
  await files.reload();
  expect(await ask()).toMatchObject({ problems: [], shown: { isRefused: false } });
});

test('shows long files in parts, and of no file that is not one of them', async () => {
  await write('rules.yaml', `rules:\n${Array.from({ length: 900 }, (_, n) => rule(`r${n}`, 'devs')).join('')}`);
  await files.reload();
  const { shown } = await ask({ file: join(place, 'rules.yaml'), line: 500 });
  expect([shown?.from, shown?.lines.length, shown?.total]).toEqual([401, 400, 901]);
  const viewer: Viewer = { kind: 'operator', policy: files.current(), circumstances: { now } };
  for (const file of ['/etc/passwd', '../people.yaml', ''])
    expect(await policyOperation.run({ policyFiles: files }, viewer, { file })).toMatchObject({
      ok: false,
      reason: 'unknown',
    });
});
