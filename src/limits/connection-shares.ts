/**
 * Who holds the connections of a process that has so many descriptors: one client network never holds them all, and where
 * they run low somebody who waits idle, then whoever holds the most, makes room for a newcomer.
 */

export interface ConnectionBounds {
  /** Connections of one client network. */
  readonly each: number;
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
  return { each: Math.max(1, Math.floor(limit / 4)), descriptors: limit - reserved };
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
  readonly network: string | undefined;
  /** When each became idle; the longest idle first. */
  readonly idle: Map<C, number>;
  /** Requests under way on each; the newest last. */
  readonly busy: Map<C, number>;
}

const sizeOf = ({ idle, busy }: Holder<unknown>): number => idle.size + busy.size;

export function createConnectionShares<C>({ each, descriptors }: ConnectionBounds): ConnectionShares<C> {
  const networks = new Map<string, Holder<C>>();
  const holders = new Set<Holder<C>>();
  const holderOf = new Map<C, Holder<C>>();
  let busyCount = 0;

  function remove(connection: C): void {
    const holder = holderOf.get(connection);
    if (holder === undefined) return;
    holderOf.delete(connection);
    holder.idle.delete(connection);
    if (holder.busy.delete(connection)) busyCount--;
    if (sizeOf(holder) > 0) return;
    holders.delete(holder);
    if (holder.network !== undefined) networks.delete(holder.network);
  }

  function longestIdle(newcomer: C, now: number): C | undefined {
    let found: { readonly connection: C; readonly since: number; readonly size: number } | undefined;
    for (const holder of holders) {
      const [first] = holder.idle;
      if (first === undefined || first[0] === newcomer || now - first[1] < graceMs) continue;
      const [connection, since] = first;
      const size = sizeOf(holder);
      if (found === undefined || size > found.size || (size === found.size && since < found.since))
        found = { connection, since, size };
    }
    return found?.connection;
  }

  /** Of the largest holder, if that is another: what was idle longest, else what has the least to lose. */
  function leastOfLargest(own: Holder<C>): C | undefined {
    let largest = own;
    for (const holder of holders) if (sizeOf(holder) > sizeOf(largest)) largest = holder;
    return largest === own ? undefined : ([...largest.idle.keys()][0] ?? [...largest.busy.keys()].at(-1));
  }

  function makeRoom(newcomer: C, own: Holder<C>, now: number): readonly Ending<C>[] {
    const endings: Ending<C>[] = [];
    while (holderOf.size + busyCount > descriptors && holderOf.has(newcomer)) {
      const idle = longestIdle(newcomer, now);
      const connection = idle ?? leastOfLargest(own) ?? newcomer;
      remove(connection);
      endings.push({ connection, reason: idle === undefined ? 'exceeded' : 'idle' });
    }
    return endings;
  }

  return {
    open(connection, network, now) {
      const known = network === undefined ? undefined : networks.get(network);
      if (known !== undefined && sizeOf(known) >= each) return [{ connection, reason: 'exceeded' }];
      const holder = known ?? { network, idle: new Map<C, number>(), busy: new Map<C, number>() };
      if (network !== undefined) networks.set(network, holder);
      holders.add(holder);
      holderOf.set(connection, holder);
      holder.idle.set(connection, now);
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
