/** Where try mode finds the registry that the gateway stands in front of. */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writePrivateFile } from '../adapters/files/private-file.ts';
import { freePort } from './free-port.ts';
import { INSTANCE_HEADER, probeRegistry } from './probe.ts';
import { findProgram, isProgram, runProgram, type Environment } from './program.ts';
import { startTied, type TiedProcess } from './tied-process.ts';

export interface Upstream {
  /** Origin, without a trailing slash. */
  readonly url: string;
  /** What it is and where its data lives, for a person. */
  readonly description: string;
  /** Ends what was started for it; does nothing for a registry that was already there. */
  readonly stop: () => Promise<void>;
  /** Present when we started it: settles with the exit code when it ends, asked for or not. */
  readonly exited?: Promise<number | null>;
}

export type FoundUpstream =
  { readonly ok: true; readonly upstream: Upstream } | { readonly ok: false; readonly message: string };

export interface UpstreamSearch {
  /** The configured upstream. When given it is the only one considered. */
  readonly upstream: string | undefined;
  /** Made private by prepareState. */
  readonly stateDir: string;
  readonly env: Environment;
  /** Receives a line when something takes time or changes the machine. */
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Where an open registry is looked for. */
  readonly localRegistry?: string;
}

type Attempt = { readonly ok: true; readonly upstream: Upstream } | { readonly ok: false; readonly reason: string };

interface Search {
  readonly stateDir: string;
  readonly env: Environment;
  readonly report: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

const PROBE_TIMEOUT_MS = 5000;
const READY_TIMEOUT_MS = 10_000;
const READY_STEP_MS = 25;
const PORT_ATTEMPTS = 5;
const DOWNLOAD_TIMEOUT_MS = 120_000;
const LOG_LIMIT_BYTES = 1024 * 1024;
const IMAGE = 'registry:3';

/** The first registry that works, in the order of the messages below; starts one when none is running. */
export async function findUpstream(options: UpstreamSearch): Promise<FoundUpstream> {
  if (options.upstream !== undefined) return checkGiven(options.upstream, options.signal);

  const search: Search = {
    stateDir: resolve(options.stateDir),
    env: options.env,
    report: options.report,
    signal: options.signal,
  };
  const local = options.localRegistry ?? 'http://127.0.0.1:5000';
  const ways: readonly (readonly [way: string, attempt: () => Promise<Attempt>])[] = [
    [`run an open registry on ${new URL(local).host}`, () => findLocal(local, search)],
    [
      'put registry or docker-registry on PATH (Debian, Ubuntu: sudo apt-get install docker-registry)',
      () => startInstalled(search),
    ],
    ['on Debian or Ubuntu, let the package be unpacked without root', () => startUnpacked(search)],
    ['start a Docker engine', () => startContainer(search)],
  ];
  const failures = ['name one: PORTCULLIS_UPSTREAM=http://host:5000 (not set)'];
  for (const [way, attempt] of ways) {
    const result = await attempt();
    if (search.signal?.aborted === true) {
      if (result.ok) await result.upstream.stop();
      return { ok: false, message: 'interrupted while looking for a registry' };
    }
    if (result.ok) return result;
    failures.push(`${way} (${result.reason})`);
  }
  return {
    ok: false,
    message: ['there is no registry to stand in front of. Any one of these will do:', ...failures].join('\n  - '),
  };
}

async function checkGiven(upstream: string, signal: AbortSignal | undefined): Promise<FoundUpstream> {
  const url = URL.canParse(upstream) ? new URL(upstream) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return { ok: false, message: 'the upstream is not an http:// or https:// address, such as http://127.0.0.1:5000' };
  }
  if (url.username !== '' || url.password !== '') {
    return { ok: false, message: `the upstream ${url.host} must be given without a user name and password` };
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return { ok: false, message: `the upstream must be scheme, host and port only: ${url.origin}` };
  }
  const probe = await probeRegistry(url.origin, PROBE_TIMEOUT_MS, signal);
  switch (probe.kind) {
    case 'open':
      return { ok: true, upstream: { url: url.origin, description: 'the configured registry', stop: async () => {} } };
    case 'guarded':
      return {
        ok: false,
        message:
          `the upstream ${url.origin} has an access control of its own (GET /v2/ answered 401). ` +
          'Switch that off and let only the gateway reach the registry, or name another one. ' +
          'If this is a Portcullis, name the registry behind it.',
      };
    case 'other':
      return {
        ok: false,
        message: `the upstream ${url.origin} does not answer like a registry (GET /v2/ answered ${probe.status}); check the address`,
      };
    case 'unreachable':
      return { ok: false, message: `the upstream ${url.origin} cannot be reached: ${probe.reason}` };
  }
}

async function findLocal(local: string, search: Search): Promise<Attempt> {
  const probe = await probeRegistry(local, 1000, search.signal);
  switch (probe.kind) {
    case 'open':
      return {
        ok: true,
        upstream: {
          url: new URL(local).origin,
          description: 'the open registry that was already running',
          stop: async () => {},
        },
      };
    case 'guarded':
      return { ok: false, reason: 'what is there has an access control of its own: 401' };
    case 'other':
      return { ok: false, reason: `what is there is not a registry: ${probe.status}` };
    case 'unreachable':
      return { ok: false, reason: probe.reason };
  }
}

async function startInstalled(search: Search): Promise<Attempt> {
  let reason = 'neither is there';
  for (const name of ['registry', 'docker-registry']) {
    const program = await findProgram(name, search.env);
    if (program === undefined) continue;
    const attempt = await startProgram(program, search);
    if (attempt.ok) return attempt;
    reason = `${program}: ${attempt.reason}`;
  }
  return { ok: false, reason };
}

async function startUnpacked(search: Search): Promise<Attempt> {
  const directory = join(search.stateDir, 'registry-program');
  const program = join(directory, 'usr/bin/docker-registry');
  if (await isProgram(program)) {
    const attempt = await startProgram(program, search);
    if (attempt.ok || search.signal?.aborted === true) return attempt;
  }
  const aptGet = await findProgram('apt-get', search.env);
  const dpkg = await findProgram('dpkg', search.env);
  if (aptGet === undefined || dpkg === undefined) return { ok: false, reason: 'apt-get and dpkg are not there' };

  search.report('no registry on this machine: downloading the package docker-registry (5 MB, once, no root needed)');
  await mkdir(search.stateDir, { recursive: true, mode: 0o700 });
  const workplace = await mkdtemp(join(search.stateDir, 'download-'));
  try {
    const options = { env: search.env, timeoutMs: DOWNLOAD_TIMEOUT_MS, cwd: workplace, signal: search.signal };
    // As root apt would hand the download to its own user, who cannot enter our private directory.
    const unsandboxed = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
    const download = await runProgram(aptGet, [...unsandboxed, 'download', 'docker-registry'], options);
    const archive = (await readdir(workplace)).find((name) => name.endsWith('.deb'));
    if (!download.ok || archive === undefined) {
      const words = download.ok ? 'no package arrived' : download.reason;
      return { ok: false, reason: `apt-get download: ${words}; where package lists are missing: sudo apt-get update` };
    }
    const unpacked = await runProgram(dpkg, ['-x', archive, 'unpacked'], options);
    if (!unpacked.ok) return { ok: false, reason: `dpkg -x: ${unpacked.reason}` };
    await rm(directory, { recursive: true, force: true });
    await rename(join(workplace, 'unpacked'), directory);
  } finally {
    await rm(workplace, { recursive: true, force: true });
  }
  return startProgram(program, search);
}

/** Starts a distribution registry on a free loopback port, with our configuration and data in the state directory. */
async function startProgram(program: string, search: Search): Promise<Attempt> {
  const version = await distributionVersion(program, search);
  if (version === undefined) return { ok: false, reason: 'this is not the registry of the distribution project' };
  const dataDir = join(search.stateDir, 'registry-data');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const configFile = join(search.stateDir, 'registry.yml');
  let reason = 'no free port';
  // Between choosing a port and the registry taking it, another process can be faster.
  for (let attempt = 0; attempt < PORT_ATTEMPTS && search.signal?.aborted !== true; attempt += 1) {
    const port = await freePort();
    const instance = randomBytes(12).toString('hex');
    await writePrivateFile(configFile, formatRegistryConfig({ dataDir, port, instance }));
    const url = `http://127.0.0.1:${port}`;
    const log = await openLog(search.stateDir);
    try {
      const child = startTied([program, 'serve', configFile], {
        env: registryEnvironment(search.env),
        logFd: log.file.fd,
      });
      const readiness = await awaitReady(
        child,
        () => Promise.resolve({ url, instance }),
        READY_TIMEOUT_MS,
        search.signal,
      );
      if (readiness.ok) {
        const description = `${program} ${version}, started for this trial`;
        return { ok: true, upstream: { url, description, stop: child.stop, exited: child.exited } };
      }
      await child.stop();
      const lastWords = await readTail(log);
      reason = `${readiness.reason}; ${join(search.stateDir, 'registry.log')} ends with: ${lastWords}`;
      if (!lastWords.includes('address already in use')) break;
    } finally {
      await log.file.close();
    }
  }
  return { ok: false, reason };
}

async function startContainer(search: Search): Promise<Attempt> {
  const docker = await findProgram('docker', search.env);
  if (docker === undefined) return { ok: false, reason: 'docker is not on PATH' };
  const run = (timeoutMs: number, ...args: string[]) =>
    runProgram(docker, args, { env: search.env, timeoutMs, signal: search.signal });

  const engine = await run(5000, 'version', '--format', '{{.Server.Version}}');
  if (!engine.ok) return { ok: false, reason: `docker is there, its engine does not answer: ${engine.reason}` };
  if (!(await run(5000, 'image', 'inspect', IMAGE)).ok) {
    search.report(`no registry on this machine: docker pull ${IMAGE} (about 20 MB, once)`);
    const pulled = await run(DOWNLOAD_TIMEOUT_MS, 'pull', IMAGE);
    if (!pulled.ok) return { ok: false, reason: `docker pull ${IMAGE}: ${pulled.reason}` };
  }

  const place = createHash('sha256').update(search.stateDir).digest('hex').slice(0, 12);
  const name = `portcullis-try-${place}-${randomBytes(4).toString('hex')}`;
  // A named volume and not a directory of ours: it works with SELinux, rootless engines and engines in a virtual
  // machine, and leaves no files of root behind. Not detached: the client passes our SIGTERM on to the container.
  const volume = `portcullis-try-${place}`;
  const settings = [
    'REGISTRY_STORAGE_DELETE_ENABLED=true',
    'REGISTRY_HTTP_RELATIVEURLS=true',
    'OTEL_TRACES_EXPORTER=none',
  ];
  await mkdir(search.stateDir, { recursive: true, mode: 0o700 });
  const log = await openLog(search.stateDir);
  try {
    const child = startTied(
      [
        docker,
        ...['run', '--rm', '--name', name, '-p', '127.0.0.1::5000', '-v', `${volume}:/var/lib/registry`],
        ...settings.flatMap((setting) => ['-e', setting]),
        IMAGE,
      ],
      { env: search.env, logFd: log.file.fd },
    );
    let url = '';
    const stop = async (): Promise<void> => {
      await runProgram(docker, ['stop', '-t', '5', name], { env: search.env, timeoutMs: 15_000 });
      await child.stop();
    };
    const locate = async (): Promise<Expected | undefined> => {
      if (url === '') {
        const mapping = await run(5000, 'port', name, '5000/tcp');
        const port = mapping.ok ? /^127\.0\.0\.1:(\d+)$/m.exec(mapping.output)?.[1] : undefined;
        if (port === undefined) return undefined;
        url = `http://127.0.0.1:${port}`;
      }
      return { url, instance: undefined };
    };
    const readiness = await awaitReady(child, locate, 3 * READY_TIMEOUT_MS, search.signal);
    if (readiness.ok) {
      const description = `container ${name} of ${IMAGE}, started for this trial, data in the Docker volume ${volume}`;
      return { ok: true, upstream: { url, description, stop, exited: child.exited } };
    }
    await stop();
    return { ok: false, reason: `docker run ${IMAGE}: ${readiness.reason}; last words: ${await readTail(log)}` };
  } finally {
    await log.file.close();
  }
}

interface Expected {
  readonly url: string;
  /** When given, only a registry that sends it counts: another one may have taken the port. */
  readonly instance: string | undefined;
}

async function awaitReady(
  child: TiedProcess,
  locate: () => Promise<Expected | undefined>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<{ readonly ok: true } | { readonly ok: false; readonly reason: string }> {
  const end: { reason?: string } = {};
  void child.exited.then((code) => {
    end.reason = `it ended at once${code === null ? '' : ` with exit code ${code}`}`;
  });
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if (signal?.aborted === true) return { ok: false, reason: 'interrupted' };
    const expected = await locate();
    const probe = expected === undefined ? undefined : await probeRegistry(expected.url, 1000, signal);
    if (end.reason !== undefined) return { ok: false, reason: end.reason };
    if (probe?.kind === 'open' && (expected?.instance === undefined || probe.instance === expected.instance)) {
      return { ok: true };
    }
    await Promise.race([child.exited, delay(READY_STEP_MS)]);
  }
  return { ok: false, reason: `it did not answer within ${timeoutMs / 1000} s` };
}

/** A program called `registry` can be anything, so it is asked before it is trusted with a port. */
async function distributionVersion(program: string, search: Search): Promise<string | undefined> {
  const options = { env: registryEnvironment(search.env), timeoutMs: 5000, signal: search.signal };
  const version = await runProgram(program, ['--version'], options);
  return version.ok ? /\/distribution\S*\s+(\S+)/.exec(version.output)?.[1] : undefined;
}

/** Nothing of ours: REGISTRY_* would override our configuration (authentication included), PORTCULLIS_* may be secret. */
function registryEnvironment(env: Environment): Environment {
  return { PATH: env['PATH'], HOME: env['HOME'], TMPDIR: env['TMPDIR'], TZ: env['TZ'], OTEL_TRACES_EXPORTER: 'none' };
}

function formatRegistryConfig(options: { dataDir: string; port: number; instance: string }): string {
  return `# Written by try mode at every start.
version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: ${JSON.stringify(options.dataDir)}
  delete:
    enabled: true
http:
  addr: 127.0.0.1:${options.port}
  relativeurls: true
  secret: ${randomBytes(32).toString('hex')}
  headers:
    ${INSTANCE_HEADER}: ["${options.instance}"]
`;
}

interface Log {
  readonly file: FileHandle;
  /** Size before this start, in bytes. */
  readonly start: number;
}

async function openLog(stateDir: string): Promise<Log> {
  const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  const file = await open(join(stateDir, 'registry.log'), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
  const { size } = await file.stat();
  if (size <= LOG_LIMIT_BYTES) return { file, start: size };
  await file.truncate(0);
  return { file, start: 0 };
}

async function readTail(log: Log): Promise<string> {
  const { size } = await log.file.stat();
  const start = Math.max(log.start, size - 2000);
  const { buffer, bytesRead } = await log.file.read(Buffer.alloc(2000), 0, 2000, start);
  const lines = buffer
    .toString('utf8', 0, bytesRead)
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.length === 0 ? '(nothing)' : lines.slice(-3).join(' | ');
}
