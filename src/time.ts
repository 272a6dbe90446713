/** Instants as numbers that tell their unit: one in milliseconds is never taken for one in seconds; times as people write them; and waits that end. */

declare const unit: unique symbol;

/** Milliseconds since 1970. Of this type nothing is left at run time: a plain number may stand for it, an `EpochSeconds` may not. */
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

/** Seconds of the units that times are written in. */
export const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `30s`, `15m`, `6h`, `30d` as seconds: one whole number of at most nine digits, one unit. undefined for anything else. */
export function readDuration(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * (unitSeconds[unit] ?? 1);
}

/** The shortest exact form: 5400 is `90m`. */
export function formatDuration(seconds: number): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    const size = unitSeconds[unit] ?? 1;
    if (seconds >= size && seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return `${seconds}s`;
}

/** What stands in files must look so; whether there is such a day is `parseInstant`'s to say. */
export const instantShape = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** `2027-01-31` (midnight UTC) or `2026-12-24T00:00:00Z`; undefined for anything else, and for days that no calendar has. */
export function parseInstant(text: string): EpochMs | undefined {
  if (!instantShape.test(text)) return undefined;
  const milliseconds = Date.parse(text);
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
  // Date.parse rolls 2027-02-30 over into March.
  const date = new Date(Date.UTC(year, month - 1, day));
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isReal && !Number.isNaN(milliseconds) ? milliseconds : undefined;
}

/** Where a question about the past begins: `24h` ago, or at an instant, as exact as logs write it. undefined for anything else. */
export function parseSince(text: string, now: EpochMs): EpochMs | undefined {
  const ago = text === '0' ? 0 : readDuration(text);
  if (ago !== undefined) return Math.max(0, now - ago * 1000);
  const whole = text.replace(/(?<=T\d\d:\d\d:\d\d)\.\d{1,9}(?=Z|[+-])/, '');
  return parseInstant(whole) === undefined ? undefined : Date.parse(text);
}

/** What `work` comes to, or `late` where that takes longer than `ms` milliseconds: then nobody waits for it, and its failure is no one's. */
export async function within<T, Late>(ms: number, work: Promise<T>, late: Late): Promise<T | Late> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<Late>((resolve) => (timer = setTimeout(resolve, ms, late)));
  try {
    return await Promise.race([work, end]);
  } finally {
    clearTimeout(timer);
  }
}
