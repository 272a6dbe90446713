/**
 * Counters, gauges and histograms in the Prometheus text format 0.0.4. Label values are few by design: never an account, a
 * repository or a path. Where one is not, its series end in one that is called `other`.
 */

type Values = readonly string[];
type NamesOf<V extends Values> = { readonly [At in keyof V]: string };

/** Adds under these values of the labels, in the order of their names. */
export type Add<V extends Values> = (values: V, amount?: number) => void;

/** Series of one metric. */
const maxSeries = 200;
const other = 'other';

/** Upper bounds in seconds. Recorded series, alerts and dashboards ask for them: they stay as they are. */
const toAnswer = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
export const bounds = { toAnswer, toTransfer: [...toAnswer, 60, 300, 1800] } as const;

interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  readonly help: string;
  /** A line for each sample. */
  readonly samples: () => readonly string[];
}

/** Whatever is registered is rendered in that order. */
export function createMetrics() {
  const metrics: Metric[] = [];
  const reading = (type: Metric['type']) => (name: string, help: string, read: () => number) =>
    void metrics.push({ type, name, help, samples: () => [`${name} ${read()}`] });
  return {
    gauge: reading('gauge'),
    /** As many gauges as there are values of the labels now. */
    gauges: <V extends Values>(
      name: string,
      help: string,
      labels: NamesOf<V>,
      read: () => readonly (readonly [values: V, now: number])[],
    ): void => {
      const samples = (): readonly string[] =>
        read()
          .slice(0, maxSeries)
          .map(([values, now]) => `${name}{${textOf(labels, values)}} ${now}`);
      metrics.push({ type: 'gauge', name, help, samples });
    },
    /** A number that is counted elsewhere and only ever grows. */
    total: reading('counter'),

    /** `isKept`: series of other values are forgotten; they begin at zero if they come again. */
    counter: <V extends Values>(
      name: string,
      help: string,
      labels: NamesOf<V>,
      isKept?: (values: Values) => boolean,
    ): Add<V> => {
      const series = new Series(labels, () => ({ count: 0 }));
      const samples = (): readonly string[] => {
        if (isKept !== undefined) series.keep(isKept);
        return series.map((text, { count }) => [`${name}{${text}} ${count}`]);
      };
      metrics.push({ type: 'counter', name, help, samples });
      return (values, amount = 1) => void (series.at(values).count += amount);
    },

    /** `upTo`: upper bounds, the lowest first. What is observed beyond all of them counts as well. */
    histogram: <V extends Values>(name: string, help: string, labels: NamesOf<V>, upTo: readonly number[]): Add<V> => {
      const series = new Series(labels, () => ({ counts: new Float64Array(upTo.length + 1), sum: 0 }));
      const samples = (): readonly string[] =>
        series.map((text, { counts, sum }) => {
          let count = 0;
          const before = text === '' ? '' : `${text},`;
          const buckets = [...counts].map((more, at) => {
            count += more;
            return `${name}_bucket{${before}le="${upTo[at] ?? '+Inf'}"} ${count}`;
          });
          const all = text === '' ? '' : `{${text}}`;
          return [...buckets, `${name}_sum${all} ${sum}`, `${name}_count${all} ${count}`];
        });
      metrics.push({ type: 'histogram', name, help, samples });
      return (values, amount = 1) => {
        const cell = series.at(values);
        let at = 0;
        while (amount > (upTo[at] ?? Infinity)) at++;
        cell.counts[at] = (cell.counts[at] ?? 0) + 1;
        cell.sum += amount;
      };
    },

    render(): string {
      const lines = metrics.flatMap(({ type, name, help, samples }) => [
        `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
        `# TYPE ${name} ${type}`,
        ...samples(),
      ]);
      return `${lines.join('\n')}\n`;
    },
  };
}

interface Branch<Cell> {
  readonly below: Map<string, Branch<Cell>>;
  cell?: Cell;
}

/** Cells by the values of their labels. Walked value by value: joining them costs more than all the rest. */
class Series<Cell> {
  #root: Branch<Cell> = { below: new Map() };
  #texts = new Map<string, Cell>();
  #kept = new Map<string, Values>();
  readonly #labels: Values;
  readonly #make: () => Cell;

  constructor(labels: Values, make: () => Cell) {
    this.#labels = labels;
    this.#make = make;
    // What has no labels is there before anything happens.
    if (labels.length === 0) this.at([]);
  }

  at(values: Values): Cell {
    let branch: Branch<Cell> | undefined = this.#root;
    for (const value of values) branch = branch?.below.get(value);
    return branch?.cell ?? this.#grow(values);
  }

  /** Forgets all others but the one that stands for those that had no room. */
  keep(isKept: (values: Values) => boolean): void {
    const before = { texts: this.#texts, kept: this.#kept };
    const stays = (values: Values): boolean => isKept(values) || values.every((value) => value === other);
    if ([...before.kept.values()].every(stays)) return;
    this.#root = { below: new Map() };
    this.#texts = new Map();
    this.#kept = new Map();
    for (const [text, values] of before.kept) {
      const cell = before.texts.get(text);
      if (cell !== undefined && stays(values)) this.#put(values, cell);
    }
  }

  #grow(values: Values): Cell {
    const kept = this.#texts.size < maxSeries ? values : this.#labels.map(() => other);
    return this.#put(kept, undefined);
  }

  /** The cell that is there, else the given one or a new one. */
  #put(values: Values, given: Cell | undefined): Cell {
    let branch = this.#root;
    for (const value of values) {
      const next: Branch<Cell> = branch.below.get(value) ?? { below: new Map() };
      branch.below.set(value, next);
      branch = next;
    }
    if (branch.cell !== undefined) return branch.cell;
    const cell = given ?? this.#make();
    branch.cell = cell;
    const text = textOf(this.#labels, values);
    this.#texts.set(text, cell);
    this.#kept.set(text, values);
    return cell;
  }

  /** In the order of their texts. */
  map(lines: (text: string, cell: Cell) => readonly string[]): readonly string[] {
    return [...this.#texts]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .flatMap(([text, cell]) => lines(text, cell));
  }
}

/** `name="value"` for each, a comma between. */
function textOf(labels: Values, values: Values): string {
  const escaped = (value = ''): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return labels.map((label, at) => `${label}="${escaped(values[at])}"`).join(',');
}
