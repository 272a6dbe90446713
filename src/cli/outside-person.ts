/** Somebody whom no policy file names, in groups that a login source would tell: asked about as if a file did. */
import { quote } from '../document/problem.ts';
import { didYouMean } from '../document/suggest.ts';
import { type LoginSource, type Policy, type User, loginSources, namePattern } from '../policy/model.ts';
import { mappedGroups, nameInFiles } from '../policy/outside.ts';

/** The policy with this person in it, or why they cannot be asked about. `groups`: declared ones, or `ldap:NAME`, by commas. */
export function withPerson(
  policy: Policy,
  subject: string,
  groups: string,
): { readonly policy: Policy } | { readonly problem: string } {
  const name = subject.startsWith('user:') ? subject.slice('user:'.length) : '';
  if (!namePattern.test(name)) return { problem: `--groups is for somebody from outside, as in user:NAME` };
  const { takenBy, user } = nameInFiles(policy, 'htpasswd', name);
  if (takenBy !== undefined)
    return {
      problem: `${takenBy.kind} ${quote(name)} is in the policy files, which say the groups; leave out --groups`,
    };
  const found = new Set(user?.groups);
  for (const each of groups.split(',').map((text) => text.trim())) {
    const declared = declaredBy(policy, each);
    if (!Array.isArray(declared)) return declared;
    for (const group of declared) found.add(group);
  }
  const source = { file: '--groups', line: 1, column: 1 };
  const person: User = { disabled: false, source, ...user, name, groups: [...found] };
  return { policy: { ...policy, users: new Map([...policy.users, [name, person]]) } };
}

function declaredBy(policy: Policy, text: string): string[] | { readonly problem: string } {
  if (policy.groups.has(text)) return [text];
  const colon = text.indexOf(':');
  const source = loginSources.find((each: LoginSource) => each === text.slice(0, Math.max(0, colon)));
  // A group that no `from` names is one that gives nothing.
  if (source !== undefined) return [...mappedGroups(policy, { source, groups: [text.slice(colon + 1)] })];
  return { problem: `there is no group ${quote(text)}${didYouMean(text, policy.groups.keys())}` };
}
