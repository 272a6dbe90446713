/** One question explained, as far as who asks may know it. */
import { describePrincipal, formatPlace, listed } from '../policy/describe.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import { describeAsked, describeReach } from '../policy/analysis/asked.ts';
import { refusedBehind } from '../policy/analysis/obstacle.ts';
import { type Explanation, deletionLines, halfLines } from '../policy/analysis/explain.ts';
import { gateLine } from '../policy/analysis/gates-about.ts';
import { type Rest, explainHere, speaksOf } from '../policy/analysis/here.ts';
import type { Considered, Inquiry } from '../policy/analysis/consider.ts';
import { type Policy, type Rule, type Source, formatSubject } from '../policy/model.ts';
import type { Explained } from './access-answers.ts';
import { type ShownFiles, shownFilesOf, sourcesOf } from './shown-file.ts';

/** `all`: may inspect everything; `here`: may inspect the repository; `self`: asks about themselves. */
export type Sight = 'all' | 'here' | 'self';

/** Near misses that are shown; the rest are counted. */
const shownMisses = 5;

/** Why the policy in force answers so, or what stands in the way of it; what the sight does not reach is left out. */
export async function explained(
  compiled: CompiledPolicy,
  inquiry: Inquiry,
  { sight, obstacle, rest }: { readonly sight: Sight; readonly obstacle: string | undefined; readonly rest: Rest },
): Promise<{ readonly answer: Explained; readonly full: Explanation }> {
  const byRules = await explainHere(compiled, inquiry, rest);
  const full = refusedBehind(byRules, obstacle);
  const { principal, action, repository, tag } = inquiry;
  const { policy } = compiled;
  const groups = 'groups' in principal ? (principal.groups as readonly string[]) : full.groups.map(({ name }) => name);
  const places = new Map(full.groups.map(({ name, source }) => [name, source]));
  const misses = full.nearMisses.filter((miss) => isShown(miss, inquiry, sight));
  const files = shownFilesOf(policy);
  const words = (text: string): string => (sight === 'self' ? withoutPlaces(text, policy) : files.words(text));
  const named = (rule: Rule): Explained['shadow'][number] => ruleNamed(rule, sight, files);
  return {
    full,
    answer: {
      subject: formatSubject(principal),
      action,
      repository,
      tag: tag ?? null,
      allowed: full.allowed,
      sentence: `${describePrincipal(principal)} ${full.allowed ? 'may' : 'may not'} ${describeAsked(action, inquiry)}`,
      reason: words(full.reason),
      notes: [
        ...notesOf(full, sight),
        ...(full === byRules ? [] : [`the rules would let it pass: ${byRules.reason}`]),
      ].map(words),
      rule: full.rule === undefined ? null : named(full.rule),
      groups: groups.map((name) => ({ name, place: sight === 'self' ? null : placeOf(places.get(name), files) })),
      nearMisses: misses.slice(0, shownMisses).map(({ rule, failures }) => ({
        rule: named(rule),
        why: failures.map(({ why }) => why),
      })),
      moreMisses: Math.max(0, misses.length - shownMisses),
      shadow: sight === 'self' ? [] : full.shadow.map(named),
    },
  };
}

/** Of a rule about other repositories, or about other people, not everybody learns. */
function isShown({ rule, failures }: Considered, { repository }: Inquiry, sight: Sight): boolean {
  if (sight === 'all') return true;
  if (!speaksOf(rule, repository)) return false;
  return sight === 'here' || failures.every(({ part }) => part !== 'subject');
}

/** With its place for who may inspect. */
export function ruleNamed(
  { name, effect, source }: Rule,
  sight: Sight,
  files: ShownFiles,
): Explained['shadow'][number] {
  return { name, effect, place: sight === 'self' ? null : placeOf(source, files) };
}

function placeOf(source: Source | undefined, files: ShownFiles): { file: string; line: number } | null {
  return source === undefined ? null : shownPlace(source, files);
}

/** Where something stands, for who may inspect. */
export function shownPlace({ file, line }: Source, files: ShownFiles): { file: string; line: number } {
  return { file: files.name(file), line };
}

function notesOf(
  { inquiry, halves, deletion, tags, secrets, gates, unreadable, impliedByPush }: Explanation,
  sight: Sight,
): readonly string[] {
  return [
    ...(halves === undefined ? [] : halfLines(halves, inquiry)),
    ...(deletion === undefined ? [] : deletionLines(deletion)),
    ...(impliedByPush ? ['pull is implied by the right to push; listing the tags takes pull itself'] : []),
    ...(tags === undefined ? [] : [`only tags ${listed(tags)}`]),
    ...(unreadable.length === 0
      ? []
      : [`but may not pull ${listed(unreadable)}, and a promotion reads what it takes over`]),
    ...secrets.map((secret) => `secret ${sight === 'here' ? outlineOf(secret) : describeReach(secret)}`),
    ...gates.map(gateLine),
  ];
}

/** Of a secret made for other repositories, too, whoever may inspect this one learns whether it reaches here. */
function outlineOf({ token: { id }, allowed }: Explanation['secrets'][number]): string {
  return `${id}: ${allowed ? 'yes' : 'no'}`;
}

/** Files and lines are for who may inspect. */
function withoutPlaces(text: string, policy: Policy): string {
  if (!text.includes('(')) return text;
  return sourcesOf(policy).reduce<string>((rest, { source }) => rest.replaceAll(` (${formatPlace(source)})`, ''), text);
}
