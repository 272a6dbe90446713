/**
 * Passwords that were right a moment ago, so that a client which sends Basic on every request costs one hash a minute.
 * The key covers account, password and stored hash, each with its length: (`a`, `bc`) and (`ab`, `c`) differ
 * (Oathkeeper CVE-2026-33496), and a changed password in the policy is a different key.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { EpochMs } from '../time.ts';

const rememberMs = 60_000;
const maxEntries = 10_000;

export class VerifiedPasswords {
  readonly #key = randomBytes(32);
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
    const hmac = createHmac('sha256', this.#key);
    for (const field of fields) hmac.update(`${Buffer.byteLength(field)}:`).update(field);
    return hmac.digest('base64');
  }
}
