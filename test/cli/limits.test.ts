/** `portcullis limits`, and what `explain` says of limits, as a person runs them beside a running gateway. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { freePort } from '../support/free-port.mjs';
import { quickHash } from '../support/policies.ts';
import { type RunResult, run } from '../support/programs.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { callProgram } from './in-process.ts';

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

const rules = `rules:
  - { name: share, subjects: [authenticated, anonymous], repositories: ['**'], actions: [pull, push] }
`;
const limits = `limits:
  - { name: pulls, subjects: [authenticated], count: pull, per: account, rate: 5/5h }
  - { name: anonymous-pulls, subjects: [anonymous], count: pull, per: address, rate: 100/6h }
  - { name: pushes, mode: shadow, subjects: [user:dana], count: push, per: repository, rate: 60/1m, burst: 20 }
`;

async function people(): Promise<string> {
  return `users:
  dana: { password: '${await quickHash('correct')}', groups: [developers] }
groups: { developers: {} }
`;
}

describe('beside a running gateway', () => {
  let registry: StandIn;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    registry = await startStandIn((request, response) => {
      request.resume();
      response.setHeader('Content-Type', 'application/vnd.oci.image.manifest.v1+json').end('{}');
    });
    const policies = { 'people.yaml': await people(), 'rules.yaml': rules, 'limits.yaml': limits };
    gateway = await startGatewayProcess({ upstream: registry.url, policies });
  });
  afterAll(async () => {
    await gateway?.stop();
    await registry?.close();
  });

  function portcullis(...args: readonly string[]): Promise<RunResult> {
    return callProgram(args, { env: environment(gateway) });
  }

  function built(...args: readonly string[]): Promise<RunResult> {
    return run(process.execPath, [program, ...args], { env: environment(gateway) });
  }

  function pull(account: string, password: string): Promise<Response> {
    const authorization = `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;
    return fetch(`${gateway.url}/v2/sandbox/app/manifests/1.0`, { headers: { authorization } });
  }

  test('limits says in words that nobody is near a limit', async () => {
    expect(await built('limits')).toEqual({
      code: 0,
      stdout: 'nobody is near a limit\nnobody is held back by failed logins\n',
      stderr: '',
    });
    expect(JSON.parse((await portcullis('limits', '--json')).stdout)).toEqual({ limits: [], logins: [] });
  });

  test('explain says what is left, and asking costs nothing', async () => {
    expect((await pull('dana', 'correct')).status).toBe(200);
    for (const options of [[], ['--address', '192.0.2.7']]) {
      const { code, stdout } = await built('explain', 'user:dana', 'pull', 'sandbox/app', ...options);
      expect(code).toBe(0);
      expect(stdout).toContain(
        `\nlimits:\n  "pulls": 5 pulls per 5 hours for each account (${join(gateway.policiesDir, 'limits.yaml')}:2)\n      dana has 4 left\n`,
      );
    }
  });

  test('explain names shadow limits and how many may come at once, by repository', async () => {
    const { stdout } = await portcullis('explain', 'user:dana', 'create', 'sandbox/app:2');
    expect(stdout).toContain(
      '"pushes": 60 pushes per minute for each repository, at most 20 at once (shadow: it refuses',
    );
    expect(stdout).toContain('sandbox/app has 20 left');
  });

  test('explain asks for the address where that is what counts', async () => {
    const anywhere = await portcullis('explain', 'anonymous', 'pull', 'sandbox/app');
    expect(anywhere.stdout).toContain('"anonymous-pulls": 100 pulls per 6 hours for each address');
    expect(anywhere.stdout).toContain('  (what is left for an address: ask with --address)\n');
    const there = await portcullis('explain', 'anonymous', 'pull', 'sandbox/app', '--address', '192.0.2.7');
    expect(there.stdout).toContain('      192.0.2.7 has 100 left\n');
  });

  test('explain does not take what is left now for another time, other policies or a whole group', async () => {
    const cases: readonly (readonly [args: readonly string[], said: string])[] = [
      [['user:dana', 'pull', 'a', '--at', '2030-01-01'], 'known for now only, not for --at'],
      [['user:dana', 'pull', 'a', '--policies', gateway.policiesDir], 'not of --policies'],
      [['group:developers', 'pull', 'a'], 'ask about a member'],
    ];
    for (const [args, said] of cases) {
      const { code, stdout } = await portcullis('explain', ...args);
      expect([code, / has \d+ left/.test(stdout)]).toEqual([0, false]);
      expect(stdout).toContain(said);
    }
  });

  test('explain says when the gateway has not read the limit that it shows', async () => {
    const dir = await makeTempDir('newer');
    await writeFile(join(dir, 'all.yaml'), `${await people()}${rules}${limits.replace('5/5h', '6/5h')}`);
    const { code, stdout } = await callProgram(['explain', 'user:dana', 'pull', 'a'], {
      env: { ...environment(gateway), PORTCULLIS_POLICIES: dir },
    });
    await removeTempDir(dir);
    expect([code, / has \d+ left/.test(stdout)]).toEqual([0, false]);
    expect(stdout).toContain('the running gateway has other limits: it has not read these files yet');
  });

  test('limits lists who is over a limit and who fails to log in, names from clients made harmless', async () => {
    for (const status of [200, 200, 200, 200, 429]) expect((await pull('dana', 'correct')).status).toBe(status);
    for (let time = 0; time < 5; time++) await pull('\u009b31m\u202eroot', `guess ${time}`);

    const { code, stdout, stderr } = await portcullis('limits');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^limit +who +rate +left +next one free\npulls +dana +5\/5h +0 of 5 +in (?:1 hour|\d+ minutes)[^\n]*\n/,
    );
    expect(stdout).toMatch(/\n\naccount +from +failed logins +last one +next attempt\n/);
    expect(stdout).toMatch(/"\\u009b31m\\u202eroot" +127\.0\.0\.1 +5 +\d{4}-\d\d-\d\dT\d\d:\d\d/);

    const json = (await portcullis('limits', '--json')).stdout;
    for (const text of [stdout, json]) expect(text).not.toMatch(/[\u0080-\u009f\u202e]/);
    expect(JSON.parse(json)).toMatchObject({
      limits: [{ name: 'pulls', mode: 'enforce', source: 'dana', rate: '5/5h', burst: 5, remaining: 0 }],
      logins: [{ by: 'pair', account: '\u009b31m\u202eroot', network: '127.0.0.1', failures: 5 }],
    });

    const explained = await portcullis('explain', 'user:dana', 'pull', 'sandbox/app');
    expect(explained.stdout).toMatch(/\n {6}used up by dana; the next one is free in (?:1 hour|\d+ minutes)[^\n]*\n/);
    const explainedJson = JSON.parse((await portcullis('explain', 'user:dana', 'pull', 'a', '--json')).stdout) as {
      limits: unknown;
    };
    expect(explainedJson.limits).toEqual([
      {
        name: 'pulls',
        mode: 'enforce',
        count: 'pull',
        per: 'account',
        rate: '5/5h',
        burst: 5,
        file: join(gateway.policiesDir, 'limits.yaml'),
        line: 2,
        source: 'dana',
        remaining: 0,
        waitSeconds: expect.any(Number) as number,
        fullSeconds: expect.any(Number) as number,
      },
    ]);
  });
});

describe('without a gateway', () => {
  let directory: string;
  const env = (port: number) => ({ PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${port}` });
  /** Well below what a call to the admin listener may take elsewhere. */
  const timeoutMs = 8000;
  const explain = (port: number, ...more: readonly string[]) =>
    callProgram(['explain', 'user:dana', 'pull', 'a', ...more], { cwd: directory, env: env(port) });
  const builtExplain = (port: number) =>
    run(process.execPath, [program, 'explain', 'user:dana', 'pull', 'a'], {
      cwd: directory,
      env: env(port),
      timeoutMs,
    });

  beforeAll(async () => {
    directory = await makeTempDir('limits');
    await mkdir(join(directory, 'policies'));
    await writeFile(join(directory, 'policies/all.yaml'), `${await people()}${rules}${limits}`);
    await mkdir(join(directory, '.portcullis'));
    await writeFile(join(directory, '.portcullis/admin-token'), `${'t'.repeat(43)}\n`, { mode: 0o600 });
  });
  afterAll(() => removeTempDir(directory));

  test('limits exits 1 and says where it asked', async () => {
    const port = await freePort();
    const { code, stdout, stderr } = await run(process.execPath, [program, 'limits'], {
      cwd: directory,
      env: env(port),
    });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`no gateway answers on its admin listener at 127.0.0.1:${port}`);
  });

  test('limits exits 78 on a broken configuration', async () => {
    const { code } = await callProgram(['limits'], {
      cwd: directory,
      env: { PORTCULLIS_LISTEN: 'x' },
    });
    expect(code).toBe(78);
  });

  test('explain shows the limits, why nothing is known of them, and the same answer as ever', async () => {
    const port = await freePort();
    const { code, stdout, stderr } = await explain(port);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('\nlimits:\n  "pulls": 5 pulls per 5 hours for each account (policies/all.yaml:');
    expect(stdout).toContain(
      `  (what is left is not known: no gateway answers on its admin listener at 127.0.0.1:${port}`,
    );
    expect(JSON.parse((await explain(port, '--json')).stdout)).toMatchObject({
      decision: 'allow',
      limits: [{ name: 'pulls', source: null, remaining: null, waitSeconds: null, fullSeconds: null }],
    });
  });

  test('explain does not wait for a listener that never answers, nor believe one that is no gateway', async () => {
    const listener = await startStandIn((request, response) => {
      if (request.headers.authorization === undefined) response.end();
      else if (isSilent) return;
      else response.end('{"limits":"many"}');
    });
    let isSilent = true;
    const silent = await builtExplain(listener.port);
    expect([silent.code, silent.stdout.includes('no gateway answers')]).toEqual([0, true]);
    isSilent = false;
    const strange = await builtExplain(listener.port);
    expect([strange.code, strange.stdout.includes('in another way than expected')]).toEqual([0, true]);
    await listener.close();
  });

  test('--help shows an example', async () => {
    const { code, stdout } = await callProgram(['limits', '--help'], {});
    expect(code).toBe(0);
    expect(stdout).toContain('\nExample:\n  portcullis limits\n');
  });
});

function environment(gateway: GatewayProcess): Readonly<Record<string, string>> {
  return {
    NODE_ENV: 'production',
    PORTCULLIS_PUBLIC_URL: gateway.url,
    PORTCULLIS_UPSTREAM: 'http://127.0.0.1:9',
    PORTCULLIS_POLICIES: gateway.policiesDir,
    PORTCULLIS_ADMIN_LISTEN: new URL(gateway.adminUrl).host,
    PORTCULLIS_STATE_DIR: join(gateway.policiesDir, '..', 'state'),
  };
}
