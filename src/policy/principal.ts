/** Whom a policy speaks of: accounts by name, the principals they stand for, and the subjects that these answer to. */
import {
  type Account,
  type AnyAccount,
  type GroupMember,
  type Named,
  type Policy,
  type Principal,
  type Subject,
  type Workload,
  accountKinds,
  anonymous,
  formatSubject,
  sections,
} from './model.ts';

/** What the files say of an account, disabled or not; undefined when there is none of this kind and name. */
export function accountIn(policy: Policy, { kind, name }: Account): AnyAccount | undefined {
  return policy[sections[kind]].get(name);
}

/** Names that any of the policies declares, kind by kind and sorted. */
export function accountsOf(...policies: readonly Policy[]): readonly Account[] {
  return accountKinds.flatMap((kind) => {
    const names = policies.flatMap((policy) => [...policy[sections[kind]].keys()]);
    return [...new Set(names)].sort().map((name) => ({ kind, name }));
  });
}

/** All by which a workload is known: the same text as long as the same tokens are taken for the same time. */
export function trustOf({ issuer, audiences, claims, lifetimeSeconds = 0, jwks = '', ca = '' }: Workload): string {
  const named = [...claims].sort(([left], [right]) => (left < right ? -1 : 1));
  return JSON.stringify([issuer, [...audiences].sort(), named, lifetimeSeconds, jwks, ca]);
}

const principals = new WeakMap<AnyAccount, Principal>();

/** Whom an account of the files stands for: the same object for the same entry, so that what hangs on it is worked out once. */
export function principalOf(kind: Account['kind'], entry: AnyAccount): Principal {
  const known = principals.get(entry);
  if (known !== undefined) return known;
  const principal: Principal = { kind, name: entry.name, groups: entry.groups };
  principals.set(entry, principal);
  return principal;
}

/** Whom a name stands for by the files; undefined when there is no such account, or it is disabled. */
export function principalIn(policy: Policy, who: Named): Principal | undefined {
  if (who.kind === 'anonymous') return anonymous;
  const entry = accountIn(policy, who);
  return entry === undefined || entry.disabled ? undefined : principalOf(who.kind, entry);
}

/** `${account}` stands for it; undefined for anonymous callers and for a group alone. */
export function accountNameOf(who: Named | GroupMember): string | undefined {
  return who.kind === 'anonymous' || who.kind === 'group' ? undefined : who.name;
}

const subjects = new WeakMap<Principal | GroupMember, readonly string[]>();
const ofAnonymous: readonly string[] = ['anonymous', 'everyone'];

/** Subjects of rules that a principal answers to, in file notation. Worked out once for each principal, which never changes. */
export function subjectsOf(principal: Principal | GroupMember): readonly string[] {
  if (principal.kind === 'anonymous') return ofAnonymous;
  const known = subjects.get(principal);
  if (known !== undefined) return known;
  const groups = principal.kind === 'group' ? [] : principal.groups.map((group) => `group:${group}`);
  const found = [formatSubject(principal), ...groups, 'authenticated', 'everyone'];
  subjects.set(principal, found);
  return found;
}

/** Whether one of the subjects is among those that somebody answers to. */
export function names(subjects: readonly Subject[], answers: readonly string[]): boolean {
  return subjects.some((subject) => answers.includes(formatSubject(subject)));
}

/** Whether a rule or limit is about somebody who answers to these. */
export function isAbout(
  { subjects, except }: { readonly subjects: readonly Subject[]; readonly except: readonly Subject[] },
  answers: readonly string[],
): boolean {
  return names(subjects, answers) && !names(except, answers);
}
