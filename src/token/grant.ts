/** Requested access -> the part of it that the policy gives: a partial grant is normal, an empty one too. */
import type { Access, ScopeAction } from '../distribution/access.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Circumstances } from '../policy/conditions.ts';
import type { Action, Principal } from '../policy/model.ts';

const concrete = ['pull', 'push', 'delete', 'promote', 'inspect'] as const;

/**
 * `*` is spelled out as the actions that are granted: a signed `*` would mean everything to distribution, also what
 * the policy grants nobody. Only `registry:catalog` knows no other action.
 *
 * `isFinal`: nobody judges after us, so what is granted is what may be done to every tag, and not a bound.
 */
export function grantAccess(
  policy: CompiledPolicy,
  principal: Principal,
  requested: readonly Access[],
  circumstances: Circumstances,
  isFinal = false,
): readonly Access[] {
  return requested.map((access): Access => {
    const actions = access.type === 'registry' ? catalogActions() : repositoryActions(access);
    return { type: access.type, name: access.name, actions };

    function catalogActions(): readonly ScopeAction[] {
      // Who filters nothing afterwards shows every name: none to a secret that was made for some.
      const { allowed } = isFinal
        ? policy.mayEverywhere(principal, 'catalog', circumstances)
        : policy.mayListCatalog(principal, circumstances);
      return allowed && access.actions.includes('*') ? ['*'] : [];
    }

    function repositoryActions({ name, actions }: Access): readonly ScopeAction[] {
      const asked = concrete.filter((action) => actions.includes(action) || actions.includes('*'));
      const { address, now } = circumstances;
      // A bound, within which each request is decided by what it names.
      const bound = isFinal ? {} : ({ readWhilePushing: true, deletes: 'something' } as const);
      const may = (action: Action): boolean =>
        policy.decide({ address, now, principal, action, repository: name, ...bound }).allowed;
      return asked.filter((action) => (isFinal && action === 'push' ? may('create') && may('overwrite') : may(action)));
    }
  });
}
