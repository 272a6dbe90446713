/** `portcullis login` as a person runs it, at a gateway that a browser answers. */
import { chmod, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readStoredLogin } from '../../src/adapters/docker/stored-login.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayHere, policy, startGatewayHere, testConfig } from '../support/gateway.ts';
import type { RunResult } from '../support/programs.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { Visitor, fieldOf } from '../support/visitor.ts';
import { callProgram } from './in-process.ts';

let directory: string;
beforeEach(async () => {
  directory = await makeTempDir('login');
});
afterEach(() => removeTempDir(directory));

function login(host: string, ...more: readonly string[]): Promise<RunResult> {
  const env = { HOME: directory, PATH: `${directory}:${process.env['PATH'] ?? ''}` };
  return callProgram(['login', host, ...more], { cwd: directory, env });
}

const config = (): string => join(directory, '.docker', 'config.json');

describe('at a gateway', () => {
  let gateway: GatewayHere;
  let dana: Visitor;
  beforeEach(async () => {
    gateway = await startGatewayHere({ 'policy.yaml': policy }, (dir, policiesDir) => ({
      ...testConfig('http://127.0.0.1:9')(dir, policiesDir),
      publicUrl: 'https://registry.test',
    }));
    dana = new Visitor(gateway.url);
    expect((await dana.logIn('dana', 'correct horse')).status).toBe(303);
  });
  afterEach(() => gateway.close());

  /** Types the code that the terminal shows, and answers; gives the whole run. */
  async function answered(allow: 'yes' | 'no', ...more: readonly string[]): Promise<RunResult> {
    let code: string | undefined;
    const run = login(`127.0.0.1:${gateway.port}`, ...more);
    const shown = process.stderr as unknown as { text(): string };
    await eventually('it shows a code', () => (code = /Type {3}(\S+)/.exec(shown.text())?.[1]) !== undefined);
    const page = await dana.get('/ui/device');
    const form = page.body.slice(page.body.indexOf('action="/ui/device/look"'));
    const found = await dana.post('/ui/device/look', { csrf: fieldOf(form, 'csrf'), code: code ?? '' });
    const question = found.body.slice(found.body.indexOf('action="/ui/device/answer"'));
    const csrf = fieldOf(question, 'csrf');
    const fields = { csrf, code: code ?? '', allow, label: 'laptop', lifetime: '7d', 'may-pull': 'on' };
    expect((await dana.post('/ui/device/answer', fields)).status).toBe(200);
    return run;
  }

  async function stored(): Promise<number> {
    const env = { HOME: directory, PATH: `${directory}:${process.env['PATH'] ?? ''}` };
    const reading = await readStoredLogin(env, `127.0.0.1:${gateway.port}`, false);
    if (!reading.ok || reading.login?.kind !== 'password') throw new Error(JSON.stringify(reading));
    const { account, password } = reading.login;
    expect(password).toMatch(/^pct_[0-9A-Za-z]{36}$/);
    const authorization = `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;
    const reply = await fetch(`${gateway.url}/v2/`, { headers: { authorization } });
    await reply.arrayBuffer();
    return reply.status;
  }

  test('docker has an access token then, in a file for its owner alone, and all else in the file stays', async () => {
    await mkdir(join(directory, '.docker'));
    const before = { auths: { 'other.example.com': { auth: 'eDp5' } }, HttpHeaders: { a: 'b' }, aliases: { x: 'y' } };
    await writeFile(join(directory, 'real.json'), JSON.stringify(before), { mode: 0o644 });
    await symlink(join(directory, 'real.json'), config());
    const run = await answered('yes');
    expect([run.code, run.stdout]).toEqual([
      0,
      expect.stringMatching(/^logged in at 127.0.0.1:\d+ as dana, until \d{4}-\d\d-\d\d; kept by .*config.json\n$/),
    ]);
    expect(run.stderr).toContain(`Open   http`);
    expect(run.stdout + run.stderr).not.toContain('pct_');
    expect(await stored()).toBe(200);
    const after = JSON.parse(await readFile(config(), 'utf8')) as typeof before;
    expect({ ...after, auths: { 'other.example.com': after.auths['other.example.com'] } }).toEqual(before);
    expect((await stat(join(directory, 'real.json'))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(directory, '.docker'))).toEqual(['config.json']);
  });

  test('a credential helper has it where docker has one, and the file has not', async () => {
    await mkdir(join(directory, '.docker'));
    await writeFile(config(), '{"credsStore":"box"}');
    const box = join(directory, 'box.json');
    const script = `case $1 in store) cat > ${box};; get) cat > /dev/null; cat ${box};; esac`;
    await writeFile(join(directory, 'docker-credential-box'), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, 'docker-credential-box'), 0o755);
    const run = await answered('yes', '--json');
    expect(JSON.parse(run.stdout)).toMatchObject({ ok: true, account: 'dana', kept: 'docker-credential-box' });
    expect(await readFile(box, 'utf8')).toContain(`"ServerURL":"127.0.0.1:${gateway.port}"`);
    expect(await stored()).toBe(200);
    expect(await readFile(config(), 'utf8')).not.toContain('"auth"');
  });

  test('nobody is logged in whom the page refuses', async () => {
    const run = await answered('no');
    expect(run).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('the login was refused on the page') as string,
    });
    await expect(readFile(config())).rejects.toThrow('ENOENT');
  });
});

describe('what goes wrong is said', () => {
  let elsewhere: StandIn;
  let answers: (path: string) => readonly [status: number, body: unknown];
  beforeEach(async () => {
    elsewhere = await startStandIn((request, response) => {
      const [status, body] = answers(request.url ?? '');
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  afterEach(() => elsewhere.close());

  const begun = {
    device_code: 'd',
    user_code: 'B\u001b[2J',
    verification_uri: 'http://x/\u202e',
    expires_in: 2,
    interval: 0.01,
  };

  test.each<readonly [string, (path: string) => readonly [number, unknown], string]>([
    ['no page', () => [404, {}], 'lets nobody in by a browser'],
    ['too many', () => [429, { errors: [{ message: 'too many' }] }], 'answers 429: too many'],
    ['another service', () => [200, { hello: 1 }], 'answers 200: nothing that this program knows'],
    ['expired', (path) => (path === '/device' ? [200, begun] : [400, { error: 'expired_token' }]), 'answers 400'],
    [
      'nobody',
      (path) => (path === '/device' ? [200, { ...begun, expires_in: 0.1 }] : [400, { error: 'authorization_pending' }]),
      'nobody typed the code in time',
    ],
    [
      'away for a while',
      (path) => (path === '/device' ? [200, { ...begun, expires_in: 0.1 }] : [503, {}]),
      'nobody typed the code in time',
    ],
  ])('%s', async (_, answer, says) => {
    answers = answer;
    const run = await login(new URL(elsewhere.url).host);
    expect([run.code, run.stdout]).toEqual([1, '']);
    expect(run.stderr).toContain(says);
    expect(run.stderr).not.toMatch(/[\u001b\u202e]/);
  });

  test.each([1e300, -1e300, 8.64e15])('a token that ends in %d seconds is none', async (lives) => {
    answers = (path) =>
      path === '/device' ? [200, begun] : [200, { account: 'dana', secret: 'pct_secret', expires_in: lives }];
    const run = await login(elsewhere.url);
    expect([run.code, run.stdout]).toEqual([1, '']);
    expect(run.stderr).toContain('answers 200: nothing that this program knows');
    expect(run.stderr).not.toContain('pct_secret');
  });

  test('a name of an account moves no cursor', async () => {
    answers = (path) =>
      path === '/device' ? [200, begun] : [200, { account: 'd\u001b[2Ja', secret: 'pct_secret', expires_in: 60 }];
    const run = await login(elsewhere.url);
    expect([run.code, run.stdout]).toEqual([0, expect.stringContaining(' as d\\u001b[2Ja, until ')]);
  });

  test('an address at which nothing listens is said to be the one that was given', async () => {
    const run = await login('http://127.0.0.1:1');
    expect([run.code, run.stderr]).toEqual([1, expect.stringContaining('nothing listens at 127.0.0.1:1')]);
    expect(run.stderr).not.toMatch(/SOURCE|--gateway|promote/);
  });

  test('a file of docker that cannot be read is left alone, and the token that is lost is named', async () => {
    await mkdir(join(directory, '.docker'));
    await writeFile(config(), '{"auths":');
    answers = (path) =>
      path === '/device' ? [200, begun] : [200, { account: 'dana', secret: 'pct_secret', expires_in: 60 }];
    const run = await login(elsewhere.url);
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/config.json is not JSON[^]*revoke the token/);
    expect(run.stderr).not.toContain('pct_secret');
    expect(await readFile(config(), 'utf8')).toBe('{"auths":');
  });

  test('a helper that fails has no secret shown', async () => {
    await mkdir(join(directory, '.docker'));
    await writeFile(config(), `{"credHelpers":{"${new URL(elsewhere.url).host}":"odd"}}`);
    await writeFile(join(directory, 'docker-credential-odd'), '#!/bin/sh\ncat; exit 1\n');
    await chmod(join(directory, 'docker-credential-odd'), 0o755);
    answers = (path) =>
      path === '/device' ? [200, begun] : [200, { account: 'dana', secret: 'pct_secret', expires_in: 60 }];
    const run = await login(new URL(elsewhere.url).host);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain('docker-credential-odd failed');
    expect(run.stderr).not.toContain('pct_secret');
  });

  test.each(['', 'https://user:pw@x', 'x/y', 'ftp://x', 'a b'])('%j is no host', async (host) => {
    expect(await login(host)).toMatchObject({ code: 2, stdout: '' });
  });
});
