/** Medians, what they come to beside each other, and whether a target holds. Values in, values out. */

/**
 * The middle of the values, the mean of both middles of an even number; NaN of none.
 * @param {readonly number[]} values
 */
export function median(values) {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The value below which `part` (0 to 1) of the values lie; NaN of none.
 * @param {readonly number[]} values
 * @param {number} part
 */
export function percentile(values, part) {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

/**
 * What the rounds of one row and peer come to: the median of every figure, and the least and greatest `value`.
 * @param {readonly Record<string, number>[]} rounds
 */
export function summarise(rounds) {
  const values = rounds.map(({ value }) => value);
  const medians = Object.keys(rounds[0] ?? {}).map((key) => [key, median(rounds.map((round) => round[key]))]);
  return { ...Object.fromEntries(medians), min: Math.min(...values), max: Math.max(...values), rounds };
}

/**
 * `one` as a multiple of `other`; undefined when either is missing.
 * @param {number | undefined} one
 * @param {number | undefined} other
 */
export function ratio(one, other) {
  return one === undefined || other === undefined || other === 0 ? undefined : one / other;
}

/**
 * `one` less `other`; undefined when either is missing.
 * @param {number | undefined} one
 * @param {number | undefined} other
 */
export function difference(one, other) {
  return one === undefined || other === undefined ? undefined : one - other;
}

/**
 * Whether a figure reaches its goal when the same build, measured twice, differs by `spread`. A spread of more than half the
 * goal tells nothing of a figure that does not reach it by itself.
 * @param {{ value: number, goal: number, isAtLeast: boolean, spread?: number | undefined }} measured
 */
export function verdict({ value, goal, isAtLeast, spread = 0 }) {
  const reaches = (allowed) => (isAtLeast ? value + allowed >= goal : value - allowed <= goal);
  if (reaches(0)) return 'holds';
  if (!reaches(spread)) return 'does not hold';
  return spread > goal / 2 ? 'cannot be told' : 'holds';
}

/**
 * How a build stands beside another: the same where they differ by no more than the same build measured twice, or, when
 * that was not measured, where the rounds of one overlap those of the other.
 * @param {{ value: number, min: number, max: number }} now
 * @param {{ value: number, min: number, max: number }} then
 * @param {{ spread?: number | undefined, isMoreBetter: boolean }} how
 */
export function change(now, then, { spread, isMoreBetter }) {
  const factor = now.value / then.value;
  const isSame =
    spread === undefined ? now.min <= then.max && then.min <= now.max : Math.abs(factor - 1) <= Math.abs(spread);
  if (isSame) return 'same';
  return factor > 1 === isMoreBetter ? 'better' : 'worse';
}
