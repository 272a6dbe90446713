/** Password verification with identical work for known and unknown accounts, and a bound on hashing at once. */
import { availableParallelism } from 'node:os';
import argon2 from 'argon2';
import bcrypt from 'bcrypt';
import type { Argon2Cost, PasswordHash } from '../policy/password-hash.ts';
import type { Policy } from '../policy/model.ts';
import { HashQueue } from './hash-queue.ts';

export type PasswordOutcome = 'match' | 'mismatch' | 'busy';

export interface Passwords {
  /**
   * Compares `password` with `hash`; without one, does the same work and answers `mismatch`.
   * `busy`: the queue for hashing is longer than its time bound. Nothing was compared.
   */
  verify(policy: Policy, hash: PasswordHash | undefined, password: string): Promise<PasswordOutcome>;
}

/** RFC 9106 suggests more memory for a login service; OWASP's 19 MiB, two passes, one lane is 25 ms on a 2026 core. */
const standardCost: Argon2Cost = { memoryKib: 19_456, passes: 2, lanes: 1 };
/** Milliseconds a login may wait for its turn to hash. */
const queueMs = 5000;
/** bcrypt reads 72 bytes and stops at a NUL; a longer password would match on its beginning (Quay CVE-2024-9683). */
const bcryptLimit = 72;

export async function hashPassword(password: string): Promise<string> {
  const { memoryKib, passes, lanes } = standardCost;
  return argon2.hash(password, { type: argon2.argon2id, memoryCost: memoryKib, timeCost: passes, parallelism: lanes });
}

/** `onHash` hears of every hash computed, by scheme: tests count work instead of timing it. */
export function createPasswords(onHash: (scheme: PasswordHash['scheme']) => void = () => {}): Passwords {
  const queue = new HashQueue(Math.max(1, Math.min(availableParallelism(), 3)), queueMs);
  const verify: Passwords['verify'] = async (policy, hash, password) => {
    const work = costliest(policy);
    const compare = async (): Promise<boolean> => {
      // Every attempt computes one hash of each scheme in use, so that time does not tell who exists.
      const argon =
        hash?.scheme === 'argon2id' ? hash.text : work.argon2id === undefined ? undefined : dummyArgon2(work.argon2id);
      const legacy =
        hash?.scheme === 'bcrypt' ? hash.text : work.bcrypt === undefined ? undefined : dummyBcrypt(work.bcrypt);
      if (argon !== undefined) onHash('argon2id');
      const argonMatches = argon !== undefined && (await argon2.verify(argon, password));
      if (legacy !== undefined) onHash('bcrypt');
      const fits = Buffer.byteLength(password) <= bcryptLimit && !password.includes('\0');
      const bcryptMatches = legacy !== undefined && (await bcrypt.compare(fits ? password : '', legacy)) && fits;
      if (hash === undefined) return false;
      return hash.scheme === 'argon2id' ? argonMatches : bcryptMatches;
    };
    const outcome = await queue.run(compare);
    return outcome === 'busy' ? 'busy' : outcome ? 'match' : 'mismatch';
  };
  return { verify };
}

interface Work {
  readonly argon2id: Argon2Cost | undefined;
  readonly bcrypt: number | undefined;
}

const workOf = new WeakMap<Policy, Work>();

/** The highest cost of each scheme among the policy's users; argon2id when there are no users at all. */
function costliest(policy: Policy): Work {
  const known = workOf.get(policy);
  if (known !== undefined) return known;
  let memory: Argon2Cost | undefined;
  let legacy: number | undefined;
  for (const { password } of policy.users.values()) {
    if (password?.scheme === 'argon2id') {
      if (memory === undefined || weight(password.cost) > weight(memory)) memory = password.cost;
    } else if (password !== undefined) legacy = Math.max(legacy ?? 0, password.cost);
  }
  const work = { argon2id: memory ?? (legacy === undefined ? standardCost : undefined), bcrypt: legacy };
  workOf.set(policy, work);
  return work;
}

function weight({ memoryKib, passes }: Argon2Cost): number {
  return memoryKib * passes;
}

/** Salt and digest are arbitrary: no password has this hash, and computing it costs what the parameters say. */
function dummyArgon2({ memoryKib, passes, lanes }: Argon2Cost): string {
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${'A'.repeat(22)}$${'A'.repeat(43)}`;
}

function dummyBcrypt(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(22)}${'.'.repeat(31)}`;
}
