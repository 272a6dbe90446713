/** Failed logins: what they hold back, whom they do not, and what they cost. */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMemoryFailedLogins } from '../../src/adapters/memory/failed-logins.ts';
import { delayMs } from '../../src/identity/login-delays.ts';
import {
  type GuardedOutcome,
  type LoginGuard,
  type LoginTry,
  createLoginGuard,
} from '../../src/identity/login-guard.ts';
import type { PasswordOutcome } from '../../src/identity/password.ts';
import { makeKey, ringOf } from '../support/keys.ts';

let keys: ReturnType<typeof ringOf>;
let now: number;
let guard: LoginGuard;
let hashed: number;
beforeAll(async () => {
  keys = ringOf(await makeKey());
});
beforeEach(() => {
  now = 0;
  hashed = 0;
  guard = createLoginGuard(
    createMemoryFailedLogins(() => now),
    keys,
    {
      clock: () => now,
      random: () => lots.shift() ?? 0,
      after(ms, go) {
        if (ms === 0) return setTurn(go);
        const sleeper = { at: now + ms, wake: go };
        sleepers.push(sleeper);
        return () => void (sleepers = sleepers.filter((one) => one !== sleeper));
      },
    },
  );
  lots = [];
  sleepers = [];
});

/** Chances of those who wait, in the order in which they ask; 0 when there is none. */
let lots: number[];
let sleepers: { readonly at: number; readonly wake: () => void }[];

function setTurn(go: () => void): () => void {
  const turn = setImmediate(go);
  return () => clearImmediate(turn);
}

/** Lets time pass; whoever waits goes on at the right moment. */
async function pass(ms: number): Promise<void> {
  const end = now + ms;
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    const next = sleepers.toSorted((left, right) => left.at - right.at)[0];
    if (next === undefined || next.at > end) break;
    sleepers = sleepers.filter((one) => one !== next);
    now = next.at;
    next.wake();
  }
  now = end;
}

const office = '192.0.2.1';
const elsewhere = '198.51.100.7';

/** A login whose password is right when it is `right`; each verification counts as one hash. */
function login(account: string, password: string, address = office, more: Partial<LoginTry> = {}): Promise<string> {
  const verify = (): Promise<PasswordOutcome> => {
    hashed += 1;
    return Promise.resolve(password === 'right' ? 'match' : 'mismatch');
  };
  const given = { account, password, storedHash: `hash of ${account}`, address, isExcused: false, ...more };
  return guard.attempt(given, verify).then(word);
}

function word(outcome: GuardedOutcome): string {
  return typeof outcome === 'string' ? outcome : `held ${outcome.waitMs / 1000} s by ${outcome.by}`;
}

async function guess(account: string, times: number, address = office, from = 0): Promise<void> {
  for (let n = from; n < from + times; n++) await login(account, `guess ${n}`, address);
}

describe('somebody who mistypes', () => {
  test('may do so five times without waiting', async () => {
    for (let n = 0; n < 5; n++) expect(await login('dana', `typo ${n}`)).toBe('mismatch');
    expect(await login('dana', 'right')).toBe('held 1 s by pair');
  });

  test('waits longer after each further mistake, and is let in with the right password then', async () => {
    await guess('dana', 5);
    now += 1000;
    expect(await login('dana', 'typo again')).toBe('mismatch');
    expect(await login('dana', 'right')).toBe('held 2 s by pair');
    now += 1999;
    expect(await login('dana', 'right')).toBe('held 0.001 s by pair');
    now += 1;
    expect(await login('dana', 'right')).toBe('match');
  });

  test('begins anew after a success', async () => {
    await guess('dana', 4);
    await login('dana', 'right');
    for (let n = 0; n < 5; n++) expect(await login('dana', `typo ${n}`)).toBe('mismatch');
  });

  test('begins anew after a day', async () => {
    await guess('dana', 5);
    now += 24 * 3600 * 1000;
    expect(await login('dana', 'typo')).toBe('mismatch');
    expect(await login('dana', 'right')).toBe('match');
  });

  test('is not counted while held back', async () => {
    await guess('dana', 5);
    for (let n = 0; n < 20; n++) expect(await login('dana', `impatient ${n}`)).toBe('held 1 s by pair');
    now += 1000;
    expect(await login('dana', 'right')).toBe('match');
  });
});

describe('one mistake', () => {
  test('counts once, also when a client sends it by POST and again by GET, and costs one hash', async () => {
    for (let n = 0; n < 30; n++) expect(await login('dana', 'an old password')).toBe('mismatch');
    expect(hashed).toBe(1);
    expect(await login('dana', 'right')).toBe('match');
  });

  test('is told to wait like any other password while the asker is held back: what is sent then teaches nothing', async () => {
    await guess('dana', 4);
    expect(await login('dana', 'fifth')).toBe('mismatch');
    expect(await login('dana', 'fifth')).toBe('held 1 s by pair');
    expect(await login('dana', 'sixth')).toBe('held 1 s by pair');
  });

  test('is remembered where it was made: elsewhere it is a guess like any other', async () => {
    expect(await login('dana', 'an old password')).toBe('mismatch');
    expect(await login('dana', 'an old password', elsewhere)).toBe('mismatch');
    expect(hashed).toBe(2);
  });

  test('of a fleet that all keep an old password locks the account out neither there nor at other known places', async () => {
    const fleet = Array.from({ length: 200 }, (_, n) => `203.0.113.${n}`);
    for (const address of [...fleet, elsewhere]) await login('dana', 'right', address);
    for (const address of fleet) expect(await login('dana', 'an old password', address)).toBe('mismatch');
    for (const address of [fleet[0], elsewhere]) expect(await login('dana', 'right', address)).toBe('match');
  });

  test('is another one after the password was changed: what was wrong may be right now', async () => {
    expect(await login('dana', 'new')).toBe('mismatch');
    const changed = guard.attempt(
      { account: 'dana', password: 'new', storedHash: 'another hash', address: office, isExcused: false },
      () => Promise.resolve('match'),
    );
    expect(await changed).toBe('match');
  });

  test('of a queue that was full is none at all', async () => {
    const busy = (n: number): Promise<GuardedOutcome> =>
      guard.attempt({ account: 'dana', password: `p${n}`, storedHash: 'h', address: office, isExcused: false }, () =>
        Promise.resolve('busy'),
      );
    for (let n = 0; n < 20; n++) expect(await busy(n)).toBe('busy');
    expect(await login('dana', 'right')).toBe('match');
  });
});

describe('many attempts at once', () => {
  test('with the same right password cost one hash and all succeed', async () => {
    const outcomes = await Promise.all(Array.from({ length: 200 }, () => login('dana', 'right')));
    expect(new Set(outcomes)).toEqual(new Set(['match']));
    expect(hashed).toBe(1);
  });

  test('with different passwords are no way around the count: five are tried', async () => {
    const outcomes = await Promise.all(Array.from({ length: 200 }, (_, n) => login('dana', `guess ${n}`)));
    expect(outcomes.filter((outcome) => outcome === 'mismatch')).toHaveLength(5);
    expect(hashed).toBe(5);
  });

  test('after a wait are one attempt', async () => {
    await guess('dana', 5);
    now += 1000;
    const outcomes = await Promise.all(Array.from({ length: 50 }, (_, n) => login('dana', `another ${n}`)));
    expect(outcomes.filter((outcome) => outcome === 'mismatch')).toHaveLength(1);
  });

  test('of an office full of people on their first day are let through', async () => {
    const outcomes = await Promise.all(Array.from({ length: 60 }, (_, n) => login(`person-${n}`, 'right')));
    expect(new Set(outcomes)).toEqual(new Set(['match']));
  });

  test('never share an outcome between (a, bc) and (ab, c)', async () => {
    const same = { storedHash: '' };
    const [right, wrong] = await Promise.all([
      guard.attempt({ account: 'a', password: 'bc', address: office, isExcused: false, ...same }, () =>
        Promise.resolve('match'),
      ),
      guard.attempt({ account: 'ab', password: 'c', address: office, isExcused: false, ...same }, () =>
        Promise.resolve('mismatch'),
      ),
    ]);
    expect([right, wrong]).toEqual(['match', 'mismatch']);
  });
});

describe('an attack', () => {
  test('on one account from one address is slowed to one guess in fifteen minutes', async () => {
    let guesses = 0;
    const day = 24 * 3600 * 1000;
    for (; now < day; now += 1000) {
      if ((await login('dana', `guess ${now}`)) === 'mismatch') guesses += 1;
    }
    expect(guesses).toBeLessThan(5 + 10 + 24 * 4);
    expect(hashed).toBe(guesses);
  });

  test('on many accounts from one address is held back by the address', async () => {
    for (let n = 0; n < 30; n++) expect(await login(`victim-${n}`, 'winter2026')).toBe('mismatch');
    expect(await login('victim-30', 'winter2026')).toBe('held 1 s by network');
  });

  test('from one /64 of IPv6 comes from one address', async () => {
    for (let n = 0; n < 30; n++) await login(`victim-${n}`, 'winter2026', `2001:db8:1:2::${n}`);
    expect(await login('victim-30', 'winter2026', '2001:db8:1:2:ffff::1')).toBe('held 1 s by network');
    expect(await login('victim-30', 'winter2026', '2001:db8:1:3::1')).toBe('mismatch');
  });

  test('on one account from many addresses is held back by the account', async () => {
    for (let n = 0; n < 30; n++) expect(await login('dana', `guess ${n}`, `203.0.113.${n}`)).toBe('mismatch');
    expect(await login('dana', 'guess', '203.0.113.98')).toBe('mismatch');
    expect(await login('dana', 'guess', '203.0.113.99')).toBe('held 7.5 s by account');
  });

  test('from elsewhere does not lock its victim out where the victim has logged in before', async () => {
    await login('dana', 'right', office);
    for (let n = 0; n < 40; n++) await login('dana', `guess ${n}`, `203.0.113.${n}`);
    expect(await login('dana', 'right', elsewhere)).toMatch(/^held .* by account$/);
    expect(await login('dana', 'right', office)).toBe('match');
  });

  test('on one account admits one attempt every ten seconds, by chance among those who wait five at most', async () => {
    for (let n = 0; n < 30; n++) await login('dana', `guess ${n}`, `203.0.113.${n}`);
    const strangers = (round: number, own: number): Promise<readonly string[]> => {
      lots = [0.5, own, 0.9];
      return Promise.all([
        login('dana', `guess ${round}`, `198.51.100.${round}`),
        login('dana', 'right', `192.0.2.${round}`),
        login('dana', `guess ${round}`, `198.51.101.${round}`),
      ]);
    };
    const lost = strangers(1, 0.7);
    await pass(1000);
    expect(await lost).toEqual([
      'mismatch',
      expect.stringMatching(/^held .* by account$/),
      expect.stringMatching(/^held/),
    ]);
    // Nine and a half seconds until the next turn: nobody waits as long.
    expect(await strangers(2, 0)).toEqual(Array(3).fill('held 7 s by account'));
    await pass(7000);
    const won = strangers(3, 0.2);
    await pass(4000);
    expect(await won).toEqual([expect.stringMatching(/^held/), 'match', expect.stringMatching(/^held/)]);
    expect(hashed).toBe(32);
  });

  /** Brings accounts under attack, each from thirty addresses of its own. */
  async function besiege(...accounts: readonly string[]): Promise<void> {
    for (const [index, account] of accounts.entries())
      for (let n = 0; n < 30; n++) await login(account, `guess ${n}`, `203.${index}.113.${n}`);
  }

  test('has a hundred attempts waiting for a turn, and the first of all that came has it', async () => {
    await besiege('dana');
    lots = [...Array<number>(150).fill(0.5), 0.4, ...Array<number>(150).fill(0.5)];
    const crowd = Array.from({ length: 301 }, (_, n) => login('dana', n === 150 ? 'right' : 'x', `10.${n}.0.1`));
    await pass(0);
    expect(sleepers).toHaveLength(100);
    await pass(1000);
    const outcomes = await Promise.all(crowd);
    expect(outcomes[150]).toBe('match');
    expect(outcomes.filter((outcome) => outcome.startsWith('held'))).toHaveLength(300);
  });

  test('on one account takes no turn from another: its owner waits and is let in', async () => {
    await besiege('dana', 'rita');
    lots = Array<number>(3000).fill(0.1);
    const crowd = Array.from({ length: 3000 }, (_, n) => login('rita', 'x', `10.${n >> 8}.${n & 255}.1`));
    await pass(0);
    lots = [0.9];
    const owner = login('dana', 'right', office);
    await pass(1000);
    expect(await owner).toBe('match');
    await Promise.all(crowd);
  });

  test('from a few sites of many networks takes no lot from those of another site, whoever came first', async () => {
    await besiege('dana');
    lots = Array<number>(1000).fill(0.5);
    const crowd = Array.from({ length: 1000 }, (_, n) =>
      login('dana', 'x', `2001:db8:${n % 10}:${Math.floor(n / 10)}::1`),
    );
    await pass(0);
    expect(sleepers).toHaveLength(100);
    lots = [0.4];
    const owner = login('dana', 'right', office);
    await pass(0);
    expect(sleepers).toHaveLength(100);
    await pass(1000);
    expect(await owner).toBe('match');
    await Promise.all(crowd);
  });

  test('from one site waits for twenty turns at most, whichever accounts it tries', async () => {
    const accounts = Array.from({ length: 10 }, (_, n) => `victim-${n}`);
    await besiege(...accounts);
    lots = Array<number>(100).fill(0.5);
    const crowd = Array.from({ length: 100 }, (_, n) => login(accounts[n % 10] ?? '', 'x', `2001:db8:1:${n}::1`));
    await pass(0);
    expect(sleepers).toHaveLength(20);
    await pass(1000);
    await Promise.all(crowd);
  });

  test('from many /64 of one /48 comes from one site', async () => {
    const from = (n: number): string => `2001:db8:1:${n.toString(16)}::1`;
    for (let n = 0; n < 60; n++) expect(await login(`victim-${n}`, 'winter2026', from(n))).toBe('mismatch');
    expect(await login('victim-60', 'winter2026', from(60))).toBe('held 1 s by site');
    expect(await login('victim-60', 'winter2026', '2001:db8:2::1')).toBe('mismatch');
  });

  test('with the ticket of an upload gets no more guesses than any other, and holds up nobody at its address', async () => {
    let answered = 0;
    for (let n = 0; n < 60; n++) {
      if ((await login('dana', `guess ${n}`, office, { isExcused: true })) === 'mismatch') answered += 1;
    }
    expect(answered).toBe(5);
    expect(await login('dana', 'right', office)).toBe('match');
    expect(await login('rita', 'right', office)).toBe('match');
  });

  test('out of an office does not lock out the colleagues who have logged in there before', async () => {
    await login('rita', 'right', office);
    await guess('dana', 5, office);
    for (let n = 0; n < 40; n++) await login(`victim-${n}`, 'winter2026', office);
    expect(await login('theo', 'right', office)).toMatch(/^held .* by network$/);
    expect(await login('rita', 'right', office)).toBe('match');
  });

  test('with an account of one’s own as the alibi is still counted: its success forgives its own mistakes only', async () => {
    for (let n = 0; n < 30; n++) {
      await login(`victim-${n}`, 'winter2026');
      await login('mallory', 'right');
    }
    expect(await login('victim-30', 'winter2026')).toBe('held 1 s by network');
  });

  test('on a name that does not exist is held back in the same way', async () => {
    for (let n = 0; n < 5; n++)
      expect(await login('nobody', `guess ${n}`, office, { storedHash: '' })).toBe('mismatch');
    expect(await login('nobody', 'guess', office, { storedHash: '' })).toBe('held 1 s by pair');
  });

  test('of ten thousand guesses costs a few dozen hashes', async () => {
    const guesses = Array.from({ length: 10_000 }, (_, n) => login(`victim-${n % 100}`, `guess ${n}`));
    await Promise.all(guesses);
    expect(hashed).toBeLessThanOrEqual(100);
  });
});

test('whoever goes on with an upload of their own is never told to wait, but counted', async () => {
  await guess('dana', 5);
  expect(await login('dana', 'right', office, { isExcused: true })).toBe('match');
  await guess('dana', 5, office, 100);
  expect(await login('dana', 'wrong', office, { isExcused: true })).toBe('mismatch');
});

describe('the wait', () => {
  test.each([
    ['pair', 4, 0],
    ['pair', 5, 1],
    ['pair', 8, 8],
    ['pair', 14, 512],
    ['pair', 15, 900],
    ['pair', 5000, 900],
    ['network', 29, 0],
    ['network', 30, 1],
    ['network', 100, 300],
    ['site', 60, 1],
    ['account', 36, 10],
  ] as const)('by %s after %i failures is %i s', (by, count, seconds) => {
    expect(delayMs(by, count)).toBe(seconds * 1000);
  });
});
