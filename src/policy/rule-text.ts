/** A rule as a policy file says it, made of what was read: no comments, nothing of its neighbours. */
import type { Conditions } from './conditions.ts';
import { actionsOf, formatInstant, formatMinute } from './describe.ts';
import { type Rule, formatSubject } from './model.ts';

/** In quotes where YAML would take it for something else. */
function scalar(text: string): string {
  return /^[A-Za-z0-9][A-Za-z0-9._/-]*(?::[A-Za-z0-9][A-Za-z0-9._/+@-]*)?$/.test(text) &&
    !/^[\d.:-]+$|^(?:true|false|null|yes|no|on|off|~)$/i.test(text)
    ? text
    : `'${text.replaceAll("'", "''")}'`;
}

/** `[a, 'b/**']`. */
export function flowList(texts: readonly string[]): string {
  return `[${texts.map(scalar).join(', ')}]`;
}

type RuleParts = Pick<Rule, 'effect' | 'mode' | 'subjects' | 'except' | 'repositories' | 'rights' | 'tags' | 'when'>;

/** Lines behind `name:`, in the order in which people write them. */
export function ruleLines({
  effect,
  mode,
  subjects,
  except,
  repositories,
  rights,
  tags,
  when,
}: RuleParts): readonly string[] {
  const texts = (patterns: readonly { readonly text: string }[]): string => flowList(patterns.map(({ text }) => text));
  return [
    ...(effect === 'deny' ? ['effect: deny'] : []),
    ...(mode === 'shadow' ? ['mode: shadow'] : []),
    `subjects: ${flowList(subjects.map(formatSubject))}`,
    ...(except.length === 0 ? [] : [`except: ${flowList(except.map(formatSubject))}`]),
    `repositories: ${texts(repositories)}`,
    ...(tags === undefined ? [] : [`tags: ${texts(tags)}`]),
    `actions: ${flowList(actionsOf(rights))}`,
    ...(when === undefined ? [] : [`when: ${whenText(when)}`]),
  ];
}

function whenText({ addresses, after, before, days, hours, zone }: Conditions): string {
  const parts = [
    ...(after === undefined ? [] : [`after: ${formatInstant(after)}`]),
    ...(before === undefined ? [] : [`before: ${formatInstant(before)}`]),
    ...(days === undefined ? [] : [`days: ${flowList(days)}`]),
    ...(hours === undefined ? [] : [`hours: '${formatMinute(hours.from)}-${formatMinute(hours.until)}'`]),
    ...(zone === undefined ? [] : [`zone: ${scalar(zone)}`]),
    ...(addresses === undefined ? [] : [`addresses: ${flowList(addresses)}`]),
  ];
  return `{ ${parts.join(', ')} }`;
}

/** The rule as an entry of `rules:`, two spaces in. */
export function ruleEntry(rule: RuleParts & Pick<Rule, 'name'>): string {
  return [`  - name: ${scalar(rule.name)}`, ...ruleLines(rule).map((line) => `    ${line}`)].join('\n');
}
