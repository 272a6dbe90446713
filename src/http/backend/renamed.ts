/** A registry whose repositories have other names for clients: these go in, its own go to it, and none of its own comes out. */
import {
  type UpstreamNames,
  type Upstreams,
  clientName,
  remoteName,
  remotePlace,
} from '../../distribution/upstreams.ts';
import { type RegistryRoute, spelledOf } from '../../distribution/route.ts';
import { formatTarget } from '../../distribution/target.ts';
import type { ListPlace, Registry, RegistryWriter, RepositoriesPage } from '../../ports.ts';
import type { Backend } from './backend.ts';
import { inClientsWords } from './renamed-errors.ts';
import type { BackendRequest } from './transfer.ts';

/** `upstream`: one of `upstreams`. */
export function renamedBackend(backend: Backend, upstreams: Upstreams, upstream: UpstreamNames): Backend {
  return {
    ...backend,
    name: upstream.name,
    open(asked, sink = backend.toClient) {
      const renamed = renamedRequest(asked, upstream);
      const { route } = asked;
      if (!('repository' in route) || !('repository' in renamed.route)) return backend.open(renamed, sink);
      const names = { remote: renamed.route.repository, client: spelledOf(route) };
      return backend.open(renamed, inClientsWords(sink, upstream, names));
    },
    look: (route, accept, withinMs) => backend.look(renamedRoute(route, upstream), accept, withinMs),
    ask: renamedRegistry(backend.ask, upstreams, upstream),
    browse: renamedRegistry(backend.browse, upstreams, upstream),
    write: renamedWriter(backend.write, upstream),
  };
}

function renamedRoute(route: RegistryRoute, upstream: UpstreamNames): RegistryRoute {
  if (!('repository' in route)) return route;
  const renamed = { ...route, repository: remoteOf(upstream, route.repository), spelled: undefined };
  if (renamed.kind !== 'upload-start' || renamed.mount === undefined) return renamed;
  return { ...renamed, mount: { ...renamed.mount, from: remoteOf(upstream, renamed.mount.from) } };
}

/** Whoever asks has found out that there is one. */
function remoteOf(upstream: UpstreamNames, repository: string) {
  const name = remoteName(upstream, repository);
  if (name === undefined) throw new Error('a repository that the registry cannot have');
  return name;
}

/** Where a list goes on is written with the clients' path outside, and with the registry's to it; an upload's target is the registry's own. */
function renamedRequest(asked: BackendRequest, upstream: UpstreamNames): BackendRequest {
  const route = renamedRoute(asked.route, upstream);
  if (!('repository' in asked.route) || !('repository' in route)) return { ...asked, route };
  const { sealPage, target } = asked;
  const [inside, outside] = [pathOf(route), pathOf({ ...asked.route, repository: spelledOf(asked.route) })];
  const root = `/v2/${route.repository}/`;
  const clientRoot = `/v2/${spelledOf(asked.route)}/`;
  return {
    ...asked,
    route,
    ...(target?.startsWith(outside) === true && isList(route) ? { target: inside + target.slice(outside.length) } : {}),
    ...(sealPage && {
      sealPage: (page) => sealPage(page.startsWith(inside) ? outside + page.slice(inside.length) : page),
    }),
    placeOf: (own) => (own.startsWith(root) ? clientRoot + own.slice(root.length) : undefined),
  };
}

function isList({ kind }: RegistryRoute): boolean {
  return kind === 'tags' || kind === 'referrers';
}

function pathOf(route: RegistryRoute): string {
  return formatTarget(route).split('?', 1)[0] ?? '';
}

function renamedRegistry(registry: Registry, upstreams: Upstreams, upstream: UpstreamNames): Registry {
  const remote = (repository: string): string => remoteOf(upstream, repository);
  return {
    async repositories(size, place): Promise<RepositoriesPage> {
      const page = await registry.repositories(size, remoteStart(upstream, place));
      if (!page.ok) return page;
      return { ...page, names: page.names.flatMap((name) => clientName(upstreams, upstream, name) ?? []) };
    },
    resolveTag: (repository, tag) => registry.resolveTag(remote(repository), tag),
    manifest: (repository, reference) => registry.manifest(remote(repository), reference),
    hasManifest: (repository, digest) => registry.hasManifest(remote(repository), digest),
    openBlob: (repository, digest) => registry.openBlob(remote(repository), digest),
    referrers: (repository, digest) => registry.referrers(remote(repository), digest),
    tags: (repository, size, place) => registry.tags(remote(repository), size, place),
  };
}

function remoteStart(upstream: UpstreamNames, place: ListPlace | undefined): ListPlace | undefined {
  return place !== undefined && 'after' in place ? { after: remotePlace(upstream, place.after) } : place;
}

/** Uploads keep the registry's own names: nobody but it reads them. */
function renamedWriter(writer: RegistryWriter, upstream: UpstreamNames): RegistryWriter {
  const remote = (repository: string): string => remoteOf(upstream, repository);
  return {
    openUpload: async (repository) => ofClients(await writer.openUpload(remote(repository)), repository),
    mountBlob: async (repository, digest, from) =>
      ofClients(await writer.mountBlob(remote(repository), digest, remote(from)), repository),
    sendBlob: (upload, blob, content) =>
      writer.sendBlob({ ...upload, repository: remote(upload.repository) }, blob, content),
    cancelUpload: (upload) => writer.cancelUpload({ ...upload, repository: remote(upload.repository) }),
    putManifest: (repository, reference, manifest) => writer.putManifest(remote(repository), reference, manifest),
    deleteManifest: (repository, reference) => writer.deleteManifest(remote(repository), reference),
  };
}

function ofClients<Opened extends Awaited<ReturnType<RegistryWriter['mountBlob']>>>(
  opened: Opened,
  repository: string,
): Opened {
  if (!opened.ok || opened.upload === undefined) return opened;
  return { ...opened, upload: { ...opened.upload, repository } };
}
