/**
 * A login that the browser takes elsewhere: what must be there when it comes back, in a cookie that only a gateway can read.
 * It opens with the `state` that comes back, so that the answer to one login is not taken for that of another, and once.
 */
import type { Clock, KeyRing } from '../ports.ts';
import { createSeals } from './seals.ts';
import { inSeconds } from '../time.ts';

export interface PendingLogin {
  readonly nonce: string;
  readonly verifier: string;
  /** Where the browser goes then. */
  readonly next: string;
}

export type PendingLogins = ReturnType<typeof createPendingLogins>;

/** For a login with everything that a person may have to look for. */
export const maxPendingSeconds = 600;
const maxUsed = 10_000;

/** `provider`: words that name it, of which no login is taken to another. */
export function createPendingLogins(keys: KeyRing, clock: Clock, provider: readonly string[]) {
  const seals = createSeals(keys, 'portcullis pending login');
  /** States that came back, oldest first. Another gateway may not know them; the provider takes no code twice. */
  const used = new Map<string, number>();

  function isFirst(state: string, now: number): boolean {
    for (const [each, at] of used) {
      if (now - at < maxPendingSeconds && used.size < maxUsed) break;
      used.delete(each);
    }
    if (used.has(state)) return false;
    used.set(state, now);
    return true;
  }

  return {
    /** Printable without escapes; different each time. */
    seal: (state: string, { nonce, verifier, next }: PendingLogin): string =>
      seals.seal([...provider, state], JSON.stringify([nonce, verifier, next]), inSeconds(clock())),
    /** What was sealed for this state within ten minutes, unless it was taken before. */
    take(state: string, sealed: string): PendingLogin | undefined {
      const now = inSeconds(clock());
      const opened = seals.open([...provider, state], sealed);
      if (opened === undefined || Math.abs(now - opened.sealedAt) > maxPendingSeconds) return undefined;
      const [nonce, verifier, next] = JSON.parse(opened.text) as readonly [string, string, string];
      return isFirst(state, now) ? { nonce, verifier, next } : undefined;
    },
  };
}
