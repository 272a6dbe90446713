/** Instants as numbers that tell their unit: one in milliseconds is never taken for one in seconds. Of their types nothing is left at run time. */

declare const unit: unique symbol;

/** Milliseconds since 1970. A plain number may stand for it, an `EpochSeconds` may not. */
export type EpochMs = number & { readonly [unit]?: 'ms' };

/** Whole seconds since 1970, as tokens have them. A plain number may stand for it, an `EpochMs` may not. */
export type EpochSeconds = number & { readonly [unit]?: 's' };

/** The last whole second of an instant. */
export function inSeconds(instant: EpochMs): EpochSeconds {
  return Math.floor(instant / 1000);
}

/** The instant in milliseconds; nothing is lost. */
export function inMilliseconds(instant: EpochSeconds): EpochMs {
  return instant * 1000;
}

/** The last instant that a date can be of. */
const lastInstant: EpochMs = 8_640_000_000_000_000;

/** What was written down as an instant. undefined for what is none: compared with any, it would be neither before nor after. */
export function readInstant(text: unknown): EpochMs | undefined {
  const instant = typeof text === 'string' && text.trim() !== '' ? Number(text) : text;
  return typeof instant === 'number' && instant >= 0 && instant <= lastInstant ? instant : undefined;
}
