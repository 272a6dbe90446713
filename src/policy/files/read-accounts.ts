/** Entries of `users:`, `robots:`, `workloads:` and `groups:`. */
import { type Group, type Robot, type RobotToken, type User, type Workload, rightsOfAll } from '../model.ts';
import { parsePasswordHash } from '../password-hash.ts';
import type { Place } from './place.ts';
import { type PolicyFile, policyFileSchema } from './schema.ts';
import { inSeconds } from '../../time.ts';

export type AccountSections = Pick<PolicyFile, 'users' | 'robots' | 'workloads' | 'groups'>;

type Entry<Section extends keyof AccountSections> = NonNullable<PolicyFile[Section]>[string];

const sectionsSchema = policyFileSchema.pick({ users: true, robots: true, workloads: true, groups: true });

/**
 * The sections of accounts in a file that breaks the schema elsewhere. undefined when nobody can tell what they are: one
 * breaks it, too, or a key may be one of them, misspelt or moved into what stands above it.
 */
export function accountsApart(file: unknown): AccountSections | undefined {
  if (typeof file !== 'object' || file === null || Array.isArray(file)) return undefined;
  const { users, robots, workloads, groups, ...others } = file as Readonly<Record<string, unknown>>;
  const isStray = (key: string): boolean => !Object.hasOwn(policyFileSchema.shape, key);
  if (Object.keys(others).some(isStray) || /"(?:users|robots|workloads)":/.test(JSON.stringify(others)))
    return undefined;
  return sectionsSchema.safeParse({ users, robots, workloads, groups }).data;
}

/** undefined when its password cannot be used. */
export function readUser(place: Place, name: string, entry: Entry<'users'>): User | undefined {
  const source = place.declare('account', name);
  const password = entry.password === undefined ? undefined : parsePasswordHash(entry.password);
  if (password !== undefined && 'problem' in password) {
    place.at('password').problem('invalid-hash', `password of user "${name}": ${password.problem}`);
    return undefined;
  }
  return { name, password, ...sharedBy(place, entry), source };
}

/** Its name is one among all accounts: docker sends only a name. */
export function readRobot(place: Place, name: string, entry: Entry<'robots'>): Robot {
  const source = place.declare('account', name);
  const tokens = (entry.tokens ?? []).map((token, index) => readRobotToken(place.at('tokens', index), token));
  return { name, ...sharedBy(place, entry), tokens, source };
}

function readRobotToken(place: Place, token: NonNullable<Entry<'robots'>['tokens']>[number]): RobotToken {
  const { id, sha256, actions } = token;
  const expires = token.expires === undefined ? undefined : place.at('expires').instant(token.expires);
  const repositories = token.repositories && place.at('repositories').patterns(token.repositories);
  return {
    id,
    sha256,
    expires: expires === undefined ? undefined : inSeconds(expires),
    repositories,
    rights: actions && rightsOfAll(actions),
    source: place.at('id').declare('robot token', id),
  };
}

/** Its name is one among all accounts. */
export function readWorkload(place: Place, name: string, entry: Entry<'workloads'>): Workload {
  return {
    name,
    issuer: entry.issuer,
    audience: entry.audience,
    claims: new Map(Object.entries(entry.claims ?? {})),
    ...sharedBy(place, entry),
    source: place.declare('account', name),
  };
}

/** `groups: { a: }` is a group without a description. */
export function readGroup(place: Place, name: string, entry: Entry<'groups'>): Group {
  const source = place.declare('group', name);
  return { name, source, description: entry?.description };
}

/** What accounts of every kind have. */
function sharedBy(place: Place, { groups, disabled = false, validFrom }: Partial<Entry<'users'>>) {
  const instant = validFrom === undefined ? undefined : place.at('validFrom').instant(validFrom);
  return { groups: place.groups(groups), disabled, validFrom: instant };
}
