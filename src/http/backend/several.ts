/** Several registries as one backend: each repository is of one of them, and lists show one after the other. */
import { ordinaryUpload } from '../../distribution/route.ts';
import { type RepositoryName, parseRepositoryName } from '../../distribution/reference.ts';
import { type Upstreams, remoteName } from '../../distribution/upstreams.ts';
import type { ListPlace, Registry, RegistryWriter, RepositoriesPage } from '../../ports.ts';
import { within } from '../../time.ts';
import type { CachedBackend } from './cache.ts';
import type { BackendRequest } from './transfer.ts';

/** Milliseconds for a page of a registry behind a prefix: one that hangs is not to hold up the lists of all others. */
const listMs = 3000;

/** What the gateway needs of whatever is behind it. */
export type Behind = Pick<CachedBackend, 'open' | 'ask' | 'browse' | 'write' | 'around' | 'activeTransfers' | 'stop'>;

/** `behind`: a backend for each of `upstreams`, by its name, that knows the clients' names. */
export function severalBackends(upstreams: Upstreams, behind: ReadonlyMap<string, Behind>): Behind {
  const all = [...behind.values()];
  const find = finder(upstreams, behind);
  return {
    open(asked, sink) {
      const { route } = asked;
      const found = 'repository' in route ? find(route.repository) : undefined;
      if (found === undefined) throw new Error('a request for none of the registries');
      return found.backend.open(withinOne(asked, find), sink);
    },
    ask: severalRegistries(upstreams, behind, find, 'ask'),
    browse: severalRegistries(upstreams, behind, find, 'browse'),
    write: severalWriters(find),
    around: async (repository, task, isOver) => {
      const found = find(repository);
      return found === undefined ? { ok: true, value: await task() } : found.backend.around(found.name, task, isOver);
    },
    activeTransfers: () => all.reduce((sum, { activeTransfers }) => sum + activeTransfers(), 0),
    stop: () => all.forEach((each) => each.stop()),
  };
}

/** What another registry has, or none can have, cannot be mounted: it is sent, as if it were nowhere. */
function withinOne(asked: BackendRequest, find: Find): BackendRequest {
  const { route } = asked;
  if (route.kind !== 'upload-start' || route.mount === undefined) return asked;
  return isOfOne(find(route.mount.from), find(route.repository)) ? asked : { ...asked, route: ordinaryUpload(route) };
}

function isOfOne(left: Found | undefined, right: Found | undefined): boolean {
  return left !== undefined && left.backend === right?.backend;
}

const nothing = {
  ok: true,
  digest: undefined,
  manifest: undefined,
  blob: undefined,
  digests: [],
  found: false,
} as const;

/** Where a repository is, by its one spelling: what a gate makes of the name of another one need not be that. */
interface Found {
  readonly backend: Behind;
  readonly name: RepositoryName;
}

type Find = (repository: string) => Found | undefined;

/** undefined for a name that none of them has, or can have. */
function finder(upstreams: Upstreams, behind: ReadonlyMap<string, Behind>): Find {
  return (repository) => {
    const parsed = parseRepositoryName(repository);
    if (parsed === undefined) return undefined;
    const name = upstreams.canonical(parsed);
    const upstream = upstreams.of(name);
    if (upstream === undefined || remoteName(upstream, name) === undefined) return undefined;
    const backend = behind.get(upstream.name);
    return backend && { backend, name };
  };
}

/** `way`: how each of them is asked. */
function severalRegistries(
  upstreams: Upstreams,
  behind: ReadonlyMap<string, Behind>,
  find: Find,
  way: 'ask' | 'browse',
): Registry {
  const at = async <Answer>(
    repository: string,
    ask: (registry: Registry, name: string) => Promise<Answer>,
  ): Promise<Answer | undefined> => {
    const found = find(repository);
    return found && ask(found.backend[way], found.name);
  };
  return {
    repositories: (size, place) => pageOf(upstreams, (name) => behind.get(name)?.[way], size, place),
    resolveTag: async (repository, tag) =>
      (await at(repository, (there, name) => there.resolveTag(name, tag))) ?? nothing,
    manifest: async (repository, reference) =>
      (await at(repository, (there, name) => there.manifest(name, reference))) ?? nothing,
    hasManifest: async (repository, digest) =>
      (await at(repository, (there, name) => there.hasManifest(name, digest))) ?? nothing,
    openBlob: async (repository, digest) =>
      (await at(repository, (there, name) => there.openBlob(name, digest))) ?? nothing,
    referrers: async (repository, digest) =>
      (await at(repository, (there, name) => there.referrers(name, digest))) ?? nothing,
    tags: async (repository, size, place) =>
      (await at(repository, (there, name) => there.tags(name, size, place))) ?? { ok: false, reason: 'unknown' },
  };
}

/**
 * One page of one of them. Their names are not merged: registries list in orders of their own. One that cannot be listed
 * is left out, unless it is the one without a prefix.
 */
async function pageOf(
  upstreams: Upstreams,
  registryOf: (upstream: string) => Registry | undefined,
  size: number,
  place: ListPlace | undefined,
): Promise<RepositoriesPage> {
  const { all } = upstreams;
  const start = startOf(upstreams, place);
  if (start === undefined) return { ok: false, reason: 'broken' };
  const upstream = all[start.at];
  const registry = registryOf(upstream?.name ?? '');
  if (upstream === undefined || registry === undefined) return { ok: true, names: [], next: undefined };
  const follower = all[start.at + 1];
  const next = follower === undefined ? undefined : `/${follower.name}`;
  const list = upstream.name;
  const asked = registry.repositories(size, start.place);
  const page = await (upstream.prefix === '' ? asked : within(listMs, asked, late));
  if (page.ok) return { ...page, list, next: page.next === undefined ? next : `/${list}${page.next}` };
  if (upstream.prefix === '' && page.reason !== 'unsupported') return page;
  return { ok: true, names: [], next, list, left: [list] };
}

const late = { ok: false, reason: 'timeout' } as const;

/** The name of the registry whose names a page of the list of all begins with; undefined for a place that is none. */
export function listedAt(upstreams: Upstreams, place: ListPlace | undefined): string | undefined {
  return upstreams.all[startOf(upstreams, place)?.at ?? -1]?.name;
}

/** `next` as this file writes it: the name of a registry, and the page that it gave there, if any. */
function startOf(
  { all, of }: Upstreams,
  place: ListPlace | undefined,
): { readonly at: number; readonly place: ListPlace | undefined } | undefined {
  if (place === undefined) return { at: 0, place };
  if ('after' in place) {
    const upstream = of(place.after);
    if (upstream !== undefined) return { at: all.indexOf(upstream), place };
    const behindIt = all.findIndex(({ prefix }) => prefix >= place.after);
    return { at: behindIt === -1 ? all.length : behindIt, place: undefined };
  }
  const [, name, page = ''] = /^\/([a-z0-9]+)(\/.*)?$/.exec(place.next) ?? [];
  const at = all.findIndex((each) => each.name === name);
  return at === -1 ? undefined : { at, place: page === '' ? undefined : { next: page } };
}

const nowhere = { ok: false, reason: 'broken', detail: 'no registry has this name' } as const;

function severalWriters(find: Find): RegistryWriter {
  return {
    openUpload: async (repository) => {
      const into = find(repository);
      return into === undefined ? nowhere : into.backend.write.openUpload(into.name);
    },
    async mountBlob(repository, digest, from) {
      const [into, source] = [find(repository), find(from)];
      if (into === undefined) return nowhere;
      const { write } = into.backend;
      return source !== undefined && isOfOne(source, into)
        ? write.mountBlob(into.name, digest, source.name)
        : write.openUpload(into.name);
    },
    async sendBlob(upload, blob, content) {
      const into = find(upload.repository);
      if (into !== undefined) return into.backend.write.sendBlob(upload, blob, content);
      content.destroy();
      return nowhere;
    },
    cancelUpload: async (upload) => find(upload.repository)?.backend.write.cancelUpload(upload),
    putManifest: async (repository, reference, manifest) => {
      const into = find(repository);
      return into === undefined ? nowhere : into.backend.write.putManifest(into.name, reference, manifest);
    },
    deleteManifest: async (repository, reference) => {
      const from = find(repository);
      return from === undefined ? nowhere : from.backend.write.deleteManifest(from.name, reference);
    },
  };
}
