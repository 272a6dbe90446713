import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import { builderSecretFile, forgetBuilder, prepareBuilder } from '../../src/trial/builder.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const sha256 = 'ab'.repeat(32);
let directory: string;

beforeEach(async () => {
  directory = await makeTempDir('builder');
  await mkdir(join(directory, 'policies'));
});
afterEach(() => removeTempDir(directory));

test('the build server of try mode has a new secret at every start, in files for this user alone', async () => {
  for (const text of ['first', 'second']) {
    const policyFile = await prepareBuilder(directory, { text, sha256 });
    expect(await readFile(builderSecretFile(directory), 'utf8')).toBe(`${text}\n`);
    for (const path of [policyFile, builderSecretFile(directory)]) expect((await stat(path)).mode & 0o777).toBe(0o600);
  }
});

test('its secret is good for the one image, whatever the rules give build servers', async () => {
  const text = await readFile(await prepareBuilder(directory, { text: 'secret', sha256 }), 'utf8');
  expect(text).not.toContain('secret:');
  const groups = { file: 'groups.yaml', text: 'groups: { build-servers: {} }' };
  const reading = parsePolicy([{ file: 'builder.yaml', text }, groups]);
  expect(reading, JSON.stringify(reading)).toMatchObject({ ok: true });
  if (!reading.ok) return;
  const robot = reading.policy.robots.get('try-builder');
  const [token] = robot?.tokens ?? [];
  expect([robot?.groups, token?.repositories?.map((pattern) => pattern.text)]).toEqual([
    ['build-servers'],
    ['integration/hello'],
  ]);
});

test('nothing of it is left where the policies have no build servers', async () => {
  await prepareBuilder(directory, { text: 'secret', sha256 });
  await forgetBuilder(directory);
  await expect(stat(join(directory, 'try-builder-secret'))).rejects.toThrow('ENOENT');
  await forgetBuilder(directory);
});
