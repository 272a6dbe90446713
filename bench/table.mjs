/** Results as text: for the terminal, one line for each row and peer; for the documentation, one line for each row. */
import { change, ratio } from './statistics.mjs';

/** What a unit's processor time is told in. */
const costs = { 'req/s': 'ms', 'MB/s': 's/GB', 'images/s': 'ms' };
/** Units of which less is better. */
const fewer = new Set(['ms', 'MB']);

/**
 * As many digits as are worth reading.
 * @param {number | undefined} value
 */
export function number(value) {
  if (value === undefined || Number.isNaN(value)) return '';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

const small = (value) => (value === undefined ? '' : value.toFixed(3));
const percent = (part) => (part === undefined ? '' : `${(part * 100).toFixed(0)} %`);

/**
 * Columns that stand below each other: the first two to the left, the others to the right.
 * @param {readonly (readonly string[])[]} lines
 */
export function aligned(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  const pad = (cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]));
  return lines.map((cells) => cells.map(pad).join('  ').trimEnd()).join('\n');
}

/**
 * Every row and peer of a run, with its share of the bare registry's figure.
 * @param {{ rows: readonly any[] }} results
 */
export function printed({ rows }) {
  const lines = [['row', 'peer', 'median', 'min', 'max', 'unit', '× registry', 'p50 ms', 'CPU', 'helpers', '', 'busy']];
  for (const { name, unit, peers } of rows) {
    let shown = name;
    for (const [peer, figures] of Object.entries(peers)) {
      if (figures.problem === undefined) {
        const { value, min, max, p50, cpu, helpers, busy } = figures;
        const beside = number(ratio(value, peers.registry?.value));
        const cost = [small(cpu), small(helpers), cpu === undefined ? '' : costs[unit]];
        lines.push([
          shown,
          peer,
          number(value),
          number(min),
          number(max),
          unit,
          beside,
          number(p50),
          ...cost,
          percent(busy),
        ]);
      } else lines.push([shown, peer, 'invalid', ...Array.from({ length: 9 }, () => '')]);
      shown = '';
    }
  }
  const problems = rows.flatMap(({ name, peers }) =>
    Object.entries(peers)
      .filter(([, { problem }]) => problem !== undefined)
      .map(([peer, { problem }]) => `invalid: ${name} of ${peer}: ${problem}`),
  );
  return [aligned(lines), ...problems].join('\n');
}

/**
 * The targets with what was measured.
 * @param {readonly { text: string, goal: string, value: string, spread: string, verdict: string }[]} targets
 */
export function printedTargets(targets) {
  const lines = targets.map(({ text, goal, value, spread, verdict }) => [text, verdict, goal, value, spread]);
  return aligned([['target', '', 'goal', 'measured', 'spread'], ...lines]);
}

/**
 * Each peer `x@label` beside `x`. Empty when there is none.
 * @param {{ rows: readonly any[] }} results
 * @param {string} label
 */
export function printedChanges({ rows }, label) {
  const lines = [['row', 'peer', 'now', label, 'ratio', 'A/A', '', 'CPU', 'CPU then']];
  for (const { name, unit, peers } of rows) {
    for (const [peer, now] of Object.entries(peers)) {
      const then = peers[`${peer}@${label}`];
      if (now.value === undefined || then?.value === undefined) continue;
      const again = ratio(now.value, peers[`${peer}@again`]?.value);
      const spread = again === undefined ? undefined : again - 1;
      const word = change(now, then, { spread, isMoreBetter: !fewer.has(unit) });
      const factor = (now.value / then.value).toFixed(3);
      lines.push([
        name,
        peer,
        number(now.value),
        number(then.value),
        factor,
        again?.toFixed(3) ?? '',
        word,
        small(now.cpu),
        small(then.cpu),
      ]);
    }
  }
  return lines.length === 1 ? '' : aligned(lines);
}

const markdown = (lines) => {
  const [head, ...rest] = lines.map((cells) => `| ${cells.join(' | ')} |`);
  return [head, `|${' --- |'.repeat(lines[0].length)}`, ...rest].join('\n');
};

/**
 * The table of the documentation: median, in brackets least and greatest, then processor time.
 * @param {{ rows: readonly any[] }} results
 */
export function documented({ rows }) {
  const names = [...new Set(rows.flatMap(({ peers }) => Object.keys(peers)))].filter((name) => !name.includes('@'));
  const cell = (figures, unit) => {
    if (figures === undefined) return '';
    if (figures.problem !== undefined) return 'invalid';
    const { value, min, max, cpu } = figures;
    const cost = cpu === undefined ? '' : `; ${cpu.toFixed(cpu < 0.1 ? 3 : 2)} ${costs[unit]}`;
    return `${number(value)} [${number(min)}–${number(max)}]${cost}`;
  };
  const lines = rows.map(({ about, unit, peers }) => [
    `${about}, ${unit}`,
    ...names.map((name) => cell(peers[name], unit)),
  ]);
  return markdown([['', ...names], ...lines]);
}

/**
 * The table of targets for the documentation.
 * @param {readonly { text: string, goal: string, value: string, spread: string, verdict: string }[]} targets
 */
export function documentedTargets(targets) {
  const lines = targets.map(({ text, goal, value, spread, verdict }) => [text, goal, value, spread, verdict]);
  return markdown([['target', 'goal', 'measured', 'A/A', ''], ...lines]);
}
