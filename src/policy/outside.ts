/** People from outside the policy files: which declared groups theirs stand for, and what the files say of their names. */
import type {
  Account,
  Group,
  LoginSource,
  NamedEntry,
  Outside,
  OutsideGroup,
  Policy,
  Principal,
  User,
} from './model.ts';
import { entriesOf } from './model.ts';

/** Groups of a source that one person brings, characters of the name of one, and bytes of all in JSON: headers have room for so much. */
export const outsideGroupBounds = { groups: 50, name: 256, bytes: 8192 } as const;

/** Why somebody's groups do not fit into what is issued to them, in words; undefined where they do. */
export function tooManyGroups(groups: readonly string[]): string | undefined {
  const bounds = outsideGroupBounds;
  const many = `in ${groups.length} groups that the policy files name`;
  if (groups.length > bounds.groups) return `${many}; at most ${bounds.groups} are taken`;
  const isLong = groups.some((group) => group.length > bounds.name);
  if (!isLong && Buffer.byteLength(JSON.stringify(groups)) <= bounds.bytes) return undefined;
  return `${many}, whose names are too long together; at most ${bounds.bytes} bytes are taken`;
}

/** Whether a source takes names that differ only in case for the same one (RFC 4519: `uid` and `cn` are). */
export function ignoresCase(source: LoginSource): boolean {
  return source === 'ldap';
}

/** `ldap:developers`, as policy files and the log write it. */
export function formatOutsideGroup({ source, group }: OutsideGroup): string {
  return `${source}:${group}`;
}

/** `ldap:developers`, for each group of a login source that is in this one. */
export function outsideGroupsOf(group: Group | undefined): readonly string[] {
  return (group?.from ?? []).map(formatOutsideGroup);
}

interface Lookup {
  /** Text of a group of a source -> declared groups. */
  readonly declaredBy: ReadonlyMap<string, readonly string[]>;
  /** Accounts by name in lower case. */
  readonly byFoldedName: ReadonlyMap<string, readonly NamedEntry[]>;
}

const lookups = new WeakMap<Policy, Lookup>();

/** Worked out once for each policy. */
function lookupOf(policy: Policy): Lookup {
  const known = lookups.get(policy);
  if (known !== undefined) return known;
  const declaredBy = new Map<string, string[]>();
  for (const { name, from = [] } of policy.groups.values())
    for (const group of from) add(declaredBy, keyOf(group), name);
  const byFoldedName = new Map<string, NamedEntry[]>();
  for (const each of [...entriesOf(policy), ...(policy.formerEntries ?? [])])
    add(byFoldedName, each.entry.name.toLowerCase(), each);
  const lookup = { declaredBy, byFoldedName };
  lookups.set(policy, lookup);
  return lookup;
}

function add<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else if (!values.includes(value)) values.push(value);
}

function keyOf({ source, group }: OutsideGroup): string {
  return formatOutsideGroup({ source, group: ignoresCase(source) ? group.toLowerCase() : group });
}

/** Of the source's groups those that the policy maps to declared ones, each once. */
export function namedGroups(policy: Policy, source: LoginSource, groups: readonly string[]): readonly string[] {
  const { declaredBy } = lookupOf(policy);
  return [...new Set(groups)].filter((group) => declaredBy.has(keyOf({ source, group })));
}

/** The declared groups that somebody's groups outside stand for, sorted. */
export function mappedGroups(policy: Policy, { source, groups }: Omit<Outside, 'id'>): readonly string[] {
  const { declaredBy } = lookupOf(policy);
  return [...new Set(groups.flatMap((group) => declaredBy.get(keyOf({ source, group })) ?? []))].sort();
}

/**
 * Declared groups that somebody may be in beside these, of whom a source told only what a policy named then. `asked`: that
 * policy; whatever it names and was not told, somebody is not in.
 */
export function untoldGroups(
  policy: Policy,
  { source, groups }: Omit<Outside, 'id'>,
  asked: Policy | undefined,
): readonly string[] {
  const told = new Set(groups.map((group) => keyOf({ source, group })));
  const isKnown = (key: string): boolean => told.has(key) || (asked && lookupOf(asked).declaredBy.has(key)) === true;
  const mapped = mappedGroups(policy, { source, groups });
  const untold = [...lookupOf(policy).declaredBy].filter(([key]) => key.startsWith(`${source}:`) && !isKnown(key));
  return [...new Set(untold.flatMap(([, names]) => names))].filter((name) => !mapped.includes(name));
}

/** What the files say of a name that somebody from outside has. */
export interface NameInFiles {
  /** A machine, or a person with a password of the files, has the name. */
  readonly takenBy?: Account | undefined;
  /** The user without a password that the name declares. */
  readonly user?: User | undefined;
  readonly disabled: boolean;
  /** Milliseconds since 1970; 0: no such instant. */
  readonly validFrom: number;
}

/**
 * How the files spell a name of a source that takes all spellings for one, where they declare a user by it: rules are about
 * that one. Otherwise as the source has it.
 */
export function spelledInFiles(policy: Policy, source: LoginSource, name: string): string {
  if (!ignoresCase(source) || policy.users.has(name)) return name;
  const folded = lookupOf(policy).byFoldedName.get(name.toLowerCase()) ?? [];
  const [only, ...more] = folded.filter(({ kind }) => kind === 'user');
  return more.length === 0 && only !== undefined && policy.users.has(only.entry.name) ? only.entry.name : name;
}

/**
 * An entry gives its groups to exactly its own name. What takes away, it takes from every spelling that the source holds for
 * the same name.
 */
export function nameInFiles(policy: Policy, source: LoginSource, name: string): NameInFiles {
  const folded = lookupOf(policy).byFoldedName.get(name.toLowerCase()) ?? [];
  const entries = ignoresCase(source) ? folded : folded.filter(({ entry }) => entry.name === name);
  const taken = entries.find(({ kind, entry }) => kind !== 'user' || ('password' in entry && entry.password));
  const user = policy.users.get(name);
  return {
    takenBy: taken && { kind: taken.kind, name: taken.entry.name },
    user,
    disabled: entries.some(({ entry }) => entry.disabled),
    validFrom: Math.max(0, ...entries.map(({ entry }) => entry.validFrom ?? 0)),
  };
}

/** Whom somebody outside stands for, where the files neither close the account nor give its name to somebody else. */
export function principalOutside(
  policy: Policy,
  name: string,
  outside: Outside,
  { user }: Pick<NameInFiles, 'user'>,
): Principal {
  const groups = [...new Set([...(user?.groups ?? []), ...mappedGroups(policy, outside)])];
  return { kind: 'user', name, groups, outside };
}
