/** The registry of the distribution project as a program of this machine. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writePrivateFile } from '../adapters/files/private-file.ts';
import { type Attempt, type Search, awaitReady, openLog, readTail } from './attempt.ts';
import { freePort } from './free-port.ts';
import { instanceHeader } from './probe.ts';
import { type Environment, runProgram } from './program.ts';
import { startTied } from './tied-process.ts';

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
