/** Rules that open more than is meant, or what nobody can use: writing by strangers, looking and administering. */
import type { Problem } from '../../document/problem.ts';
import { actionsOf, formatSubjects, listed } from '../describe.ts';
import { type Rule, pushes, rights } from '../model.ts';
import type { RepositoryPattern } from '../pattern.ts';
import { finding } from './lint-finding.ts';
import { covers } from './witness.ts';

const everything: RepositoryPattern = { text: '**', segments: [{ kind: 'any-depth' }] };

/** Allowances that a registry open to the world would not have, either. */
export function overBroad(
  rule: Rule,
  rules: readonly Rule[],
): { readonly isProblem: boolean; readonly finding: Problem } | undefined {
  if (rule.effect !== 'allow' || rule.mode === 'shadow') return undefined;
  const found = (message: string, isProblem = false, fix?: string) => ({
    isProblem,
    finding: finding(rule, 'over-broad', message, fix),
  });
  const strangers = rule.subjects.filter(({ kind }) => kind === 'anonymous' || kind === 'everyone');
  const anybody = rule.subjects.filter((subject) => !('name' in subject));
  const isEverything = rule.repositories.some((pattern) => covers(pattern, everything));
  const writes = rule.rights & (pushes | rights.delete | rights.promote);
  const deletesAll = isEverything && (writes & rights.delete) !== 0;
  // From a named network, strangers are at least somebody's.
  const isProblem = rule.when?.addresses === undefined;
  if (strangers.length > 0 && writes !== 0) {
    const message = `lets ${formatSubjects(strangers)} ${listed(actionsOf(writes))} without logging in`;
    return found(message, isProblem, 'name groups or `authenticated` instead');
  }
  if (anybody.length > 0 && deletesAll) {
    const message = `lets ${formatSubjects(anybody)} delete in every repository`;
    return found(message, isProblem, 'name a group, or the repositories that are meant');
  }
  if (anybody.length > 0 && (rule.rights & rights.administer) !== 0 && isEverything) {
    return found(`lets ${formatSubjects(anybody)} administer`, true, 'name a group, or a person');
  }
  if (anybody.length > 0 && (rule.rights & rights.inspect) !== 0) {
    const message = `shows ${formatSubjects(anybody)} who may do what, and who was refused`;
    return found(message, isProblem && strangers.length > 0, 'name a group, or a person');
  }
  const named = rule.subjects.filter(({ kind }) => kind === 'group');
  // Whoever wrote a deny of deleting has thought about it.
  const isKept = (): boolean =>
    rules.some(
      ({ effect, mode, rights: denied, subjects }) =>
        effect === 'deny' &&
        mode !== 'shadow' &&
        (denied & rights.delete) !== 0 &&
        subjects.some(({ kind }) => kind === 'everyone' || kind === 'authenticated'),
    );
  if (named.length > 0 && deletesAll && !isKept()) {
    return found(`lets ${formatSubjects(named)} delete in every repository`);
  }
  if (strangers.length === 0) return undefined;
  if (isEverything) {
    return found(`opens every repository to ${formatSubjects(strangers)}: ${listed(actionsOf(rule.rights))}`);
  }
  if ((rule.rights & rights.catalog) === 0) return undefined;
  return found(`shows names of repositories to ${formatSubjects(strangers)}`);
}

/** Why a rule lets nobody administer. */
export function idleAdministering({ subjects, repositories }: Rule): string | undefined {
  if (subjects.every((subject) => subject.kind === 'robot' || subject.kind === 'workload'))
    return 'lets nobody administer: only a person does, never a machine';
  return repositories.some((pattern) => covers(pattern, everything))
    ? undefined
    : 'lets nobody administer: that counts for all repositories together, which only ** names';
}

/** What a rule says of `inspect` and `administer`, and does not come to. */
export function aboutLooking(rule: Rule): Problem | undefined {
  if (rule.effect !== 'allow' || rule.mode === 'shadow') return undefined;
  const whole = actionsOf(rule.rights & (rights.inspect | rights.administer));
  if (rule.tags !== undefined && whole.length > 0)
    return finding(rule, 'tags-ignored', `gives ${listed(whole)} whatever the tag: \`tags\` is not judged for it`);
  const why = (rule.rights & rights.administer) === 0 ? undefined : idleAdministering(rule);
  return why === undefined || rule.rights === rights.administer ? undefined : finding(rule, 'idle-administer', why);
}
