/** Tokens until they are about to end, and for all who want the same one at the same time one request. */
import type { Authorization, LoginFailure } from '../ports.ts';

/** What a request for a token brought. */
export type Fetched = { readonly ok: true; readonly header: string; readonly goodForMs: number } | LoginFailure;

interface Kept {
  readonly outcome: Fetched;
  readonly askedAt: number;
  readonly until: number;
}

/** Milliseconds for which a failure stands, so that many clients do not ask for it one after the other. */
const failureMs = 5000;
/** Tokens, and characters of all of them: a token server may make them as large as its answers can be. */
const maxTokens = 1000;
const maxCharacters = 4_194_304;

export class KeptTokens {
  readonly #kept = new Map<string, Kept>();
  readonly #flights = new Map<string, Promise<Fetched>>();
  readonly #now: () => number;
  #characters = 0;

  /** `now` in milliseconds that only grow. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** `maxAgeMs`: of a token that is still good. */
  async get(key: string, fetch: () => Promise<Fetched>, maxAgeMs = Infinity): Promise<Authorization | LoginFailure> {
    const kept = this.#kept.get(key);
    const now = this.#now();
    if (kept !== undefined && now < kept.until && now - kept.askedAt < maxAgeMs) return authorized(kept.outcome, false);
    const flight = this.#flights.get(key) ?? this.#begin(key, fetch, now);
    return authorized(await flight, true);
  }

  #begin(key: string, fetch: () => Promise<Fetched>, askedAt: number): Promise<Fetched> {
    const flight = fetch().then((outcome) => {
      this.#flights.delete(key);
      this.#keep(key, { outcome, askedAt, until: outcome.ok ? askedAt + outcome.goodForMs : this.#now() + failureMs });
      return outcome;
    });
    this.#flights.set(key, flight);
    return flight;
  }

  /** What `key` stands for was refused: `header`, if it is still the one that is kept. */
  drop(key: string, header: string): void {
    const outcome = this.#kept.get(key)?.outcome;
    if (outcome?.ok === true && outcome.header === header) this.#remove(key);
  }

  /** Nobody asks for it for a while. */
  fail(key: string, failure: LoginFailure): void {
    this.#keep(key, { outcome: failure, askedAt: this.#now(), until: this.#now() + failureMs });
  }

  #keep(key: string, kept: Kept): void {
    this.#remove(key);
    this.#kept.set(key, kept);
    this.#characters += sizeOf(kept);
    while (this.#kept.size > maxTokens || (this.#characters > maxCharacters && this.#kept.size > 1))
      this.#remove(this.#kept.keys().next().value ?? '');
  }

  #remove(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#characters -= sizeOf(kept);
  }
}

function sizeOf({ outcome }: Kept): number {
  return outcome.ok ? outcome.header.length : outcome.detail.length;
}

function authorized(outcome: Fetched, isNew: boolean): Authorization | LoginFailure {
  return outcome.ok ? { ok: true, header: outcome.header, isNew } : outcome;
}
