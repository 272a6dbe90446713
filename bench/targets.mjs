/** What the gateway is to reach, as multiples of its peers in the same run. Set for Node 24; older lines have their own where given. */
import { difference, ratio, verdict } from './statistics.mjs';
import { number } from './table.mjs';

/** @typedef {(row: string, peer: string, figure?: string) => number | undefined} Figures */

/** A rate as a multiple of the bare registry's. */
const timesRegistry = (row, peer, other = row) => ({
  unit: '×',
  of: (at, twin) => ratio(at(row, peer + twin), at(other, 'registry')),
});
/** A figure by itself. */
const plain = (row, unit, peer = 'gateway', figure = 'value') => ({
  unit,
  of: (at, twin) => at(row, peer + twin, figure),
});

/** @type {readonly { text: string, least?: number, most?: number, old?: number, unit: string, of: (at: Figures, twin: string) => number | undefined }[]} */
const goals = [
  { text: 'hot manifest by tag, of the bare registry', least: 15, old: 8, ...timesRegistry('manifest', 'gateway') },
  { text: 'hot manifest by digest, of the bare registry', least: 15, old: 8, ...timesRegistry('digest', 'gateway') },
  { text: 'the same with limits', least: 10, ...timesRegistry('limits', 'gateway', 'manifest') },
  { text: 'the same with Redis', least: 8, ...timesRegistry('manifest', 'gateway-redis') },
  { text: 'hot small blob, of the bare registry', least: 15, ...timesRegistry('blob', 'gateway') },
  { text: 'refused, of the bare manifest', least: 15, ...timesRegistry('refused', 'gateway', 'manifest') },
  { text: '64 clients pull an image, of the bare registry', least: 1, ...timesRegistry('storm', 'gateway') },
  { text: 'the same with layers in memory', least: 1, ...timesRegistry('storm', 'gateway-layers') },
  {
    text: "the registry's CPU per image, of its CPU alone",
    most: 0.5,
    unit: '×',
    of: (at, twin) => ratio(at('storm', `gateway${twin}`, 'helpers'), at('storm', 'registry', 'cpu')),
  },
  {
    text: 'the same with layers in memory',
    most: 0.5,
    unit: '×',
    of: (at, twin) => ratio(at('storm', `gateway-layers${twin}`, 'helpers'), at('storm', 'registry', 'cpu')),
  },
  {
    text: 'uncached manifest, CPU above a plain pipe',
    most: 0.15,
    unit: 'ms',
    of: (at, twin) => difference(at('manifest', `gateway-uncached${twin}`, 'cpu'), at('manifest', 'pipe', 'cpu')),
  },
  {
    text: 'uncached at one connection, p50 above the bare registry',
    most: 0.2,
    unit: 'ms',
    of: (at, twin) => difference(at('one', `gateway-uncached${twin}`, 'p50'), at('one', 'registry', 'p50')),
  },
  {
    text: '100 MB pull, of nginx without auth',
    least: 1,
    unit: '×',
    of: (at, twin) => ratio(at('pull-100m', `gateway${twin}`), at('pull-100m', 'nginx')),
  },
  { text: '100 MB pull, CPU', most: 0.6, ...plain('pull-100m', 's/GB', 'gateway', 'cpu') },
  { text: 'exec to first answer', most: 300, old: 400, ...plain('start', 'ms') },
  { text: 'exec to first answer with Redis', most: 350, ...plain('start', 'ms', 'gateway-redis') },
  { text: 'idle memory', most: 90, ...plain('idle', 'MB') },
  { text: 'memory under 64 clients', most: 170, ...plain('memory-64', 'MB') },
  { text: 'memory with 10,000 rules', most: 200, ...plain('memory-rules', 'MB') },
];

/**
 * The targets whose rows and peers were measured, as text. The spread is how far the same figure of the same build, measured
 * twice in the run (`x@again`), lies apart.
 * @param {{ rows: readonly any[] }} results
 * @param {{ nodeLine: number }} run
 */
export function judged({ rows }, { nodeLine }) {
  /** @type {Figures} */
  const at = (row, peer, figure = 'value') => rows.find(({ name }) => name === row)?.peers[peer]?.[figure];
  return goals.flatMap(({ text, least, most, old, unit, of }) => {
    const value = of(at, '');
    if (value === undefined) return [];
    const twin = of(at, '@again');
    const spread = twin === undefined ? undefined : Math.abs(value - twin);
    const isAtLeast = least !== undefined;
    const goal = (nodeLine < 24 ? old : undefined) ?? (isAtLeast ? least : most);
    const told = (figure) => `${number(figure)} ${unit}`;
    return [
      {
        text,
        goal: `${isAtLeast ? '≥' : '≤'} ${told(goal)}`,
        value: told(value),
        spread: spread === undefined ? '' : told(spread),
        verdict: verdict({ value, goal, isAtLeast, spread }),
      },
    ];
  });
}
