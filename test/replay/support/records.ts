/** Lines as a gateway writes them, and what a replay says of them. */
import { fieldsText, timedText } from '../../../src/audit/plain-record.ts';
import type { AuditRecord } from '../../../src/ports.ts';
import type { Policy } from '../../../src/policy/model.ts';
import { type Replayed, createReplay } from '../../../src/replay/replay.ts';
import { Judge } from '../../../src/replay/standing.ts';

export const noon = Date.UTC(2026, 10, 20, 12);

/** With a time behind `level`, as the log has it. */
export function lineOf(record: Partial<AuditRecord>, at = noon): string {
  return timedText(fieldsText(record), new Date(at).toISOString(), '"level":"info",');
}

export const dana = { account: 'dana', kind: 'user', method: 'password' } as const;

/** A request below `/v2` that a rule of the name decided. */
export function access(record: Partial<AuditRecord>): Partial<AuditRecord> {
  return {
    ...{ event: 'access', decision: 'allow', reason: 'rule_allows', rule: 'some', ...dana },
    ...{
      address: '127.0.0.1',
      httpMethod: 'GET',
      route: 'manifest',
      action: 'pull',
      repository: 'a/b',
      reference: 'latest',
    },
    ...{ policy: '0123456789ab', durationMs: 0, status: 200, ...record },
  };
}

export interface Terms {
  readonly base?: Policy;
  readonly revision?: string;
  readonly since?: number;
  readonly at?: number;
}

export function replayed(
  lines: Iterable<string | Buffer>,
  next: Policy,
  { base, revision = 'another', since, at }: Terms = {},
): Replayed {
  const before = base && new Judge(base);
  const replay = createReplay({ next: new Judge(next, base), base: before, revision, since, at });
  let number = 0;
  for (const line of lines) {
    const place = `test:${++number}`;
    replay.add(Buffer.from(line), () => place);
  }
  return replay.result();
}

/** `- user:dana pull a/b 3×`, lost and gained alike. */
export function told({ lost, gained }: Replayed): readonly string[] {
  const counts = new Map<string, number>();
  for (const [sign, rows] of [
    ['-', lost],
    ['+', gained],
  ] as const)
    for (const { subject, action, repository = '*', count } of rows) {
      const key = `${sign} ${subject} ${action} ${repository}`;
      counts.set(key, (counts.get(key) ?? 0) + count);
    }
  return [...counts].map(([key, count]) => `${key} ${count}×`).sort();
}

/** Why, and how often. */
export function unsure({ unsure: found }: Replayed): Readonly<Record<string, number>> {
  return Object.fromEntries(found.map(({ about, count }) => [about, count]));
}
