/**
 * Passwords that were right a moment ago, so that a client which sends Basic on every request costs one hash a minute.
 * What is looked up covers account, password and stored hash, each with its length: (`a`, `bc`) and (`ab`, `c`) differ
 * (Oathkeeper CVE-2026-33496), and a changed password in the policy is another one. It begins with a key of this process and
 * leaves it nowhere: nobody can choose it, so neither the time of the look-up nor a longer text tells anything.
 */
import { hash, randomBytes } from 'node:crypto';
import type { EpochMs } from '../time.ts';

const rememberMs = 60_000;
const maxEntries = 10_000;

export class VerifiedPasswords {
  readonly #key = randomBytes(32).toString('base64');
  readonly #until = new Map<string, number>();

  has(account: string, password: string, storedHash: string, now: EpochMs): boolean {
    const until = this.#until.get(this.#digest(account, password, storedHash));
    return until !== undefined && now < until && until - now <= rememberMs;
  }

  add(account: string, password: string, storedHash: string, now: EpochMs): void {
    if (this.#until.size >= maxEntries) this.#until.delete(this.#until.keys().next().value ?? '');
    this.#until.set(this.#digest(account, password, storedHash), now + rememberMs);
  }

  #digest(...fields: readonly string[]): string {
    // One text, hashed at once: an HMAC that is fed part by part takes many times as long.
    return hash('sha256', this.#key + fields.map((field) => `${field.length}:${field}`).join(''), 'base64');
  }
}
