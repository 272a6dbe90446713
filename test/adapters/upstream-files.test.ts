/** Passwords of registries, in files that change while the gateway runs. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createFileCredentials,
  createGivenCredentials,
  upstreamFileProblems,
} from '../../src/adapters/files/upstream-files.ts';
import { Secret } from '../../src/secret.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await makeTempDir('upstream-files');
  path = join(dir, 'secret');
});
afterEach(() => removeTempDir(dir));

describe('a password in a file', () => {
  test.each(['hunter2', 'hunter2\n', 'hunter2\r\n'])('%j is what is in it', async (text) => {
    await writeFile(path, text);
    expect(await createFileCredentials('svc', path).get()).toEqual({
      ok: true,
      login: { kind: 'password', account: 'svc', password: 'hunter2' },
    });
  });

  test('is a refresh token, where the user is called so', async () => {
    await writeFile(path, 'hunter2');
    expect(await createFileCredentials('<token>', path).get()).toMatchObject({ login: { kind: 'identity-token' } });
  });

  test('is the same object until it changes, and then the new one', async () => {
    await writeFile(path, 'first');
    const credentials = createFileCredentials('svc', path);
    const [one, two] = [await credentials.get(), await credentials.get()];
    expect(one.ok && two.ok && one.login === two.login).toBe(true);
    await writeFile(path, 'second');
    expect(await credentials.get()).toMatchObject({ login: { password: 'second' } });
  });

  test('that is gone or bad is said without what is in it, and is usable again afterwards', async () => {
    const credentials = createFileCredentials('svc', path);
    for (const text of ['', '\n', 'hunter2\nhunter3', 'hunter2\0', 'h'.repeat(65_537)]) {
      await writeFile(path, text);
      const found = await credentials.get();
      expect(found).toMatchObject({ ok: false, detail: expect.stringContaining('its password file cannot be used') });
      expect(JSON.stringify(found)).not.toMatch(/hunter|hhh/);
    }
    await rm(path);
    expect(await credentials.get()).toMatchObject({ ok: false, detail: expect.stringContaining('ENOENT') });
    await writeFile(path, 'hunter2');
    expect(await credentials.get()).toMatchObject({ ok: true });
  });
});

test('a password of the configuration is given as it is', async () => {
  expect(await createGivenCredentials('svc', new Secret('hunter2')).get()).toMatchObject({
    ok: true,
    login: { account: 'svc', password: 'hunter2' },
  });
});

test('files that cannot be used are problems where they are named', async () => {
  await mkdir(join(dir, 'folder'));
  await writeFile(path, 'hunter2\nhunter3');
  const problems = upstreamFileProblems(
    [
      { name: 'a', ca: join(dir, 'nowhere.pem'), credentials: { username: 'x', passwordFile: path } },
      { name: 'b', ca: path, credentials: { username: 'x', passwordFile: join(dir, 'folder') } },
      { name: 'c', ca: undefined, credentials: { helper: 'x' } },
      { name: 'd', ca: undefined, credentials: undefined },
    ],
    (key) => ({ file: key, line: 7, column: 1 }),
  );
  expect(problems.map(({ file, line, message }) => `${file}:${line} ${message.replaceAll(dir, '')}`)).toEqual([
    expect.stringMatching(/^upstreams.a.ca:7 upstreams.a.ca: \/nowhere.pem cannot be read: ENOENT/),
    'upstreams.a.credentials.passwordFile:7 upstreams.a.credentials.passwordFile: /secret cannot be used as a password: it holds more than one line, or control characters',
    'upstreams.b.ca:7 upstreams.b.ca: /secret holds no certificate in PEM',
    expect.stringMatching(/^upstreams.b.credentials.passwordFile:7 .* cannot be read: EISDIR/),
  ]);
  expect(JSON.stringify(problems)).not.toContain('hunter');
});
