import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ClientKind,
  type Session,
  addImage,
  firstDigest,
  importIntoContainerd,
  outcome,
  withoutEngine,
} from './clients.ts';
import { type Client, type GoProgram, createCtrClient, createGoClient, startContainerd } from './docker.ts';

/** The clients that `npm run clients` builds. Their references end in a version, as Helm's must. */
export const goClientKinds: readonly ClientKind[] = [
  kind('crane', (client, host) => ({
    // It asks nobody: a wrong password shows in the first command.
    login: ({ account, password }) =>
      outcome(client.run(['auth', 'login', '-u', account, '--password-stdin', host], password)),
    push: async (reference) => {
      const [, dir = ''] = (await addImage(client)).split(':');
      return outcome(client.run(['push', dir, reference]), ({ stdout }) => firstDigest(stdout));
    },
    pull: (reference) =>
      outcome(client.run(['pull', '--format', 'oci', reference, 'pulled']), async () => {
        const { stdout } = await client.run(['digest', reference]);
        return firstDigest(stdout);
      }),
  })),
  kind('oras', (client, host) => ({
    login: ({ account, password }) =>
      outcome(client.run(['login', '--plain-http', '-u', account, '--password-stdin', host], password)),
    push: async (reference) => {
      const from = (await addImage(client)).replace('oci:', '');
      const copy = ['cp', '--from-oci-layout', from, '--to-plain-http', reference];
      return outcome(client.run(copy), ({ stdout }) => firstDigest(stdout));
    },
    pull: (reference) =>
      outcome(client.run(['cp', '--from-plain-http', reference, '--to-oci-layout', 'pulled:1']), ({ stdout }) =>
        firstDigest(stdout),
      ),
  })),
  kind('regctl', (client, host) => {
    const flags = ['--verbosity', 'error', '--host', `reg=${host},tls=disabled`];
    return {
      login: ({ account, password }) =>
        outcome(client.run([...flags, 'registry', 'login', '-u', account, '--pass-stdin', host], password)),
      push: async (reference) => {
        const from = (await addImage(client)).replace('oci:', 'ocidir://');
        return outcome(client.run([...flags, 'image', 'copy', from, reference]), async () => {
          const { stdout } = await client.run([...flags, 'image', 'digest', reference]);
          return firstDigest(stdout);
        });
      },
      pull: (reference) =>
        outcome(client.run([...flags, 'image', 'copy', reference, 'ocidir://pulled:1']), async () => {
          const { stdout } = await client.run([...flags, 'image', 'digest', 'ocidir://pulled:1']);
          return firstDigest(stdout);
        }),
    };
  }),
  kind('helm', (client, host) => ({
    login: ({ account, password }) =>
      outcome(client.run(['registry', 'login', '--plain-http', '-u', account, '--password-stdin', host], password)),
    push: async (reference) => {
      const { repository, chart, version } = chartOf(reference);
      const archive = await packChart(client, chart, version);
      return outcome(client.run(['push', '--plain-http', archive, `oci://${repository}`]), told);
    },
    pull: (reference) => {
      const { repository, chart, version } = chartOf(reference);
      const pull = ['pull', '--plain-http', '--version', version, `oci://${repository}/${chart}`];
      return outcome(client.run(pull), told);
    },
  })),
];

/** The client half of containerd 2, in front of the containerd that the machine has. */
export const containerd2: ClientKind = {
  name: 'containerd 2',
  needs: ['root', 'containerd', 'ctr', 'ctr2'],
  start: async () => {
    const containerd = await startContainerd();
    const open = async (): Promise<Session> => {
      const namespace = `test-${randomBytes(4).toString('hex')}`;
      const [own, client] = await Promise.all([
        createCtrClient(containerd, { namespace }),
        createCtrClient(containerd, { program: 'ctr2', namespace }),
      ]);
      let flags: readonly string[] = ['--local', '--plain-http'];
      return {
        login: ({ account, password }) => {
          flags = ['--local', '--plain-http', '--user', `${account}:${password}`];
          return Promise.resolve({ succeeded: true, text: '' });
        },
        push: async (reference) => {
          const { digest } = await importIntoContainerd(own, reference);
          return outcome(client.run(['images', 'push', ...flags, reference]), () => digest);
        },
        pull: async (reference) => {
          await own.run(['images', 'rm', '--sync', reference]);
          return outcome(client.run(['images', 'pull', ...flags, '--snapshotter', 'native', reference]), async () =>
            firstDigest((await own.run(['images', 'ls', `name==${reference}`])).stdout),
          );
        },
        end: async () => {
          await Promise.all([own.remove(), client.remove()]);
        },
      };
    };
    return { open, stop: containerd.stop };
  },
};

function kind(
  name: Exclude<GoProgram, 'regsync'>,
  open: (client: Client, host: string) => Omit<Session, 'end'>,
): ClientKind {
  return {
    name,
    needs: [name],
    start: (host) =>
      withoutEngine(async () => {
        const client = await createGoClient(name);
        return { ...open(client, host), end: client.remove };
      }),
  };
}

/** Helm names a repository after the chart, and a tag after its version. */
function chartOf(reference: string): { readonly repository: string; readonly chart: string; readonly version: string } {
  const [, repository = '', chart = '', version = ''] = /^(.+)\/([^/:]+):([^:]+)$/.exec(reference) ?? [];
  return { repository, chart, version };
}

/** A chart in the client's folder; resolves with the name of its archive. */
export async function packChart(client: Client, chart: string, version: string): Promise<string> {
  await mkdir(join(client.dir, chart), { recursive: true });
  await writeFile(join(client.dir, chart, 'Chart.yaml'), `apiVersion: v2\nname: ${chart}\nversion: ${version}\n`);
  const packed = await client.run(['package', chart]);
  if (packed.code !== 0) throw new Error(`helm package: ${packed.stderr}`);
  return `${chart}-${version}.tgz`;
}

/** Helm says what it did on standard error. */
function told({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): string {
  return firstDigest(`${stdout}${stderr}`);
}
