import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { constants, closeSync, openSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { hash } from 'argon2';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type GatewayOptions, type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { pauseProcess } from '../support/pause.ts';
import { type Manifest, createApi, makeManifest } from '../support/registry-api.ts';
import { describeWithPrograms, requirePrograms, run } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { startRedisServer } from '../support/redis.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { basic } from '../support/trial.ts';

/** Faults as they happen to machines, done to the built program, a real registry and a real Redis. */

const password = 'as long as it runs';
const authorization = basic('dana', password);
const passwordHash = await hash(password, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
const policies = {
  'team.yaml': `
users: { dana: { password: '${passwordHash}' } }
rules:
  - { name: work, subjects: [user:dana], repositories: ['team/**'], actions: [pull, push] }
  - { name: keep, effect: deny, subjects: [everyone], repositories: ['team/**'], tags: ['v*'], actions: [overwrite] }
`,
};

async function startGateway(options: Omit<GatewayOptions, 'policies'>): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ policies, ...options });
  onTestFinished(async () => void (await gateway.stop('SIGKILL')));
  return gateway;
}

async function ownRegistry(options: Parameters<typeof startRegistry>[0] = {}): Promise<RegistryProcess> {
  const registry = await startRegistry(options);
  onTestFinished(() => registry.stop());
  return registry;
}

const digestOf = (content: Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;

/** A whole blob by one PUT; the status of the last answer. */
async function pushBlob(url: string, content: Buffer, repository = 'team/app'): Promise<number> {
  const { location, started } = await beginUpload(url, repository);
  if (location === undefined) return started;
  location.searchParams.set('digest', digestOf(content));
  const headers = { authorization, 'content-type': 'application/octet-stream' };
  const reply = await fetch(location, { method: 'PUT', headers, body: new Uint8Array(content) });
  await reply.arrayBuffer();
  return reply.status;
}

async function beginUpload(
  url: string,
  repository = 'team/app',
): Promise<{ readonly location: URL | undefined; readonly started: number }> {
  const target = `${url}/v2/${repository}/blobs/uploads/`;
  const reply = await fetch(target, { method: 'POST', headers: { authorization } });
  await reply.arrayBuffer();
  const location = reply.headers.get('location');
  return { location: location === null ? undefined : new URL(location, url), started: reply.status };
}

interface SlowUpload {
  readonly send: (content: Buffer) => void;
  readonly status: Promise<number | undefined>;
  readonly abandon: () => void;
}

/** The rest of an upload as one PUT whose body comes when the test says so; no status when the connection is lost. */
async function slowUpload(url: string, content: Buffer): Promise<SlowUpload> {
  const { location } = await beginUpload(url);
  if (location === undefined) throw new Error('no upload');
  location.searchParams.set('digest', digestOf(content));
  const headers = { authorization, 'content-type': 'application/octet-stream', 'content-length': content.length };
  const upload: ClientRequest = request(location, { method: 'PUT', headers, agent: false });
  const status = new Promise<number | undefined>((resolve) => {
    upload.on('error', () => resolve(undefined));
    upload.on('response', (reply: IncomingMessage) => {
      reply.on('error', () => {}).resume();
      resolve(reply.statusCode);
    });
  });
  return { send: (part) => void upload.write(part), status, abandon: () => void upload.destroy() };
}

async function inFlight(gateway: GatewayProcess, count: number): Promise<void> {
  await eventually(
    `${count} transfers are in flight`,
    async () => (await metric(gateway, 'transfers_in_flight')) === count,
  );
}

async function metric(gateway: GatewayProcess, name: string): Promise<number> {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  return Number(new RegExp(`^portcullis_${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

async function get(url: string): Promise<{ readonly status: number; readonly ms: number }> {
  const begun = performance.now();
  const reply = await fetch(url, { headers: { authorization } });
  await reply.arrayBuffer();
  return { status: reply.status, ms: performance.now() - begun };
}

/** Milliseconds of the quickest of `times` requests, each answered `status`: the machine may keep any one of them waiting. */
async function quickest(times: number, url: string, status: number): Promise<number> {
  const took: number[] = [];
  for (let count = 0; count < times; count++) {
    const reply = await get(url);
    expect(reply.status).toBe(status);
    took.push(reply.ms);
  }
  return Math.min(...took);
}

/** A download that has begun and is not read on. `end` reads on, and tells how it ended. */
async function beginDownload(url: string): Promise<{ readonly end: () => Promise<'complete' | 'cut'> }> {
  const asked = request(url, { headers: { authorization }, agent: false }).end();
  const [reply] = (await once(asked, 'response')) as [IncomingMessage];
  expect(reply.statusCode).toBe(200);
  const ended = new Promise<'complete' | 'cut'>((resolve) => {
    reply.on('error', () => resolve('cut'));
    reply.on('close', () => resolve(reply.complete ? 'complete' : 'cut'));
  });
  return {
    end: () => {
      reply.resume();
      return ended;
    },
  };
}

describeWithPrograms(['docker-registry'], 'the registry', () => {
  const big = randomBytes(48 * 1_048_576);
  const bigBlob = `/v2/team/app/blobs/${digestOf(big)}`;
  const limits = {
    PORTCULLIS_TIMEOUTS_IDLE: '1s',
    PORTCULLIS_TIMEOUTS_RESPONSE: '1s',
    PORTCULLIS_TIMEOUTS_CONNECT: '1s',
  };

  test('that is stopped in the middle is given up by the idle limit, and used again when it goes on', async () => {
    const registry = await ownRegistry();
    const gateway = await startGateway({ upstream: registry.url, env: limits });
    expect(await pushBlob(gateway.url, big)).toBe(201);
    const download = await beginDownload(gateway.url + bigBlob);
    const upload = await slowUpload(gateway.url, big);
    upload.send(big.subarray(0, 1000));
    await inFlight(gateway, 2);

    await pauseProcess(registry.pid);
    upload.send(big.subarray(1000, -1));
    expect(await download.end()).toBe('cut');
    expect(await upload.status).toBe(504);
    expect((await get(gateway.url + bigBlob)).status).toBe(504);
    await inFlight(gateway, 0);
    expect((await get(`${gateway.url}/token`)).status).toBe(200);

    process.kill(registry.pid, 'SIGCONT');
    expect((await get(gateway.url + bigBlob)).status).toBe(200);
  });

  test('that is killed is a 502 at once and a loss that shows, and is found again after its restart', async () => {
    const registry = await ownRegistry();
    const gateway = await startGateway({ upstream: registry.url });
    expect(await pushBlob(gateway.url, big)).toBe(201);
    const download = await beginDownload(gateway.url + bigBlob);
    const upload = await slowUpload(gateway.url, big);
    upload.send(big.subarray(0, 1000));
    await inFlight(gateway, 2);

    process.kill(registry.pid, 'SIGKILL');
    expect(await download.end()).toBe('cut');
    expect(await upload.status).toBe(502);
    expect(await quickest(3, gateway.url + bigBlob, 502)).toBeLessThan(1000);
    expect((await get(`${gateway.url}/token`)).status).toBe(200);

    await ownRegistry({ port: registry.port, dir: registry.dir });
    expect((await get(gateway.url + bigBlob)).status).toBe(200);
  });

  test('whose disk is full says so itself, and goes on with what is small', async (context) => {
    requirePrograms(context, ['root', 'mount', 'umount']);
    const dir = await makeTempDir('full');
    onTestFinished(() => removeTempDir(dir));
    const data = join(dir, 'data');
    await mkdir(data);
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', data]);
    expect(mounted).toMatchObject({ code: 0 });
    const registry = await ownRegistry({ dir: data });
    const gateway = await startGateway({ upstream: registry.url });
    const small = randomBytes(1000);
    expect(await pushBlob(gateway.url, small)).toBe(201);
    const large = big.subarray(0, 16 * 1_048_576);
    const direct = await pushBlob(registry.url, large);
    expect(direct).toBeGreaterThanOrEqual(500);
    expect(await pushBlob(gateway.url, large)).toBe(direct);
    const record = await gateway.findLog(({ status }) => status === direct);
    expect(record).toMatchObject({ decision: 'allow' });
    expect((await get(`${gateway.url}/v2/team/app/blobs/${digestOf(small)}`)).status).toBe(200);
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(200);
  });
});

describeWithPrograms(['docker-registry'], 'the gateway', () => {
  let registry: RegistryProcess;
  beforeAll(async () => void (registry = await startRegistry()));
  afterAll(() => registry?.stop());
  const manifest = '/v2/team/app/manifests/wip';
  const content = Buffer.from(randomUUID().repeat(1000));

  test('that is killed in the middle of an upload leaves no blob, and the push is done again', async () => {
    const killed = await startGateway({ upstream: registry.url });
    const upload = await slowUpload(killed.url, content);
    upload.send(content.subarray(0, 1000));
    await inFlight(killed, 1);
    process.kill(killed.pid, 'SIGKILL');
    expect(await upload.status).toBeUndefined();
    await killed.exited;
    expect((await get(`${registry.url}/v2/team/app/blobs/${digestOf(content)}`)).status).toBe(404);

    const next = await startGateway({ upstream: registry.url });
    expect(await pushBlob(next.url, content)).toBe(201);
    expect((await get(`${next.url}/v2/team/app/blobs/${digestOf(content)}`)).status).toBe(200);
  });

  test('that is killed while it holds the turn of a tag does not keep it', async (context) => {
    requirePrograms(context, ['redis-server']);
    const redis = await startRedisServer();
    onTestFinished(() => redis.stop());
    const env = { PORTCULLIS_REDIS: redis.url };
    const killed = await startGateway({ upstream: registry.url, env });
    const image: Manifest = makeManifest();
    expect(await pushBlob(killed.url, Buffer.from(image.config))).toBe(201);
    const put = (gateway: GatewayProcess): Promise<number | undefined> =>
      createApi(gateway.url, 'dana', password)
        .request('PUT', '/v2/team/app/manifests/v1', image.text, {
          'content-type': 'application/vnd.oci.image.manifest.v1+json',
        })
        .then(
          ({ status }) => status,
          () => undefined,
        );
    const turns = async (): Promise<number> =>
      (await redis.admin.keys('portcullis:*')).filter((key) => /tag|lock/.test(key)).length;
    await pauseProcess(registry.pid);
    const lost = put(killed);
    await eventually('the turn is taken', async () => (await turns()) > 0);
    process.kill(killed.pid, 'SIGKILL');
    process.kill(registry.pid, 'SIGCONT');
    expect(await lost).toBeUndefined();

    const next = await startGateway({ upstream: registry.url, env });
    expect(await put(next)).toBe(201);
    await eventually('no turn is left', async () => (await turns()) === 0);
  });

  test('ends with exit code 1 when an upload had to be cut at the end of the drain', async () => {
    const gateway = await startGateway({ upstream: registry.url, env: { PORTCULLIS_TIMEOUTS_DRAIN: '1s' } });
    const upload = await slowUpload(gateway.url, content);
    upload.send(content.subarray(0, 1000));
    await inFlight(gateway, 1);
    const exited = gateway.stop('SIGTERM');
    expect(await upload.status).toBeUndefined();
    expect(await exited).toEqual({ code: 1, signal: null });
    expect(gateway.stdout()).toContain('"reason":"gateway_stopped"');
  });

  test('serves beside 500 connections that say nothing', async () => {
    const gateway = await startGateway({ upstream: registry.url });
    const sockets = await openSockets(gateway, 500);
    expect(await quickest(10, gateway.url + manifest, 404)).toBeLessThan(1000);
    expect(sockets.filter(({ destroyed }) => destroyed)).toEqual([]);
  });

  test('survives running out of descriptors, and serves again when there are some', async (context) => {
    requirePrograms(context, ['prlimit']);
    const gateway = await startGateway({ upstream: registry.url });
    expect((await get(gateway.url + manifest)).status).toBe(404);
    // Not from its start: Node itself has more than that open while it loads a program.
    expect(await run('prlimit', ['--pid', `${gateway.pid}`, '--nofile=64:64'])).toMatchObject({ code: 0 });
    const [first] = await openSockets(gateway, 1);
    const sockets = await openSockets(gateway, 200);
    await eventually('connections beyond the limit are closed', () => sockets.some(({ destroyed }) => destroyed));
    // Whoever is in gets an answer, and the log the reason; what is turned away leaves no trace in Node.
    const line = 'POST /v2/team/app/blobs/uploads/ HTTP/1.1';
    first?.write(`${line}\r\nHost: r\r\nAuthorization: ${authorization}\r\nContent-Length: 0\r\n\r\n`);
    const record = await gateway.findLog(({ status }) => status === 502);
    expect(record).toMatchObject({ reason: 'upstream_unreachable', detail: expect.stringContaining('EMFILE') });
    for (const socket of sockets) socket.destroy();
    await eventually('it serves again', async () => (await get(gateway.url + manifest)).status === 404);
    expect(await gateway.stop()).toEqual({ code: 0, signal: null });
  });

  test('goes on when nothing can be logged, and counts what was lost', async () => {
    const gateway = await startGateway({ upstream: registry.url, output: '/dev/full' });
    for (let count = 0; count < 50; count++) expect((await get(gateway.url + manifest)).status).toBe(404);
    await eventually('lost lines are counted', async () => (await metric(gateway, 'audit_dropped_total')) > 0);
    expect(await gateway.stop()).toEqual({ code: 0, signal: null });
  });

  test('has written every record, in order, when it ends', async () => {
    const gateway = await startGateway({ upstream: registry.url });
    const ask = async (number: number): Promise<void> => {
      const reply = await fetch(`${gateway.url}/v2/team/app/manifests/tag-${number}`);
      expect(reply.status).toBe(401);
    };
    for (let number = 0; number < 300; number++) await ask(number);
    await Promise.all(Array.from({ length: 300 }, (_, number) => ask(300 + number)));
    expect(await gateway.stop()).toEqual({ code: 0, signal: null });
    const references = gateway
      .logs()
      .flatMap(({ event, reference }) => (event === 'access' ? [String(reference)] : []));
    const expected = Array.from({ length: 600 }, (_, number) => `tag-${number}`);
    expect(references.slice(0, 300)).toEqual(expected.slice(0, 300));
    expect(references.toSorted()).toEqual(expected.toSorted());
  });

  test('shows what could forge a line or flood the log as escapes and cut', async () => {
    const gateway = await startGateway({ upstream: registry.url });
    const agents = ['a\u0085b\u009bc', 'x'.repeat(3000), 'plain "quoted" \\ agent'];
    for (const agent of agents) await fetch(gateway.url + manifest, { headers: { 'user-agent': agent } });
    const seen = async (number: number): Promise<unknown> =>
      (await gateway.findLog(({ userAgent }) => String(userAgent).startsWith(agents[number]?.[0] ?? ''))).userAgent;
    expect(await seen(0)).toBe('a\\u0085b\\u009bc');
    expect(await seen(1)).toBe(`${'x'.repeat(256)}…`);
    expect(await seen(2)).toBe(agents[2]);
  });

  test('goes on when nobody reads its log, and still ends when asked to', async (context) => {
    requirePrograms(context, ['mkfifo']);
    const dir = await makeTempDir('fifo');
    onTestFinished(() => removeTempDir(dir));
    const pipe = join(dir, 'stdout');
    expect(await run('mkfifo', [pipe])).toMatchObject({ code: 0 });
    // Open for both, so that its writer neither waits for a reader nor loses it.
    const end = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    onTestFinished(() => closeSync(end));
    const gateway = await startGateway({ upstream: registry.url, output: pipe });
    // Refused ones: forwarding one, Node itself would look at its output and stop waiting for it.
    for (let count = 0; count < 500; count++) expect((await fetch(gateway.url + manifest)).status).toBe(401);
    expect(await gateway.stop()).toEqual({ code: 0, signal: null });
  });

  test('with a defect that nobody handles lets uploads finish, says what it was, and exits 1', async () => {
    const dir = await makeTempDir('defect');
    onTestFinished(() => removeTempDir(dir));
    const preload = join(dir, 'defect.mjs');
    await writeFile(preload, `process.on('SIGUSR2', () => { throw new Error('a defect of the test'); });`);
    const env = { NODE_OPTIONS: `--import ${pathToFileURL(preload).href}` };
    const gateway = await startGateway({ upstream: registry.url, env });
    const upload = await slowUpload(gateway.url, content);
    upload.send(content.subarray(0, 1000));
    await inFlight(gateway, 1);
    process.kill(gateway.pid, 'SIGUSR2');
    const record = await gateway.findLog(({ message }) => message === 'the gateway has a defect and stops');
    expect(record['detail']).toContain('a defect of the test');
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(503);
    upload.send(content.subarray(1000));
    expect(await upload.status).toBe(201);
    expect(await gateway.exited).toEqual({ code: 1, signal: null });
  });
});

async function openSockets(gateway: GatewayProcess, count: number): Promise<readonly Socket[]> {
  const port = Number(new URL(gateway.url).port);
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    return socket.resume();
  });
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(sockets.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])));
  return sockets;
}
