import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTar } from './image.ts';
import { run, startProgram } from './programs.ts';
import type { RunResult } from './programs.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

export interface Containerd {
  /** The path of its socket. */
  readonly address: string;
  readonly stop: () => Promise<void>;
}

export interface Docker {
  /** As `docker --host` takes it. */
  readonly host: string;
  readonly containerd: Containerd;
  /** Makes a small image that nobody else has, without any network. */
  readonly importImage: (name: string) => Promise<void>;
  /** What the daemon said, debug lines included. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

/** A command-line client with logins and images of its own: nothing of it is seen by another client or by the machine. */
export interface Client {
  readonly dir: string;
  /** `input` is standard input, where `--password-stdin` reads. */
  readonly run: (args: readonly string[], input?: string | Uint8Array, timeoutMs?: number) => Promise<RunResult>;
  readonly remove: () => Promise<void>;
}

/** A real containerd, everything in one temporary folder. Needs root. */
export async function startContainerd(): Promise<Containerd> {
  const dir = await makeTempDir('containerd');
  const address = join(dir, 'c.sock');
  const configPath = join(dir, 'config.toml');
  await writeFile(
    configPath,
    [
      'version = 2',
      `root = "${dir}/root"`,
      `state = "${dir}/state"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]',
      '[grpc]',
      `address = "${address}"`,
    ].join('\n'),
  );
  const program = await startProgram('containerd', ['--config', configPath], {
    isReady: async () => (await run('ctr', ['--address', address, 'version'])).code === 0,
  });
  return {
    address,
    stop: async () => {
      await program.stop();
      await removeTempDir(dir);
    },
  };
}

/** A real Docker engine without a network: it imports, pushes and pulls, and runs no containers. Needs root. */
export async function startDocker(): Promise<Docker> {
  const containerd = await startContainerd();
  const dir = await makeTempDir('docker');
  const host = `unix://${dir}/d.sock`;
  // An empty file, so that the machine's /etc/docker/daemon.json is not read.
  const configPath = join(dir, 'daemon.json');
  await writeFile(configPath, '{}');
  const env = { HOME: dir, DOCKER_CONFIG: join(dir, 'config'), DOCKER_HOST: host };
  const program = await startProgram(
    'dockerd',
    [
      '--debug',
      '--bridge=none',
      '--iptables=false',
      '--ip6tables=false',
      '--ip-forward=false',
      '--storage-driver=vfs',
      `--config-file=${configPath}`,
      `--data-root=${dir}/root`,
      `--exec-root=${dir}/exec`,
      `--pidfile=${dir}/d.pid`,
      `--containerd=${containerd.address}`,
      `--host=${host}`,
    ],
    { env: { HOME: dir }, isReady: async () => (await run('docker', ['version'], { env })).code === 0 },
  );
  return {
    host,
    containerd,
    importImage: async (name) => {
      const tar = createTar(new Map([['unique.txt', randomBytes(512)]]));
      const imported = await run('docker', ['import', '-', name], { env, input: tar });
      if (imported.code !== 0) throw new Error(`docker import: ${imported.stderr}`);
    },
    log: program.stderr,
    stop: async () => {
      await program.stop();
      await containerd.stop();
      await removeTempDir(dir);
    },
  };
}

/** `docker …` against this engine. */
export function createDockerClient(docker: Docker): Promise<Client> {
  return createClient('docker', (dir) => ({
    env: { DOCKER_CONFIG: join(dir, 'config'), DOCKER_HOST: docker.host },
    args: (args) => args,
  }));
}

/** `skopeo …`. Plain HTTP must be allowed by the command's own `--src-tls-verify`, `--dest-tls-verify` or `--tls-verify`. */
export function createSkopeoClient(): Promise<Client> {
  return createClient('skopeo', () => ({ env: {}, args: (args) => ['--insecure-policy', ...args] }));
}

/** `podman …` with an image store of its own. Needs root. */
export function createPodmanClient(): Promise<Client> {
  return createClient('podman', (dir) => ({
    env: {},
    args: (args) => [
      ...storageFlags(dir),
      `--tmpdir=${dir}/libpod`,
      '--cgroup-manager=cgroupfs',
      '--events-backend=none',
      ...args,
    ],
  }));
}

/** `buildah …` with an image store of its own. Needs root. */
export function createBuildahClient(): Promise<Client> {
  return createClient('buildah', (dir) => ({ env: {}, args: (args) => [...storageFlags(dir), ...args] }));
}

/** `ctr …` in a namespace of its own. It keeps no logins: `--user NAME:PASSWORD` goes with each push and pull. */
export function createCtrClient(
  containerd: Containerd,
  { program = 'ctr', namespace = `test-${randomBytes(4).toString('hex')}` } = {},
): Promise<Client> {
  return createClient(program, () => ({
    env: {},
    args: (args) => ['--address', containerd.address, '--namespace', namespace, ...args],
  }));
}

/**
 * A client that comes as a Go module (`npm run clients`): `crane …`, `oras …`, `regctl …`, `regsync …`, `helm …`. They keep
 * their logins and caches in the client's folder.
 */
export function createGoClient(name: GoProgram): Promise<Client> {
  return createClient(name, (dir) => ({
    env: {
      DOCKER_CONFIG: join(dir, 'config'),
      XDG_CACHE_HOME: join(dir, 'cache'),
      XDG_CONFIG_HOME: join(dir, 'config'),
    },
    args: (args) => args,
  }));
}

export type GoProgram = 'crane' | 'oras' | 'regctl' | 'regsync' | 'helm';

interface Invocation {
  readonly env: Readonly<Record<string, string>>;
  readonly args: (args: readonly string[]) => readonly string[];
}

async function createClient(name: string, invocation: (dir: string) => Invocation): Promise<Client> {
  const dir = await makeTempDir(name);
  const { env, args: complete } = invocation(dir);
  // The home folder comes before /etc/containers for everything these tools read.
  const config = join(dir, '.config', 'containers');
  await mkdir(config, { recursive: true });
  await writeFile(join(config, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
  await writeFile(join(config, 'registries.conf'), '');
  // podman and buildah refuse to start when the named file is missing.
  const authPath = join(dir, 'auth.json');
  await writeFile(authPath, '{}');
  const isolated = {
    HOME: dir,
    TMPDIR: dir,
    XDG_RUNTIME_DIR: dir,
    REGISTRY_AUTH_FILE: authPath,
    CONTAINERS_REGISTRIES_CONF: join(config, 'registries.conf'),
  };
  return {
    dir,
    run: (args, input, timeoutMs) =>
      run(name, complete(args), {
        ...{ env: { ...isolated, ...env }, cwd: dir },
        ...(input === undefined ? {} : { input }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }),
    remove: () => removeTempDir(dir),
  };
}

function storageFlags(dir: string): readonly string[] {
  return [`--root=${dir}/storage`, `--runroot=${dir}/run`, '--storage-driver=vfs'];
}
