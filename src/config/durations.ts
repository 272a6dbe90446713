/** Times in settings. */
import { refuse, type Parsed } from '../document/parsed.ts';

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

interface Bounds {
  readonly minSeconds: number;
  readonly maxSeconds: number;
}

/** `30s`, `15m`, `6h`, `30d` as seconds. Whole numbers with one unit only; `0` needs none. */
export function parseDuration(text: string, bounds: Bounds): Parsed<number> {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text === '0' ? '0s' : text) ?? [];
  const secondsInUnit = unit === undefined ? undefined : unitSeconds[unit];
  if (count === undefined || secondsInUnit === undefined) {
    const fix = /^\d{1,9}$/.test(text) ? `write ${text}s for seconds` : 'write for example 30s, 15m, 6h or 30d';
    return refuse('expected a duration: a whole number and one of s, m, h, d', fix);
  }
  const seconds = Number(count) * secondsInUnit;
  if (seconds < bounds.minSeconds) return refuse(`must be at least ${formatDuration(bounds.minSeconds)}`);
  if (seconds > bounds.maxSeconds) return refuse(`must be at most ${formatDuration(bounds.maxSeconds)}`);
  return { ok: true, value: seconds };
}

/** The shortest exact form: 5400 is `90m`. */
export function formatDuration(seconds: number): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    const size = unitSeconds[unit] ?? 1;
    if (seconds >= size && seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return `${seconds}s`;
}
