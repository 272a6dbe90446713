/** Docker's credential helpers that do not do as they should. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
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

test.each([
  ['the file that REGISTRY_AUTH_FILE names', { REGISTRY_AUTH_FILE: 'named.json' }, 'named'],
  ['docker', {}, 'docker'],
  ['podman, in the run-time directory', { DOCKER_CONFIG: 'none' }, 'runtime'],
  ['podman, in the home directory', { DOCKER_CONFIG: 'none', XDG_RUNTIME_DIR: 'none' }, 'home'],
])('the login is that of %s, where it has one', async (_what, env, account) => {
  const write = async (path: string, name: string): Promise<void> => {
    await mkdir(join(directory, path, '..'), { recursive: true });
    const auth = Buffer.from(`${name}:s3cret`).toString('base64');
    await writeFile(join(directory, path), JSON.stringify({ auths: { 'registry.example.com': { auth } } }));
  };
  await write('named.json', 'named');
  await write('docker/config.json', 'docker');
  await write('run/containers/auth.json', 'runtime');
  await write('.config/containers/auth.json', 'home');
  const places = { HOME: '', DOCKER_CONFIG: 'docker', XDG_RUNTIME_DIR: 'run', ...env };
  const read = await readStoredLogin(
    Object.fromEntries(Object.entries(places).map(([key, path]) => [key, join(directory, path)])),
    'registry.example.com',
    true,
  );
  expect(read).toMatchObject({ ok: true, login: { account } });
});
