/** What people are told of the policy in force: what its last reload changed, and what a reader would object to. */
import type { Problem } from '../../document/problem.ts';
import { compileByName } from '../by-name.ts';
import { formatPlace } from '../describe.ts';
import type { Policy } from '../model.ts';
import { cause, diffPolicies } from './diff.ts';
import { lintPolicy } from './lint.ts';
import { unexercisedRules } from './test-run.ts';

export interface PolicyReview {
  readonly changes:
    | {
        readonly lines: readonly { readonly sign: '+' | '-' | '~'; readonly text: string }[];
        readonly isWhole: boolean;
      }
    | undefined;
  readonly lints: readonly (Problem & { readonly isProblem: boolean })[];
  readonly unexercised: readonly { readonly name: string; readonly file: string; readonly line: number }[];
}

const signs = {
  granted: '+',
  revoked: '-',
  changed: '~',
  added: '+',
  removed: '-',
  tightened: '~',
  loosened: '~',
} as const;
const maxLines = 200;

/** `before`: what it took the place of. Takes seconds for large policies: not for a thread that has requests to answer. */
export function reviewPolicy(before: Policy | undefined, policy: Policy, now: number): PolicyReview {
  const { problems, notes } = lintPolicy(policy, now);
  return {
    changes: before && changesOf(before, policy, now),
    lints: [
      ...problems.map((each) => ({ ...each, isProblem: true })),
      ...notes.map((each) => ({ ...each, isProblem: false })),
    ].slice(0, maxLines),
    unexercised: unexercisedRules(compileByName(policy), now)
      .slice(0, maxLines)
      .map(({ name, source: { file, line } }) => ({ name, file, line })),
  };
}

function changesOf(before: Policy, after: Policy, now: number): PolicyReview['changes'] {
  const { accounts, changes, limits, gates, isComplete } = diffPolicies(before, after, { now });
  const placed = (text: string, why: string | undefined): string => (why === undefined ? text : `${text} (${why})`);
  const lines = [
    ...accounts.map(({ kind, sentence }) => ({ sign: signs[kind], text: sentence })),
    ...changes.map((change) => ({ sign: signs[change.kind], text: placed(change.sentence, cause(change)) })),
    ...limits.map(({ kind, limit, sentence }) => ({
      sign: signs[kind],
      text: placed(sentence, formatPlace(limit.source)),
    })),
    ...gates.map(({ kind, gate, sentence }) => ({
      sign: signs[kind],
      text: placed(sentence, formatPlace(gate.source)),
    })),
  ];
  return { lines: lines.slice(0, maxLines), isWhole: isComplete && lines.length <= maxLines };
}
