/** `init`, `schema` and `import`, as a person runs them. */
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configKeys } from '../../src/config/schema.ts';
import { configTemplate } from '../../src/config/template.ts';
import { freePort } from '../support/free-port.mjs';
import { type RunResult, run, startProgram } from '../support/programs.ts';
import { answersOk } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { callProgram } from './in-process.ts';

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
let directory: string;

beforeEach(async () => {
  directory = await makeTempDir('init');
});
afterEach(() => removeTempDir(directory));

function portcullis(args: readonly string[], input = ''): Promise<RunResult> {
  return callProgram(args, { cwd: directory, input, env: { HOME: directory } });
}

function built(args: readonly string[], input = ''): Promise<RunResult> {
  return run(process.execPath, [program, ...args], { cwd: directory, input, env: { HOME: directory } });
}

async function modeOf(path: string): Promise<number> {
  return (await stat(join(directory, path))).mode & 0o777;
}

describe('init', () => {
  test('writes everything, says so and what to do next', async () => {
    const { code, stdout, stderr } = await built(['init', 'made/here']);
    expect([code, stderr]).toEqual([0, '']);
    expect(await readdir(join(directory, 'made/here'))).toEqual(['keys', 'policies', 'portcullis.yaml', 'schema']);
    expect(stdout).toMatch(/^ {2}written {2}made\/here\/portcullis.yaml /);
    expect(stdout).toMatch(/Next:\n {2}cd made\/here\n/);
    expect(stdout).not.toContain('kept');
  });

  test('keeps the signing key to its owner and out of repositories', async () => {
    await portcullis(['init']);
    const [ignore, key = ''] = await readdir(join(directory, 'keys'));
    expect([ignore, await modeOf('keys'), await modeOf(join('keys', key))]).toEqual(['.gitignore', 0o700, 0o600]);
    expect(await readFile(join(directory, 'keys/.gitignore'), 'utf8')).toBe('*\n');
  });

  test('makes what check accepts, what user verbs can edit, and what editors find their schema in', async () => {
    await portcullis(['init']);
    expect(await portcullis(['check'])).toMatchObject({ code: 0 });
    const add = await portcullis(['user', 'add', 'zoe', '--groups', 'admins', '--password-stdin'], 'correct horse');
    expect(add).toMatchObject({ code: 0, stderr: '' });
    expect(await portcullis(['check'])).toMatchObject({ code: 0 });
    for (const name of await readdir(join(directory, 'policies'))) {
      const text = await readFile(join(directory, 'policies', name), 'utf8');
      expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/schema\/policy\.schema\.json\n/);
    }
    for (const kind of ['policy', 'config']) {
      const written = await readFile(join(directory, `schema/${kind}.schema.json`), 'utf8');
      expect(written).toBe((await built(['schema', kind])).stdout);
    }
  });

  test('makes what starts once the URLs are set', async () => {
    await built(['init']);
    const [port, adminPort] = [await freePort(), await freePort()];
    const gateway = await startProgram(process.execPath, [program, 'serve'], {
      cwd: directory,
      env: {
        HOME: directory,
        PORTCULLIS_LISTEN: `127.0.0.1:${port}`,
        PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
        PORTCULLIS_PUBLIC_URL: `http://127.0.0.1:${port}`,
        PORTCULLIS_UPSTREAM: 'http://127.0.0.1:9',
      },
      isReady: () => answersOk(`http://127.0.0.1:${adminPort}/livez`),
    });
    try {
      const [key = ''] = (await readdir(join(directory, 'keys'))).filter((name) => name.endsWith('.pem'));
      const published = await (await fetch(`http://127.0.0.1:${port}/.well-known/jwks.json`)).json();
      expect(published).toMatchObject({ keys: [{ crv: 'P-256', alg: 'ES256' }] });
      expect(key).not.toBe('');
    } finally {
      await gateway.stop();
    }
  });

  test('overwrites nothing: what is there is named as kept', async () => {
    await mkdir(join(directory, 'policies'));
    await mkdir(join(directory, 'keys'));
    await writeFile(join(directory, 'portcullis.yaml'), '# mine\n');
    await writeFile(join(directory, 'policies/mine.yml'), 'rules: []\n');
    await writeFile(join(directory, 'keys/mine.jwk'), '{}');
    await chmod(join(directory, 'keys'), 0o755);
    const { code, stdout } = await portcullis(['init']);
    expect(code).toBe(0);
    expect(stdout.match(/^ {2}kept +\S+/gm)).toEqual([
      expect.stringMatching(/portcullis\.yaml$/),
      expect.stringMatching(/policies$/),
      expect.stringMatching(/keys$/),
    ]);
    expect(await readFile(join(directory, 'portcullis.yaml'), 'utf8')).toBe('# mine\n');
    expect(await readdir(join(directory, 'policies'))).toEqual(['mine.yml']);
    expect([await readdir(join(directory, 'keys')), await modeOf('keys')]).toEqual([['mine.jwk'], 0o755]);
  });

  test('twice is once', async () => {
    await portcullis(['init']);
    const { stdout } = await portcullis(['init']);
    expect(stdout).not.toContain('written');
    expect((await readdir(join(directory, 'keys'))).length).toBe(2);
  });

  test('says when it cannot write', async () => {
    await writeFile(join(directory, 'file'), '');
    const { code, stderr } = await portcullis(['init', 'file/below']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('file/below')]);
  });
});

describe('the configuration to start from', () => {
  const on = configTemplate().replace(/^( *)#(?=\w| {2})/gm, '$1');

  test.each(configKeys().map(({ key }) => key))('has %s with an example', (key) => {
    const [section = '', ...names] = key.replace('<name>', 'partner').split('.');
    const below = names.map((name, depth) => `\\n(?: +.*\\n)*? {${2 * depth + 2}}(?:# )?${name}:`);
    expect(on).toMatch(new RegExp(`^${section}:${below.join('')} \\S`, 'm'));
  });

  test('is valid with everything turned on, except for the files it names', async () => {
    await portcullis(['init']);
    // One or the other.
    await writeFile(join(directory, 'portcullis.yaml'), on.replace(/^upstream:.*$/m, ''));
    expect(await portcullis(['check'])).toMatchObject({ code: 0 });
  });
});

describe('import', () => {
  const hash = '$2y$05$LO.vzwpWC5LZGqThvEfznu8qhb5SGqvBSWY1J3yZ4AxtMRZ3kN5jC';

  test('prints a policy that check accepts, from a file or standard input', async () => {
    await writeFile(join(directory, 'htpasswd'), `bob:${hash}\n`);
    const { code, stdout, stderr } = await built(['import', 'htpasswd', 'htpasswd']);
    expect([code, stderr]).toEqual([0, '']);
    const piped = await built(['import', 'htpasswd', '-'], `bob:${hash}\n`);
    expect(piped.stdout.split('\n').slice(1)).toEqual(stdout.split('\n').slice(1));
    await writeFile(join(directory, 'users.yaml'), stdout);
    expect(await portcullis(['check', 'users.yaml'])).toMatchObject({ code: 0 });
  });

  test('exits 1 when something was left out, one line each, and prints the rest', async () => {
    const { code, stdout, stderr } = await portcullis(
      ['import', 'htpasswd', '-'],
      `bob:${hash}\neve:$apr1$secret\nsecret\n`,
    );
    expect(code).toBe(1);
    expect(stdout).toContain('  bob:\n');
    expect(stderr.split('\n').slice(0, 2)).toEqual([
      expect.stringMatching(/^standard input:2:1: user "eve": an MD5 hash/),
      expect.stringMatching(/^standard input:3:1: /),
    ]);
    expect(stderr).not.toContain('secret');
  });

  test('takes a docker_auth configuration', async () => {
    const config = `users: { bob: { password: "${hash}" } }\nacl:\n  - { match: { account: bob }, actions: ["*"] }\n  - { match: { name: "/x/" }, actions: [pull] }\n`;
    const { code, stdout, stderr } = await portcullis(['import', 'docker_auth', '-'], config);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^standard input:4:1: entry 2 .*name pattern/)]);
    await writeFile(join(directory, 'imported.yaml'), stdout);
    expect(await portcullis(['explain', 'user:bob', 'push', 'any/thing', '--policies', 'imported.yaml'])).toMatchObject(
      { code: 0 },
    );
  });

  test('prints nothing from a file that cannot be understood', async () => {
    const { code, stdout, stderr } = await portcullis(['import', 'docker_auth', '-'], 'acl:\n  - actions: [pull]\n');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/standard input:2:\d+: the entry has no `match`/);
    expect(await portcullis(['import', 'htpasswd', 'nowhere'])).toMatchObject({ code: 1, stdout: '' });
  });
});
