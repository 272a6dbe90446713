/** What the viewer may do in a repository, in the words of the page: yes, forbidden, no, sometimes, and by which rule. */
import { z } from 'zod';
import { carries } from '../distribution/access.ts';
import { type Upstreams, readOnlyInWords } from '../distribution/upstreams.ts';
import { describeConditions, formatMoment, listed } from '../policy/describe.ts';
import { narrowInWords } from '../policy/analysis/explain.ts';
import type { CompiledPolicy, Decision } from '../policy/evaluate.ts';
import { type Principal, type Rule, decidingRights } from '../policy/model.ts';
import { matchesRepository } from '../policy/pattern.ts';
import { accountNameOf, isAbout, subjectsOf } from '../policy/principal.ts';
import { onlyHalf } from '../policy/secret-reach.ts';
import type { Looker, Viewer } from './viewer.ts';

const asked = ['pull', 'push', 'delete'] as const;
type Asked = (typeof asked)[number];

/** `none`: no rule speaks of it; `no`: a rule forbids it. */
export const rightsView = z.array(
  z.object({
    action: z.enum(asked),
    answer: z.enum(['yes', 'no', 'none', 'sometimes']),
    rule: z.string().optional(),
    note: z.string().optional(),
  }),
);

export type RightView = z.output<typeof rightsView>[number];

/** What may be done in a repository whatever the tag, with what that hangs on. */
export function rightsOf(upstreams: Upstreams, viewer: Viewer, repository: string): readonly RightView[] {
  return asked.map((action) => {
    if (viewer.kind === 'operator')
      return action === 'pull' ? { action, answer: 'yes' } : { action, answer: 'none', note: 'not by the admin token' };
    const upstream = upstreams.of(repository);
    if (action !== 'pull' && upstream?.access === 'read')
      return { action, answer: 'none', note: readOnlyInWords(upstream) };
    const { bound } = viewer.caller;
    if (bound !== undefined && !carries(bound, 'repository', repository, action))
      return { action, answer: 'none', note: 'your token does not reach it' };
    return judged(viewer, action, repository);
  });
}

/** The same in one word for each that is allowed at all, for a row of a list. */
export function wordsOf(upstreams: Upstreams, viewer: Viewer, repository: string): readonly Asked[] {
  if (viewer.kind === 'operator') return ['pull'];
  const { caller, policy, circumstances } = viewer;
  const isReadOnly = upstreams.of(repository)?.access === 'read';
  return asked.filter((action) => {
    if (action !== 'pull' && isReadOnly) return false;
    if (caller.bound !== undefined && !carries(caller.bound, 'repository', repository, action)) return false;
    const question = {
      ...circumstances,
      principal: caller.principal,
      action,
      repository,
      deletes: 'something' as const,
    };
    return policy.decide(question).allowed;
  });
}

function judged({ caller, policy, circumstances }: Looker, action: Asked, repository: string): RightView {
  const { principal } = caller;
  const question = { ...circumstances, principal, action, repository, deletes: 'something' } as const;
  const decision = policy.decide(question);
  const rule = decision.rule === undefined ? {} : { rule: decision.rule.name };
  if (!decision.allowed) return { action, ...rule, ...refusedInWords(decision) };
  const notes = [
    ...limitsOf(policy, principal, action, repository),
    ...(decision.rule?.when === undefined ? [] : [`while ${describeConditions(decision.rule.when)}`]),
    ...(action === 'push' ? halfOf(policy, { ...question, action }) : []),
  ];
  return {
    action,
    ...rule,
    ...(notes.length === 0 ? { answer: 'yes' } : { answer: 'sometimes', note: notes.join('; ') }),
  };
}

function refusedInWords({ reason, frozenUntil }: Decision): Pick<RightView, 'answer' | 'note'> {
  if (frozenUntil !== undefined) return { answer: 'no', note: `until ${formatMoment(frozenUntil)}` };
  if (reason === 'rule_denies') return { answer: 'no' };
  return reason === 'secret_narrow' ? { answer: 'none', note: narrowInWords } : { answer: 'none' };
}

/** Tags that all allowances are limited to, and those that a rule takes out. */
function limitsOf(
  { policy }: CompiledPolicy,
  principal: Principal,
  action: Asked,
  repository: string,
): readonly string[] {
  const [subjects, name] = [subjectsOf(principal), accountNameOf(principal)];
  const isHere = (rule: Rule): boolean =>
    rule.mode === 'enforce' &&
    (rule.rights & decidingRights(rule.effect, action)) !== 0 &&
    isAbout(rule, subjects) &&
    rule.repositories.some((pattern) => matchesRepository(pattern, repository, name));
  const here = policy.rules.filter(isHere);
  const allowing = here.filter(({ effect }) => effect === 'allow');
  const only = allowing.every(({ tags }) => tags !== undefined) ? tagsOf(allowing) : [];
  const not = tagsOf(here.filter(({ effect }) => effect === 'deny'));
  const past = { pull: 'not', push: 'not to move', delete: 'not' }[action];
  return [
    ...(only.length === 0 ? [] : [`only tags ${listed(only)}`]),
    ...(not.length === 0 ? [] : [`${past} tags ${listed(not)}`]),
  ];
}

function tagsOf(rules: readonly Rule[]): readonly string[] {
  return [...new Set(rules.flatMap(({ tags = [] }) => tags.map(({ text }) => text)))];
}

function halfOf(policy: CompiledPolicy, question: Parameters<CompiledPolicy['decide']>[0]): readonly string[] {
  const half = onlyHalf((action) => policy.decide({ ...question, action }).allowed);
  if (half === undefined) return [];
  return [half === 'create' ? 'only tags that are not there yet' : 'only tags that are there already'];
}
