/** What was refused in a repository within a day, and what shadow rules would have done, by the records of this gateway. */
import { grouped } from '../policy/grouped.ts';
import type { Rule } from '../policy/model.ts';
import type { AuditRecord, Recent, RecentRecord } from '../ports.ts';
import type { AccessAnswer } from './access-answers.ts';

type Refusal = AccessAnswer['refusals'][number];

const dayMs = 86_400_000;
const maxRecords = 5_000;
const shown = 40;

/** Records of a day about the repository that may be told. */
export function recordsHere(
  recent: Pick<Recent, 'list'>,
  repository: string,
  now: number,
  isTold: (record: AuditRecord, at: number) => boolean,
): readonly RecentRecord[] {
  return recent
    .list({ limit: maxRecords, matches: (record, at) => record.repository === repository && isTold(record, at) })
    .filter(({ at }) => at > now - dayMs);
}

/**
 * Those alike together, the latest first. That credentials are asked for is no refusal. `isWhole`: with words that are for
 * operators.
 */
export function refusalsOf(
  records: readonly RecentRecord[],
  isWhole: boolean,
): { readonly refusals: Refusal[]; readonly more: number } {
  const refused = records.filter(({ record }) => record.decision === 'deny' && record.reason !== 'credentials_missing');
  const groups = [
    ...grouped(refused, ({ record }) =>
      JSON.stringify([subjectOf(record), record.action, record.reason, record.rule, record.gate]),
    ).values(),
  ];
  return {
    refusals: groups.slice(0, shown).map((group) => refusalOf(group, isWhole)),
    more: Math.max(0, groups.length - shown),
  };
}

function refusalOf(group: readonly [RecentRecord, ...RecentRecord[]], isWhole: boolean): Refusal {
  const [{ record, at }] = group;
  const references = new Set(group.map((each) => each.record.reference ?? ''));
  const { reference = '', userAgent, address } = record;
  const tag = isTag(reference) ? reference : null;
  const target = tag === null ? reference : `:${tag}`;
  const others = references.size === 1 ? '' : ` and ${references.size - 1} more`;
  return {
    subject: subjectOf(record),
    action: record.action ?? record.event,
    target: `${target}${others}`,
    tag,
    reason: reasonOf(isWhole ? record : { ...record, detail: undefined }),
    times: group.length,
    last: at,
    client: [userAgent, address].filter((part) => part !== undefined).join(' from '),
  };
}

function subjectOf({ kind, account = '' }: AuditRecord): string {
  return account === '' ? 'anonymous' : `${kind ?? 'user'}:${account}`;
}

function isTag(reference: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(reference);
}

const known: Readonly<Record<string, string | undefined>> = {
  no_rule: 'no rule allows it',
  secret_narrow: 'its secret was not made for it',
  scope_insufficient: 'its token was not made for it',
  anonymous_refused: 'not allowed without logging in',
};

function reasonOf({ reason, rule, gate, detail }: AuditRecord): string {
  if (gate !== undefined) return `gate ${gate} refuses it`;
  if (rule !== undefined) return `rule ${rule} forbids it`;
  const words = known[reason] ?? reason.replaceAll('_', ' ');
  return detail === undefined ? words : `${words}: ${detail}`;
}

/** `in the last 24 hours`: of what time the records tell all, by whole minutes and hours. Milliseconds since 1970. */
export function lately(since: number, now: number): string {
  const minutes = Math.floor((now - since) / 60_000);
  const [count, unit] = minutes < 60 ? [minutes, 'minute'] : [Math.floor(minutes / 60), 'hour'];
  return `in the last ${count > 1 ? `${count} ${unit}s` : unit}`;
}

/** `it would have refused 214 requests by 3 accounts`; null where it would have changed nothing. */
export function effectOf(rule: Rule, records: readonly RecentRecord[]): string | null {
  const turned = records.filter(({ record }) => record.shadow?.includes(rule.name) === true);
  if (turned.length === 0) return null;
  const accounts = new Set(turned.map(({ record }) => subjectOf(record))).size;
  const times = turned.length === 1 ? '1 request' : `${turned.length} requests`;
  const whom = accounts === 1 ? '1 account' : `${accounts} accounts`;
  return `it would have ${rule.effect === 'deny' ? 'refused' : 'allowed'} ${times} by ${whom}`;
}
