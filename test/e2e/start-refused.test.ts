/** The program as its user meets it: misconfigured and misspelled. All of it is the built one. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { requirePrograms, run } from '../support/programs.ts';
import type { RunResult } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { cli, copyPolicies } from '../support/trial.ts';
import type { TrialPlace } from '../support/trial.ts';

describe('a start that cannot work', () => {
  test('names every missing setting at once', async () => {
    const seen = await serve(await tempDir(), { NODE_ENV: 'production' });
    expect(seen.code).toBe(78);
    expect(seen.stderr).toContain('publicUrl is required');
    expect(seen.stderr).toContain('PORTCULLIS_PUBLIC_URL=https://registry.example.com');
    expect(seen.stderr).toContain('upstream is required');
    expect(seen.stderr).toContain('PORTCULLIS_UPSTREAM=http://registry:5000');
    expect(seen.stderr).toContain('portcullis: 2 problems');
  });

  test('shows all mistakes of portcullis.yaml, each with line, column and what was meant', async () => {
    const dir = await tempDir();
    const lines = [
      'listen: 127.0.0.1:99999',
      'publicUrl: https://registry.example.com',
      'upstream: http://127.0.0.1:5000',
      'tokens:',
      '  acessTtl: 15m',
      'tls:',
      '  cert: ./tls.crt',
      '  kee: ./tls.key',
    ];
    await writeFile(join(dir, 'portcullis.yaml'), lines.join('\n'));
    const seen = await serve(dir);
    expect(seen.code).toBe(78);
    expect(seen.stderr).toContain('portcullis.yaml:1:9: listen: the port must be at most 65535');
    expect(seen.stderr).toContain('portcullis.yaml:5:3: tokens: unknown key "acessTtl" — did you mean "accessTtl"?');
    expect(seen.stderr).toContain('portcullis.yaml:8:3: tls: unknown key "kee" — did you mean "key"?');
    expect(seen.stderr).toContain('    5 |   acessTtl: 15m\n      |   ^');
  });

  const brokenPolicies: readonly (readonly [what: string, lines: readonly string[], expected: string])[] = [
    [
      'a rule for a group that does not exist',
      ['rules:', '  - name: a', '    subjects: [group:developrs]', "    repositories: ['a/**']", '    actions: [pull]'],
      'policies/people.yaml:3:16: there is no group "developrs"',
    ],
    [
      'a misspelt action',
      ['rules:', '  - name: a', '    subjects: [everyone]', "    repositories: ['a/**']", '    actions: [pul]'],
      'policies/people.yaml:5:15: ',
    ],
    ['an unknown key', ['roles: []'], 'policies/people.yaml:1:1: unknown key "roles" — did you mean "rules"?'],
    ['a password that is no hash', ['users:', '  dana:', '    password: hunter2'], 'make one with: portcullis hash'],
    ['broken YAML', ['users: {'], 'policies/people.yaml:'],
    [
      'a test that fails',
      ['tests:', '  - { name: open, as: anonymous, allow: [pull a/b] }'],
      'test "open" fails: pull a/b should be allowed, but is denied',
    ],
  ];
  for (const [what, lines, expected] of brokenPolicies) {
    test(`${what} in a policy: file, line and what to do, exit 78`, async () => {
      const dir = await tempDir();
      await mkdir(join(dir, 'policies'));
      await writeFile(join(dir, 'policies/people.yaml'), lines.join('\n'));
      const seen = await serve(dir, nowhere);
      expect(seen.stderr).toContain(expected);
      expect(seen.stderr).toMatch(/policies\/people\.yaml:\d+:\d+: /);
      expect(seen.code).toBe(78);
      const checked = await portcullis(['check'], { dir, env: { ...nowhere, HOME: dir } });
      expect(checked.stderr).toContain(expected);
      expect(checked.code).toBe(1);
    });
  }

  test('no policies at all: says which directory is missing', async () => {
    const seen = await serve(await tempDir(), nowhere);
    expect(seen).toMatchObject({ code: 78 });
    expect(seen.stderr).toContain('policies: does not exist; create it, or name another path');
  });

  test('an address in use: says which, and how to choose another', async () => {
    const dir = await dirWithPolicies();
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    const seen = await serve(dir, { ...nowhere, PORTCULLIS_LISTEN: `127.0.0.1:${port}` });
    expect(seen.code).toBe(78);
    expect(seen.stderr).toContain(`listen: the address 127.0.0.1:${port} is in use by another program`);
    expect(seen.stderr).toContain('PORTCULLIS_LISTEN=127.0.0.1:PORT');
  });

  const brokenKeys: readonly (readonly [what: string, make: (dir: string) => Promise<void>, expected: string])[] = [
    ['a key directory that is missing', () => Promise.resolve(), 'signing: the key directory cannot be '],
    ['a key directory without keys', (dir) => mkdir(dir).then(() => undefined), 'holds no key'],
    [
      'a file that is no key',
      async (dir) => {
        await mkdir(dir);
        await writeFile(join(dir, 'a.pem'), 'nothing', { mode: 0o600 });
      },
      'a.pem: is not a private key in PEM or JWK form',
    ],
    [
      'a key that every user may read',
      async (dir) => {
        await mkdir(dir);
        await writeFile(join(dir, 'a.pem'), 'nothing');
        await chmod(join(dir, 'a.pem'), 0o644);
      },
      'a.pem: can be read by every user of this machine; fix: chmod 600',
    ],
  ];
  for (const [what, make, expected] of brokenKeys) {
    test(`${what}: exit 78 and why`, async () => {
      const dir = await dirWithPolicies();
      await make(join(dir, 'signing'));
      const seen = await serve(dir, { ...nowhere, PORTCULLIS_TOKENS_KEYS: 'signing' });
      expect(seen.stderr).toContain(expected);
      expect(seen.code).toBe(78);
    });
  }

  test('a certificate that cannot be read: exit 78 and which file', async () => {
    const dir = await dirWithPolicies();
    const tls = { PORTCULLIS_TLS_CERT: 'tls.crt', PORTCULLIS_TLS_KEY: 'tls.key' };
    const seen = await serve(dir, { ...nowhere, ...tls });
    expect(seen.stderr).toContain(join(dir, 'tls.crt'));
    expect(seen.code).toBe(78);
  });

  test('a certificate that only TLS refuses: exit 78 and why', async (context) => {
    requirePrograms(context, ['openssl']);
    const dir = await dirWithPolicies();
    const [cert, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
    await makeCertificate(cert, key);
    await writeFile(cert, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', { flag: 'a' });
    const seen = await serve(dir, { ...nowhere, PORTCULLIS_TLS_CERT: cert, PORTCULLIS_TLS_KEY: key });
    expect(seen.stderr).toContain('the certificate or key cannot be read');
    expect(seen.code).toBe(78);
  });

  test('try mode with nothing to stand in front of: one error that names the ways out', async () => {
    const dir = await dirWithPolicies();
    const seen = await serve(dir, { PORTCULLIS_UPSTREAM: 'http://127.0.0.1:1' });
    expect(seen.stderr).toContain('the upstream http://127.0.0.1:1 cannot be reached');
    expect(seen.code).toBe(1);
  });
});

describe('the command line', () => {
  const usageErrors: readonly (readonly [what: string, args: readonly string[], expected: string])[] = [
    ['an unknown verb', ['chek'], 'Did you mean check?'],
    ['an unknown option', ['serve', '--upstraem', 'x'], 'Did you mean --upstream?'],
    ['an option without its value', ['serve', '--listen'], 'argument missing'],
    ['too many arguments', ['healthcheck', 'now'], 'too many arguments'],
    ['no verb at all', [], 'Usage: portcullis'],
    ['a password to type and no terminal', ['hash'], 'use --password-stdin'],
  ];
  for (const [what, args, expected] of usageErrors) {
    test(`${what} is a usage error: exit 2`, async () => {
      const dir = await tempDir();
      const seen = await portcullis(args, { dir, env: { HOME: dir } });
      expect(seen.stderr).toContain(expected);
      expect(seen).toMatchObject({ code: 2, stdout: '' });
    });
  }

  test('--help lists the verbs, and --help of every verb shows an example', async () => {
    const place = { dir: await tempDir(), env: {} };
    const help = await portcullis(['--help'], place);
    expect(help.code).toBe(0);
    const commands = /Commands:\n([\s\S]*?)\n\n/.exec(help.stdout)?.[1] ?? '';
    const verbs = [...commands.matchAll(/^ {2}([a-z-]+) /gm)].map(([, verb = '']) => verb);
    expect(verbs).toEqual(expect.arrayContaining(['serve', 'try', 'check', 'hash', 'healthcheck']));
    for (const verb of verbs.filter((name) => name !== 'help')) {
      const seen = await portcullis([verb, '--help'], place);
      expect(seen.code).toBe(0);
      expect(seen.stdout).toMatch(new RegExp(`\\nExamples?:\\n {2}.*portcullis ${verb}`));
    }
  });

  test('hash prints an argon2id hash and nothing else', async () => {
    const dir = await tempDir();
    const seen = await run(process.execPath, [cli, 'hash', '--password-stdin'], { cwd: dir, input: 'correct horse\n' });
    expect(seen).toMatchObject({ code: 0, stderr: '' });
    expect(seen.stdout).toMatch(/^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$\S+\n$/);
  });
});

describe('no error prints a secret:', () => {
  const secret = `canary${randomBytes(8).toString('hex')}`;
  const leakyHash = `$argon2id$v=19$m=8192,t=1,p=1$${secret}$${secret}`;

  const leaks: readonly (readonly [
    what: string,
    given: {
      readonly files?: Readonly<Record<string, string>>;
      readonly env?: Readonly<Record<string, string>>;
      readonly args?: readonly string[];
      readonly input?: string;
    },
  ])[] = [
    ['a plain password in a policy', { files: { 'policies/a.yaml': `users:\n  dana: { password: ${secret} }\n` } }],
    ['a plain password in quotes', { files: { 'policies/a.yaml': `users:\n  dana:\n    password: "${secret}"\n` } }],
    [
      'a hash that an unquoted comma tore apart',
      { files: { 'policies/a.yaml': `users:\n  dana: { password: ${leakyHash}, groups: [x] }\n` } },
    ],
    [
      'a mistake beside a hash',
      { files: { 'policies/a.yaml': `users:\n  dana: { password: '${leakyHash}', group: [x] }\n` } },
    ],
    [
      'a robot secret in the wrong place',
      { files: { 'policies/a.yaml': `robots:\n  ci: { tokens: [{ id: abcd, sha256: pct_${secret} }] }\n` } },
    ],
    [
      'a Redis address that is wrong in the file',
      { files: { 'portcullis.yaml': `redis: redis://:${secret}@host:notaport/0\n` } },
    ],
    [
      'a Redis address that is wrong in the environment',
      { env: { PORTCULLIS_REDIS: `redis://:${secret}@host:notaport/0` } },
    ],
    ['a Redis password on the command line', { args: ['--redis', `redis://:${secret}@host:6379/0`] }],
    [
      'a password in the address of the registry',
      { env: { PORTCULLIS_UPSTREAM: `http://user:${secret}@127.0.0.1:1` } },
    ],
    ['a password in the public address', { files: { 'portcullis.yaml': `publicUrl: https://user:${secret}@host\n` } }],
  ];
  for (const [what, { files = {}, env = {}, args = [] }] of leaks) {
    test(what, async () => {
      const dir = await tempDir();
      await mkdir(join(dir, 'policies'));
      for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
      const settings = 'portcullis.yaml' in files ? {} : { ...nowhere, ...env };
      const seen = await portcullis(['serve', ...args], { dir, env: { HOME: dir, ...settings } });
      expect(seen.code).toBe(78);
      expect(seen.stdout + seen.stderr).not.toContain(secret);
      expect(seen.stderr).toMatch(/portcullis: \d+ problems?/);
    });
  }

  test('a password that is too long to hash', async () => {
    const dir = await tempDir();
    const seen = await run(process.execPath, [cli, 'hash', '--password-stdin'], {
      cwd: dir,
      input: secret.repeat(999),
    });
    expect(seen.code).toBe(2);
    expect(seen.stdout + seen.stderr).not.toContain(secret);
  });
});

/** Production settings that need no registry: it is looked for only once everything else is right. */
const nowhere = {
  NODE_ENV: 'production',
  PORTCULLIS_LISTEN: '127.0.0.1:0',
  PORTCULLIS_ADMIN_LISTEN: '127.0.0.1:0',
  PORTCULLIS_PUBLIC_URL: 'https://registry.example.com',
  PORTCULLIS_UPSTREAM: 'http://127.0.0.1:1',
};

async function tempDir(): Promise<string> {
  const dir = await makeTempDir('start');
  onTestFinished(() => removeTempDir(dir));
  return dir;
}

async function dirWithPolicies(): Promise<string> {
  const dir = await tempDir();
  await copyPolicies(dir);
  return dir;
}

function portcullis(args: readonly string[], { dir, env }: Pick<TrialPlace, 'dir' | 'env'>): Promise<RunResult> {
  return run(process.execPath, [cli, ...args], { cwd: dir, env });
}

function serve(dir: string, env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
  return portcullis(['serve'], { dir, env: { HOME: dir, ...env } });
}
