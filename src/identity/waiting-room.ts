/**
 * Who waits for a turn to try an account under attack. The first to come has it, so only those who come late lose nothing by
 * leaving: where there are too many, whoever sent the most pays, and among equals the last.
 */

export interface Waiter {
  readonly account: string;
  readonly site: string;
  /** When it comes, in milliseconds. */
  readonly at: number;
  /** Told that it waits no longer. */
  readonly lose: () => void;
}

export interface WaitingRoom {
  /** Somebody who waits, or the newcomer itself, loses where there is no room for all. */
  enter(waiter: Waiter): void;
  /** Again, and for whoever has lost, it is nothing. */
  leave(waiter: Waiter): void;
}

export interface WaitingBounds {
  /** For one account, from everywhere. */
  readonly account: number;
  /** Of one site, for all accounts. */
  readonly site: number;
  readonly all: number;
}

/** `all`: a waiter keeps its request, some KiB, at worst 64 of headers. */
export const waitingBounds: WaitingBounds = { account: 100, site: 20, all: 4000 };

type Kind = 'account' | 'site' | 'pair' | 'all';
const kinds: readonly Kind[] = ['account', 'site', 'pair', 'all'];

/**
 * Of too many, which crowd among them pays: a site's most tried account, an account's busiest site. What others send for
 * another account, or many from one site for this one, takes nobody's only place.
 */
const rules = [
  { of: 'site', crowd: 'pair' },
  { of: 'account', crowd: 'pair' },
  { of: 'all', crowd: 'site' },
] as const;

/** Decides only; nothing in it waits by itself. */
export function createWaitingRoom(bounds: WaitingBounds): WaitingRoom {
  const groups: Readonly<Record<Kind, Map<string, Set<Waiter>>>> = {
    account: new Map(),
    site: new Map(),
    pair: new Map(),
    all: new Map(),
  };
  const placesOf = new Map<Waiter, Readonly<Record<Kind, Set<Waiter>>>>();

  function leave(waiter: Waiter): void {
    const places = placesOf.get(waiter);
    if (places === undefined) return;
    placesOf.delete(waiter);
    for (const kind of kinds) {
      places[kind].delete(waiter);
      if (places[kind].size === 0) groups[kind].delete(nameOf(waiter, kind));
    }
  }

  function placeIn(kind: Kind, waiter: Waiter): Set<Waiter> {
    const name = nameOf(waiter, kind);
    const group = groups[kind].get(name) ?? new Set();
    groups[kind].set(name, group.add(waiter));
    return group;
  }

  function loserOf(group: ReadonlySet<Waiter>, crowd: Kind): Waiter | undefined {
    let loser: { readonly waiter: Waiter; readonly size: number } | undefined;
    for (const waiter of group) {
      const size = placesOf.get(waiter)?.[crowd].size ?? 0;
      if (loser === undefined || size > loser.size || (size === loser.size && waiter.at >= loser.waiter.at))
        loser = { waiter, size };
    }
    return loser?.waiter;
  }

  return {
    enter(waiter) {
      const places = {
        account: placeIn('account', waiter),
        site: placeIn('site', waiter),
        pair: placeIn('pair', waiter),
        all: placeIn('all', waiter),
      };
      placesOf.set(waiter, places);
      for (const { of, crowd } of rules) {
        if (places[of].size <= bounds[of]) continue;
        const loser = loserOf(places[of], crowd);
        if (loser === undefined) continue;
        leave(loser);
        loser.lose();
        if (loser === waiter) return;
      }
    },
    leave,
  };
}

/** Sites hold no line break. */
function nameOf({ account, site }: Waiter, kind: Kind): string {
  switch (kind) {
    case 'account':
      return account;
    case 'site':
      return site;
    case 'pair':
      return `${account}\n${site}`;
    case 'all':
      return '';
  }
}
