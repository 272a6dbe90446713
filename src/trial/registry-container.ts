/** A registry in a container of this machine's Docker engine. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { type Attempt, type Expected, type Search, awaitReady, openLog, readTail } from './attempt.ts';
import { findProgram, runProgram } from './program.ts';
import { startTied } from './tied-process.ts';

const readyMs = 30_000;
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
    const readiness = await awaitReady(child, locate, readyMs, search.signal);
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
