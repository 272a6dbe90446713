/** Several registries under the names of one: which of them has a repository, and what it is called there. */
import { type RepositoryName, parseRepositoryName } from './reference.ts';

/** By what names of clients a registry is known. */
export interface UpstreamNames {
  /** For people, logs and metrics. */
  readonly name: string;
  /** Whole segments, without slashes around; '': everything that no other one has. */
  readonly prefix: string;
  /** What stands there in place of the prefix; '': nothing. */
  readonly remotePrefix: string;
  /** `read`: nothing is written there through this gateway. */
  readonly access: 'read' | 'read-write';
  /** Names of one segment are those in `library/`, as on Docker Hub. */
  readonly library: boolean;
}

export interface Upstreams<Upstream extends UpstreamNames = UpstreamNames> {
  /** In the order of their prefixes: lists show one after the other. */
  readonly all: readonly Upstream[];
  /** The one with the longest prefix; undefined where there is none. A prefix alone is a name like any other. */
  readonly of: (repository: string) => Upstream | undefined;
  /** The one spelling by which a repository is judged, counted and remembered. */
  readonly canonical: (repository: RepositoryName) => RepositoryName;
}

const library = 'library/';

/** `upstreams` with different prefixes. */
export function createUpstreams<Upstream extends UpstreamNames>(upstreams: readonly Upstream[]): Upstreams<Upstream> {
  const all = [...upstreams].sort((left, right) => (left.prefix < right.prefix ? -1 : 1));
  const longestFirst = [...all].sort((left, right) => right.prefix.length - left.prefix.length);
  const of = (repository: string): Upstream | undefined =>
    longestFirst.find(({ prefix }) => prefix === '' || repository.startsWith(`${prefix}/`));
  const canonical = (repository: RepositoryName): RepositoryName => {
    const upstream = of(repository);
    const rest = upstream === undefined ? '' : restOf(upstream, repository);
    const written = upstream && parseRepositoryName(withPrefix(upstream.prefix, writtenOut(upstream, rest)));
    // Written out it may be of another one, whose prefix is longer, and in a library there.
    return written === undefined || written === repository ? repository : canonical(written);
  };
  return { all, of, canonical };
}

/** What a registry calls a repository that is its own; undefined where that would be too long for any. */
export function remoteName(upstream: UpstreamNames, repository: string): RepositoryName | undefined {
  const rest = writtenOut(upstream, restOf(upstream, repository));
  // Its one spelling is a name for clients as well.
  if (parseRepositoryName(withPrefix(upstream.prefix, rest)) === undefined) return undefined;
  return parseRepositoryName(withPrefix(upstream.remotePrefix, rest));
}

/** What clients call a repository of `upstream`; undefined where none of them can reach it by that name. */
export function clientName(upstreams: Upstreams, upstream: UpstreamNames, remote: string): RepositoryName | undefined {
  const { prefix, remotePrefix } = upstream;
  if (remotePrefix !== '' && !remote.startsWith(`${remotePrefix}/`)) return undefined;
  const rest = remotePrefix === '' ? remote : remote.slice(remotePrefix.length + 1);
  const name = parseRepositoryName(withPrefix(prefix, rest));
  if (name === undefined || upstreams.of(name) !== upstream) return undefined;
  return upstreams.canonical(name) === name ? name : undefined;
}

/** The same of a place in a list, which need not be a name. */
export function remotePlace({ prefix, remotePrefix }: UpstreamNames, place: string): string {
  const rest = prefix !== '' && place.startsWith(`${prefix}/`) ? place.slice(prefix.length + 1) : place;
  return withPrefix(remotePrefix, rest);
}

/** As clients know it: by its prefix, if it has one. */
export function shownName({ prefix, name }: UpstreamNames): string {
  return prefix === '' ? name : prefix;
}

/** Why nothing is written there, the same for clients and on the command line. */
export function readOnlyInWords(upstream: UpstreamNames): string {
  return `the registry behind "${shownName(upstream)}" is read-only here`;
}

/** Whether clients and the registry call everything the same. */
export function isPlain({ prefix, remotePrefix, library }: UpstreamNames): boolean {
  return prefix === '' && remotePrefix === '' && !library;
}

function writtenOut(upstream: UpstreamNames, rest: string): string {
  return upstream.library && !rest.includes('/') ? library + rest : rest;
}

function restOf({ prefix }: UpstreamNames, repository: string): string {
  return prefix === '' ? repository : repository.slice(prefix.length + 1);
}

function withPrefix(prefix: string, rest: string): string {
  return prefix === '' ? rest : `${prefix}/${rest}`;
}
