import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createBuildahClient,
  createCtrClient,
  createDockerClient,
  createPodmanClient,
  createSkopeoClient,
  startContainerd,
  startDocker,
} from './docker.ts';
import type { Client } from './docker.ts';
import { createImageLayout, createTar, writeImageLayout } from './image.ts';
import type { Need, RunResult } from './programs.ts';

export interface Login {
  readonly account: string;
  readonly password: string;
}

export interface Outcome {
  readonly succeeded: boolean;
  /** Everything the person at the terminal was shown. */
  readonly text: string;
  /** Of the manifest, by the client's own account; absent when it failed. */
  readonly digest?: string;
}

/** One person at one terminal: nothing is shared with another session but the engine behind it. */
export interface Session {
  readonly login: (login: Login) => Promise<Outcome>;
  /** Pushes an image that nobody else has. `reference` is `HOST/REPOSITORY:TAG`, as everywhere here. */
  readonly push: (reference: string) => Promise<Outcome>;
  readonly pull: (reference: string) => Promise<Outcome>;
  readonly end: () => Promise<void>;
}

export interface RunningClient {
  readonly open: () => Promise<Session>;
  readonly stop: () => Promise<void>;
}

/** What every registry client can do, whatever it calls it. */
export interface ClientKind {
  readonly name: string;
  readonly needs: readonly Need[];
  /** `host` is where it logs in. */
  readonly start: (host: string) => Promise<RunningClient>;
}

export const clientKinds: readonly ClientKind[] = [
  {
    name: 'docker',
    needs: ['root', 'docker', 'dockerd', 'containerd', 'ctr'],
    start: async (host) => {
      const docker = await startDocker();
      const open = async (): Promise<Session> => {
        const client = await createDockerClient(docker);
        return {
          login: ({ account, password }) =>
            outcome(client.run(['login', '-u', account, '--password-stdin', host], password)),
          push: async (reference) => {
            await docker.importImage(reference);
            return outcome(client.run(['push', reference]), ({ stdout }) => firstDigest(stdout));
          },
          pull: async (reference) => {
            // What is already there would not be fetched.
            await client.run(['image', 'rm', '--force', reference]);
            return outcome(client.run(['pull', reference]), ({ stdout }) => firstDigest(stdout));
          },
          end: client.remove,
        };
      };
      return { open, stop: docker.stop };
    },
  },
  {
    name: 'skopeo',
    needs: ['skopeo'],
    start: (host) =>
      withoutEngine(async () => {
        const client = await createSkopeoClient();
        return {
          login: (login) => logInWithPassword(client, host, login),
          push: async (reference) => {
            const copy = ['copy', '--dest-tls-verify=false', '--digestfile', 'pushed', await addImage(client)];
            return outcome(client.run([...copy, `docker://${reference}`]), () => readDigest(client, 'pushed'));
          },
          pull: (reference) => {
            const copy = ['copy', '--src-tls-verify=false', '--digestfile', 'pulled', `docker://${reference}`];
            return outcome(client.run([...copy, `dir:${client.dir}/pulled-image`]), () => readDigest(client, 'pulled'));
          },
          end: client.remove,
        };
      }),
  },
  {
    name: 'podman',
    needs: ['root', 'podman'],
    start: (host) =>
      withoutEngine(async () =>
        storeSession(host, await createPodmanClient(), (reference) => [
          'inspect',
          '--format',
          '{{.Digest}}',
          reference,
        ]),
      ),
  },
  {
    name: 'buildah',
    needs: ['root', 'buildah'],
    start: (host) =>
      withoutEngine(async () =>
        storeSession(host, await createBuildahClient(), (reference) => [
          ...['images', '--digests', '--format', '{{.Digest}}', reference],
        ]),
      ),
  },
  {
    name: 'ctr',
    needs: ['root', 'containerd', 'ctr'],
    start: async () => {
      const containerd = await startContainerd();
      const open = async (): Promise<Session> => {
        const client = await createCtrClient(containerd);
        let flags: readonly string[] = ['--plain-http'];
        return {
          // It has no login of its own: the password goes with every command.
          login: ({ account, password }) => {
            flags = ['--plain-http', '--user', `${account}:${password}`];
            return Promise.resolve({ succeeded: true, text: '' });
          },
          push: async (reference) => {
            const { digest } = await importIntoContainerd(client, reference);
            return outcome(client.run(['images', 'push', ...flags, reference]), () => digest);
          },
          pull: async (reference) => {
            await client.run(['images', 'rm', '--sync', reference]);
            return outcome(client.run(['images', 'pull', ...flags, '--snapshotter', 'native', reference]), async () => {
              const listed = await client.run(['images', 'ls', `name==${reference}`]);
              return firstDigest(listed.stdout);
            });
          },
          end: client.remove,
        };
      };
      return { open, stop: containerd.stop };
    },
  },
];

/** Puts an image that nobody else has under `reference` into a containerd, without any network. */
export async function importIntoContainerd(client: Client, reference: string): Promise<{ readonly digest: string }> {
  const colon = reference.lastIndexOf(':');
  const layout = createImageLayout(reference.slice(colon + 1));
  const path = join(client.dir, 'image.tar');
  await writeFile(path, createTar(layout.files));
  const args = ['images', 'import', '--no-unpack', '--base-name', reference.slice(0, colon), path];
  const imported = await client.run(args);
  if (imported.code !== 0) throw new Error(`ctr images import: ${imported.stderr}`);
  return { digest: layout.digest };
}

/** A run's outcome; the digest is asked for only when it succeeded. */
export async function outcome(
  running: Promise<RunResult>,
  findDigest?: (result: RunResult) => string | Promise<string>,
): Promise<Outcome> {
  const result = await running;
  const text = `${result.stdout}${result.stderr}`;
  if (result.code !== 0 || findDigest === undefined) return { succeeded: result.code === 0, text };
  return { succeeded: true, text, digest: await findDigest(result) };
}

export function withoutEngine(open: () => Promise<Session>): Promise<RunningClient> {
  return Promise.resolve({ open, stop: () => Promise.resolve() });
}

/** podman and buildah differ only in how they tell a digest. */
function storeSession(host: string, client: Client, digestArgs: (reference: string) => readonly string[]): Session {
  return {
    login: (login) => logInWithPassword(client, host, login),
    push: async (reference) => {
      const added = await client.run(['pull', '--quiet', await addImage(client)]);
      if (added.code !== 0) throw new Error(`a new image: ${added.stderr}`);
      const push = ['push', '--tls-verify=false', '--digestfile', join(client.dir, 'pushed'), added.stdout.trim()];
      return outcome(client.run([...push, `docker://${reference}`]), () => readDigest(client, 'pushed'));
    },
    pull: async (reference) => {
      await client.run(['rmi', '--all', '--force']);
      return outcome(client.run(['pull', '--tls-verify=false', reference]), async () => {
        const told = await client.run(digestArgs(reference));
        return firstDigest(told.stdout);
      });
    },
    end: client.remove,
  };
}

function logInWithPassword(client: Client, host: string, { account, password }: Login): Promise<Outcome> {
  return outcome(client.run(['login', '--tls-verify=false', '-u', account, '--password-stdin', host], password));
}

/** An image in the client's own folder, as its commands name it. */
export async function addImage(client: Client): Promise<string> {
  const layout = createImageLayout('new');
  // Relative to the client's folder: podman makes an image name of it, and those have no capital letters.
  const dir = `image-${layout.digest.slice(-8)}`;
  await writeImageLayout(join(client.dir, dir), layout);
  return `oci:${dir}:new`;
}

async function readDigest(client: Client, file: string): Promise<string> {
  return firstDigest(await readFile(join(client.dir, file), 'utf8'));
}

export function firstDigest(text: string): string {
  const digest = /sha256:[0-9a-f]{64}/.exec(text)?.[0];
  if (digest === undefined) throw new Error(`no digest in ${text}`);
  return digest;
}
