/** The revocations that one process knows of, and how the store's scripts write them. */
import { endedAccountName, nameKey } from './keys.ts';

/** One revocation. `at`: of an account, else 0. `ms`: for how long it is remembered. */
export interface Entry {
  readonly name: string;
  readonly at: number;
  readonly ms: number;
}

/** An entry about to be forgotten is not fought for. */
const shortestReassertedMs = 1000;

/** On a clock that nobody sets. */
export class KnownRevocations {
  /** Name of a revoked id or ended account -> when it may be forgotten. */
  readonly #until = new Map<string, number>();
  /** Name of an account -> what was issued before has ended, milliseconds since 1970. */
  readonly #ended = new Map<string, number>();

  keep({ name, at, ms }: Entry): void {
    const until = performance.now() + ms;
    if ((this.#until.get(name) ?? 0) < until) this.#until.set(name, until);
    if (at > (this.#ended.get(name) ?? 0)) this.#ended.set(name, at);
  }

  has(id: string): boolean {
    if (this.#until.size === 0) return false;
    const until = this.#until.get(nameKey(id));
    return until !== undefined && until > performance.now();
  }

  /** Milliseconds since 1970; 0 for an account of which nothing has ended. */
  endedBefore(account: string): number {
    return this.#ended.size === 0 ? 0 : (this.#ended.get(endedAccountName(account)) ?? 0);
  }

  /** What is remembered no longer. */
  forgetExpired(now: number): void {
    for (const [name, until] of this.#until) {
      if (until > now) continue;
      this.#until.delete(name);
      this.#ended.delete(name);
    }
  }

  /** What the store does not hold, or holds of an earlier instant: text and milliseconds of each, as scripts take it. */
  lost(stored: ReadonlyMap<string, Entry>, now: number): readonly (readonly [text: string, ms: number])[] {
    return [...this.#until].flatMap(([name, until]) => {
      const entry = stored.get(name);
      const at = this.#ended.get(name);
      const isWhole = entry !== undefined && entry.at >= (at ?? 0);
      return !isWhole && until - now > shortestReassertedMs ? [[textOf(name, at), Math.floor(until - now)]] : [];
    });
  }
}

function textOf(name: string, at: number | undefined): string {
  return at === undefined ? name : `${name}@${at}`;
}

/** A name, or a name and an instant, as scripts give it. */
export function readEntry(text: string, ms: number): Entry {
  const [name = '', at = '0'] = text.split('@');
  return { name, at: Number(at), ms };
}

/** What a message of the channel tells; nothing of one that is not written as scripts do. */
export function readMessage(message: string): readonly Entry[] {
  const [ms = '', ...names] = message.split(' ');
  if (!/^\d{1,15}$/.test(ms)) return [];
  return names.filter((name) => /^[0-9a-f]{32}(?:@\d{1,15})?$/.test(name)).map((name) => readEntry(name, Number(ms)));
}
