import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { createMetrics } from '../../src/gateway/metrics.ts';

const samplesOf = (text: string): readonly string[] =>
  text.split('\n').filter((line) => line !== '' && line[0] !== '#');

describe('a histogram', () => {
  const withTimes = () => {
    const metrics = createMetrics();
    return { metrics, observe: metrics.histogram<[route: string]>('times', 'Times.', ['route'], [0.1, 1, 10]) };
  };

  test('says with each bound how many were at most that, then all, their sum and their number', () => {
    const { metrics, observe } = withTimes();
    for (const seconds of [0.05, 0.1, 0.25, 1.5, 11, 400]) observe(['blob'], seconds);
    expect(metrics.render()).toBe(
      [
        '# HELP times Times.',
        '# TYPE times histogram',
        'times_bucket{route="blob",le="0.1"} 2',
        'times_bucket{route="blob",le="1"} 3',
        'times_bucket{route="blob",le="10"} 4',
        'times_bucket{route="blob",le="+Inf"} 6',
        'times_sum{route="blob"} 412.9',
        'times_count{route="blob"} 6',
        '',
      ].join('\n'),
    );
  });

  test('without labels is there before anything happened, and has no empty braces', () => {
    const metrics = createMetrics();
    metrics.histogram<[]>('waits', 'Waits.', [], [1]);
    expect(samplesOf(metrics.render())).toEqual([
      'waits_bucket{le="1"} 0',
      'waits_bucket{le="+Inf"} 0',
      'waits_sum 0',
      'waits_count 0',
    ]);
  });

  test('never falls from one bound to the next, and ends in its number, whatever is observed', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 100, noNaN: true })), (observed) => {
        const { metrics, observe } = withTimes();
        for (const seconds of observed) observe(['blob'], seconds);
        const lines = samplesOf(metrics.render());
        const counts = lines.filter((line) => line.includes('_bucket')).map((line) => Number(line.split(' ')[1]));
        expect(counts).toEqual(counts.toSorted((left, right) => left - right));
        expect(counts.at(-1) ?? 0).toBe(observed.length);
        for (const [at, most] of [0.1, 1, 10].entries())
          expect(counts[at] ?? 0).toBe(observed.filter((seconds) => seconds <= most).length);
      }),
    );
  });
});

describe('a counter', () => {
  test('adds what it is told, one by default, for each of its labels', () => {
    const metrics = createMetrics();
    const count = metrics.counter<[kind: string, result: string]>('reads_total', 'Reads.', ['kind', 'result']);
    count(['blob', 'hit']);
    count(['blob', 'hit'], 41);
    count(['blob', 'miss']);
    expect(samplesOf(metrics.render())).toEqual([
      'reads_total{kind="blob",result="hit"} 42',
      'reads_total{kind="blob",result="miss"} 1',
    ]);
  });

  test('forgets what is not to be kept, which begins at zero if it comes again', () => {
    const metrics = createMetrics();
    let kept = ['a', 'b'];
    const count = metrics.counter<[gate: string, result: string]>('gates_total', 'Gates.', ['gate', 'result'], {
      isKept: ([gate = '']) => kept.includes(gate),
    });
    for (const gate of ['a', 'a', 'b']) count([gate, 'refused']);
    expect(samplesOf(metrics.render())).toHaveLength(2);
    kept = ['a'];
    expect(samplesOf(metrics.render())).toEqual(['gates_total{gate="a",result="refused"} 2']);
    kept = ['a', 'b'];
    for (const gate of ['a', 'b']) count([gate, 'refused']);
    expect(samplesOf(metrics.render())).toEqual([
      'gates_total{gate="a",result="refused"} 3',
      'gates_total{gate="b",result="refused"} 1',
    ]);
  });

  test('tells values apart whatever they consist of, and escapes them', () => {
    const metrics = createMetrics();
    const count = metrics.counter<[a: string, b: string]>('odd_total', 'A \\ and\na line.', ['a', 'b']);
    count(['x\ny', 'z']);
    count(['x', 'y\nz']);
    count(['x"', '\\n']);
    expect(metrics.render()).toContain('# HELP odd_total A \\\\ and\\na line.\n');
    expect(samplesOf(metrics.render())).toEqual([
      'odd_total{a="x",b="y\\nz"} 1',
      'odd_total{a="x\\"",b="\\\\n"} 1',
      'odd_total{a="x\\ny",b="z"} 1',
    ]);
  });

  test('has a bound on its series: what somebody makes up beyond it counts as one, and nothing is lost', () => {
    const metrics = createMetrics();
    const count = metrics.counter<[a: string, b: string]>('hostile_total', 'Hostile.', ['a', 'b']);
    for (let n = 0; n < 10_000; n++) count([`name ${n}`, `${n % 3}`]);
    count(['name 1', '1']);
    const lines = samplesOf(metrics.render());
    expect(lines).toHaveLength(201);
    expect(lines).toContain('hostile_total{a="other",b="other"} 9800');
    expect(lines).toContain('hostile_total{a="name 1",b="1"} 2');
  });
});

test('gauges with labels are those of now, and bounded in number', () => {
  const metrics = createMetrics();
  let now: (readonly [[string], number])[] = [];
  metrics.gauges<[source: string]>('up', 'Up.', ['source'], () => now);
  expect(metrics.render()).toBe('# HELP up Up.\n# TYPE up gauge\n');
  now = [
    [['a"b'], 1],
    [['c'], 0],
  ];
  expect(samplesOf(metrics.render())).toEqual(['up{source="a\\"b"} 1', 'up{source="c"} 0']);
  now = Array.from({ length: 500 }, (_, index) => [[`s${index}`], 1]);
  expect(samplesOf(metrics.render())).toHaveLength(20);
});

test('what has no room of its own is told apart by what the metric says, and forgotten series make room', () => {
  const metrics = createMetrics();
  let isKept = true;
  const count = metrics.counter<[route: string, code: string]>('answers_total', 'Answers.', ['route', 'code'], {
    most: 2,
    spare: { most: 5, of: ([, code]) => ['other', `${code.slice(0, 1)}xx`] },
    isKept: () => isKept,
  });
  for (const [route, code] of [
    ['a', '200'],
    ['b', '200'],
    ['c', '200'],
    ['d', '404'],
    ['a', '503'],
    ['a', '200'],
  ] as const)
    count([route, code]);
  const spared = ['2xx', '4xx', '5xx'].map((code) => `answers_total{route="other",code="${code}"} 1`);
  expect(samplesOf(metrics.render())).toEqual([
    'answers_total{route="a",code="200"} 2',
    'answers_total{route="b",code="200"} 1',
    ...spared,
  ]);
  isKept = false;
  expect(samplesOf(metrics.render())).toEqual(spared);
  count(['z', '200']);
  isKept = true;
  expect(samplesOf(metrics.render())).toEqual([...spared, 'answers_total{route="z",code="200"} 1']);
});

test('all metrics together have at most 1,500 lines, and those that came last still count', () => {
  const metrics = createMetrics();
  const counts = Array.from({ length: 10 }, (_, index) =>
    metrics.histogram<[name: string]>(`h${index}`, 'Hostile.', ['name'], [1, 2, 3]),
  );
  for (const count of counts) for (let n = 0; n < 1000; n++) count([`${n}`], n % 4);
  const lines = samplesOf(metrics.render());
  expect(lines.length).toBeLessThanOrEqual(1500);
  expect(lines.length).toBeGreaterThan(1400);
  expect(lines).toContain('h9_count{name="other"} 1000');
});

test('a summary has its quantiles, their sum and their number; what is not known has no line', () => {
  const metrics = createMetrics();
  metrics.summary('late_seconds', 'Late.', 2, () => ({
    quantiles: [
      ['0.5', 0.1],
      ['0.99', 2],
    ],
    sum: 12,
    count: 30,
  }));
  metrics.gauge('age_seconds', 'Age.', () => undefined);
  expect(metrics.render()).toBe(
    [
      '# HELP late_seconds Late.',
      '# TYPE late_seconds summary',
      'late_seconds{quantile="0.5"} 0.1',
      'late_seconds{quantile="0.99"} 2',
      'late_seconds_sum 12',
      'late_seconds_count 30',
      '# HELP age_seconds Age.',
      '# TYPE age_seconds gauge',
      '',
    ].join('\n'),
  );
});

test('gauges and totals are read when they are asked for', () => {
  const metrics = createMetrics();
  let now = 1;
  metrics.gauge('open', 'Open.', () => now);
  metrics.total('lost_total', 'Lost.', () => now * 2);
  now = 21;
  expect(metrics.render()).toBe(
    '# HELP open Open.\n# TYPE open gauge\nopen 21\n# HELP lost_total Lost.\n# TYPE lost_total counter\nlost_total 42\n',
  );
});
