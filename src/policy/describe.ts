/** Parts of a policy in the words that explanations, lints and comparisons share. */
import type { Conditions } from './conditions.ts';
import {
  type Action,
  type Counted,
  type Gate,
  type GroupMember,
  type Limit,
  type Named,
  type Rights,
  type Rule,
  type Source,
  type Subject,
  formatSubject,
  rights,
} from './model.ts';
import { describeRate } from './rate.ts';

/** `user "dana"`, `group "developers"`, `anonymous`. */
export function describePrincipal(principal: Named | GroupMember): string {
  return 'name' in principal ? `${principal.kind} "${principal.name}"` : principal.kind;
}

export interface Target {
  readonly repository: string;
  readonly tag?: string | undefined;
}

/** `sandbox/app:1.0`. */
export function describeTarget({ repository, tag }: Target): string {
  return tag === undefined ? repository : `${repository}:${tag}`;
}

/** `rule "developers-share-sandbox" (policies/areas.yaml:24)`. */
export function describeRule(rule: Rule): string {
  return `rule "${rule.name}" (${formatPlace(rule.source)})`;
}

/** `gate "release-takes-what-is-approved" (policies/gates.yaml:12)`. */
export function describeGate({ name, source }: Gate): string {
  return `gate "${name}" (${formatPlace(source)})`;
}

/** What a gate asks for, to be read behind "if" or "must be": `in integration/app (under a tag approved-*)`. */
export function describeOrigin({ fromTags, match }: Gate, sources: readonly string[]): string {
  const how = [
    ...(fromTags === undefined
      ? []
      : [`under a tag ${listed(fromTags.map(({ text }) => text)).replaceAll(', ', ' or ')}`]),
    ...(match === 'digest' ? ['with the same digest'] : []),
  ];
  return `in ${sources.join(' or ')}${how.length === 0 ? '' : ` (${how.join(', ')})`}`;
}

/** `policies/areas.yaml:12`: what editors and terminals open. */
export function formatPlace({ file, line }: Source): string {
  return `${file}:${line}`;
}

const one: Readonly<Record<Counted, string>> = { pull: 'pull', push: 'push', token: 'token request' };
const several: Readonly<Record<Counted, string>> = { pull: 'pulls', push: 'pushes', token: 'token requests' };

/** `100 pulls per 6 hours`. */
export function describeAmount({ count, rate }: Pick<Limit, 'count' | 'rate'>): string {
  return describeRate(rate).replace(' per', ` ${(rate.amount === 1 ? one : several)[count]} per`);
}

/** `60 pushes per minute for each account, at most 20 at once`. */
export function describeLimit(limit: Limit, per: Limit['per'] = limit.per): string {
  const burst = limit.burst === limit.rate.amount ? '' : `, at most ${limit.burst} at once`;
  return `${describeAmount(limit)} for each ${per}${burst}`;
}

/** As a file writes them: `push` for both of its halves. */
export function actionsOf(set: Rights): readonly Action[] {
  const both = rights.create | rights.overwrite;
  const pushes: readonly Action[] = (set & both) === both ? ['push'] : [];
  const rest = (Object.keys(rights) as (keyof typeof rights)[]).filter(
    (right) => (set & rights[right]) !== 0 && !(pushes.length > 0 && (rights[right] & both) !== 0),
  );
  return [...rest.filter((right) => right === 'pull'), ...pushes, ...rest.filter((right) => right !== 'pull')];
}

/** A list that stays on one line: at most `limit` entries, the rest counted. */
export function listed(entries: readonly string[], limit = 4): string {
  const shown = entries.slice(0, limit).join(', ');
  return entries.length <= limit ? shown : `${shown} and ${entries.length - limit} more`;
}

/** As policy files write them, the first few of many. */
export function formatSubjects(subjects: readonly Subject[]): string {
  return listed(subjects.map(formatSubject));
}

/** `2026-12-24T00:00:00Z`, from milliseconds since 1970. */
export function formatInstant(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

/** `2027-01-02T00:00Z`: as short as it is whole, from milliseconds since 1970. */
export function formatMoment(milliseconds: number): string {
  return formatInstant(milliseconds).replace(/:00Z$/, 'Z');
}

/** `18:30`, from minutes since midnight. */
export function formatMinute(minute: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

/** What must hold, to be read behind "while": `it is after … and before …, and the address is in 10.0.0.0/8`. */
export function describeConditions({ addresses, after, before, days, hours, zone }: Conditions): string {
  const times = [
    ...(after === undefined ? [] : [`after ${formatInstant(after)}`]),
    ...(before === undefined ? [] : [`before ${formatInstant(before)}`]),
    ...(days === undefined ? [] : [`on ${days.join(', ')}`]),
    ...(hours === undefined ? [] : [`between ${formatMinute(hours.from)} and ${formatMinute(hours.until)}`]),
  ];
  const where = days === undefined && hours === undefined ? '' : ` ${zone ?? 'UTC'}`;
  return [
    ...(times.length === 0 ? [] : [`it is ${times.join(' and ')}${where}`]),
    ...(addresses === undefined ? [] : [`the address is in ${addresses.join(' or ')}`]),
  ].join(', and ');
}
