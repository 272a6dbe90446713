/** Claims -> somebody. What a provider left out, or says in another form, is told in words that name the claim. */
import { claimOf } from '../../policy/claims.ts';
import type { ProvidedPerson, ProvidedRefused } from '../../ports.ts';

export interface PersonClaims {
  /** The claim with the name, and the one with the groups. */
  readonly name: string;
  readonly groups: string;
}

/** Entries of a list; more would be no list of one person's groups. */
const maxGroups = 10_000;
const maxShown = 60;

/** Whether something is missing that the provider may say elsewhere. */
export function isIncomplete(claims: object, names: PersonClaims): boolean {
  return [names.name, names.groups].some((name) => (claimOf(claims, name) ?? undefined) === undefined);
}

/** `claims`: the validated ones of the ID token; `more`: of the same subject, where these are silent. */
export function personOf(
  claims: { readonly iss: string; readonly sub: string },
  more: object,
  names: PersonClaims,
): { readonly ok: true; readonly person: ProvidedPerson } | ProvidedRefused {
  const find = (name: string): unknown => claimOf(claims, name) ?? claimOf(more, name) ?? undefined;
  for (const name of [names.name, names.groups]) {
    if (find(name) === undefined && isElsewhere([claims, more], name)) return unusable(elsewhere(name));
  }
  const name = find(names.name);
  if (typeof name !== 'string' || name === '')
    return unusable(`the provider does not say the name: the claim "${names.name}" ${described(name)}`);
  // An address that nobody has verified may be anybody's, and whoever may change it chooses who they are.
  if (isAddress(names.name) && find('email_verified') !== true && find('email_verified') !== 'true')
    return unusable('the provider has not verified the e-mail address: the claim "email_verified" is not true');
  const groups = groupsOf(find(names.groups));
  if (groups === undefined)
    return unusable(
      `the claim "${names.groups}" is no list of the names of groups: it ${described(find(names.groups))}`,
    );
  return { ok: true, person: { issuer: claims.iss, subject: claims.sub, name, groups } };
}

/** However the claim is named: a JSON Pointer leads to it as well. */
function isAddress(name: string): boolean {
  return name === 'email' || name === '/email';
}

/** None where there is no claim; undefined where it is something else. */
function groupsOf(claim: unknown): readonly string[] | undefined {
  if (claim === undefined) return [];
  if (typeof claim === 'string') return [claim];
  if (!Array.isArray(claim) || claim.length > maxGroups) return undefined;
  const entries = claim as readonly unknown[];
  // Denials may hang on each of them: none is left out.
  return entries.every((entry) => typeof entry === 'string') ? entries : undefined;
}

/** OpenID Connect Core, section 5.6.2: who is in many groups is told at Entra where to ask for them instead. */
function isElsewhere(all: readonly object[], name: string): boolean {
  const first = name.startsWith('/') ? (name.split('/')[1] ?? '') : name;
  return all.some((claims) => {
    const names = claimOf(claims, '_claim_names');
    const isNamed = typeof names === 'object' && names !== null && Object.hasOwn(names, first);
    return isNamed || (first === 'groups' && claimOf(claims, 'hasgroups') !== undefined);
  });
}

function elsewhere(name: string): string {
  return `the provider leaves out the claim "${name}" because it is too long (_claim_names); have it send only the groups that are assigned to this application`;
}

function described(claim: unknown): string {
  if (claim === undefined) return 'is missing';
  if (Array.isArray(claim)) return claim.length > maxGroups ? `has ${claim.length} entries` : 'is another kind of list';
  return `is ${(JSON.stringify(claim) ?? typeof claim).slice(0, maxShown)}`;
}

function unusable(detail: string): ProvidedRefused {
  return { ok: false, reason: 'person_unusable', detail };
}
