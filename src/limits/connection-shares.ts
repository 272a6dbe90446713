/**
 * Who holds the connections of a process that has so many descriptors: neither one client network nor one site of many
 * networks ever holds them all, and where they run low somebody who waits idle, then whoever holds the most, makes room for
 * a newcomer. The largest site pays first, in it the largest network: whoever has a /48 is one crowd, not 65,536.
 */
import { clientSite } from './client-network.ts';

export interface ConnectionBounds {
  /** Connections of one client network. */
  readonly each: number;
  /** Connections of one site. */
  readonly site: number;
  /** Descriptors of all connections; one with a request under way needs a second one, to the registry. */
  readonly descriptors: number;
}

/** Kept connections to the registry, Redis, files, the admin listener. */
const maxReserved = 128;
/** What a process may open is often a million; memory would not do. */
const maxDescriptors = 65_536;
/** Where the system does not tell. */
const usualDescriptors = 4096;
/** Milliseconds in which who has just come, or was just answered, is expected to send a request. */
const graceMs = 1000;

/** For a process that may have so many files open; `undefined`: unknown. */
export function connectionBounds(openFiles = usualDescriptors): ConnectionBounds {
  const limit = Math.min(openFiles, maxDescriptors);
  const reserved = Math.min(maxReserved, Math.ceil((limit * 3) / 8));
  const [each, descriptors] = [Math.max(1, Math.floor(limit / 4)), limit - reserved];
  return { each, site: Math.max(each, Math.floor(descriptors / 2)), descriptors };
}

/** A connection that ends now. `idle`: it waited without a request and somebody needs its place. */
export interface Ending<C> {
  readonly connection: C;
  readonly reason: 'idle' | 'exceeded';
}

/** Times are milliseconds of one clock. What ends is no longer counted when it is returned. */
export interface ConnectionShares<C> {
  /** `network` undefined: a trusted proxy, for which its connections do not add up. The newcomer may be what ends. */
  open(connection: C, network: string | undefined, now: number): readonly Ending<C>[];
  /** A request begins on it. It may end itself where nobody holds more. */
  begin(connection: C, now: number): readonly Ending<C>[];
  /** A request has its answer. */
  finish(connection: C, now: number): void;
  /** It is gone; again is nothing. */
  close(connection: C): void;
}

interface Holder<C> {
  /** A symbol of its own for each connection of a trusted proxy. */
  readonly network: string | symbol;
  readonly site: Site<C>;
  /** When each became idle; the longest idle first. */
  readonly idle: Map<C, number>;
  /** Requests under way on each; the newest last. */
  readonly busy: Map<C, number>;
}

interface Site<C> {
  readonly name: string | symbol;
  readonly networks: Map<string | symbol, Holder<C>>;
  /** Connections of all its networks. */
  size: number;
}

type Sites<C> = ReadonlyMap<string | symbol, Site<C>>;

const sizeOf = ({ idle, busy }: Holder<unknown>): number => idle.size + busy.size;

/** Decides only: whoever calls ends what is named. Times are milliseconds that only grow. */
export function createConnectionShares<C>(bounds: ConnectionBounds): ConnectionShares<C> {
  const sites = new Map<string | symbol, Site<C>>();
  const holderOf = new Map<C, Holder<C>>();
  let busyCount = 0;

  function holderFor(network: string | symbol): Holder<C> {
    const name = typeof network === 'string' ? clientSite(network) : network;
    const site = sites.get(name) ?? { name, networks: new Map<string | symbol, Holder<C>>(), size: 0 };
    return site.networks.get(network) ?? { network, site, idle: new Map<C, number>(), busy: new Map<C, number>() };
  }

  function add(connection: C, holder: Holder<C>, now: number): void {
    const { network, site } = holder;
    sites.set(site.name, site);
    site.networks.set(network, holder);
    site.size++;
    holderOf.set(connection, holder);
    holder.idle.set(connection, now);
  }

  function remove(connection: C): void {
    const holder = holderOf.get(connection);
    if (holder === undefined) return;
    const { network, site } = holder;
    holderOf.delete(connection);
    holder.idle.delete(connection);
    if (holder.busy.delete(connection)) busyCount--;
    site.size--;
    if (sizeOf(holder) === 0) site.networks.delete(network);
    if (site.size === 0) sites.delete(site.name);
  }

  /** Of the largest site that has one, in it of the largest network. */
  function longestIdle(among: Sites<C>, newcomer: C, now: number): C | undefined {
    let found: { readonly connection: C; readonly since: number; readonly holder: Holder<C> } | undefined;
    for (const site of among.values()) {
      if (found !== undefined && site.size < found.holder.site.size) continue;
      for (const holder of site.networks.values()) {
        const [first] = holder.idle;
        if (first === undefined || first[0] === newcomer || now - first[1] < graceMs) continue;
        const [connection, since] = first;
        const difference =
          found === undefined
            ? 1
            : site.size - found.holder.site.size || sizeOf(holder) - sizeOf(found.holder) || found.since - since;
        if (difference > 0) found = { connection, since, holder };
      }
    }
    return found?.connection;
  }

  /** Of the largest network of the largest site, if that is another: what was idle longest, else what has the least to lose. */
  function leastOfLargest(among: Sites<C>, own: Holder<C>): C | undefined {
    let { site } = own;
    for (const each of among.values()) if (each.size > site.size) site = each;
    let largest: Holder<C> | undefined;
    for (const holder of site.networks.values())
      if (largest === undefined || sizeOf(holder) >= sizeOf(largest)) largest = holder;
    if (largest === undefined || (site === own.site && sizeOf(largest) === sizeOf(own))) return undefined;
    return [...largest.idle.keys()][0] ?? [...largest.busy.keys()].at(-1);
  }

  /** The sites one of which must give something up; undefined where everything fits. */
  function crowd({ site }: Holder<C>): Sites<C> | undefined {
    if (site.size > bounds.site) return new Map([[site.name, site]]);
    return holderOf.size + busyCount > bounds.descriptors ? sites : undefined;
  }

  function makeRoom(newcomer: C, own: Holder<C>, now: number): readonly Ending<C>[] {
    const endings: Ending<C>[] = [];
    while (holderOf.has(newcomer)) {
      const among = crowd(own);
      if (among === undefined) break;
      const idle = longestIdle(among, newcomer, now);
      const connection = idle ?? leastOfLargest(among, own) ?? newcomer;
      remove(connection);
      endings.push({ connection, reason: idle === undefined ? 'exceeded' : 'idle' });
    }
    return endings;
  }

  return {
    open(connection, network, now) {
      const holder = holderFor(network ?? Symbol('trusted proxy'));
      if (sizeOf(holder) >= bounds.each) return [{ connection, reason: 'exceeded' }];
      add(connection, holder, now);
      return makeRoom(connection, holder, now);
    },
    begin(connection, now) {
      const holder = holderOf.get(connection);
      if (holder === undefined) return [];
      const requests = holder.busy.get(connection) ?? 0;
      holder.idle.delete(connection);
      holder.busy.set(connection, requests + 1);
      if (requests > 0) return [];
      busyCount++;
      return makeRoom(connection, holder, now);
    },
    finish(connection, now) {
      const holder = holderOf.get(connection);
      const requests = holder?.busy.get(connection);
      if (holder === undefined || requests === undefined) return;
      if (requests > 1) return void holder.busy.set(connection, requests - 1);
      holder.busy.delete(connection);
      holder.idle.set(connection, now);
      busyCount--;
    },
    close: remove,
  };
}
