/** What holds for every verb: help, unknown names, the configuration named, and readers that leave. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.mjs';
import { type RunResult, run } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { projectDir } from '../support/trial.ts';
import { callProgram } from './in-process.ts';

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
let directory: string;

beforeAll(async () => {
  directory = await makeTempDir('command-line');
  await mkdir(join(directory, 'elsewhere'));
  await writeFile(
    join(directory, 'elsewhere/portcullis.yaml'),
    // The usual admin port may have a gateway of this machine.
    `upstream: http://127.0.0.1:5000\npublicUrl: http://127.0.0.1:5050\npolicies: [policies.yaml]\nstateDir: state\nadmin: { listen: 127.0.0.1:${await freePort()} }\n`,
  );
  await writeFile(
    join(directory, 'elsewhere/policies.yaml'),
    `users: { dana: { groups: [developers] } }
robots: { builder: { groups: [developers] } }
groups: { developers: }
rules:
  - { name: share, subjects: [group:developers], repositories: ["sandbox/**"], actions: [pull, push] }
tests:
  - { name: developers share, as: group:developers, allow: [push sandbox/app] }
`,
  );
});
afterAll(() => removeTempDir(directory));

function portcullis(...args: readonly string[]): Promise<RunResult> {
  return callProgram(args, { cwd: directory });
}

function built(...args: readonly string[]): Promise<RunResult> {
  return run(process.execPath, [program, ...args], { cwd: directory });
}

test('serve takes no secret as an argument, and its help offers none', async () => {
  const { stdout } = await portcullis('serve', '--help');
  expect(stdout).toContain('--logins-oidc-client-secret-file <value>');
  expect(stdout).not.toMatch(/-(?:password|client-secret) <value>/);
  expect(await portcullis('serve', '--logins-oidc-client-secret', 'hunter2')).toMatchObject({ code: 2, stdout: '' });
});

test('what the help of token create shows is done by the policies that come along', async () => {
  const { stdout } = await portcullis('token', 'create', '--help');
  const shown = /^ {2}portcullis (token create .*)$/m.exec(stdout)?.[1] ?? '';
  await cp(join(projectDir, 'policies'), join(directory, 'shipped'), { recursive: true });
  const words = shown.replaceAll('"', '').split(' ');
  expect(await portcullis(...words, '--policies', 'shipped')).toMatchObject({ code: 0 });
});

test('doctor names verbs that there are', async () => {
  const folder = join(projectDir, 'src/doctor');
  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
  const named = [
    ...texts.join('\n').matchAll(/portcullis ((?:[a-z][a-z-]+ )*[a-z][a-z-]+) (?:NAME|ROBOT|\$\{name\})/g),
  ];
  const verbs = [...new Set(named.map(([, verb = '']) => verb))];
  expect(verbs).toContain('user groups add');
  for (const verb of verbs)
    expect([verb, (await portcullis(...verb.split(' '), '--help')).stdout]).toEqual([
      verb,
      expect.stringMatching(/^Arguments:\n {2}name /m),
    ]);
});

describe('a verb that does not exist', () => {
  test.each([
    ['exlain', '--help'],
    ['exlain', '-h'],
    ['--help', 'exlain'],
    ['help', 'exlain'],
    ['user', 'ad', '--help'],
    ['token', 'help', 'creat'],
    ['import', 'htpaswd', '--help'],
  ])('is a usage error also when help is asked: %s %s', async (...args) => {
    const { code, stdout, stderr } = await portcullis(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^error: unknown command '\w+'\n\(Did you mean \w+\?\)/);
  });

  test.each([['--help'], ['help', 'user'], ['user', '--help'], ['user', 'help', 'add'], ['user', 'add', '--help']])(
    'is not what %s %s asks for',
    async (...args) => {
      const { code, stdout } = await portcullis(...args);
      expect([code, stdout.split(' ')[0]]).toEqual([0, 'Usage:']);
    },
  );

  test.each([[['exlain', '--help']], [['--help']], [['--version']], [['user', 'help', 'add']]])(
    'the built program says of %j what the call in this process says',
    async (args) => {
      expect(await built(...args)).toEqual(await portcullis(...args));
    },
  );
});

/** The program with a standard output that is closed before it writes a word. */
async function withoutReader(args: readonly string[]): Promise<{ readonly code: unknown; readonly stderr: string }> {
  const child = spawn(process.execPath, [program, ...args], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, stderr };
}

const policies = ['--policies', 'elsewhere/policies.yaml'];

test('a verb loads no other verb, and the configuration only where it is asked for', async () => {
  const hooks = `export async function load(url, context, next) { process._rawDebug(url); return next(url, context); }`;
  const register = `import { register } from 'node:module'; register('data:text/javascript,${encodeURIComponent(hooks)}');`;
  const { code, stderr } = await run(
    process.execPath,
    [
      '--import',
      `data:text/javascript,${encodeURIComponent(register)}`,
      fileURLToPath(new URL('../../build/cli.js', import.meta.url)),
      'check',
      ...policies,
    ],
    { cwd: directory },
  );
  expect(code).toBe(0);
  const own = stderr.split('\n').flatMap((url) => /\/build\/(.+)\.js$/.exec(url)?.[1] ?? []);
  expect(own).toContain('cli/check');
  expect(own.filter((file) => /^cli\/(?:test|explain|who-can|access|diff|user|token|key|serve)$/.test(file))).toEqual(
    [],
  );
  expect(own.filter((file) => /^cli\/configuration$|^config\/schema$/.test(file))).toEqual([]);
});

describe('a reader that leaves', () => {
  test.each<[readonly string[], number]>([
    [['--help'], 0],
    [['schema', 'policy'], 0],
    [['check', 'elsewhere/policies.yaml'], 0],
    [['test', '--json', 'elsewhere/policies.yaml'], 0],
    [['explain', 'user:dana', 'push', 'sandbox/app', ...policies], 0],
    [['explain', 'user:dana', 'push', 'release/app', ...policies], 1],
    [['who-can', 'pull', 'sandbox/app', ...policies], 0],
    [['diff', 'elsewhere/policies.yaml', 'elsewhere/policies.yaml'], 0],
    [['user', 'list', ...policies], 0],
    [['token', 'list', ...policies], 0],
  ])('of %j gets no stack trace, and the exit code is the answer', async (args, code) => {
    expect(await withoutReader(args)).toEqual({ code, stderr: expect.not.stringMatching(/EPIPE|Error|\bat /) });
  });

  test('is told apart from a disk that is full', async () => {
    const child = spawn(process.execPath, [program, 'schema', 'policy'], {
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(stderr).toMatch(/^portcullis: standard output cannot be written: ENOSPC.*\n$/);
  });
});

describe('--config', () => {
  test.each<[readonly string[], number, string]>([
    [['check'], 0, 'ok: 1 rules'],
    [['test'], 0, '1 passed'],
    [['explain', 'user:dana', 'push', 'sandbox/app'], 0, 'allow: '],
    [['who-can', 'push', 'sandbox/app'], 0, 'may push sandbox/app'],
    [['access', 'user:dana'], 0, 'pull, push in sandbox/**'],
    [['user', 'list'], 0, 'dana'],
    [['token', 'list'], 0, ''],
    [['key', 'list'], 1, ''],
    [['session', 'list'], 1, ''],
    [['limits'], 1, ''],
    [['healthcheck'], 1, ''],
  ])('names the configuration of %j', async (args, code, output) => {
    const found = await built(...args, '--config', 'elsewhere/portcullis.yaml');
    expect(found).toMatchObject({ code, stdout: expect.stringContaining(output) });
    const missing = await portcullis(...args, '--config', 'nowhere.yaml');
    // `check` reports on the configuration, as on everything it looks at.
    expect(missing.code).toBe(args[0] === 'check' ? 1 : 78);
    expect(missing.stdout + missing.stderr).toContain('nowhere.yaml');
  });
});
