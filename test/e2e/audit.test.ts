import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { auditLineSchema } from '../../src/audit/line-schema.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayOptions, type GatewayProcess, basic, policy, startGatewayProcess } from '../support/gateway.ts';
import { type MemoryRegistry, startMemoryRegistry } from '../support/memory-registry.ts';
import { run } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

/** Audit files of the built program, with the faults that disks and machines have. */

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const authorization = `Basic ${basic}`;
let root: string;
let registry: MemoryRegistry;
let count = 0;

beforeAll(async () => {
  root = await makeTempDir('audit-e2e');
  registry = await startMemoryRegistry();
});
afterAll(async () => {
  await registry.close();
  await removeTempDir(root);
});

const directory = (): string => join(root, String(++count));

async function start(audit: string, env: Readonly<Record<string, string>> = {}, more: Partial<GatewayOptions> = {}) {
  const gateway = await startGatewayProcess({
    ...{ policies: { 'policy.yaml': policy }, upstream: registry.url, ...more },
    env: { PORTCULLIS_AUDIT_DIRECTORY: audit, ...env },
  });
  onTestFinished(async () => void (await gateway.stop('SIGKILL')));
  return gateway;
}

const portcullis = (...args: readonly string[]) =>
  run(process.execPath, [cli, ...args], { cwd: root, env: { NODE_ENV: 'production' } });

/** The status of opening an upload, which every push begins with. */
async function pushStatus({ url }: GatewayProcess): Promise<number> {
  const reply = await fetch(`${url}/v2/mine/app/blobs/uploads/`, { method: 'POST', headers: { authorization } });
  await reply.arrayBuffer();
  return reply.status;
}

async function statusOf(url: string, headers: Readonly<Record<string, string>> = { authorization }): Promise<number> {
  const reply = await fetch(url, { headers });
  await reply.arrayBuffer();
  return reply.status;
}

/** As `docker login` and as `docker pull` ask. */
const login = ({ url }: GatewayProcess): Promise<number> =>
  statusOf(`${url}/token?service=${new URL(url).host}&account=dana`);
const pull = ({ url }: GatewayProcess): Promise<number> => statusOf(`${url}/v2/mine/app/manifests/v1`);

async function pushManifest({ url }: GatewayProcess): Promise<number> {
  const config = Buffer.from('{}');
  const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  const upload = await fetch(`${url}/v2/mine/app/blobs/uploads/`, { method: 'POST', headers: { authorization } });
  const location = new URL(upload.headers.get('location') ?? '', url);
  location.searchParams.set('digest', digest);
  await fetch(location, { method: 'PUT', headers: { authorization }, body: config });
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: type,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 },
    layers: [],
  });
  const headers = { authorization, 'content-type': type };
  return (await fetch(`${url}/v2/mine/app/manifests/v1`, { method: 'PUT', headers, body: manifest })).status;
}

async function linesIn(audit: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const names = (await readdir(audit)).filter((name) => name.endsWith('.jsonl')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(audit, name), 'utf8')));
  return texts
    .flatMap((text) => text.split('\n').filter((line) => line !== ''))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
}

describe('a gateway with an audit directory', () => {
  test('writes what it decides there, signed to the end; verify and query read it; standard output is left alone', async () => {
    const audit = directory();
    const gateway = await start(audit, { PORTCULLIS_AUDIT_STDOUT: 'false' });
    expect([await login(gateway), await pushManifest(gateway), await pull(gateway)]).toEqual([200, 201, 200]);
    expect(await statusOf(`${gateway.url}/v2/other/app/manifests/v1`)).toBe(403);
    const jwks = join(root, 'keys.json');
    await writeFile(jwks, await (await fetch(`${gateway.url}/.well-known/jwks.json`)).text());
    await gateway.stop('SIGTERM');
    expect(gateway.logs().filter(({ event }) => event === 'access' || event === 'login')).toEqual([]);
    // Two where midnight came in between.
    expect([1, 2]).toContain(gateway.logs().filter(({ event }) => event === 'checkpoint').length);
    const lines = await linesIn(audit);
    expect(lines.at(-1)).toMatchObject({ event: 'checkpoint' });
    for (const line of lines) expect(auditLineSchema.safeParse(line).error, JSON.stringify(line)).toBeUndefined();

    const verified = await portcullis('audit', 'verify', audit, '--jwks', jwks);
    expect([verified.code, verified.stderr]).toEqual([0, '']);
    expect(verified.stdout).toMatch(
      /^ok {4}\S+: \d+ lines in \d files? since 20\S+Z, \d checkpoints?\nwhat this cannot see:\n/,
    );
    const byOwnKeys = await portcullis('audit', 'verify', audit, '--json');
    expect(JSON.parse(byOwnKeys.stdout)).toMatchObject({ ok: true, gateways: [{ unsigned: 0, lost: 0, restarts: 0 }] });
    expect(byOwnKeys.stdout).toContain('keys.jwks only');

    const denied = await portcullis(
      'audit',
      'query',
      audit,
      '--decision',
      'deny',
      '--repository',
      'other/**',
      '--json',
    );
    expect(
      denied.stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as object),
    ).toMatchObject([
      { event: 'access', decision: 'deny', repository: 'other/app', account: 'dana', action: 'pull', status: 403 },
    ]);
    const pushes = await portcullis(
      'audit',
      'query',
      audit,
      '--since',
      '1h',
      '--account',
      'dana',
      '--action',
      'push',
      '--address',
      '127.0.0.0/8',
    );
    expect(pushes.stdout.split('\n')[0]).toMatch(
      /^20\S+ {2}allow {2}user:dana {2}push mine\/app:v1 {2}\([\w:. -]+\) {2}127\.0\.0\.1$/,
    );
    const csv = await portcullis('audit', 'query', audit, '--kind', 'user', '--csv');
    expect(csv.stdout).toMatch(/^time,instance,event,[^\r]+\r\n20[^\r]+\r\n/);
    // A reader that has seen enough ends the work.
    const head = await run('sh', ['-c', '"$0" "$1" audit query "$2" | head -n 1', process.execPath, cli, audit], {
      cwd: root,
    });
    expect([head.code, head.stdout.split('\n').length]).toEqual([0, 2]);
    expect((await portcullis('audit', 'query', audit, '--kind', 'nobody')).code).toBe(2);
    expect((await portcullis('audit', 'verify', root)).code).toBe(1);
    for (const verb of ['verify', 'query'])
      expect(await portcullis('audit', verb, join(root, 'nowhere'))).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('nowhere" is no directory: say the one') as string,
      });
  });

  test('killed in the middle of writing, it goes on with the chain, and says that it was', async () => {
    const audit = directory();
    for (let round = 0; round < 2; round++) {
      const before = round === 0 ? 0 : (await linesIn(audit).catch(() => [])).length;
      const gateway = await start(audit);
      const asked = Array.from({ length: 40 }, () => pull(gateway).catch(() => 0));
      await eventually('something is written', async () => (await linesIn(audit).catch(() => [])).length > before + 3);
      await gateway.stop('SIGKILL');
      await Promise.all(asked);
    }
    const last = await start(audit);
    await last.stop('SIGTERM');
    const verified = await portcullis('audit', 'verify', audit, '--json');
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, gateways: [{ restarts: 2, unsigned: 0 }] });
    expect((await linesIn(audit)).filter(({ event }) => event === 'chain_restart')).toHaveLength(2);
  });

  test('killed in the middle of a push, it leaves an intent without outcome, which query lists and verify counts', async () => {
    const audit = directory();
    const held = createServer(() => {});
    await new Promise<void>((resolve) => held.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void held.close().closeAllConnections());
    const upstream = `http://127.0.0.1:${(held.address() as AddressInfo).port}`;
    const gateway = await start(audit, { PORTCULLIS_AUDIT_REQUIRED: 'true' }, { upstream });
    expect(await login(gateway)).toBe(200);
    const pushed = pushStatus(gateway).catch(() => 0);
    const isUnderWay = async (): Promise<boolean> => (await linesIn(audit)).some(({ action }) => action === 'push');
    await eventually('the push is written down', isUnderWay);
    const running = await portcullis('audit', 'query', audit, '--unfinished');
    expect(running.stdout).toMatch(
      /^20\S+ {2}unknown {2}user:dana {2}push mine\/app \(POST upload\) {2}\(no outcome so far[^)]*\) {2}127\.0\.0\.1\n$/,
    );
    await gateway.stop('SIGKILL');
    await pushed;
    await (await start(audit)).stop('SIGTERM');
    const left = await portcullis('audit', 'query', audit, '--unfinished', '--json', '--repository', 'mine/**');
    expect(JSON.parse(left.stdout)).toMatchObject({ event: 'intent', account: 'dana', reference: 'POST upload' });
    expect((await portcullis('audit', 'query', audit, '--unfinished')).stdout).toContain(
      '(no outcome: its process ended',
    );
    expect((await portcullis('audit', 'query', audit, '--unfinished', '--account', 'rita')).stdout).toBe('');
    const verified = await portcullis('audit', 'verify', audit);
    expect(verified.stdout).toContain('what became of 1 intent is not written down');
    expect(verified.code).toBe(0);
  });

  test('two gateways of one host write into one directory, each its own chain', async () => {
    const audit = directory();
    const gateways = await Promise.all([start(audit), start(audit)]);
    for (const gateway of gateways) for (let n = 0; n < 20; n++) await login(gateway);
    for (const gateway of gateways) await gateway.stop('SIGTERM');
    const { gateways: found, ok } = JSON.parse((await portcullis('audit', 'verify', audit, '--json')).stdout) as {
      readonly ok: boolean;
      readonly gateways: readonly { readonly instance: string; readonly lines: number }[];
    };
    expect([ok, found.length, found.every(({ lines }) => lines >= 22)]).toEqual([true, 2, true]);
  });

  test('two gateways of one host name in two containers do not write into one file', async ({ skip }) => {
    const space = ['--pid', '--fork', '--mount-proc', '--kill-child'];
    if ((await run('unshare', [...space, 'true']).catch(() => ({ code: 1 }))).code !== 0)
      skip('unshare --pid is not there or not allowed');
    const audit = directory();
    const wrap = ['unshare', ...space];
    // So that a login that was answered is on the disk.
    const env = { PORTCULLIS_AUDIT_REQUIRED: 'true' };
    const gateways = await Promise.all([start(audit, env, { wrap }), start(audit, env, { wrap })]);
    for (const gateway of gateways) for (let n = 0; n < 5; n++) await login(gateway);
    const names = (await readdir(audit)).filter((name) => name.endsWith('.jsonl'));
    expect(names).toHaveLength(2);
    for (const gateway of gateways) await gateway.stop('SIGKILL');
    expect(JSON.parse((await portcullis('audit', 'verify', audit, '--json')).stdout)).toMatchObject({ ok: true });
  });

  test.each([
    ['required', 'true'],
    ['not required', 'false'],
  ])(
    'with a disk that is full, and audit %s: writes and logins wait for it or go on, reads go on',
    async (_title, required) => {
      const audit = directory();
      // 16 KiB of audit files are all there is room for.
      const gateway = await start(audit, { PORTCULLIS_AUDIT_REQUIRED: required }, { fileBlocks: 32 });
      expect([await login(gateway), await pushManifest(gateway)]).toEqual([200, 201]);
      await eventually('the disk is full', async () => {
        await Promise.all(Array.from({ length: 20 }, () => pull(gateway)));
        return (await (await fetch(`${gateway.adminUrl}/readyz?verbose`)).text()).includes(
          'audit files cannot be written',
        );
      });
      const isRequired = required === 'true';
      expect(await pull(gateway)).toBe(200);
      expect(await pushStatus(gateway)).toBe(isRequired ? 503 : 202);
      expect(await login(gateway)).toBe(isRequired ? 503 : 200);
      expect(await statusOf(`${gateway.adminUrl}/readyz`)).toBe(200);
      const scoped = `${gateway.url}/token?service=${new URL(gateway.url).host}&scope=repository:mine/app:pull`;
      expect(await statusOf(scoped)).toBe(200);
      if (isRequired) {
        const refused = await gateway.findLog(({ reason }) => reason === 'audit_unavailable');
        expect(refused).toMatchObject({ decision: 'error', status: 503, account: 'dana', action: 'push' });
      }
    },
  );

  test('with its directory gone, and required: nothing is written until it is back', async () => {
    const audit = directory();
    const gateway = await start(audit, { PORTCULLIS_AUDIT_REQUIRED: 'true' });
    expect(await pushStatus(gateway)).toBe(202);
    await rename(audit, `${audit}-away`);
    expect([await pushStatus(gateway), (await pull(gateway)) < 500]).toEqual([503, true]);
    await rename(`${audit}-away`, audit);
    await eventually('it writes again', async () => (await pushStatus(gateway)) === 202);
    await gateway.stop('SIGTERM');
    const lines = await linesIn(audit);
    const intents = lines.filter(({ event }) => event === 'intent');
    expect(intents[0]).toMatchObject({
      decision: 'allow',
      reason: 'intended',
      account: 'dana',
      action: 'push',
      repository: 'mine/app',
    });
    expect(JSON.parse((await portcullis('audit', 'verify', audit, '--json')).stdout)).toMatchObject({ ok: true });
  });

  test('that cannot be made or written, it does not start, and says which', async () => {
    await expect(start('/proc/audit')).rejects.toThrow('the audit directory cannot be used');
  });
});
