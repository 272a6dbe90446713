/** `portcullis promote` as a person runs it, in front of a stand-in for the gateway. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startProgress } from '../../src/cli/progress.ts';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/free-port.mjs';
import type { RunResult } from '../support/programs.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { callProgram } from './in-process.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const done = {
  ...{ id: 'p1', digest, source: 'integration/app:1.2.3', target: 'release/app:v1.2.3' },
  ...{ manifests: 3, blobs: 6, mounted: 6, bytes: 0, durationMs: 284 },
};
const secret = 'a secret that is never printed';
const identityToken = 'pct_identity_token_never_printed';
const accessToken = 'access.token.never-printed';

interface Asked {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

let directory: string;
let gateway: StandIn;
let asked: Asked[];
let answer: (response: ServerResponse, request: IncomingMessage) => void;

beforeEach(async () => {
  directory = await makeTempDir('promote');
  await mkdir(join(directory, 'docker'));
  asked = [];
  answer = (response) => response.writeHead(201).end(JSON.stringify(done));
  gateway = await startStandIn((request, response) => void serve(request, response));
});
afterEach(async () => {
  await gateway.close();
  await removeTempDir(directory);
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = Buffer.concat(await request.toArray()).toString();
  const line = `${request.method} ${request.url}`;
  asked.push({ line, authorization: request.headers.authorization, body });
  if (line !== 'POST /token') return answer(response, request);
  const form = new URLSearchParams(body);
  const isGood = form.get('grant_type') === 'refresh_token' && form.get('refresh_token') === identityToken;
  response.writeHead(isGood ? 200 : 401).end(JSON.stringify(isGood ? { access_token: accessToken } : {}));
}

/** In a folder without a configuration, with the docker configuration of the test; whatever comes out holds no secret. */
async function promote(
  args: readonly string[],
  { input = '', env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<RunResult> {
  const PATH = `${directory}:${process.env['PATH'] ?? ''}`;
  const result = await callProgram(['promote', ...args], {
    ...{ cwd: directory, input },
    env: { PATH, HOME: directory, DOCKER_CONFIG: join(directory, 'docker'), ...env },
  });
  for (const hidden of [secret, identityToken, accessToken, Buffer.from(`rita:${secret}`).toString('base64')])
    expect(result.stdout + result.stderr).not.toContain(hidden);
  return result;
}

const images = () => [`${gateway.host}/integration/app:1.2.3`, 'release/app:v1.2.3'];

function dockerConfig(config: object): Promise<void> {
  return writeFile(join(directory, 'docker/config.json'), JSON.stringify(config));
}

function loggedIn(login = `rita:${secret}`): Promise<void> {
  return dockerConfig({ auths: { [gateway.host]: { auth: Buffer.from(login).toString('base64') } } });
}

/** A program `docker-credential-NAME` that writes down what it is asked for. */
async function helper(name: string, script: string): Promise<void> {
  const path = join(directory, `docker-credential-${name}`);
  await writeFile(path, `#!/bin/sh\nserver=$(cat)\necho "$1 $server" >> "${directory}/asked"\n${script}\n`);
  await chmod(path, 0o755);
}

function readAsked(): Promise<string> {
  return readFile(join(directory, 'asked'), 'utf8');
}

const basicOfRita = `Basic ${Buffer.from(`rita:${secret}`).toString('base64')}`;

describe('what was promoted is told', () => {
  beforeEach(() => loggedIn());

  test('in two lines: what is what now, and what it took', async () => {
    expect(await promote(images())).toEqual({
      code: 0,
      stdout: `promoted integration/app:1.2.3 to release/app:v1.2.3\n${digest}  3 manifests, 6 blobs, nothing copied, 284 ms\n`,
      stderr: '',
    });
  });

  test('also what had to be copied', async () => {
    answer = (response) =>
      response
        .writeHead(201)
        .end(JSON.stringify({ ...done, manifests: 1, mounted: 4, bytes: 52_428_800, durationMs: 9284 }));
    expect((await promote(images())).stdout).toContain(
      '  1 manifest, 6 blobs, 4 of them mounted, 52.4 MB copied, 9.3 s\n',
    );
  });

  test.each([
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [999_999_999, '1.00 GB'],
    [999, '999 B'],
    [1000, '1.00 kB'],
  ])('%d bytes as %s', async (bytes, words) => {
    answer = (response) => response.writeHead(201).end(JSON.stringify({ ...done, bytes }));
    expect((await promote(images())).stdout).toContain(`, ${words} copied,`);
  });

  test('also that there was nothing to do', async () => {
    answer = (response) =>
      response.writeHead(201).end(JSON.stringify({ ...done, manifests: 0, blobs: 0, mounted: 0, durationMs: 3 }));
    expect((await promote(images())).stdout).toBe(
      `nothing to do: release/app:v1.2.3 is integration/app:1.2.3 already\n${digest}\n`,
    );
  });

  test('also which layers the registry has none of', async () => {
    answer = (response) => response.writeHead(201).end(JSON.stringify({ ...done, left: [digest] }));
    expect((await promote(images())).stdout).toMatch(/284 ms\n1 layer the registry has none of, as before\n$/);
  });

  test('as JSON: the answer', async () => {
    const { code, stdout } = await promote([...images(), '--json']);
    expect([code, JSON.parse(stdout)]).toEqual([0, done]);
  });

  test('and nothing that the gateway writes reaches the terminal as a command', async () => {
    answer = (response) =>
      response.writeHead(201).end(JSON.stringify({ ...done, digest: 'x\u001b[2J\nforged', left: ['\u001b[2J'] }));
    expect((await promote(images())).stdout).not.toMatch(/\u001b|^forged/m);
    answer = (response) => response.writeHead(422).end(JSON.stringify({ detail: 'x\u001b[2J' }));
    expect((await promote(images())).stderr).not.toContain('\u001b');
  });

  test('the wish is sent once, as it was said', async () => {
    await promote([...images(), '--reason', 'ticket 123']);
    expect(asked).toEqual([{ line: 'POST /api/v1/promotions', authorization: basicOfRita, body: expect.any(String) }]);
    const wish = { source: 'integration/app:1.2.3', target: 'release/app:v1.2.3', attachments: true };
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ ...wish, reason: 'ticket 123' });
    await promote([...images(), '--no-attachments']);
    expect(JSON.parse(asked[1]?.body ?? '')).toEqual({ ...wish, attachments: false });
  });

  test('a dry run asks for one, and says that nothing was changed', async () => {
    answer = (response) => response.writeHead(200).end(JSON.stringify({ ...done, mounted: 0 }));
    const { code, stdout } = await promote([...images(), '--dry-run']);
    expect(JSON.parse(asked[0]?.body ?? '')).toMatchObject({ dryRun: true });
    expect([code, stdout]).toEqual([
      0,
      `would promote integration/app:1.2.3 to release/app:v1.2.3\n${digest}  3 manifests, 6 blobs\nnothing was changed\n`,
    ]);
  });
});

describe('the names', () => {
  beforeEach(() => loggedIn());

  test.each([
    ['integration/app:1.2.3', 'release/app', 'integration/app:1.2.3', 'release/app:1.2.3'],
    [`integration/app@${digest}`, 'release/app:v1', `integration/app@${digest}`, 'release/app:v1'],
    [`integration/app:1.2.3@${digest}`, 'release/app', `integration/app@${digest}`, 'release/app:1.2.3'],
  ])('%s to %s', async (source, target, wantedSource, wantedTarget) => {
    expect((await promote([source, target, '--gateway', gateway.host])).code).toBe(0);
    expect(JSON.parse(asked[0]?.body ?? '')).toMatchObject({ source: wantedSource, target: wantedTarget });
  });

  test('the host may stand in either name, in both, and in --gateway, as a URL too', async () => {
    const [plain, full] = [
      ['integration/app:1', 'release/app'],
      [`${gateway.host}/integration/app:1`, `${gateway.host}/release/app`],
    ];
    for (const args of [
      [plain[0], full[1]],
      [full[0], full[1]],
      [full[0], plain[1], '--gateway', gateway.host],
      [plain[0], plain[1], '--gateway', gateway.url],
      [plain[0], plain[1], '--gateway', `${gateway.url}/`],
    ]) {
      expect(await promote(args as string[])).toMatchObject({ code: 0 });
    }
    expect(asked).toHaveLength(5);
  });

  test('without any host it is publicUrl of the configuration, found by its own login', async () => {
    const config = `publicUrl: ${gateway.url}\nupstream: http://127.0.0.1:1\n`;
    await writeFile(join(directory, 'portcullis.yaml'), config);
    expect(await promote(['integration/app:1', 'release/app'])).toMatchObject({ code: 0 });
    await writeFile(join(directory, 'other.yaml'), config);
    expect(await promote(['integration/app:1', 'release/app', '--config', 'other.yaml'])).toMatchObject({ code: 0 });
  });

  test.each([
    [['integration/app', 'release/app'], 'SOURCE names no image'],
    [['integration/app:1', `release/app@${digest}`], 'TARGET is a name'],
    [[`integration/app@${digest}`, 'release/app'], 'TARGET needs a tag'],
    [['a.example.com/integration/app:1', 'b.example.com/release/app'], 'are two gateways'],
    [['a.example.com/integration/app:1', 'release/app', '--gateway', 'b.example.com'], 'are two gateways'],
    [['integration/app:1', 'Release/app', '--gateway', 'a.example.com/x'], '--gateway is'],
    [['integration/app:1', 'release/a b', '--gateway', 'a.example.com'], 'TARGET "release/a b"'],
    [[`rita:${secret}@a.example.com/integration/app:1`, 'release/app'], 'a login does not belong'],
    [[`https://rita:${secret}@a.example.com/integration/app:1`, 'release/app'], 'leave out what stands before'],
    [['integration/app:1', 'release/app', '--gateway', `https://rita:${secret}@a.example.com`], '--gateway is'],
    [['integration/app:1', 'release/app', '--password-stdin'], '--user NAME'],
    [['integration/app:1'], "missing required argument 'target'"],
    [['integration/app:1', 'release/app', '--password', 'x'], "unknown option '--password'"],
  ])('%j is not understood', async (args, message) => {
    const { code, stderr } = await promote(args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    expect(asked).toEqual([]);
  });

  test('a broken configuration is 78 where it is needed, and in nobody else way', async () => {
    await writeFile(join(directory, 'portcullis.yaml'), 'publicUri: x\n');
    expect(await promote(['integration/app:1', 'release/app'])).toMatchObject({ code: 78 });
    expect(await promote(images())).toMatchObject({ code: 0 });
    expect(await promote([...images(), '--config', 'portcullis.yaml'])).toMatchObject({ code: 78 });
    const json = await promote(['integration/app:1', 'release/app', '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, problems: expect.any(Array) as unknown });
  });
});

describe('the login', () => {
  test('is the name and password that docker stored', async () => {
    await loggedIn();
    await promote(images());
    expect(asked.map(({ line, authorization }) => [line, authorization])).toEqual([
      ['POST /api/v1/promotions', basicOfRita],
    ]);
  });

  test('is the identity token that docker stored, changed for a token for just this', async () => {
    await dockerConfig({ auths: { [gateway.host]: { auth: 'cml0YTo=', identitytoken: identityToken } } });
    expect(await promote(images())).toMatchObject({ code: 0 });
    expect(asked.map(({ line, authorization }) => [line, authorization])).toEqual([
      ['POST /token', undefined],
      ['POST /api/v1/promotions', `Bearer ${accessToken}`],
    ]);
    expect(new URLSearchParams(asked[0]?.body).get('scope')).toBe(
      'repository:integration/app:pull repository:release/app:promote',
    );
  });

  test('is what the credential helper of all gives, asked for the host alone', async () => {
    await helper('all', `printf '{"ServerURL":"x","Username":"rita","Secret":"${secret}"}'`);
    await dockerConfig({ credsStore: 'all', auths: { [gateway.host]: {} } });
    expect(await promote(images())).toMatchObject({ code: 0 });
    expect(asked[0]?.authorization).toBe(basicOfRita);
    expect(await readAsked()).toBe(`get ${gateway.host}\n`);
  });

  test('is what the helper of this host gives before that of all, an identity token too', async () => {
    await helper('own', `printf '{"Username":"<token>","Secret":"${identityToken}"}'`);
    await dockerConfig({ credsStore: 'missing', credHelpers: { [gateway.host]: 'own' } });
    expect(await promote(images())).toMatchObject({ code: 0 });
    expect(asked.at(-1)?.authorization).toBe(`Bearer ${accessToken}`);
  });

  test('is in the file where the helper knows of none', async () => {
    await helper('empty', 'echo "credentials not found in native keychain"; exit 1');
    const auth = Buffer.from(`rita:${secret}`).toString('base64');
    await dockerConfig({ credsStore: 'empty', auths: { [gateway.host]: { auth } } });
    expect(await promote(images())).toMatchObject({ code: 0 });
    expect(asked[0]?.authorization).toBe(basicOfRita);
  });

  test('is found in ~/.docker where DOCKER_CONFIG names no other place', async () => {
    await mkdir(join(directory, '.docker'));
    const auths = { [gateway.host]: { auth: Buffer.from(`rita:${secret}`).toString('base64') } };
    await writeFile(join(directory, '.docker/config.json'), JSON.stringify({ auths }));
    expect(await promote(images(), { env: { DOCKER_CONFIG: '' } })).toMatchObject({ code: 0 });
  });

  test('is --user with a password or a secret from standard input, whatever docker stored', async () => {
    await loggedIn('other:login');
    const options = ['--user', 'rita', '--password-stdin'];
    expect(await promote([...images(), ...options], { input: `${secret}\n` })).toMatchObject({ code: 0 });
    expect(asked[0]?.authorization).toBe(basicOfRita);
    expect(await promote([...images(), ...options], { input: '' })).toMatchObject({ code: 1 });
    expect(await promote([...images(), '--user', 'rita'], { input: secret })).toMatchObject({ code: 1 });
    expect(asked).toHaveLength(1);
  });

  test.each([
    ['nothing at all', undefined, 'neither docker nor podman is logged in at'],
    [
      'another host',
      { auths: { 'registry.example.com': { auth: 'cml0YTpzZWNyZXQ=' } } },
      'neither docker nor podman is logged in at',
    ],
  ])('missing, with %s, is told with what to do', async (_, config, message) => {
    if (config !== undefined) await dockerConfig(config);
    const { code, stderr } = await promote(images());
    expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
    expect(stderr).toContain(`fix: docker login ${gateway.host} (or podman login), or --user NAME --password-stdin`);
    expect(asked).toEqual([]);
  });

  test.each([
    ['is missing', undefined, 'docker-credential-broken is not on PATH'],
    ['fails', 'echo "the vault is locked"; exit 1', 'docker-credential-broken failed: the vault is locked'],
    ['fails and prints what it has', `printf '{"Secret":"${secret}"}'; exit 1`, 'docker-credential-broken failed\n'],
    ['answers nonsense', 'echo hello', 'docker-credential-broken answered in another form'],
  ])('of a helper that %s is told with what to do', async (_, script, message) => {
    if (script !== undefined) await helper('broken', script);
    await dockerConfig({ credsStore: 'broken' });
    const { code, stderr } = await promote(images());
    expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
    expect(stderr).toMatch(/fix: .*--user NAME --password-stdin/);
    expect(asked).toEqual([]);
  });

  test('a helper is a program on PATH, never one of a folder', async () => {
    await dockerConfig({ credsStore: '../../tmp/evil' });
    expect(await promote(images())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is no name of') as string,
    });
  });

  test('a configuration of docker that cannot be read is told with its path', async () => {
    const path = join(directory, 'docker/config.json');
    await writeFile(path, '{ auths:');
    expect(await promote(images())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`${path} is not JSON`) as string,
    });
  });

  test('that has ended says to log in again', async () => {
    await dockerConfig({ auths: { [gateway.host]: { identitytoken: 'pct_long_gone' } } });
    const { code, stderr } = await promote(images());
    expect([code, stderr]).toEqual([1, expect.stringContaining(`fix: docker login ${gateway.host}`)]);
    expect(asked).toHaveLength(1);
  });
});

describe('a refusal is told in words, with what to do', () => {
  beforeEach(() => loggedIn());

  test.each([
    [
      404,
      { type: 'source-unknown' },
      'integration/app:1.2.3 is not there, or you may not pull it',
      'explain user:NAME pull',
    ],
    [403, { type: 'urn:portcullis:not-allowed', detail: 'no rule allows it' }, 'no rule allows it', 'who-can promote'],
    [
      409,
      { type: 'https://x/problems/tag-taken', detail: 'is another image' },
      'is another image',
      'a tag that is free',
    ],
    [422, { type: 'gate-failed', detail: 'not approved' }, 'not approved', 'promote what was approved'],
    [502, { type: 'registry', detail: 'the registry broke' }, 'the registry broke', 'repeating is safe'],
    [503, {}, 'does not answer', 'run it again in 7 s'],
    [429, { errors: [{ message: 'too many pushes' }] }, 'too many pushes', 'run it again in 7 s'],
    [401, { errors: [{ message: 'incorrect username or password' }] }, 'incorrect username', 'docker login'],
    [400, { detail: 'the reason is too long' }, 'the reason is too long', '--help'],
    [404, { errors: [] }, 'knows no promotions', 'new enough'],
    [500, 'oops', 'answers 500', 'run it again'],
    [302, {}, 'leads elsewhere', '--gateway'],
  ])('%i %j', async (status, body, problem, fix) => {
    answer = (response) =>
      response
        .writeHead(status, { 'Retry-After': '7', ...(status === 302 ? { Location: `${gateway.url}/elsewhere` } : {}) })
        .end(JSON.stringify(body));
    const { code, stdout, stderr } = await promote(images());
    expect([code, stdout]).toEqual([1, '']);
    const [said, advice] = stderr.split('\n    fix: ');
    expect(said).toContain(problem);
    expect(advice).toContain(fix);
    expect(asked).toHaveLength(1);
    const json = await promote([...images(), '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, problem: expect.any(String) as string });
  });

  test.each([
    ['a page', 200, '<html>welcome</html>'],
    ['an empty object', 201, '{}'],
    ['something else that was made', 201, '{"ok":true,"id":1}'],
    ['that it will see to it', 202, JSON.stringify(done)],
    ['nothing', 204, ''],
    ['as if it had been a dry run', 200, JSON.stringify(done)],
  ])('somebody who answers with %s has promoted nothing', async (_what, status, body) => {
    await loggedIn();
    answer = (response) => response.writeHead(status).end(body);
    const { code, stdout, stderr } = await promote(images());
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`answers ${status}, and not what was promoted`);
    const json = await promote([...images(), '--json']);
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([1, { ok: false }]);
  });

  test('a gateway that is not there', async () => {
    const port = await freePort();
    await dockerConfig({ auths: { [`127.0.0.1:${port}`]: { auth: Buffer.from('a:b').toString('base64') } } });
    const { code, stderr } = await promote([`127.0.0.1:${port}/integration/app:1`, 'release/app']);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`nothing listens at 127.0.0.1:${port}`)]);
  });

  test('a connection that breaks', async () => {
    answer = (response) => response.destroy();
    expect(await promote(images())).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/broke.*\n.*repeating is safe/) as string,
    });
  });

  test('a host off this machine is asked by TLS, one on it is not', async () => {
    const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    await makeCertificate(cert, key);
    const pair = { cert: await readFile(cert), key: await readFile(key) };
    const tls = await startStandIn((_, response) => response.end(), { tls: pair });
    try {
      const auth = Buffer.from(`rita:${secret}`).toString('base64');
      await dockerConfig({ auths: { [tls.host]: { auth }, 'registry.invalid': { auth } } });
      const untrusted = await promote(['integration/app:1', 'release/app', '--gateway', tls.url]);
      expect(untrusted.stderr).toMatch(/is not trusted.*\n.*NODE_EXTRA_CA_CERTS/);
      const plain = await promote(['integration/app:1', 'release/app', '--gateway', tls.host]);
      expect(plain.stderr).toContain(`--gateway https://${tls.host}`);
      const gone = await promote(['registry.invalid/integration/app:1', 'release/app']);
      expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining('no host registry.invalid') as string });
    } finally {
      await tls.close();
    }
  });
});

describe('while it takes long', () => {
  const written: string[] = [];
  const stream = (isTTY: boolean) => ({ isTTY, write: (text: string) => written.push(text) > 0 });
  beforeEach(() => {
    written.length = 0;
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  });
  afterEach(() => void vi.useRealTimers());

  test('a terminal has a line with the seconds, gone at the end', () => {
    const progress = startProgress(stream(true), 'promoting a to b');
    vi.advanceTimersByTime(900);
    expect(written).toEqual([]);
    vi.advanceTimersByTime(1200);
    expect(written).toEqual(['\rpromoting a to b … 1 s', '\rpromoting a to b … 2 s']);
    progress.end();
    vi.advanceTimersByTime(5000);
    expect(written.slice(2)).toEqual(['\r\u001b[K']);
  });

  test('what is no terminal has nothing', () => {
    const progress = startProgress(stream(false), 'promoting a to b');
    vi.advanceTimersByTime(5000);
    progress.end();
    expect(written).toEqual([]);
  });
});
