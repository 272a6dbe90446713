import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import bcrypt from 'bcrypt';
import { freePort } from './free-port.mjs';
import { startProgram } from './programs.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

export interface RegistryProcess {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dir: string;
  /** One line for each request it has written about so far. */
  readonly accessLog: () => string;
  /** The same, after everything that reached it before this call is in the log. */
  readonly settledAccessLog: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

export interface RedisProcess {
  readonly url: string;
  readonly port: number;
  readonly stop: () => Promise<void>;
}

export interface RegistryOptions {
  readonly delete?: boolean;
  readonly dir?: string;
  readonly port?: number;
  /** Default: 127.0.0.1. */
  readonly address?: string;
  /** URL of the registry whose images it fetches and keeps; it takes no pushes then. */
  readonly mirrorOf?: string;
  /** Lets in nobody else. Default: it is open. */
  readonly login?: { readonly account: string; readonly password: string };
}

/** A real distribution registry (Debian's `docker-registry`). Its folder is kept when `dir` names one. */
export async function startRegistry(options: RegistryOptions = {}): Promise<RegistryProcess> {
  const workDir = await makeTempDir('registry');
  const dir = options.dir ?? join(workDir, 'data');
  await mkdir(dir, { recursive: true });
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  // Never the packaged configuration: Debian's turns htpasswd on.
  const configPath = join(workDir, 'config.yml');
  const { login } = options;
  const path = join(workDir, 'htpasswd');
  if (login !== undefined) await writeFile(path, `${login.account}:${await bcrypt.hash(login.password, 4)}\n`);
  const authorization =
    login === undefined ? '' : `Basic ${Buffer.from(`${login.account}:${login.password}`).toString('base64')}`;
  await writeFile(
    configPath,
    JSON.stringify({
      version: 0.1,
      log: { level: 'info', accesslog: { disabled: false } },
      storage: {
        filesystem: { rootdirectory: dir },
        delete: { enabled: options.delete ?? true },
        maintenance: { uploadpurging: { enabled: false } },
      },
      ...(options.mirrorOf === undefined ? {} : { proxy: { remoteurl: options.mirrorOf } }),
      http: { addr: `${options.address ?? '127.0.0.1'}:${port}`, secret: randomBytes(16).toString('hex') },
      ...(login === undefined ? {} : { auth: { htpasswd: { realm: 'registry', path } } }),
    }),
  );
  const program = await startProgram('docker-registry', ['serve', configPath], {
    isReady: () => answersOk(`${url}/v2/`, authorization),
  });
  // The access log has standard output for itself; everything else it says goes to standard error.
  return {
    url,
    port,
    pid: program.pid,
    dir,
    accessLog: program.stdout,
    settledAccessLog: async () => {
      const marker = randomUUID();
      await fetch(`${url}/v2/?${marker}`);
      await program.until(() => program.stdout().includes(marker), 'its access log was written');
      return program.stdout();
    },
    stop: async () => {
      await program.stop();
      await removeTempDir(workDir);
    },
  };
}

/** A real Redis that keeps nothing on disk. */
export async function startRedis(givenPort?: number): Promise<RedisProcess> {
  const dir = await makeTempDir('redis');
  const port = givenPort ?? (await freePort());
  const program = await startProgram(
    'redis-server',
    ['--bind', '127.0.0.1', '--port', `${port}`, '--save', '', '--appendonly', 'no', '--dir', dir],
    { isReady: () => answersPing(port) },
  );
  return {
    url: `redis://127.0.0.1:${port}/0`,
    port,
    stop: async () => {
      await program.stop();
      await removeTempDir(dir);
    },
  };
}

/** Whether a GET is answered with 200. A refused connection is a no. */
export async function answersOk(url: string, authorization = ''): Promise<boolean> {
  try {
    const response = await fetch(url, authorization === '' ? {} : { headers: { authorization } });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString().startsWith('+PONG'));
    });
    socket.once('error', () => resolve(false));
  });
}
