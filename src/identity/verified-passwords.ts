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

/** What somebody's credentials led to, for a while; the credentials themselves are not kept. */
export class RememberedLogins<Found> {
  readonly #key = randomBytes(32).toString('base64');
  readonly #entries = new Map<string, { readonly found: Found; readonly until: EpochMs; readonly ms: number }>();

  find(credentials: readonly string[], now: EpochMs): Found | undefined {
    const entry = this.#entries.get(this.#digest(credentials));
    return entry !== undefined && now < entry.until && entry.until - now <= entry.ms ? entry.found : undefined;
  }

  keep(credentials: readonly string[], found: Found, now: EpochMs, ms: number): void {
    const name = this.#digest(credentials);
    this.#entries.delete(name);
    if (this.#entries.size >= maxEntries) this.#entries.delete(this.#entries.keys().next().value ?? '');
    this.#entries.set(name, { found, until: now + ms, ms });
  }

  #digest(fields: readonly string[]): string {
    // One text, hashed at once: an HMAC that is fed part by part takes many times as long.
    return hash('sha256', this.#key + fields.map((field) => `${field.length}:${field}`).join(''), 'base64');
  }
}

export class VerifiedPasswords {
  readonly #logins = new RememberedLogins<true>();

  has(account: string, password: string, storedHash: string, now: EpochMs): boolean {
    return this.#logins.find([account, password, storedHash], now) === true;
  }

  add(account: string, password: string, storedHash: string, now: EpochMs): void {
    this.#logins.keep([account, password, storedHash], true, now, rememberMs);
  }
}
