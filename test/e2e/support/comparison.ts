import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Client } from '../../support/docker.ts';
import { type Need, type RunResult, describeWithPrograms } from '../../support/programs.ts';
import { sha256 } from '../../support/registry-api.ts';
import { startInterruption } from './interruption.ts';
import { type Site, type Sites, backends, startSites } from './sites.ts';
import {
  type Images,
  type Shown,
  type Terminal,
  createImages,
  largeLayerBytes,
  openTerminal,
  plain,
} from './terminal.ts';

export interface Step {
  readonly name: string;
  readonly act: (terminal: Terminal) => Promise<RunResult>;
  /** Fails with and without us. */
  readonly fails?: true;
  /** What is said without us only, and why. */
  readonly onlyWithoutUs?: { readonly lines: readonly string[]; readonly why: string };
}

export interface Kind {
  readonly name: string;
  readonly needs: readonly Need[];
  /** `open` gives a client with logins and images of its own. */
  readonly start: () => Promise<{ readonly open: () => Promise<Client>; readonly stop: () => Promise<void> }>;
  /** One site after the other: both are served by one engine. */
  readonly isShared?: true;
  readonly steps: readonly Step[];
}

/** Milliseconds for everything that one client does at both sites; a busy machine needs several times what a quiet one does. */
const allStepsMs = 240_000;
export const missing = sha256('nobody has pushed this');
export const withoutEngine =
  (open: () => Promise<Client>): Kind['start'] =>
  () =>
    Promise.resolve({ open, stop: () => Promise.resolve() });

/** Does something of which nobody wants to hear. */
export async function silently({ run }: Terminal, ...commands: readonly (readonly string[])[]): Promise<void> {
  for (const args of commands) {
    const { code, stderr } = await run(args);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  }
}

export const logIn =
  (...flags: readonly string[]): Step['act'] =>
  ({ run, site, login }) =>
    run(['login', ...flags, '-u', login.account, '--password-stdin', site.host], login.password);

/** A download that is broken off in the middle of a layer; the client is told to go on. */
export const interrupted =
  (download: (terminal: Terminal, host: string) => Promise<RunResult>): Step['act'] =>
  async (terminal) => {
    const interruption = await startInterruption(terminal.site.url, largeLayerBytes / 2);
    try {
      const result = await download(terminal, interruption.host);
      expect(interruption.happened()).toBe(1);
      const hidden = (text: string): string => text.replaceAll(interruption.host, terminal.site.host);
      return { code: result.code, stdout: hidden(result.stdout), stderr: hidden(result.stderr) };
    } finally {
      await interruption.stop();
    }
  };

async function actAll(
  { steps, ...kind }: Kind,
  open: () => Promise<Client>,
  site: Site,
  sites: Sites,
  images: Images,
): Promise<ReadonlyMap<string, Shown>> {
  const client = await open();
  const acted = new Map<string, Shown>();
  try {
    const terminal = await openTerminal(site, sites.login, images, client);
    for (const { name, act } of steps) {
      const result = await act(terminal).catch((error: unknown) => {
        throw new Error(`${kind.name}, ${name}, at ${site.url}`, { cause: error });
      });
      acted.set(name, plain(terminal, result));
    }
  } finally {
    await client.remove();
  }
  return acted;
}

function found(acted: ReadonlyMap<string, Shown>, name: string): Shown {
  const shown = acted.get(name);
  if (shown === undefined) throw new Error(`"${name}" was not done`);
  return shown;
}

const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** Asked of the registry itself. */
export async function digestAt(site: Site, repository: string, tag: string): Promise<string> {
  const reply = await fetch(`${site.registryUrl}/v2/${repository}/manifests/${tag}`, {
    method: 'HEAD',
    headers: { accept },
  });
  return reply.headers.get('docker-content-digest') ?? `${reply.status}`;
}

/** Every tag under a name, with the digest of its manifest. */
async function heldUnder(site: Site, name: string): Promise<readonly string[]> {
  const read = async (path: string): Promise<unknown> => (await fetch(`${site.registryUrl}/v2/${path}`)).json();
  const { repositories } = (await read('_catalog?n=1000')) as { readonly repositories: readonly string[] };
  const held: string[] = [];
  for (const repository of repositories.filter((each) => each.startsWith(`${name}/`))) {
    const { tags } = (await read(`${repository}/tags/list`)) as { readonly tags: readonly string[] | null };
    for (const tag of tags ?? []) held.push(`${repository}:${tag} ${await digestAt(site, repository, tag)}`);
  }
  return held.sort();
}

/** Every step with and without us, and what is in the registry in the end. */
export function compareClients(kinds: readonly Kind[]): void {
  describe.each(backends)('in front of $name', ({ needs, ...backend }) => {
    describeWithPrograms(needs, 'every client', () => {
      let sites: Sites;
      beforeAll(async () => {
        sites = await startSites({ ...backend, needs });
      });
      afterAll(() => sites?.stop());

      for (const kind of kinds) {
        describeWithPrograms(kind.needs, kind.name, () => {
          let bare: ReadonlyMap<string, Shown>;
          let guarded: ReadonlyMap<string, Shown>;
          beforeAll(async () => {
            const images = createImages();
            const engine = await kind.start();
            try {
              const at = (site: Site): Promise<ReadonlyMap<string, Shown>> =>
                actAll(kind, engine.open, site, sites, images);
              if (kind.isShared === true) [bare, guarded] = [await at(sites.bare), await at(sites.guarded)];
              else [bare, guarded] = await Promise.all([at(sites.bare), at(sites.guarded)]);
            } finally {
              await engine.stop();
            }
          }, allStepsMs);

          for (const { name, fails, onlyWithoutUs } of kind.steps) {
            test(`${name} ${fails ? 'fails with the same message as' : 'is the same as'} without us`, () => {
              const { code, stdout, stderr } = found(bare, name);
              const lines = onlyWithoutUs?.lines ?? [];
              expect(stderr).toEqual(expect.arrayContaining([...lines]));
              const expected = { code, stdout, stderr: stderr.filter((line) => !lines.includes(line)) };
              expect(found(guarded, name)).toEqual(expected);
              expect(code === 0).toBe(fails !== true);
            });
          }

          test('leaves the same in the registry', async () => {
            const held = await heldUnder(sites.guarded, kind.name);
            expect(held).toEqual(await heldUnder(sites.bare, kind.name));
            expect(held).not.toEqual([]);
          });
        });
      }
    });
  });
}
