/** Password verification with identical work for known and unknown accounts, and a bound on hashing at once. */
import { availableParallelism } from 'node:os';
import argon2 from 'argon2';
import bcrypt from 'bcrypt';
import type { Argon2Cost, PasswordHash } from '../policy/password-hash.ts';
import { LoginQueue } from './login-queue.ts';

export type PasswordOutcome = 'match' | 'mismatch' | 'busy';

/** All whose passwords are stored in one place. */
export interface Peers {
  readonly users: ReadonlyMap<string, { readonly password?: PasswordHash | undefined }>;
}

export interface Passwords {
  /**
   * Compares `password` with `hash`, which is one of the peers'; without one, does the same work and answers `mismatch`.
   * `busy`: the queue for hashing is longer than its time bound. Nothing was compared.
   */
  verify(peers: Peers, hash: PasswordHash | undefined, password: string): Promise<PasswordOutcome>;
}

/** RFC 9106 suggests more memory for a login service; OWASP's 19 MiB, two passes, one lane is 25 ms on a 2026 core. */
const standardCost: Argon2Cost = { memoryKib: 19_456, passes: 2, lanes: 1 };
/** Milliseconds a login may wait for its turn to hash. */
const queueMs = 5000;
/** Logins in line; about twice as many as can be hashed in that time on two cores. */
const maxWaiting = 800;
/** bcrypt reads 72 bytes and stops at a NUL; a longer password would match on its beginning (Quay CVE-2024-9683). */
const bcryptLimit = 72;

/** argon2id at the standard cost, in the form that policy files hold. */
export async function hashPassword(password: string): Promise<string> {
  const { memoryKib, passes, lanes } = standardCost;
  return argon2.hash(password, { type: argon2.argon2id, memoryCost: memoryKib, timeCost: passes, parallelism: lanes });
}

/** Whether both libraries know what they hashed, and how many milliseconds one hash at the standard cost takes at best. */
export async function tryHashes(): Promise<{ readonly isRight: boolean; readonly argon2Ms: number }> {
  const password = 'correct horse';
  let text = '';
  let argon2Ms = Infinity;
  // The first one also loads, and any may have to wait for the processor.
  for (let count = 0; count < 4; count++) {
    const begun = performance.now();
    text = await hashPassword(password);
    argon2Ms = Math.min(argon2Ms, performance.now() - begun);
  }
  const weak = await bcrypt.hash(password, 4);
  const right = await Promise.all([argon2.verify(text, password), bcrypt.compare(password, weak)]);
  const wrong = await Promise.all([argon2.verify(text, 'battery staple'), bcrypt.compare('battery staple', weak)]);
  return { isRight: right.every(Boolean) && !wrong.some(Boolean), argon2Ms };
}

/** `onHash` hears of every hash before it is computed, by scheme and cost; `onWaited` of how long a login waited, `onHashed` of how long each hash took. */
export function createPasswords(
  onHash: (scheme: PasswordHash['scheme'], cost: string) => void = () => {},
  onWaited?: (seconds: number) => void,
  onHashed: (seconds: number) => void = () => {},
): Passwords & { readonly waiting: () => number } {
  // A core stays with the requests that are no logins: with hashes on both of two, pulls waited behind them ten times as
  // long, and no more of them were done.
  const queue = new LoginQueue(Math.max(1, Math.min(availableParallelism() - 1, 3)), queueMs, maxWaiting, onWaited);
  const verify: Passwords['verify'] = async (peers, hash, password) => {
    const compare = async (): Promise<boolean> => {
      let isMatch = false;
      // Every attempt computes one hash of each cost in use, so that time does not tell who exists.
      for (const [cost, dummy] of dummies(peers)) {
        const isOwn = hash !== undefined && costOf(hash) === cost;
        onHash(dummy.scheme, cost);
        const begun = performance.now();
        const matches = await matchesHash(isOwn ? hash : dummy, password);
        onHashed((performance.now() - begun) / 1000);
        isMatch ||= isOwn && matches;
      }
      return isMatch;
    };
    const outcome = await queue.run(compare);
    return outcome === 'busy' ? 'busy' : outcome ? 'match' : 'mismatch';
  };
  return { verify, waiting: () => queue.waiting };
}

async function matchesHash(hash: PasswordHash, password: string): Promise<boolean> {
  if (hash.scheme === 'argon2id') return argon2.verify(hash.text, password);
  const fits = Buffer.byteLength(password) <= bcryptLimit && !password.includes('\0');
  return (await bcrypt.compare(fits ? password : '', hash.text)) && fits;
}

const dummiesOf = new WeakMap<Peers, ReadonlyMap<string, PasswordHash>>();

/** For each cost among the peers a hash that no password has; one of the standard cost when there is none. */
function dummies(peers: Peers): ReadonlyMap<string, PasswordHash> {
  const known = dummiesOf.get(peers);
  if (known !== undefined) return known;
  const found = new Map<string, PasswordHash>();
  for (const { password } of peers.users.values()) {
    if (password !== undefined && !found.has(costOf(password))) found.set(costOf(password), dummyOf(password));
  }
  if (found.size === 0) {
    const standard = dummyOf({ scheme: 'argon2id', text: '', cost: standardCost });
    found.set(costOf(standard), standard);
  }
  dummiesOf.set(peers, found);
  return found;
}

function costOf(hash: PasswordHash): string {
  if (hash.scheme === 'bcrypt') return String(hash.cost).padStart(2, '0');
  const { memoryKib, passes, lanes } = hash.cost;
  return `m=${memoryKib},t=${passes},p=${lanes}`;
}

/** Salt and digest are arbitrary: no password has this hash, and computing it costs what the parameters say. */
function dummyOf(hash: PasswordHash): PasswordHash {
  const cost = costOf(hash);
  if (hash.scheme === 'bcrypt') return { ...hash, text: `$2b$${cost}$${'.'.repeat(53)}` };
  return { ...hash, text: `$argon2id$v=19$${cost}$${'A'.repeat(22)}$${'A'.repeat(43)}` };
}
