/** The program as its user meets it: started and stopped. All of it is the built one. */
import { randomUUID, createHash } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { hash } from 'argon2';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import type { GatewayProcess } from '../support/gateway.ts';
import { startGatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms, requirePrograms, run } from '../support/programs.ts';
import type { Program, RunResult } from '../support/programs.ts';
import { startRegistry } from '../support/registry.ts';
import type { RegistryProcess } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import {
  adminPassword,
  basic,
  cli,
  copyPolicies,
  fetchToken,
  registryOf,
  startTrial,
  trialPlace,
} from '../support/trial.ts';
import type { TrialPlace } from '../support/trial.ts';

const sandbox = 'repository:sandbox/hello:pull,push';
/** At a cost that tests can afford. */
const dana = { account: 'dana', password: 'secret of dana' };
const danaHash = await hash(dana.password, { memoryCost: 8192, timeCost: 1, parallelism: 1 });

describeWithPrograms(['docker-registry'], 'try mode', () => {
  describe('running', () => {
    let place: TrialPlace;
    let program: Program;
    beforeAll(async () => {
      place = await newPlace();
      program = await startTrial(place);
    });
    afterAll(async () => {
      await program?.stop();
      await removeTempDir(place.dir);
    });

    test('says what runs where, how to log in, what to push and what to try', async () => {
      const { host } = new URL(place.url);
      const lines = program.stdout().split('\n');
      const row = (label: string): string => lines.find((line) => line.startsWith(`  ${label} `)) ?? '';
      expect(program.stdout()).toContain('TRY MODE, not for production');
      expect(row('Gateway')).toContain(place.url);
      expect(row('Registry')).toMatch(/http:\/\/127\.0\.0\.1:\d+ {2}\S*registry \S+, started for this trial/);
      expect(row('Store')).toContain('in this process');
      expect(row('Policies')).toMatch(/policies {2}[1-9]\d* rules, [1-9]\d* tests passed$/);
      expect(row('Sign in')).toContain(`admin / ${await adminPassword(place)}`);
      expect(lines.map((line) => line.trim())).toContain(
        `docker login ${host} -u admin --password-stdin < .portcullis/initial-admin-password`,
      );
      expect(row('Push')).toContain(`docker push ${host}/sandbox/hello`);
      expect(row('Next')).toContain('npx portcullis try');
    });

    test('keeps its state to itself: directory 0700, password 0600, keys 0600', async () => {
      const state = join(place.dir, '.portcullis');
      expect(await modeOf(state)).toBe('700');
      expect(await modeOf(join(state, 'keys'))).toBe('700');
      expect(await modeOf(join(state, 'initial-admin-password'))).toBe('600');
      expect(await modeOf(join(state, 'policies/admin.yaml'))).toBe('600');
    });

    test('lets the generated admin in with the password it printed, and with no other', async () => {
      expect(await fetchToken(place, { account: 'admin', password: await adminPassword(place) }, sandbox)).toBeTypeOf(
        'string',
      );
      expect(await fetchToken(place, { account: 'admin', password: 'admin' }, sandbox)).toBe(401);
    });

    test('puts an edited policy into force at once, also for tokens issued before', async () => {
      const rules = join(place.dir, 'policies/areas.yaml');
      const before = await readFile(rules, 'utf8');
      const token = await tokenOf(place);
      const listTags = async (): Promise<number> =>
        statusOf(`${place.url}/v2/sandbox/hello/tags/list`, { authorization: `Bearer ${token}` });
      expect(await listTags()).toBe(404);
      await writeFile(
        rules,
        `${before.replace(/^tests:[\s\S]*/m, '')}
  - name: sandbox-is-closed
    effect: deny
    subjects: [everyone]
    repositories: ['sandbox/**']
    actions: [pull]
`,
      );
      await expect.poll(listTags, { timeout: 5_000 }).toBe(403);
      await writeFile(rules, before);
      await expect.poll(listTags, { timeout: 5_000 }).toBe(404);
    });

    test('is what `portcullis try` shows the flow on, down to the refusal and its reason', async () => {
      const seen = await portcullis(['try'], place);
      expect(seen).toMatchObject({ code: 0 });
      expect(seen.stdout).toContain('PUT   /v2/sandbox/hello/manifests/try  201');
      expect(seen.stdout).toContain('denied: user "admin" may not push release/hello: a rule forbids it');
      expect(seen.stdout).toContain('All 7 steps went as they should.');
      expect(seen.stdout).toContain(new URL(place.url).host);
      expect(program.stdout()).toContain('"repository":"sandbox/hello"');
      expect(seen.stdout + seen.stderr).not.toContain(await adminPassword(place));
    });

    test('answers `portcullis try --json` with one JSON object', async () => {
      const seen = await portcullis(['try', '--json'], place);
      expect(seen).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(seen.stdout)).toMatchObject({ ok: true });
    });

    test('counts the generated admin as known when the policies are checked', async () => {
      const extra = join(place.dir, 'policies/extra.yaml');
      await writeFile(extra, 'tests: [{ name: mine, as: user:admin, deny: [push release/app] }]\n');
      onTestFinished(() => rm(extra));
      const seen = await portcullis(['check'], place);
      expect(seen).toMatchObject({ code: 0, stderr: '' });
    });
  });

  test('`portcullis try` without a gateway starts its own, and leaves none behind', async () => {
    const place = await newPlace();
    onTestFinished(() => removeTempDir(place.dir));
    const seen = await portcullis(['try'], place);
    expect(seen).toMatchObject({ code: 0 });
    expect(seen.stdout).toContain('denied: user "admin" may not push release/hello: a rule forbids it');
    expect(seen.stderr).toContain('no gateway is running here, so one is started for this demonstration');
    const origin = /log in at (http:\/\/\S+)\/token/.exec(seen.stdout)?.[1];
    expect(origin).toBeDefined();
    expect(await answers(`${origin}/v2/`)).toBe(false);
  });

  test('a second start finds the keys, the password and the images of the first', async () => {
    const place = await newPlace();
    onTestFinished(() => removeTempDir(place.dir));
    const first = await startTrial(place);
    const password = await adminPassword(place);
    expect(await portcullis(['try', '--json'], place)).toMatchObject({ code: 0 });
    const token = await tokenOf(place);
    await first.stop();

    const second = await startTrial(place);
    onTestFinished(async () => void (await second.stop()));
    expect(await adminPassword(place)).toBe(password);
    expect(second.stdout()).toContain(password);
    expect(
      await statusOf(`${place.url}/v2/sandbox/hello/manifests/try`, {
        authorization: `Bearer ${token}`,
        accept: 'application/vnd.oci.image.manifest.v1+json',
      }),
    ).toBe(200);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} ends it with exit code 0, and its registry with it`, async () => {
      const { program, registryUrl } = await startedTrial();
      expect(await program.stop(signal)).toEqual({ code: 0, signal: null });
      expect(program.stdout()).toContain('portcullis has stopped');
      expect(await answers(`${registryUrl}/v2/`)).toBe(false);
    });
  }

  test('starts with policies of one\'s own that have no group "admins", and says what its account may do', async () => {
    const place = await newPlace();
    await mkdir(join(place.dir, 'own'));
    await writeFile(join(place.dir, 'own/rules.yaml'), 'rules: []\n');
    const own = { ...place, env: { ...place.env, PORTCULLIS_POLICIES: 'own' } };
    const program = await startTrial(own);
    onTestFinished(async () => {
      await program.stop();
      await removeTempDir(place.dir);
    });
    expect(program.stderr()).toContain('your policies have no group "admins"');
    const login = { account: 'admin', password: await adminPassword(place) };
    expect(await fetchToken(place, login, sandbox)).toBeTypeOf('string');
  });

  test('a stop asked for twice in one moment, as Ctrl-C under npm start does, is one clean stop', async () => {
    const { program } = await startedTrial();
    process.kill(program.pid, 'SIGTERM');
    expect(await program.stop('SIGINT')).toEqual({ code: 0, signal: null });
    expect(program.stdout()).toContain('"clean":true');
  });
});

describeWithPrograms(['docker-registry'], 'in production', () => {
  let registry: RegistryProcess;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry?.stop());

  const policies = {
    'team.yaml': `
users:
  dana: { password: '${danaHash}', groups: [developers] }
groups:
  developers: {}
rules:
  - { name: developers-share-sandbox, subjects: [group:developers], repositories: ['sandbox/**'], actions: [pull, push] }
`,
  };
  const start = async (env: Readonly<Record<string, string>> = {}): Promise<GatewayProcess> => {
    const gateway = await startGatewayProcess({ upstream: registry.url, policies, env });
    onTestFinished(async () => void (await gateway.stop()));
    return gateway;
  };

  test('a policy edit with a mistake changes nothing, and is seen in the log, the readiness page and the metrics', async () => {
    const gateway = await start();
    const file = join(gateway.policiesDir, 'team.yaml');
    const push = async (): Promise<number> =>
      statusOf(`${gateway.url}/v2/sandbox/app/blobs/uploads/`, {
        method: 'POST',
        authorization: basic(dana.account, dana.password),
      });
    const metric = async (): Promise<string | undefined> =>
      /^portcullis_policy_last_reload_successful (\d)$/m.exec(await textOf(`${gateway.adminUrl}/metrics`))?.[1];
    expect(await push()).toBe(202);
    expect(await metric()).toBe('1');

    const good = await readFile(file, 'utf8');
    await writeFile(file, good.replace('subjects: [group:developers]', 'subjects: [group:develpers]'));
    const refused = await gateway.findLog(({ reason }) => reason === 'reload_refused');
    const fault = 'there is no group "develpers" — did you mean "developers"?';
    expect(refused).toMatchObject({ event: 'policy', decision: 'deny', source: 'policies/team.yaml:7' });
    expect(refused['detail']).toContain(fault);
    expect(await metric()).toBe('0');
    const readiness = await fetch(`${gateway.adminUrl}/readyz?verbose`);
    expect(readiness.status).toBe(200);
    expect(await readiness.text()).toContain('the last good policy stays in force; policies/team.yaml:7:');
    expect(await push()).toBe(202);

    await writeFile(file, good.replace('actions: [pull, push]', 'actions: [pull]'));
    await expect.poll(push, { timeout: 5_000 }).toBe(403);
    expect(await metric()).toBe('1');
  });

  test('SIGTERM lets an upload that is under way finish', async () => {
    const gateway = await start();
    const upload = await slowUpload(gateway);
    const stopped = gateway.stop('SIGTERM');
    await expect.poll(() => textOf(`${gateway.adminUrl}/readyz`)).toContain('shutting down');
    expect(await answers(`${gateway.url}/v2/`)).toBe(false);
    expect(await upload.finish()).toBe(201);
    expect(await stopped).toEqual({ code: 0, signal: null });
    expect(await statusOf(`${registry.url}/v2/sandbox/slow/blobs/${upload.digest}`)).toBe(200);
  });

  test('a second SIGTERM does not wait for uploads', async () => {
    const gateway = await start();
    const upload = await slowUpload(gateway);
    let ended = false;
    const exited = gateway.exited.finally(() => (ended = true));
    // Signals within a moment of each other are one; so one is sent again and again.
    const again = setInterval(() => void (ended ? undefined : process.kill(gateway.pid, 'SIGTERM')), 50);
    onTestFinished(() => clearInterval(again));
    expect(await exited).toEqual({ code: 1, signal: null });
    clearInterval(again);
    upload.abandon();
  });

  test('serves HTTPS, and a renewed certificate without a restart', async (context) => {
    requirePrograms(context, ['openssl']);
    const dir = await tempDir();
    const cert = join(dir, 'tls.crt');
    const key = join(dir, 'tls.key');
    await makeCertificate(cert, key);
    const gateway = await start({ PORTCULLIS_TLS_CERT: cert, PORTCULLIS_TLS_KEY: key });
    const port = Number(new URL(gateway.url).port);
    const first = await overTls(port, cert);
    expect(first.reply).toMatch(/^HTTP\/1\.1 401 /);

    await makeCertificate(cert, key);
    await expect.poll(async () => (await overTls(port, cert)).fingerprint).not.toBe(first.fingerprint);
    expect((await overTls(port, cert)).reply).toMatch(/^HTTP\/1\.1 401 /);

    const good = (await overTls(port, cert)).fingerprint;
    await writeFile(cert, 'not a certificate');
    await gateway.findLog(
      ({ message }) => message === 'the certificate on disk cannot be used; the last good one stays',
    );
    expect((await overTls(port, undefined)).fingerprint).toBe(good);
  });

  test('a certificate on disk that cannot be used shows in readiness and metrics until a good one is there', async () => {
    const ways: Readonly<Record<string, (cert: string, dir: string) => Promise<void>>> = {
      'the certificate or key cannot be read: ': (cert) => writeFile(cert, 'not a certificate'),
      'ENOENT.*tls\\.crt': (cert) => rm(cert),
      'the key does not belong to the certificate': (cert, dir) => makeCertificate(cert, join(dir, 'other.key')),
    };
    // At once: each looks at its files every five seconds.
    await Promise.all(
      Object.entries(ways).map(async ([words, spoil]) => {
        const dir = await tempDir();
        const [cert, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
        await makeCertificate(cert, key);
        const gateway = await start({ PORTCULLIS_TLS_CERT: cert, PORTCULLIS_TLS_KEY: key });
        const ready = async (query: string): Promise<string> => {
          const reply = await fetch(`${gateway.adminUrl}/readyz?${query}`);
          return `${reply.status} ${await reply.text()}`;
        };
        const metric = async (): Promise<string | undefined> =>
          /^portcullis_certificate_last_reload_successful (\d)$/m.exec(
            await textOf(`${gateway.adminUrl}/metrics`),
          )?.[1];
        const isWell = async (): Promise<void> => {
          expect(await ready('verbose'), words).toContain('[+] certificate ok\n');
          expect(await ready('strict'), words).toBe('200 ready\n');
          expect(await metric(), words).toBe('1');
        };
        await isWell();

        await spoil(cert, dir);
        await gateway.findLog(
          ({ message }) => message === 'the certificate on disk cannot be used; the last good one stays',
        );
        expect(await ready('verbose'), words).toMatch(/^200 /);
        expect(await ready('verbose')).toMatch(new RegExp(`\\[~\\] certificate degraded: .*${words}`));
        expect(await ready('verbose'), words).toMatch(/\ndegraded\n$/);
        expect(await ready('strict'), words).toMatch(/^503 /);
        expect(await metric(), words).toBe('0');

        await makeCertificate(cert, key);
        await gateway.findLog(({ message }) => message === 'the certificate on disk is in use');
        await isWell();
      }),
    );
  });
});

async function tempDir(): Promise<string> {
  const dir = await makeTempDir('start');
  onTestFinished(() => removeTempDir(dir));
  return dir;
}

async function newPlace(): Promise<TrialPlace> {
  const dir = await makeTempDir('start');
  await copyPolicies(dir);
  return trialPlace(dir);
}

async function startedTrial(): Promise<{ readonly program: Program; readonly registryUrl: string }> {
  const place = await newPlace();
  onTestFinished(() => removeTempDir(place.dir));
  const program = await startTrial(place);
  onTestFinished(async () => void (await program.stop()));
  const registryUrl = registryOf(program);
  expect(await answers(`${registryUrl}/v2/`)).toBe(true);
  return { program, registryUrl };
}

function portcullis(args: readonly string[], { dir, env }: Pick<TrialPlace, 'dir' | 'env'>): Promise<RunResult> {
  return run(process.execPath, [cli, ...args], { cwd: dir, env });
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

async function tokenOf(place: TrialPlace): Promise<string> {
  const token = await fetchToken(place, { account: 'admin', password: await adminPassword(place) }, sandbox);
  if (typeof token === 'number') throw new Error(`no token: ${token}`);
  return token;
}

async function statusOf(
  url: string,
  { method = 'GET', ...headers }: { readonly method?: string } & Readonly<Record<string, string>> = {},
): Promise<number> {
  const reply = await fetch(url, { method, headers });
  await reply.body?.cancel();
  return reply.status;
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** Whether anything at all listens there. */
async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    async (reply) => {
      await reply.body?.cancel();
      return true;
    },
    () => false,
  );
}

interface SlowUpload {
  readonly digest: string;
  /** Sends the rest; resolves with the status of the reply. */
  readonly finish: () => Promise<number>;
  readonly abandon: () => void;
}

/** A blob upload of which the first half has reached the registry behind. */
async function slowUpload(gateway: GatewayProcess): Promise<SlowUpload> {
  const content = Buffer.from(randomUUID().repeat(4096));
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const authorization = basic(dana.account, dana.password);
  const begun = await fetch(`${gateway.url}/v2/sandbox/slow/blobs/uploads/`, {
    method: 'POST',
    headers: { authorization },
  });
  await begun.body?.cancel();
  const location = new URL(begun.headers.get('location') ?? '', gateway.url);
  location.searchParams.set('digest', digest);
  const headers = { authorization, 'content-type': 'application/octet-stream', 'content-length': content.length };
  const upload: ClientRequest = request(location, { method: 'PUT', headers, agent: false });
  const replied = new Promise<IncomingMessage>((resolve, reject) => upload.on('response', resolve).on('error', reject));
  replied.catch(() => undefined);
  upload.write(content.subarray(0, content.length / 2));
  await expect.poll(() => textOf(`${gateway.adminUrl}/metrics`)).toContain('portcullis_transfers_in_flight 1');
  return {
    digest,
    finish: async () => {
      upload.end(content.subarray(content.length / 2));
      const reply = await replied;
      reply.resume();
      return reply.statusCode ?? 0;
    },
    abandon: () => void upload.destroy(),
  };
}

/** One request over TLS; with `ca` the certificate must be that one. */
async function overTls(port: number, ca: string | undefined): Promise<{ fingerprint: string; reply: string }> {
  const trust = ca === undefined ? { rejectUnauthorized: false } : { ca: await readFile(ca, 'utf8') };
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ...trust }, () => {
      socket.write('GET /v2/ HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n');
    });
    let reply = '';
    let fingerprint = '';
    socket.on('secureConnect', () => (fingerprint = socket.getPeerCertificate().fingerprint256));
    socket.on('data', (chunk: Buffer) => (reply += chunk.toString()));
    socket.on('end', () => resolve({ fingerprint, reply }));
    socket.on('error', reject);
  });
}
