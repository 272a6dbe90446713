/** Instants as numbers that tell their unit: one in milliseconds is never taken for one in seconds. Nothing of it is left at run time. */

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
