/** Counters and gauges in the Prometheus text format. Labels are bounded: never an account, a repository or a path. */
import type { AuditRecord } from '../ports.ts';

interface Reading {
  readonly type: 'gauge' | 'counter';
  readonly name: string;
  readonly help: string;
  readonly read: () => number;
}

/** Counts every audit record by its bounded fields. */
export function createMetrics() {
  const readings: Reading[] = [];
  const families: { readonly name: string; readonly help: string; readonly counters: Map<string, number> }[] = [];
  const decisions = new Map<string, number>();
  const statuses = new Map<string, number>();
  const add = (counters: Map<string, number>, labels: string): void => {
    counters.set(labels, (counters.get(labels) ?? 0) + 1);
  };
  return {
    record({ event, decision, status }: AuditRecord) {
      add(decisions, `event="${event}",decision="${decision}"`);
      if (status !== undefined) add(statuses, `code="${status}"`);
    },
    gauge: (name: string, help: string, read: () => number) => void readings.push({ type: 'gauge', name, help, read }),
    /** A number that is counted elsewhere and only ever grows. */
    counter: (name: string, help: string, read: () => number) =>
      void readings.push({ type: 'counter', name, help, read }),
    /** The returned function counts one more under `labels`, as `limit="pulls",result="refused"`. */
    family(name: string, help: string): (labels: string) => void {
      const counters = new Map<string, number>();
      families.push({ name, help, counters });
      return (labels) => add(counters, labels);
    },
    render(): string {
      const lines = [
        ...family('portcullis_decisions_total', 'counter', 'Decisions by event and outcome.', decisions),
        ...family('portcullis_http_requests_total', 'counter', 'Answered requests by status code.', statuses),
        ...families.flatMap(({ name, help, counters }) => family(name, 'counter', help, counters)),
        ...readings.flatMap(({ type, name, help, read }) => [
          `# HELP ${name} ${help}`,
          `# TYPE ${name} ${type}`,
          `${name} ${read()}`,
        ]),
      ];
      return `${lines.join('\n')}\n`;
    },
  };
}

function family(name: string, type: string, help: string, counters: ReadonlyMap<string, number>): readonly string[] {
  const samples = [...counters].sort().map(([labels, value]) => `${name}{${labels}} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples];
}
