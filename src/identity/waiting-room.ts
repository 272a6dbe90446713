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
  const groups = new Map<string, Set<Waiter>>();
  const placesOf = new Map<Waiter, Readonly<Record<Kind, Set<Waiter>>>>();

  function leave(waiter: Waiter): void {
    if (!placesOf.delete(waiter)) return;
    for (const name of Object.values(namesOf(waiter))) {
      const group = groups.get(name);
      group?.delete(waiter);
      if (group?.size === 0) groups.delete(name);
    }
  }

  function placeIn(name: string, waiter: Waiter): Set<Waiter> {
    const group = groups.get(name) ?? new Set();
    groups.set(name, group.add(waiter));
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
      const names = namesOf(waiter);
      const places = {
        account: placeIn(names.account, waiter),
        site: placeIn(names.site, waiter),
        pair: placeIn(names.pair, waiter),
        all: placeIn(names.all, waiter),
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
function namesOf({ account, site }: Waiter): Readonly<Record<Kind, string>> {
  return { account: `account ${account}`, site: `site ${site}`, pair: `pair ${site}\n${account}`, all: 'all' };
}
