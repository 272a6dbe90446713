/** Attacks on passwords, counted in the hashes that they cost: a guess that is not hashed slows nobody and learns nothing. */
import bcrypt from 'bcrypt';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMemoryFailedLogins } from '../../src/adapters/memory/failed-logins.ts';
import type { CompiledPolicy } from '../../src/policy/evaluate.ts';
import { authenticate } from '../../src/identity/source.ts';
import { createLoginGuard } from '../../src/identity/login-guard.ts';
import { createPasswords } from '../../src/identity/password.ts';
import { fileSources } from '../support/identity.ts';
import { makeKey, ringOf } from '../support/keys.ts';
import { compile } from '../support/policies.ts';
import { sized } from '../support/size.ts';

const guesses = sized(10_000, 2_000);
const now = Date.parse('2026-06-01T12:00:00Z');

const keys = ringOf(await makeKey());
let policy: CompiledPolicy;
// The cheapest hash that a policy may hold: they are counted, and there are thousands.
beforeAll(async () => void (policy = compile(`users: { dana: { password: '${await bcrypt.hash('right', 4)}' } }`)));

interface Guess {
  readonly account: string;
  readonly password: string;
  readonly address: string;
}

let hashes: number;
let attempt: (guess: Guess) => Promise<string>;
beforeEach(() => {
  hashes = 0;
  // No time passes: what is hashed is what an attacker gets without waiting.
  const guard = createLoginGuard(
    createMemoryFailedLogins(() => 0),
    keys,
  );
  const sources = fileSources({ passwords: createPasswords(() => hashes++), guard });
  attempt = async (guess) => {
    const { result } = await authenticate(sources, policy.policy, guess, now);
    return result.ok ? 'in' : result.reason;
  };
});

const address = (n: number): string => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;

async function oneByOne(guess: (n: number) => Guess): Promise<void> {
  for (let n = 0; n < guesses; n++) expect(await attempt(guess(n))).not.toBe('in');
}

async function atOnce(guess: (n: number) => Guess): Promise<void> {
  expect(await Promise.all(Array.from({ length: guesses }, (_, n) => attempt(guess(n))))).not.toContain('in');
}

const attacks: readonly {
  readonly what: string;
  readonly guess: (n: number) => Guess;
  /** Hashes it may cost, one guess after the other and all at once. */
  readonly most: readonly [number, number];
}[] = [
  {
    what: 'one account from one address',
    guess: (n) => ({ account: 'dana', password: `p${n}`, address: '10.0.0.1' }),
    most: [5, 5],
  },
  {
    what: 'an account that does not exist, from one address',
    guess: (n) => ({ account: 'nobody', password: `p${n}`, address: '10.0.0.1' }),
    most: [5, 5],
  },
  {
    what: 'the same wrong password of one account over and over',
    guess: () => ({ account: 'dana', password: 'p', address: '10.0.0.1' }),
    most: [1, 1],
  },
  {
    what: 'many accounts and passwords from one address',
    guess: (n) => ({ account: `user-${n}`, password: `p${n}`, address: '10.0.0.1' }),
    most: [30, 100],
  },
  {
    what: 'one account from many addresses',
    guess: (n) => ({ account: 'dana', password: `p${n}`, address: address(n) }),
    // The thirty-first has the first turn.
    most: [31, 50],
  },
  {
    what: 'twenty accounts from a hundred addresses',
    guess: (n) => ({ account: `user-${n % 20}`, password: `p${n}`, address: address(n % 100) }),
    most: [600, 1000],
  },
];

describe(`of ${guesses} guesses`, () => {
  for (const { what, guess, most } of attacks) {
    test(`at most ${most[0]} are hashed when they try ${what}`, async () => {
      await oneByOne(guess);
      expect(hashes).toBeGreaterThan(0);
      expect(hashes).toBeLessThanOrEqual(most[0]);
    });

    test(`at most ${most[1]} are hashed when they try ${what} at once`, async () => {
      await atOnce(guess);
      expect(hashes).toBeGreaterThan(0);
      expect(hashes).toBeLessThanOrEqual(most[1]);
    });
  }

  test('none at once gets more than the queue holds, from wherever they come', async () => {
    await atOnce((n) => ({ account: `user-${n}`, password: `p${n}`, address: address(n) }));
    expect(hashes).toBeGreaterThan(0);
    expect(hashes).toBeLessThanOrEqual(1000);
  });
});
