/**
 * Where a list goes on that a client may not be told in plain: behind a name that its reader may not see, or where only the
 * registry understands (its own `Link`). Sealed for the list and the reader that it was made for: in a list of one's own
 * names, one could search for the place of a hidden name of another.
 */
import type { Clock, KeyRing } from '../ports.ts';
import { createSeals } from './seals.ts';
import { type EpochSeconds, inSeconds } from '../time.ts';

export type ListCursors = ReturnType<typeof createListCursors>;

const maxCursorSeconds = 3600;

/** Bytes; names are at most 255, so that all look the same. */
const step = 256;

/** `list`: words that name the list and its reader. `upstream`: the registry's URL, of which no cursor is taken to another. */
export function createListCursors(keys: KeyRing, clock: Clock = Date.now, upstream = '') {
  const seals = createSeals(keys, 'portcullis list cursor');
  const nowSeconds = (): EpochSeconds => inSeconds(clock());
  return {
    /** Printable without escapes; different each time. */
    seal: (list: readonly string[], place: string) =>
      seals.seal([upstream, ...list], place.padEnd(Math.ceil(place.length / step) * step), nowSeconds()),
    /** What was sealed for the same list by any live key within the last hour; undefined for anything else. */
    open(list: readonly string[], cursor: string): string | undefined {
      const opened = seals.open([upstream, ...list], cursor);
      const isLive = opened !== undefined && Math.abs(nowSeconds() - opened.sealedAt) <= maxCursorSeconds;
      return isLive ? opened.text.trimEnd() : undefined;
    },
  };
}
