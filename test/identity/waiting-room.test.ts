/** Who waits for a turn, and who must leave for whom. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Waiter, type WaitingBounds, createWaitingRoom, waitingBounds } from '../../src/identity/waiting-room.ts';

interface Room {
  readonly enter: (account: string, site: string, at: number) => Waiter;
  readonly leave: (waiter: Waiter) => void;
  /** Who waits now; nobody loses twice. */
  readonly waiting: ReadonlySet<Waiter>;
}

function roomOf(bounds: WaitingBounds): Room {
  const room = createWaitingRoom(bounds);
  const waiting = new Set<Waiter>();
  return {
    enter(account, site, at) {
      const waiter: Waiter = { account, site, at, lose: () => expect(waiting.delete(waiter)).toBe(true) };
      waiting.add(waiter);
      room.enter(waiter);
      return waiter;
    },
    leave(waiter) {
      waiting.delete(waiter);
      room.leave(waiter);
      room.leave(waiter);
    },
    waiting,
  };
}

test('a room of the gateway holds a hundred for an account, twenty of a site, and what memory bears of all', () => {
  expect(waitingBounds).toEqual({ account: 100, site: 20, all: 4000 });
});

test('bounds hold, nobody loses without need, and no site alone at an account loses to a crowd', () => {
  const bounds = { account: 5, site: 4, all: 12 };
  const step = fc.record({
    leaves: fc.boolean(),
    account: fc.constantFrom('a', 'b', 'c', 'd'),
    site: fc.oneof(fc.constantFrom('x', 'y'), fc.nat({ max: 20 }).map(String)),
    at: fc.nat({ max: 5 }),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const { enter, leave, waiting } = roomOf(bounds);
      const count = (where: Partial<Waiter>, among: Iterable<Waiter> = waiting): number =>
        [...among].filter((one) =>
          Object.entries(where).every(([key, value]) => one[key as 'account' | 'site'] === value),
        ).length;
      for (const { leaves, account, site, at, pick } of steps) {
        if (leaves && pick % 3 === 0) {
          const chosen = [...waiting][pick % Math.max(1, waiting.size)];
          if (chosen !== undefined) leave(chosen);
          continue;
        }
        const before = [...waiting];
        const waiter = enter(account, site, at);
        const present = [...before, waiter];
        const lost = present.filter((one) => !waiting.has(one));
        const isOver =
          count({ site }, present) > bounds.site ||
          count({ account }, present) > bounds.account ||
          present.length > bounds.all;
        expect(lost.length > 0).toBe(isOver);
        for (const one of lost) {
          const isOfSite = one.site === site && count({ site }, present) > bounds.site;
          const rivals = isOfSite ? { site } : one.account === account ? { account } : {};
          // For a crowd at this account, of this site or of all: somebody else of it stays.
          if (one.account === account && !isOfSite && count({ account, site: one.site }, present) === 1)
            for (const other of present.filter((each) => each.account === account && waiting.has(each)))
              if (present.length <= bounds.all) expect(count({ account, site: other.site }, present)).toBe(1);
          expect(count(rivals, present)).toBeGreaterThan(1);
        }
        for (const one of waiting) {
          expect(count({ account: one.account })).toBeLessThanOrEqual(bounds.account);
          expect(count({ site: one.site })).toBeLessThanOrEqual(bounds.site);
        }
        expect(waiting.size).toBeLessThanOrEqual(bounds.all);
      }
    }),
  );
});

test('of attempts on one account, one of each site, the first to come always keeps its place', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 60 }), (moments) => {
      const { enter, waiting } = roomOf({ account: 5, site: 4, all: 100 });
      for (const [index, at] of moments.entries()) enter('dana', `site ${index}`, at);
      expect(Math.min(...[...waiting].map(({ at }) => at))).toBe(Math.min(...moments));
    }),
  );
});

test('the owner gets a place beside any crowd at other accounts, and beside one at the same that has fewer sites than places', () => {
  const attempt = fc.record({ account: fc.constantFrom('b', 'c', 'd'), site: fc.nat({ max: 9 }).map(String) });
  const rival = fc.nat({ max: 3 }).map((n) => ({ account: 'a', site: `rival ${n}` }));
  fc.assert(
    fc.property(
      fc.array(fc.oneof(attempt, rival), { maxLength: 80 }),
      fc.array(fc.oneof(attempt, rival), { maxLength: 80 }),
      (before, after) => {
        const { enter, waiting } = roomOf({ account: 5, site: 4, all: 15 });
        for (const { account, site } of before) enter(account, site, 0);
        // It comes last of all, and is the only one of its site.
        const owner = enter('a', 'home', 1000);
        for (const { account, site } of after) enter(account, site, 0);
        expect(waiting.has(owner)).toBe(true);
      },
    ),
  );
});

test('within one site the account that is tried most pays: a neighbour’s attack leaves a colleague a place', () => {
  const { enter, waiting } = roomOf({ account: 50, site: 4, all: 100 });
  for (let n = 0; n < 10; n++) enter('victim', 'office', 0);
  const colleague = enter('dana', 'office', 1000);
  for (let n = 0; n < 10; n++) enter('victim', 'office', 0);
  expect([waiting.has(colleague), waiting.size]).toEqual([true, 4]);
});
