/** What one policy says about one question at all times and from everywhere, and how that differs from what another says. */
import type { Circumstances, Conditions } from '../conditions.ts';
import { describeConditions, formatInstant } from '../describe.ts';
import type { Decision } from '../evaluate.ts';
import type { Rule } from '../model.ts';

export interface State {
  readonly kind: 'never' | 'sometimes' | 'always';
  /** For `sometimes`: when; to be read behind what may be done. */
  readonly words: string;
  /** The rule that allows; for `never` the one that denies, if any. */
  readonly rule: Rule | undefined;
}

export type ChangeKind = 'granted' | 'revoked' | 'changed';

/** What became of it; `changed` where it is allowed before and after. */
export function kindOf(before: State, after: State): ChangeKind {
  return before.kind === 'never' ? 'granted' : after.kind === 'never' ? 'revoked' : 'changed';
}

/** What the decisions of one question, one for each circumstance, come to. */
export function stateOf(decisions: readonly Decision[]): State {
  const allowing = decisions.find((decision) => decision.allowed);
  if (allowing === undefined) return { kind: 'never', words: '', rule: decisions[0]?.rule };
  if (decisions.every((decision) => decision.allowed)) return { kind: 'always', words: '', rule: allowing.rule };
  const whens = (wanted: boolean): readonly (Conditions | undefined)[] =>
    decisions.filter((decision) => decision.allowed === wanted).map(({ rule }) => rule?.when);
  const helping = wordsOf(whens(true));
  if (helping !== undefined) return { kind: 'sometimes', words: `only while ${helping}`, rule: allowing.rule };
  const denying = decisions.find((decision) => !decision.allowed && decision.rule !== undefined);
  const hindering = wordsOf(whens(false));
  if (hindering !== undefined) return { kind: 'sometimes', words: `except while ${hindering}`, rule: denying?.rule };
  return { kind: 'sometimes', words: 'only at some times or from some addresses', rule: allowing.rule };
}

/** Undefined when one of the rules has no condition and so the conditions are not what makes the difference. */
function wordsOf(whens: readonly (Conditions | undefined)[]): string | undefined {
  if (whens.length === 0 || whens.includes(undefined)) return undefined;
  return [...new Set(whens.map((when) => describeConditions(when ?? {})))].join(' or while ');
}

/** For two states that the same words describe. */
export function withExample(state: State, { now, address }: Circumstances, allowed: boolean): State {
  const from = address === undefined ? '' : ` from ${address}`;
  const words = `${state.words} (${allowed ? 'now also' : 'no longer'} at ${formatInstant(now)}${from})`.trim();
  return { ...state, words };
}
