/** Docker's credential helpers that do not do as they should. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readStoredLogin } from '../../src/adapters/docker/stored-login.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

test('a helper that hangs, and will not be told to end, is waited for only so long', async () => {
  const directory = await makeTempDir('helper');
  try {
    await writeFile(join(directory, 'config.json'), '{"credsStore":"hanging"}');
    const program = join(directory, 'docker-credential-hanging');
    await writeFile(program, "#!/bin/sh\ntrap '' TERM\nexec sleep 600\n");
    await chmod(program, 0o755);
    const env = { PATH: `${directory}:${process.env['PATH'] ?? ''}`, DOCKER_CONFIG: directory };
    expect(await readStoredLogin(env, 'registry.example.com', true, 300)).toMatchObject({
      ok: false,
      problem: 'docker-credential-hanging did not answer within 0.3 s',
    });
  } finally {
    await removeTempDir(directory);
  }
});
