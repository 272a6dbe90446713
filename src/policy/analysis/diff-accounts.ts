/** What a change of policy does to accounts and their groups, in words. */
import { type Policy, formatSubject } from '../model.ts';
import { accountIn, accountsOf } from '../principal.ts';
import type { ChangeKind } from './diff-states.ts';
import { standingOf } from './diff-probes.ts';

export interface AccountChange {
  readonly kind: ChangeKind;
  readonly subject: string;
  readonly sentence: string;
}

/** In order of kinds and names; the same account before and after is one that has the same name. */
export function accountChanges(before: Policy, after: Policy): readonly AccountChange[] {
  return accountsOf(before, after).flatMap((principal): readonly AccountChange[] => {
    const subject = formatSubject(principal);
    const old = standingOf(before, principal);
    const young = standingOf(after, principal);
    if (old === undefined && young === undefined) return [];
    if (old === undefined) {
      const groups = young?.length === 0 ? 'in no group' : `in ${(young ?? []).join(', ')}`;
      const word = accountIn(before, principal) === undefined ? 'is new' : 'is no longer disabled';
      return [{ kind: 'granted', subject, sentence: `${subject} ${word}, ${groups}` }];
    }
    if (young === undefined) {
      const word = accountIn(after, principal) === undefined ? 'is gone' : 'is disabled';
      return [{ kind: 'revoked', subject, sentence: `${subject} ${word}` }];
    }
    const joined = young.filter((group) => !old.includes(group));
    const left = old.filter((group) => !young.includes(group));
    if (joined.length + left.length === 0) return [];
    const words = [
      ...(joined.length === 0 ? [] : [`joins ${joined.join(', ')}`]),
      ...(left.length === 0 ? [] : [`leaves ${left.join(', ')}`]),
    ];
    return [{ kind: 'changed', subject, sentence: `${subject} ${words.join(' and ')}` }];
  });
}
