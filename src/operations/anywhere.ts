/** Whether somebody may do something in any repository at all: what is offered to them, never what is decided. */
import { failedCondition } from '../policy/conditions.ts';
import { type Action, rightsOf } from '../policy/model.ts';
import { isAbout, subjectsOf } from '../policy/principal.ts';
import type { Looker, Viewer } from './viewer.ts';

/** Whether some rule in force allows it somewhere, now. A denial may still stand against each single case. */
export function mayAnywhere(viewer: Viewer, action: Action): boolean {
  return viewer.kind === 'operator' || isAllowedSomewhere(viewer, action);
}

function isAllowedSomewhere({ caller, policy, circumstances }: Looker, action: Action): boolean {
  const [subjects, wanted] = [subjectsOf(caller.principal), rightsOf(action)];
  return policy.policy.rules.some(
    (rule) =>
      rule.effect === 'allow' &&
      rule.mode === 'enforce' &&
      (rule.rights & wanted) !== 0 &&
      isAbout(rule, subjects) &&
      (rule.when === undefined || failedCondition(rule.when, circumstances) === undefined),
  );
}
