/** Rates as a policy file writes them: `100/6h` is a hundred in six hours. */
import { formatDuration, unitSeconds } from '../time.ts';

export interface Rate {
  readonly amount: number;
  readonly seconds: number;
}

const words: readonly (readonly [seconds: number, word: string])[] = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];

/** Beyond these a limit limits nothing, or nobody lives to see its end: surely not meant. */
export const maxAmount = 1_000_000;
const maxSeconds = 31 * 86_400;

/** An amount from 1 to a million in a period of up to 31 days; otherwise why not, in words that name what to write. */
export function parseRate(text: string): Rate | { readonly problem: string } {
  const [, amountText, , count, unit] = /^([0-9]+) ?(\/|per) ?([0-9]*)([a-z]+)$/.exec(text.trim()) ?? [];
  const size = unitSeconds[unit ?? ''];
  if (amountText === undefined || size === undefined) {
    return { problem: `"${text}" is not a rate; expected an amount and a period as in 100/6h, with s, m, h or d` };
  }
  if (count === '' || !text.includes('/') || text.includes(' ')) {
    return { problem: `"${text}" is not a rate; write ${amountText}/${count === '' ? '1' : (count ?? '1')}${unit}` };
  }
  const [amount, seconds] = [Number(amountText), Number(count) * size];
  if (amount < 1) return { problem: 'a rate of nothing would refuse every request; that is what a deny rule is for' };
  if (seconds < 1) return { problem: 'the period of a rate is at least one second' };
  if (amount > maxAmount) return { problem: `the amount of a rate is at most ${maxAmount}` };
  if (seconds > maxSeconds) return { problem: 'the period of a rate is at most 31d' };
  return { amount, seconds };
}

/** As a policy file writes it: `100/6h`. */
export function formatRate({ amount, seconds }: Rate): string {
  return `${amount}/${formatDuration(seconds)}`;
}

/** `100 per 6 hours`, `60 per minute`. */
export function describeRate({ amount, seconds }: Rate): string {
  return `${amount} per ${describePeriod(seconds)}`;
}

function describePeriod(seconds: number): string {
  const [size, word] = words.find(([each]) => seconds % each === 0) ?? [1, 'second'];
  const count = seconds / size;
  return count === 1 ? word : `${count} ${word}s`;
}

/** `3 minutes 36 seconds`: the two largest units, rounded up in the smaller. For waits, in whole seconds of at least 1. */
export function describeWait(seconds: number): string {
  const whole = Math.max(1, Math.ceil(seconds));
  const at = words.findIndex(([size]) => whole >= size);
  const [large, largeWord] = words[at] ?? [1, 'second'];
  const [small, smallWord] = words[at + 1] ?? [1, ''];
  const rest = Math.ceil((whole % large) / small);
  const first = Math.floor(whole / large);
  if (rest * small === large) return describeWait((first + 1) * large);
  const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
  return rest === 0 ? counted(first, largeWord) : `${counted(first, largeWord)} ${counted(rest, smallWord)}`;
}
