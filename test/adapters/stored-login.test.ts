/** Docker's credential helpers that do not do as they should. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type StoredLoginReading, readStoredLogin } from '../../src/adapters/docker/stored-login.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

let directory: string;
beforeEach(async () => void (directory = await makeTempDir('helper')));
afterEach(() => removeTempDir(directory));

async function readFrom(script: string, waitMs?: number): Promise<StoredLoginReading> {
  await writeFile(join(directory, 'config.json'), '{"credsStore":"odd"}');
  const program = join(directory, 'docker-credential-odd');
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o755);
  const env = { PATH: `${directory}:${process.env['PATH'] ?? ''}`, DOCKER_CONFIG: directory };
  return readStoredLogin(env, 'registry.example.com', true, waitMs);
}

test('a helper that hangs, and will not be told to end, is waited for only so long', async () => {
  expect(await readFrom("trap '' TERM\nexec sleep 600", 300)).toMatchObject({
    ok: false,
    problem: 'docker-credential-odd did not answer within 0.3 s',
  });
});

test.each([
  ['what it has', `echo '{"Username":"rita","Secret":"s3cret"}'; exit 1`],
  ['what it has in a sentence', `echo 'cannot use {"Username":"rita","Secret":"s3cret"}'; exit 1`],
  ['what it has, line by line', `echo 'Secret: s3cret'; exit 1`],
  ['what it has on standard error', `echo 'secret=s3cret' >&2; exit 1`],
])('a helper that prints %s and fails has no secret shown', async (_what, script) => {
  expect(await readFrom(script)).toMatchObject({ ok: false, problem: 'docker-credential-odd failed' });
});

test('what a helper says reaches no terminal as a command', async () => {
  const said = await readFrom("printf 'locked\\033[2J'; exit 1");
  expect(said).toMatchObject({
    ok: false,
    problem: expect.stringMatching(/^docker-credential-odd failed: locked[ -~]+$/) as unknown,
  });
});
