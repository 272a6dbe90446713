/**
 * Who holds the connections of a process that has so many descriptors: neither one client network nor one site of many
 * networks ever holds them all, and where they run low somebody who waits idle, then whoever holds the most, makes room for
 * a newcomer. The largest site pays first, in it the largest network: whoever has a /48 is one crowd, not 65,536.
 */
import { ConnectionHolders, type Holder, type Sites, sizeOf } from './connection-holders.ts';

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

/** Decides only: whoever calls ends what is named. Times are milliseconds that only grow. */
export function createConnectionShares<C>(bounds: ConnectionBounds): ConnectionShares<C> {
  const holders = new ConnectionHolders<C>();

  /** The sites one of which must give something up; undefined where everything fits. */
  function crowd({ site }: Holder<C>): Sites<C> | undefined {
    if (site.size > bounds.site) return new Map([[site.name, site]]);
    return holders.descriptors > bounds.descriptors ? holders.sites : undefined;
  }

  function makeRoom(newcomer: C, own: Holder<C>, now: number): readonly Ending<C>[] {
    const endings: Ending<C>[] = [];
    while (holders.has(newcomer)) {
      const among = crowd(own);
      if (among === undefined) break;
      const idle = longestIdle(among, newcomer, now);
      const connection = idle ?? leastOfLargest(among, own) ?? newcomer;
      holders.remove(connection);
      endings.push({ connection, reason: idle === undefined ? 'exceeded' : 'idle' });
    }
    return endings;
  }

  return {
    open(connection, network, now) {
      const holder = holders.holderFor(network ?? Symbol('trusted proxy'));
      if (sizeOf(holder) >= bounds.each) return [{ connection, reason: 'exceeded' }];
      holders.add(connection, holder, now);
      return makeRoom(connection, holder, now);
    },
    begin(connection, now) {
      const holder = holders.begin(connection);
      return holder === undefined ? [] : makeRoom(connection, holder, now);
    },
    finish: (connection, now) => holders.finish(connection, now),
    close: (connection) => holders.remove(connection),
  };
}

/** Of the largest site that has one, in it of the largest network. */
function longestIdle<C>(among: Sites<C>, newcomer: C, now: number): C | undefined {
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
function leastOfLargest<C>(among: Sites<C>, own: Holder<C>): C | undefined {
  let { site } = own;
  for (const each of among.values()) if (each.size > site.size) site = each;
  let largest: Holder<C> | undefined;
  for (const holder of site.networks.values())
    if (largest === undefined || sizeOf(holder) >= sizeOf(largest)) largest = holder;
  if (largest === undefined || (site === own.site && sizeOf(largest) === sizeOf(own))) return undefined;
  return [...largest.idle.keys()][0] ?? [...largest.busy.keys()].at(-1);
}
