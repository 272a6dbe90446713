/** A policy asked about accounts by name, with the groups that its files give them: for people and tests, never for a request. */
import { type CompiledPolicy, type Decision, compilePolicy } from './evaluate.ts';
import type { GroupMember, Named, Policy, Principal } from './model.ts';
import { principalIn, subjectsOf } from './principal.ts';

/** Whoever brings groups is asked about as somebody in these, whatever the files say. */
export interface PolicyByName extends CompiledPolicy<Principal | Named | GroupMember> {
  /** Subjects that somebody answers to, in file notation; undefined when the account or group is not there, or disabled. */
  readonly subjectsOf: (who: Named | GroupMember) => readonly string[] | undefined;
}

const unknownAccount: Decision = { allowed: false, reason: 'account_unknown', rule: undefined, shadow: [] };

/** Nobody is allowed anything whom the files do not know or disable. */
export function askedByName(compiled: CompiledPolicy): PolicyByName {
  const { policy } = compiled;
  const found = (who: Principal | Named | GroupMember): Principal | GroupMember | undefined => {
    if ('groups' in who) return who;
    if (who.kind === 'group') return policy.groups.has(who.name) ? who : undefined;
    return principalIn(policy, who);
  };
  return {
    policy,
    decide(question) {
      const principal = found(question.principal);
      return principal === undefined ? unknownAccount : compiled.decide({ ...question, principal });
    },
    mayListCatalog(who, circumstances) {
      const principal = found(who);
      return principal === undefined ? unknownAccount : compiled.mayListCatalog(principal, circumstances);
    },
    mayEverywhere(who, action, circumstances) {
      const principal = found(who);
      return principal === undefined ? unknownAccount : compiled.mayEverywhere(principal, action, circumstances);
    },
    judgesTags(question) {
      const principal = found(question.principal);
      return principal !== undefined && compiled.judgesTags({ ...question, principal });
    },
    limitsOf(who, counted) {
      const principal = found(who);
      return principal === undefined ? [] : compiled.limitsOf(principal, counted);
    },
    gatesOf(who, repository, tag) {
      const principal = found(who);
      return principal === undefined ? [] : compiled.gatesOf(principal, repository, tag);
    },
    subjectsOf(who) {
      const principal = found(who);
      return principal && subjectsOf(principal);
    },
  };
}

/** `compilePolicy` and `askedByName` in one. */
export function compileByName(policy: Policy): PolicyByName {
  return askedByName(compilePolicy(policy));
}
