/** How a connection to Redis is, and the telling of it: each reason once, and once that it is over. */
import { wordsOf } from '../failure.ts';

export interface RedisHealth {
  readonly ok: boolean;
  readonly detail: string;
}

/** A lack of rights can be one key's or one command's; it counts for so long after it was last seen. */
const rightsMs = 60_000;

/** Redis can be connected and refuse, and which calls it refuses differs: what counts is what the last of each came to. */
export class ConnectionHealth {
  readonly #kind: string;
  readonly #isReady: () => boolean;
  readonly #onHealth: (health: RedisHealth) => void;
  /** Script -> the server's own words. */
  readonly #refusals = new Map<string, { readonly words: string; readonly at: number }>();
  /** Why nothing came back from the last call. */
  #silence: string | undefined;
  #problem = 'not connected yet';
  /** The code of the refusal that was reported last; empty for a connection that is not there. */
  #reported: string | undefined;
  #closed = false;

  /** `onHealth` hears of each new reason, and of the end of all. */
  constructor(kind: string, isReady: () => boolean, onHealth: (health: RedisHealth) => void) {
    this.#kind = kind;
    this.#isReady = isReady;
    this.#onHealth = onHealth;
  }

  now(): RedisHealth {
    if (!this.#isReady()) return { ok: false, detail: `not connected: ${this.#problem}` };
    const refused = this.#refused();
    return refused === undefined
      ? { ok: true, detail: `connected (${this.#kind})` }
      : { ok: false, detail: `connected, but calls fail: ${refused}` };
  }

  /** What the connection says is wrong; nobody is told before `report`. */
  trouble(error: unknown): void {
    this.#problem = redisWords(error);
  }

  /** Tells what is wrong, if anything is and that is news. */
  report(): void {
    const health = this.now();
    if (this.#closed || health.ok) return;
    const code = /\b[A-Z]{4,}\b/.exec(this.#refused() ?? this.#problem)?.[0] ?? '';
    if (this.#reported !== undefined && (code === '' || code === this.#reported || !this.#isReady())) return;
    this.#reported = code;
    this.#onHealth(health);
  }

  succeeded(script: string): void {
    this.#refusals.delete(script);
    this.#silence = undefined;
  }

  failed(script: string, error: unknown): void {
    this.trouble(error);
    // Only the server's own replies say why; the rest is the connection's.
    if (error instanceof Error && error.name === 'ReplyError')
      this.#refusals.set(script, { words: this.#problem, at: performance.now() });
    else this.#silence = this.#problem;
    this.report();
  }

  /** Everything that the gateway needs was just done: what was refused for a reason that holds for all calls is over. */
  proved(): void {
    for (const [script, { words, at }] of this.#refusals) {
      const isAboutRights = /NOPERM|permission/i.test(words);
      if (!isAboutRights || performance.now() - at >= rightsMs) this.#refusals.delete(script);
    }
    const health = this.now();
    if (this.#reported === undefined || !health.ok) return;
    this.#reported = undefined;
    this.#onHealth(health);
  }

  /** Nothing is reported from now on. */
  close(): void {
    this.#closed = true;
  }

  #refused(): string | undefined {
    return [...this.#refusals.values()].at(-1)?.words ?? this.#silence;
  }
}

/** Without what Redis adds for the authors of scripts. */
function redisWords(error: unknown): string {
  return wordsOf(error).replace(/,? script: [0-9a-f]{40}.*$/s, '');
}
