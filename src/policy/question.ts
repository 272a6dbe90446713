/** What can be asked of a policy, and what it says. */
import type { Circumstances } from './conditions.ts';
import type { Action, GroupMember, Principal, Rule } from './model.ts';
import type { EpochMs } from '../time.ts';

export interface Question<Who = Principal | GroupMember> extends Circumstances {
  readonly principal: Who;
  readonly action: Action;
  readonly repository: string;
  /** The tag that the request names. Without one, tags of a rule are not judged: an allow holds, a deny does not; but see `deletes`. */
  readonly tag?: string | undefined;
  /** What a `delete` without a tag is about; a layer when left out. */
  readonly deletes?: Untagged;
  /** For `promote`: what it comes to, once that is known; otherwise it is allowed where either is. */
  readonly writes?: 'create' | 'overwrite';
  /** For `pull`: the read is one that clients do while pushing, so the right to push is enough. */
  readonly readWhilePushing?: boolean;
  /** Whether the tag is to be shown in a list; whoever asks for one by itself has it from somewhere. */
  readonly isListing?: boolean;
}

/** Whether two differ in nothing but the repository, and so have one answer under the same patterns. */
export function isSameButPlace(one: Question, other: Question): boolean {
  return (
    one.now === other.now &&
    one.principal === other.principal &&
    one.action === other.action &&
    one.address === other.address &&
    one.tag === other.tag &&
    one.deletes === other.deletes &&
    one.writes === other.writes &&
    one.readWhilePushing === other.readWhilePushing &&
    one.isListing === other.isListing
  );
}

/**
 * What no tag names. `layer`: content that tags are made of: whoever may not delete or move each tag may not delete it.
 * `manifest`: one that no tag leads to. `something`: whether anything at all may be deleted here, for who looks at the tags
 * next or bounds a token. A right to delete certain tags reaches neither of the former.
 */
export type Untagged = 'layer' | 'manifest' | 'something';

export type DecisionReason =
  | 'rule_allows'
  | 'rule_denies'
  | 'no_rule'
  /** Of a machine that is asked whether it may administer. */
  | 'not_a_person'
  /** Of somebody asked about by name. */
  | 'account_unknown'
  /** The rules would allow it, the robot's secret does not reach it. */
  | 'secret_narrow';

export interface Decision {
  readonly allowed: boolean;
  readonly reason: DecisionReason;
  /** The rule that decided; undefined when none matched. */
  readonly rule: Rule | undefined;
  /** Shadow rules that would have turned the decision. */
  readonly shadow: readonly Rule[];
  /** When it is allowed, of what is forbidden for some time only. */
  readonly frozenUntil?: EpochMs | undefined;
}

export const noRule: Decision = { allowed: false, reason: 'no_rule', rule: undefined, shadow: [] };

export const notAPerson: Decision = { ...noRule, reason: 'not_a_person' };

/** By a rule. */
export function decided(allowed: boolean, rule: Rule | undefined): Decision {
  return { allowed, reason: allowed ? 'rule_allows' : 'rule_denies', rule, shadow: [] };
}
