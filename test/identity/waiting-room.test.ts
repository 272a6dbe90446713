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

test('a room is a list from which, of too many of a site, of an account, or of all, the last of the largest crowd goes', () => {
  const bounds = { account: 5, site: 4, all: 12 };
  const step = fc.record({
    leaves: fc.constantFrom(false, false, false, true),
    account: fc.constantFrom('a', 'b', 'c', 'd'),
    site: fc.oneof(fc.constantFrom('x', 'y'), fc.nat({ max: 20 }).map(String)),
    at: fc.nat({ max: 5 }),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const { enter, leave, waiting } = roomOf(bounds);
      let model: readonly Waiter[] = [];
      const withoutLast = (isRival: (one: Waiter) => boolean, most: number, isOneCrowd: Crowd): readonly Waiter[] => {
        const rivals = model.filter(isRival);
        if (rivals.length <= most) return model;
        const size = (one: Waiter): number => model.filter((other) => isOneCrowd(one, other)).length;
        const last = rivals.toSorted((one, other) => size(one) - size(other) || one.at - other.at).at(-1);
        return model.filter((one) => one !== last);
      };
      for (const { leaves, account, site, at, pick } of steps) {
        const chosen = model[pick % Math.max(1, model.length)];
        if (leaves && chosen !== undefined) {
          leave(chosen);
          model = model.filter((one) => one !== chosen);
        } else {
          const newcomer = enter(account, site, at);
          model = [...model, newcomer];
          model = withoutLast((one) => one.site === site, bounds.site, isPair);
          if (model.includes(newcomer)) model = withoutLast((one) => one.account === account, bounds.account, isPair);
          if (model.includes(newcomer)) model = withoutLast(() => true, bounds.all, isSite);
        }
        expect([...waiting]).toEqual(model);
        expect(model.length).toBeLessThanOrEqual(bounds.all);
      }
    }),
  );
});

type Crowd = (one: Waiter, other: Waiter) => boolean;
const isSite: Crowd = (one, other) => one.site === other.site;
const isPair: Crowd = (one, other) => one.site === other.site && one.account === other.account;

test('of attempts on one account, one of each site, the first to come always keeps its place', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 60, size: 'max' }), (moments) => {
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
      fc.array(fc.oneof(attempt, rival), { maxLength: 80, size: 'max' }),
      fc.array(fc.oneof(attempt, rival), { maxLength: 80, size: 'max' }),
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
