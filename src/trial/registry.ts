/** Starting a registry, as a program of this machine or in a container of its Docker engine. */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { instanceHeader, probeRegistry } from './request.ts';
import { type Environment, type TiedProcess, findProgram, runProgram, startTied } from './program.ts';
import { createHash, randomBytes } from 'node:crypto';
import { writePrivateFile } from '../adapters/files/whole-file.ts';
import { freePort } from './free-port.ts';

export interface Upstream {
  /** Origin, without a trailing slash. */
  readonly url: string;
  /** What it is and where its data lives, for a person. */
  readonly description: string;
  /** Ends what was started for it; does nothing for a registry that was already there. */
  readonly stop: () => Promise<void>;
  /** Present when we started it: settles with the exit code when it ends, asked for or not. */
  readonly exited?: Promise<number | null> | undefined;
}

export type Attempt =
  { readonly ok: true; readonly upstream: Upstream } | { readonly ok: false; readonly reason: string };

export interface Search {
  /** Made private by prepareState. */
  readonly stateDir: string;
  readonly env: Environment;
  /** Receives a line when something takes time or changes the machine. */
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

const readyStepMs = 25;
const maxLogBytes = 1024 * 1024;

interface Expected {
  readonly url: string;
  /** When given, only a registry that sends it counts: another one may have taken the port. */
  readonly instance: string | undefined;
}

/** Until what was started answers as an open registry; why it does not, when it has ended, was interrupted or takes too long. */
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
    await Promise.race([child.exited, delay(readyStepMs)]);
  }
  return { ok: false, reason: `it did not answer within ${timeoutMs / 1000} s` };
}

/** Where the words of a registry go. */
interface RegistryLog {
  readonly file: FileHandle;
  /** Size before this start, in bytes. */
  readonly start: number;
}

/** In the state directory; emptied when it has become too long. */
async function openLog(stateDir: string): Promise<RegistryLog> {
  const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  const file = await open(join(stateDir, 'registry.log'), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
  const { size } = await file.stat();
  if (size <= maxLogBytes) return { file, start: size };
  await file.truncate(0);
  return { file, start: 0 };
}

/** The last lines of this start, on one line. */
async function readTail(log: RegistryLog): Promise<string> {
  const { size } = await log.file.stat();
  const start = Math.max(log.start, size - 2000);
  const { buffer, bytesRead } = await log.file.read(Buffer.alloc(2000), 0, 2000, start);
  const lines = buffer
    .toString('utf8', 0, bytesRead)
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.length === 0 ? '(nothing)' : lines.slice(-3).join(' | ');
}

const containerReadyMs = 30_000;
const downloadMs = 120_000;
const containerImage = 'registry:3';
const settings = [
  'REGISTRY_STORAGE_DELETE_ENABLED=true',
  'REGISTRY_HTTP_RELATIVEURLS=true',
  'OTEL_TRACES_EXPORTER=none',
];

/** Pulls the image where it is not there. Its data outlives it in a volume that belongs to the state directory. */
export async function startContainer(search: Search): Promise<Attempt> {
  const docker = await findProgram('docker', search.env);
  if (docker === undefined) return { ok: false, reason: 'docker is not on PATH' };
  const run = (timeoutMs: number, ...args: string[]) =>
    runProgram(docker, args, { env: search.env, timeoutMs, signal: search.signal });

  const engine = await run(5000, 'version', '--format', '{{.Server.Version}}');
  if (!engine.ok) return { ok: false, reason: `docker is there, its engine does not answer: ${engine.reason}` };
  if (!(await run(5000, 'image', 'inspect', containerImage)).ok) {
    search.report(`no registry on this machine: docker pull ${containerImage} (about 20 MB, once)`);
    const pulled = await run(downloadMs, 'pull', containerImage);
    if (!pulled.ok) return { ok: false, reason: `docker pull ${containerImage}: ${pulled.reason}` };
  }

  const place = createHash('sha256').update(search.stateDir).digest('hex').slice(0, 12);
  const name = `portcullis-try-${place}-${randomBytes(4).toString('hex')}`;
  // A named volume and not a directory of ours: it works with SELinux, rootless engines and engines in a virtual
  // machine, and leaves no files of root behind. Not detached: the client passes our SIGTERM on to the container.
  const volume = `portcullis-try-${place}`;
  await mkdir(search.stateDir, { recursive: true, mode: 0o700 });
  const log = await openLog(search.stateDir);
  try {
    const child = startTied(
      [
        docker,
        ...['run', '--rm', '--name', name, '-p', '127.0.0.1::5000', '-v', `${volume}:/var/lib/registry`],
        ...settings.flatMap((setting) => ['-e', setting]),
        containerImage,
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
    const readiness = await awaitReady(child, locate, containerReadyMs, search.signal);
    if (readiness.ok) {
      const description = `container ${name} of ${containerImage}, started for this trial, data in the Docker volume ${volume}`;
      return { ok: true, upstream: { url, description, stop, exited: child.exited } };
    }
    await stop();
    return {
      ok: false,
      reason: `docker run ${containerImage}: ${readiness.reason}; last words: ${await readTail(log)}`,
    };
  } finally {
    await log.file.close();
  }
}

const readyMs = 10_000;
const portAttempts = 5;

/** Starts a distribution registry on a free loopback port, with our configuration and data in the state directory. */
export async function startProgram(program: string, search: Search): Promise<Attempt> {
  const version = await distributionVersion(program, search);
  if (version === undefined) return { ok: false, reason: 'this is not the registry of the distribution project' };
  const dataDir = join(search.stateDir, 'registry-data');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const configFile = join(search.stateDir, 'registry.yml');
  let reason = 'no free port';
  // Between choosing a port and the registry taking it, another process can be faster.
  for (let attempt = 0; attempt < portAttempts && search.signal?.aborted !== true; attempt += 1) {
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
      const readiness = await awaitReady(child, () => Promise.resolve({ url, instance }), readyMs, search.signal);
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
    ${instanceHeader}: ["${options.instance}"]
`;
}
