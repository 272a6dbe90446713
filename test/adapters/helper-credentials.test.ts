/** Credentials for a registry by docker's credential helpers, whatever these do. */
import { readFileSync } from 'node:fs';
import { chmod, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HelperTerms, createHelperCredentials } from '../../src/adapters/docker/helper-credentials.ts';
import type { CredentialSource } from '../../src/ports.ts';
import { eventually } from '../support/eventually.ts';
import { waited } from '../support/loop-time.ts';
import { isFull } from '../support/size.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

let directory: string;
let now: number;
beforeEach(async () => {
  directory = await makeTempDir('helper');
  now = 0;
});
afterEach(() => removeTempDir(directory));

const login = '{"ServerURL":"x","Username":"svc","Secret":"s3cret"}';

async function helper(script: string, terms: Partial<HelperTerms> = {}): Promise<CredentialSource> {
  const program = join(directory, 'docker-credential-odd');
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o755);
  return createHelperCredentials({
    name: 'odd',
    origin: new URL('https://registry.example.com:5000'),
    env: {
      PATH: `${directory}:${process.env['PATH'] ?? ''}`,
      PLACE: directory,
      PORTCULLIS_REDIS: 'redis://:pw@r',
      AWS_PROFILE: 'ci',
    },
    now: () => now,
    ...terms,
  });
}

const failed = 'docker-credential-odd failed (status 1); run it by hand to see what it says';

const noted = async (name: string): Promise<readonly string[]> =>
  (await readFile(join(directory, name), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');

/** Open ones of this process. */
const descriptors = async (): Promise<number> => (await readdir('/proc/self/fd')).length;

/** Not one that has ended and that nobody has looked after yet. */
const isAlive = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

describe('a helper', () => {
  test('is given the name of the registry on standard input, and what it needs of the environment', async () => {
    const source = await helper(
      `cat >>"$PLACE/asked"; echo "$1 $AWS_PROFILE [$PORTCULLIS_REDIS]" >"$PLACE/seen"; echo '${login}'`,
    );
    expect(await source.get()).toEqual({ ok: true, login: { kind: 'password', account: 'svc', password: 's3cret' } });
    expect(await noted('asked')).toEqual(['registry.example.com:5000']);
    expect(await noted('seen')).toEqual(['get ci []']);
  });

  test('is asked by the other names that docker may have kept the login under', async () => {
    const found = `read -r server || :; echo "$server" >>"$PLACE/asked"; case "$server" in */v1/) echo '${login}';; *) echo 'credentials not found in native keychain'; exit 1;; esac`;
    const source = await helper(found, { origin: new URL('https://registry-1.docker.io') });
    expect(await source.get()).toMatchObject({ ok: true });
    expect(await noted('asked')).toEqual([
      'registry-1.docker.io',
      'https://registry-1.docker.io',
      'https://index.docker.io/v1/',
    ]);
    expect(await (await helper("echo 'credentials not found in native keychain'; exit 1")).get()).toEqual({
      ok: false,
      detail: 'docker-credential-odd has no login for registry.example.com:5000',
    });
  });

  test('may give an identity token', async () => {
    const source = await helper(`echo '{"Username":"<token>","Secret":"it"}'`);
    expect(await source.get()).toEqual({ ok: true, login: { kind: 'identity-token', token: 'it' } });
  });

  test('is run once for all who wait, and again ten minutes later or when its login was refused', async () => {
    const source = await helper(`echo run >>"$PLACE/runs"; sleep 0.1; echo '${login}'`);
    const readings = await Promise.all(Array.from({ length: 20 }, () => source.get()));
    expect(new Set(readings).size).toBe(1);
    now += 599_999;
    await source.get();
    expect(await noted('runs')).toHaveLength(1);
    now += 1;
    const later = await source.get();
    expect(await noted('runs')).toHaveLength(2);
    const [first] = readings;
    if (first?.ok === true) source.forget(first.login);
    await source.get();
    expect(await noted('runs')).toHaveLength(2);
    if (later.ok) source.forget(later.login);
    await source.get();
    expect(await noted('runs')).toHaveLength(3);
  });

  test('that fails is not run for each request', async () => {
    const source = await helper('echo run >>"$PLACE/runs"; echo locked; exit 1');
    for (let count = 0; count < 10; count++) expect(await source.get()).toEqual({ ok: false, detail: failed });
    expect(await noted('runs')).toHaveLength(1);
    now += 5001;
    await source.get();
    expect(await noted('runs')).toHaveLength(2);
  });
});

describe('a helper that hangs', () => {
  test('is ended with all that it started, and leaves no descriptor', async () => {
    const before = await descriptors();
    let pids: readonly number[] = [];
    // A slow machine may take the first of these limits for the start of a shell.
    for (const limit of isFull ? [10_000] : [300, 1500, 6000]) {
      const source = await helper(
        `trap '' TERM; (trap '' TERM; sleep 600) & echo "$! $$" >>"$PLACE/pids"; sleep 600`,
        isFull ? {} : { waitMs: limit },
      );
      const begun = performance.now();
      const { value: found, ms } = await waited(() => source.get());
      expect(performance.now() - begun).toBeGreaterThanOrEqual(limit - 50);
      expect(ms).toBeLessThan(limit + 1500);
      expect(found).toEqual({ ok: false, detail: `docker-credential-odd did not answer within ${limit / 1000} s` });
      pids = (await noted('pids')).flatMap((line) => line.split(' ').map(Number));
      if (pids.length > 0) break;
    }
    expect(pids).toHaveLength(2);
    await eventually('nobody of it is alive', () => !pids.some(isAlive));
    await eventually('no descriptor is left', async () => (await descriptors()) <= before);
  });

  test('before it ends, behind its back, keeps nobody waiting', async () => {
    const source = await helper(`sleep 600 & echo $! >>"$PLACE/pids"; echo '${login}'`);
    expect(await source.get()).toMatchObject({ ok: true });
    const pids = (await noted('pids')).map(Number);
    await eventually('what it left is gone', () => !pids.some(isAlive));
  });
});

describe('a helper is no danger: it', () => {
  test.each([
    ['says too much', 'yes', 'docker-credential-odd says more than any login needs'],
    [
      'speaks no JSON',
      'echo hello',
      "docker-credential-odd answered in another form than docker's credential helpers do",
    ],
    [
      'gives half a login',
      `echo '{"Username":"svc"}'`,
      "docker-credential-odd answered in another form than docker's credential helpers do",
    ],
    ['prints its secret and fails', `echo '${login}'; exit 1`, failed],
    ['prints it in other words and fails', 'echo s3cret; exit 1', failed],
    ['says what it is and fails', 'echo "the Secret is s3cret"; exit 1', failed],
    ['tells it on standard error', `echo 'cannot use s3cret' >&2; exit 1`, failed],
    ['is killed', 'kill -9 $$', 'docker-credential-odd failed (ended by a signal); run it by hand to see what it says'],
    [
      'gives a name that no password goes with',
      `echo '{"Username":"a:b","Secret":"s3cret"}'`,
      'docker-credential-odd gives a user name with a colon',
    ],
  ])('%s', async (_what, script, detail) => {
    expect(await (await helper(script)).get()).toEqual({ ok: false, detail });
  });

  test('is not there', async () => {
    const source = await helper('true', { name: 'none' });
    expect(await source.get()).toEqual({ ok: false, detail: 'docker-credential-none is not on PATH' });
  });

  test.each(['../odd', '/bin/sh', 'a b', '$(id)', ''])('is never a program of any folder: %s', async (name) => {
    expect(await (await helper('true', { name })).get()).toMatchObject({
      ok: false,
      detail: expect.stringContaining('no name of a credential helper') as unknown,
    });
  });
});
