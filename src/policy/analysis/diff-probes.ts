/** Whom a comparison of two policies asks about: accounts, made-up members of groups, and nobody in particular. */
import { type Account, type Named, type Policy, type User, formatSubject } from '../model.ts';
import { accountIn, accountsOf } from '../principal.ts';

/** Somebody to ask about, and whom the answers speak for. */
export interface Probe {
  /** Subjects in file notation: one, or accounts that no rule tells apart. */
  readonly labels: readonly string[];
  readonly principal: Named;
  /** Labels of probes that speak for this one too: groups it is in before and after, and `authenticated`. */
  readonly generals: readonly string[];
  /** The account appears, disappears or changes groups: any rule may matter, not only changed ones. */
  readonly isTouched: boolean;
}

export const strangerPrefix = 'someone+in+';

export interface Stranger {
  /** Undefined: in no group at all. */
  readonly group: string | undefined;
  readonly name: string;
}

/** A made-up member of every group, and of none. */
export function strangersFor(groups: readonly string[], taken: ReadonlySet<string>): readonly Stranger[] {
  const free = (name: string): string => (taken.has(name) ? free(`${name}+`) : name);
  return [undefined, ...groups].map((group) => ({ group, name: free(`${strangerPrefix}${group ?? ''}`) }));
}

/** They have no password and stand nowhere: for asking, never for a gateway. */
export function withUsers(policy: Policy, strangers: readonly Stranger[]): Policy {
  const source = { file: '', line: 0, column: 0 };
  const users = new Map<string, User>(policy.users);
  for (const { name, group } of strangers) {
    users.set(name, { name, groups: group === undefined ? [] : [group], disabled: false, source });
  }
  return { ...policy, users };
}

/** One for each that rules could tell apart, not one for each account: anonymous first. */
export function probesOf(before: Policy, after: Policy, strangers: readonly Stranger[]): readonly Probe[] {
  const general = strangers.map(({ group, name }): Probe => ({
    labels: [group === undefined ? 'authenticated' : `group:${group}`],
    principal: { kind: 'user', name },
    generals: group === undefined ? [] : ['authenticated'],
    isTouched: false,
  }));
  const principal = { kind: 'anonymous' } as const;
  return [
    { labels: ['anonymous'], principal, generals: [], isTouched: false },
    ...general,
    ...accountProbes(before, after),
  ];
}

/** Sorted groups; undefined for accounts that are not there, or disabled. */
type Standing = readonly string[] | undefined;

/** Accounts that no rule names and whose groups are alike get the same answers, so one of them is asked about. */
function accountProbes(before: Policy, after: Policy): readonly Probe[] {
  const named = new Set(
    [before, after].flatMap(({ rules }) =>
      rules.flatMap(({ subjects, except }) => [...subjects, ...except].map(formatSubject)),
    ),
  );
  const classes = new Map<string, Probe & { readonly labels: string[] }>();
  for (const principal of accountsOf(before, after)) {
    const label = formatSubject(principal);
    const old = standingOf(before, principal);
    const young = standingOf(after, principal);
    if (old === undefined && young === undefined) continue;
    const isTouched = JSON.stringify(old) !== JSON.stringify(young);
    const isNamed = named.has(label);
    if (!isNamed && !isTouched && (old ?? []).length <= 1) continue;
    const key = isNamed ? label : JSON.stringify([old ?? null, young ?? null]);
    const known = classes.get(key);
    if (known !== undefined) {
      known.labels.push(label);
      continue;
    }
    const both = (old ?? []).filter((group) => young?.includes(group) === true);
    const isThere = old !== undefined && young !== undefined;
    const generals = isThere ? [...both.map((group) => `group:${group}`), 'authenticated'] : [];
    classes.set(key, { labels: [label], principal, generals, isTouched });
  }
  return [...classes.values()];
}

/** Groups in order of names; undefined for an account that is absent or disabled. */
export function standingOf(policy: Policy, named: Account): Standing {
  const account = accountIn(policy, named);
  return account === undefined || account.disabled ? undefined : account.groups.toSorted();
}
