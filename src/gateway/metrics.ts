/**
 * Counters, gauges and histograms in the Prometheus text format 0.0.4. Label values are few by design: never an account, a
 * repository or a path. Where there are too many, series end in one that is called `other`.
 */

type Values = readonly string[];
type NamesOf<V extends Values> = { readonly [At in keyof V]: string };

/** Adds under these values of the labels, in the order of their names. */
export type Add<V extends Values> = (values: V, amount?: number) => void;

/** Series of one metric, whose labels are counted once however many lines each is. */
const maxSeries = 200;
/** Lines of all metrics together, whatever happens: what each gateway costs who keeps them. */
const maxLines = 1500;
const other = 'other';

/** What is counted where a metric has no room for more: `most` series at most, which have room from the beginning. */
export interface Spare<V extends Values> {
  readonly most: number;
  readonly of: (values: V) => Values;
}

/** How many series a metric has, and which of them it forgets. */
export interface Shape<V extends Values> {
  /** Default: 200. */
  readonly most?: number;
  /** Default: one, in which every label is `other`. */
  readonly spare?: Spare<V>;
  /** Series of other values are forgotten; they begin at zero if they come again. */
  readonly isKept?: (values: Values) => boolean;
}

/** Upper bounds in seconds. Recorded series, alerts and dashboards ask for them: they stay as they are. */
export const bounds = {
  toAnswer: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  toTransfer: [0.01, 0.1, 1, 10, 60, 300, 1800],
  toHash: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
  toStore: [0.0005, 0.001, 0.0025, 0.01, 0.05, 0.3],
  toDecide: [1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3],
} as const;

interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly name: string;
  readonly help: string;
  /** A line for each sample. */
  readonly samples: () => readonly string[];
}

/** Of how many values of a sample how many were at most this much. */
export interface Quantiles {
  readonly quantiles: readonly (readonly [quantile: string, now: number])[];
  readonly sum: number;
  readonly count: number;
}

export type Metrics = ReturnType<typeof createMetrics>;

/** Whatever is registered is rendered in that order. */
export function createMetrics() {
  const metrics: Metric[] = [];
  const room = new Room(maxLines);
  const reading =
    (type: Metric['type']) =>
    (name: string, help: string, read: () => number | undefined): void => {
      room.reserve(1);
      const samples = (): readonly string[] => {
        const now = read();
        return now === undefined ? [] : [`${name} ${now}`];
      };
      metrics.push({ type, name, help, samples });
    };
  return {
    /** Left out while it is not known. */
    gauge: reading('gauge'),
    /** As many gauges as there are values of the labels now, up to `most`. */
    gauges: <V extends Values>(
      name: string,
      help: string,
      labels: NamesOf<V>,
      read: () => readonly (readonly [values: V, now: number])[],
      most = 20,
    ): void => {
      room.reserve(most);
      const samples = (): readonly string[] =>
        read()
          .slice(0, most)
          .map(([values, now]) => `${name}{${textOf(labels, values)}} ${now}`);
      metrics.push({ type: 'gauge', name, help, samples });
    },
    /** A number that is counted elsewhere and only ever grows. */
    total: reading('counter'),
    /** Quantiles that are measured elsewhere; `most` of them. */
    summary(name: string, help: string, most: number, read: () => Quantiles): void {
      room.reserve(most + 2);
      const samples = (): readonly string[] => {
        const { quantiles, sum, count } = read();
        const each = quantiles.slice(0, most).map(([quantile, now]) => `${name}{quantile="${quantile}"} ${now}`);
        return [...each, `${name}_sum ${sum}`, `${name}_count ${count}`];
      };
      metrics.push({ type: 'summary', name, help, samples });
    },

    counter: <V extends Values>(name: string, help: string, labels: NamesOf<V>, shape: Shape<V> = {}): Add<V> => {
      const series = new Series({ labels, shape, room, lines: 1 }, () => ({ count: 0 }));
      const { isKept } = shape;
      const samples = (): readonly string[] => {
        if (isKept !== undefined) series.keep(isKept);
        return series.map((text, { count }) => [`${name}{${text}} ${count}`]);
      };
      metrics.push({ type: 'counter', name, help, samples });
      return (values, amount = 1) => void (series.at(values).count += amount);
    },

    histogram: histogramsIn(metrics, room),

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

function histogramsIn(metrics: Metric[], room: Room) {
  /** `upTo`: upper bounds, the lowest first. What is observed beyond all of them counts as well. */
  return <V extends Values>(
    name: string,
    help: string,
    labels: NamesOf<V>,
    upTo: readonly number[],
    shape: Shape<V> = {},
  ): Add<V> => {
    const make = (): Distribution => ({ counts: new Float64Array(upTo.length + 1), sum: 0 });
    const series = new Series({ labels, shape, room, lines: upTo.length + 3 }, make);
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
  };
}

interface Distribution {
  readonly counts: Float64Array;
  sum: number;
}

/** Lines that all metrics together may still have. */
class Room {
  #left: number;

  constructor(lines: number) {
    this.#left = lines;
  }

  /** For what is there whatever happens. */
  reserve(lines: number): void {
    this.#left -= lines;
  }

  /** False: there is none for so many more. */
  take(lines: number): boolean {
    if (this.#left < lines) return false;
    this.#left -= lines;
    return true;
  }

  give(lines: number): void {
    this.#left += lines;
  }
}

interface Branch<Cell> {
  readonly below: Map<string, Branch<Cell>>;
  cell?: Cell;
}

interface SeriesTerms<V extends Values> {
  readonly labels: NamesOf<V>;
  readonly shape: Shape<V>;
  readonly room: Room;
  /** Of each cell. */
  readonly lines: number;
}

/** Cells by the values of their labels. Walked value by value: joining them costs more than all the rest. */
class Series<V extends Values, Cell> {
  #root: Branch<Cell> = { below: new Map() };
  #texts = new Map<string, Cell>();
  #kept = new Map<string, Values>();
  readonly #terms: SeriesTerms<V>;
  readonly #spare: Spare<V>;
  readonly #spared = new Set<string>();
  readonly #make: () => Cell;

  constructor(terms: SeriesTerms<V>, make: () => Cell) {
    const { labels, shape, room, lines } = terms;
    this.#terms = terms;
    this.#make = make;
    this.#spare = shape.spare ?? { most: 1, of: () => labels.map(() => other) };
    room.reserve(this.#spare.most * lines);
    // What has no labels is there before anything happens.
    if (labels.length === 0) this.#put([], undefined);
  }

  at(values: V): Cell {
    let branch: Branch<Cell> | undefined = this.#root;
    for (const value of values) branch = branch?.below.get(value);
    return branch?.cell ?? this.#grow(values);
  }

  /** Forgets all others but those that stand for what had no room. */
  keep(isKept: (values: Values) => boolean): void {
    const before = { texts: this.#texts, kept: this.#kept };
    const stays = (text: string, values: Values): boolean => isKept(values) || this.#spared.has(text);
    if ([...before.kept].every(([text, values]) => stays(text, values))) return;
    this.#root = { below: new Map() };
    this.#texts = new Map();
    this.#kept = new Map();
    for (const [text, values] of before.kept) {
      if (stays(text, values)) this.#put(values, before.texts.get(text));
      else this.#terms.room.give(this.#terms.lines);
    }
  }

  #grow(values: V): Cell {
    const { labels, shape, room, lines } = this.#terms;
    const own = this.#texts.size - this.#spared.size;
    if (own < (shape.most ?? maxSeries) && room.take(lines)) return this.#put(values, undefined);
    const spare = this.#spare.of(values);
    this.#spared.add(textOf(labels, spare));
    return this.#put(spare, undefined);
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
    const text = textOf(this.#terms.labels, values);
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
