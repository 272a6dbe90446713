import { expect, describe, test } from 'vitest';
import { readOptions } from '../bench/options.mjs';
import { change, median, percentile, ratio, summarise, verdict } from '../bench/statistics.mjs';
import { aligned, documented, number, printed, printedChanges } from '../bench/table.mjs';
import { judged } from '../bench/targets.mjs';
import { run } from './support/programs.ts';
import { projectDir } from './support/trial.ts';

const figures = (value: number, more: object = {}): object => ({ value, min: value, max: value, ...more });
const rows = [
  {
    name: 'manifest',
    about: 'manifest by tag',
    unit: 'req/s',
    peers: {
      registry: figures(1000, { cpu: 1.1 }),
      pipe: figures(1500, { cpu: 0.3 }),
      gateway: figures(14_500, { cpu: 0.07 }),
      'gateway@again': figures(15_500, { cpu: 0.07 }),
      'gateway@HEAD~1': figures(900, { cpu: 0.6 }),
      'gateway-redis': { problem: '500 of 500 replies have an error status, 200 expected' },
    },
  },
  { name: 'start', about: 'exec to first answer', unit: 'ms', peers: { gateway: figures(380) } },
];

describe('figures', () => {
  test.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[7], 7],
    [[], NaN],
  ])('the median of %j is %d', (values, middle) => {
    expect(median(values)).toBe(middle);
  });

  test('of rounds are medians, the least and the greatest', () => {
    const rounds = [1, 9, 2].map((value) => ({ value, cpu: value * 2 }));
    expect(summarise(rounds)).toEqual({ value: 2, cpu: 4, min: 1, max: 9, rounds });
  });

  test('below which half of the values lie', () => expect(percentile([5, 1, 4, 2, 3], 0.5)).toBe(3));

  test('have no ratio to what was not measured', () => {
    expect(ratio(3, 2)).toBe(1.5);
    expect(ratio(3, undefined)).toBeUndefined();
    expect(ratio(undefined, 2)).toBeUndefined();
    expect(ratio(3, 0)).toBeUndefined();
  });
});

describe('a target', () => {
  test.each([
    [{ value: 15, goal: 15, isAtLeast: true }, 'holds'],
    [{ value: 14.5, goal: 15, isAtLeast: true }, 'does not hold'],
    [{ value: 14.5, goal: 15, isAtLeast: true, spread: 1 }, 'holds'],
    [{ value: 0.16, goal: 0.15, isAtLeast: false }, 'does not hold'],
    [{ value: 0.16, goal: 0.15, isAtLeast: false, spread: 0.02 }, 'holds'],
    [{ value: 0.16, goal: 0.15, isAtLeast: false, spread: 0.1 }, 'cannot be told'],
    [{ value: 0.14, goal: 0.15, isAtLeast: false, spread: 0.1 }, 'holds'],
  ])('with %j %s', (measured, expected) => expect(verdict(measured)).toBe(expected));

  test('holds within what the same build differs from itself', () => {
    const [manifest] = judged({ rows }, { nodeLine: 24 });
    expect(manifest).toMatchObject({ goal: '≥ 15.0 ×', value: '14.5 ×', spread: '1.00 ×', verdict: 'holds' });
  });

  test('is another on older lines of Node where one is set', () => {
    const start = (nodeLine: number): string | undefined =>
      judged({ rows }, { nodeLine }).find(({ text }) => text === 'exec to first answer')?.verdict;
    expect(start(20)).toBe('holds');
    expect(start(24)).toBe('does not hold');
  });

  test('is left out when its row or peer was not measured, or was wrong', () => {
    expect(judged({ rows }, { nodeLine: 24 }).map(({ text }) => text)).toEqual([
      'hot manifest by tag, of the bare registry',
      'exec to first answer',
    ]);
  });
});

describe('another build', () => {
  const now = { value: 110, min: 105, max: 115 };
  const then = { value: 100, min: 95, max: 102 };
  test.each([
    [now, then, { isMoreBetter: true }, 'better'],
    [now, then, { isMoreBetter: false }, 'worse'],
    [then, now, { isMoreBetter: true }, 'worse'],
    [now, { ...then, max: 106 }, { isMoreBetter: true }, 'same'],
    [now, then, { isMoreBetter: true, spread: -0.12 }, 'same'],
    [now, then, { isMoreBetter: true, spread: 0.02 }, 'better'],
  ])('%j beside %j, %j: %s', (one, other, how, expected) => expect(change(one, other, how)).toBe(expected));

  test('has a line of its own', () => {
    expect(printedChanges({ rows }, 'HEAD~1')).toMatch(
      /manifest +gateway +14,500 +900 +16\.111 +0\.935 +better +0\.070 +0\.600/,
    );
    expect(printedChanges({ rows }, 'HEAD~2')).toBe('');
  });
});

describe('the table', () => {
  test.each([
    [12_345.6, '12,346'],
    [45.67, '45.7'],
    [0.126, '0.13'],
    [undefined, ''],
    [NaN, ''],
  ])('shows %d as "%s"', (value, text) => expect(number(value)).toBe(text));

  test('has columns below each other', () => {
    expect(
      aligned([
        ['a', 'b', '1'],
        ['long', 'b', '100'],
      ]),
    ).toBe('a     b    1\nlong  b  100');
  });

  test('names what was wrong instead of a figure', () => {
    const text = printed({ rows });
    expect(text).toMatch(/^manifest +registry +1,000 +1,000 +1,000 +req\/s +1\.00/m);
    expect(text).toMatch(/^ +gateway-redis +invalid$/m);
    expect(text).toContain('invalid: manifest of gateway-redis: 500 of 500 replies have an error status');
  });

  test('of the documentation has a column for each peer, without second builds', () => {
    const [head, , manifest] = documented({ rows }).split('\n');
    expect(head).toBe('|  | registry | pipe | gateway | gateway-redis |');
    expect(manifest).toContain('| 14,500 [14,500–14,500]; 0.070 ms | invalid |');
  });
});

describe('npm run bench', () => {
  const known = { rows: ['manifest', 'digest', 'start'], peers: ['registry', 'gateway'] };

  test('measures everything when nothing is chosen', () => {
    expect(readOptions([], known)).toMatchObject({ ok: true, options: { ...known, rounds: 5, seconds: 1 } });
    expect(readOptions(['--rows', 'start,digest', '--rounds', '3'], known)).toMatchObject({
      options: { rows: ['start', 'digest'], rounds: 3 },
    });
  });

  test.each([
    [['--rows', 'manifests'], '"manifests" is none of the rows: manifest, digest, start'],
    [['--peers', 'gateway,zot'], '"zot" is none of the peers: registry, gateway'],
    [['--rounds', '0'], '--rounds is a whole number from 1'],
    [['--seconds', 'x'], '--seconds is more than 0 and at most 30'],
    [['--fast'], "Unknown option '--fast'"],
  ])('says what is wrong with %j', (args, message) => {
    const reading = readOptions(args, known);
    expect(reading).toMatchObject({ ok: false });
    expect(reading.message).toContain(message);
  });

  test('explains itself, with examples, rows and peers', async () => {
    const help = await run(process.execPath, ['bench/run.mjs', '--help'], { cwd: projectDir });
    expect(help.code, help.stderr).toBe(0);
    for (const word of ['npm run bench -- --quick --aa', '--compare REF', 'pull-100m', 'nginx-auth'])
      expect(help.stdout).toContain(word);
  });
});
