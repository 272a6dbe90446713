/** Policies as values: what the files say, once read. Nothing here can fail; `parse.ts` lets no half-valid policy through. */
import type { RepositoryPattern, TagPattern } from './pattern.ts';
import type { Conditions } from './conditions.ts';
import type { PasswordHash } from './password-hash.ts';
import type { Rate } from './rate.ts';
import type { EpochMs, EpochSeconds } from '../time.ts';

/** An account or group name; it travels in Basic credentials (no colon), JSON logs and `${account}` (no slash, no star). */
export const namePattern = /^[A-Za-z0-9](?:[A-Za-z0-9._+@-]{0,126}[A-Za-z0-9])?$/;

/** Single rights; `push` in a file stands for `create` and `overwrite`. */
export const rights = {
  pull: 1,
  create: 2,
  overwrite: 4,
  delete: 8,
  catalog: 16,
  promote: 32,
  inspect: 64,
  administer: 128,
} as const;
export type Right = keyof typeof rights;
/** A set of rights as bits. */
export type Rights = number;

/**
 * What can be asked of a policy. `push` is allowed where creating or overwriting is. `promote` is allowed by itself alone, and
 * what forbids the write that it comes to forbids it. `inspect` and `administer` imply nothing and are implied by nothing.
 */
export const actions = [
  'pull',
  'push',
  'create',
  'overwrite',
  'delete',
  'catalog',
  'promote',
  'inspect',
  'administer',
] as const;
export type Action = (typeof actions)[number];

/** What a secret can be made for: administering takes a person. */
export const secretActions = actions.filter((action) => action !== 'administer');

/** A bit for each right. */
export function rightsOf(action: Action): Rights {
  return action === 'push' ? rights.create | rights.overwrite : rights[action];
}

/** The two halves of pushing. */
export const pushes = rights.create | rights.overwrite;

/** The rights by which a rule decides about an action: who may not write may not promote there, either. */
export function decidingRights(effect: Effect, action: Action): Rights {
  return action === 'promote' && effect === 'deny' ? rights.promote | pushes : rightsOf(action);
}

/** Whether the action puts an image somewhere: what gates are about. */
export function isWrite(action: Action): boolean {
  return (rightsOf(action) & (rights.promote | pushes)) !== 0;
}

/** Whether tags of a rule count for the action; otherwise it is about repositories as a whole, whatever tag is named. */
export function judgesTag(action: Action): boolean {
  return action !== 'catalog' && action !== 'inspect' && action !== 'administer';
}

/** None for no action. */
export function rightsOfAll(actions: readonly Action[]): Rights {
  return actions.reduce((sum, action) => sum | rightsOf(action), 0);
}

export type Effect = 'allow' | 'deny';

/** `user:dana`, `group:developers`, … or one of the three words. */
export type Subject =
  | { readonly kind: 'user' | 'robot' | 'workload' | 'group'; readonly name: string }
  | { readonly kind: 'authenticated' }
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'everyone' };

/** Where policy files keep accounts of each kind. */
export const sections = { user: 'users', robot: 'robots', workload: 'workloads' } as const;
export const accountKinds = ['user', 'robot', 'workload'] as const;

/** An account by its name. Kinds share one space of names, since docker sends only a name. */
export interface Account {
  readonly kind: (typeof accountKinds)[number];
  readonly name: string;
}

/** Somebody as policies and people speak of them; in which groups, the files say. */
export type Named = Account | { readonly kind: 'anonymous' };

/** Where people log in who are not in the policy files: a directory, a file of passwords, a web login. */
export const loginSources = ['ldap', 'htpasswd', 'oidc'] as const;
export type LoginSource = (typeof loginSources)[number];

/** What the source of somebody outside the policy files says of them. */
export interface Outside {
  readonly source: LoginSource;
  /** Whose the name is there: another value under the same name is another person. */
  readonly id: string;
  /** By the source's own names; those that the policy named when it was asked. */
  readonly groups: readonly string[];
}

/** Who a request acts as, in the groups that the source of its identity gives. Absence of credentials is `anonymous`. */
export type Principal =
  | (Account & { readonly groups: readonly string[]; readonly outside?: Outside | undefined })
  | { readonly kind: 'anonymous' };

/** Who never administers: only a person does, by a password or the page. */
export function isMachine({ kind }: Pick<Named | GroupMember, 'kind'>): boolean {
  return kind === 'robot' || kind === 'workload';
}

export const anonymous: Principal = { kind: 'anonymous' };

/** A hypothetical caller of whom only one group is known: for tests and explanations, never for a request. */
export interface GroupMember {
  readonly kind: 'group';
  readonly name: string;
}

/** Where in the files something stands; line and column count from 1. */
export interface Source {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Rule {
  readonly name: string;
  readonly effect: Effect;
  /** A shadow rule decides nothing; what it would have changed is logged. */
  readonly mode: 'enforce' | 'shadow';
  readonly subjects: readonly Subject[];
  readonly except: readonly Subject[];
  readonly repositories: readonly RepositoryPattern[];
  readonly rights: Rights;
  readonly tags?: readonly TagPattern[];
  readonly when?: Conditions;
  readonly source: Source;
}

/** What a limit counts: the manifest GETs of pulls, the manifest PUTs of pushes, requests for a token. */
export type Counted = 'pull' | 'push' | 'token';

export interface Limit {
  readonly name: string;
  /** A shadow limit counts and refuses nobody; whom it would have refused is logged. */
  readonly mode: 'enforce' | 'shadow';
  readonly subjects: readonly Subject[];
  readonly except: readonly Subject[];
  readonly count: Counted;
  /** Who has a budget of their own. Anonymous callers have no account: they count by address. */
  readonly per: 'account' | 'address' | 'repository';
  readonly rate: Rate;
  /** Requests that may come at once, at most the rate's amount. */
  readonly burst: number;
  readonly source: Source;
}

/** What an image that is written must be beside what the rules allow: one that another repository holds. */
export interface Gate {
  readonly name: string;
  /** A shadow gate refuses nothing; what it would have refused is logged. */
  readonly mode: 'enforce' | 'shadow';
  /** Into which writes are gated. */
  readonly repositories: readonly RepositoryPattern[];
  /** Absent: every write, by tag and by digest. */
  readonly tags?: readonly TagPattern[] | undefined;
  readonly except: readonly Subject[];
  /** Where the image must be; `**` stands for the segments that it stands for in `repositories`. */
  readonly from: readonly RepositoryPattern[];
  /** Absent: under any tag there. */
  readonly fromTags?: readonly TagPattern[] | undefined;
  /** `image`: the same manifest, or another one of the same image ID and layers. */
  readonly match: 'image' | 'digest';
  /** `allow`: what is attached to an image of the target itself passes. */
  readonly attachments: 'allow' | 'deny';
  readonly source: Source;
}

export interface User {
  readonly name: string;
  /** Absent: this user cannot log in with a password. */
  readonly password?: PasswordHash | undefined;
  readonly groups: readonly string[];
  readonly disabled: boolean;
  /** What was issued to the account before counts no longer. */
  readonly validFrom?: EpochMs | undefined;
  readonly source: Source;
}

/** What a secret was made for, within what the rules give its account; what is absent narrows nothing. */
export interface Reach {
  readonly repositories?: readonly RepositoryPattern[] | undefined;
  readonly rights?: Rights | undefined;
}

export interface RobotToken extends Reach {
  readonly id: string;
  /** Hexadecimal SHA-256 of the whole secret. */
  readonly sha256: string;
  /** Absent: does not expire. */
  readonly expires?: EpochSeconds | undefined;
  readonly source: Source;
}

export interface Robot {
  readonly name: string;
  readonly groups: readonly string[];
  readonly disabled: boolean;
  /** What was issued to the account before counts no longer. */
  readonly validFrom?: EpochMs | undefined;
  readonly tokens: readonly RobotToken[];
  readonly source: Source;
}

/** A CI job that proves who it is with its issuer's OIDC token. */
export interface Workload {
  readonly name: string;
  readonly issuer: string;
  /** One of them must be the token's. */
  readonly audiences: readonly string[];
  /** Claim name -> pattern over its value. */
  readonly claims: ReadonlyMap<string, string>;
  /** The token is good so long from when it was issued; absent: until it expires. */
  readonly lifetimeSeconds?: number | undefined;
  /** File of the issuer's public keys; absent: the issuer is asked. */
  readonly jwks?: string | undefined;
  /** File of the authorities that the issuer's certificate must come from; absent: those that the system trusts. */
  readonly ca?: string | undefined;
  readonly groups: readonly string[];
  readonly disabled: boolean;
  /** What was issued to the account before counts no longer. */
  readonly validFrom?: EpochMs | undefined;
  readonly source: Source;
}

/** A group of a login source. */
export interface OutsideGroup {
  readonly source: LoginSource;
  /** As the source names it. */
  readonly group: string;
}

export interface Group {
  readonly name: string;
  readonly description?: string | undefined;
  /** Whoever is in one of these is in this group. */
  readonly from?: readonly OutsideGroup[] | undefined;
  readonly source: Source;
}

/** What an embedded test expects of one question. */
export interface Expectation {
  readonly allowed: boolean;
  readonly action: Action;
  readonly repository: string;
  readonly tag?: string;
  readonly source: Source;
}

export interface PolicyTest {
  readonly name: string;
  readonly principal: Named | GroupMember;
  readonly address?: string | undefined;
  /** Absent: the time of the run. */
  readonly at?: EpochMs | undefined;
  /** What is pushed or promoted: an image that every gate lets pass, or one that none does. */
  readonly image: 'approved' | 'unknown';
  readonly expectations: readonly Expectation[];
  readonly source: Source;
}

/** Everything that the policy files say together. */
export interface Policy {
  /** Of the files, short: by it a record says which policy decided. Absent where nobody asked for it. */
  readonly revision?: string | undefined;
  readonly users: ReadonlyMap<string, User>;
  readonly robots: ReadonlyMap<string, Robot>;
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly groups: ReadonlyMap<string, Group>;
  readonly tests: readonly PolicyTest[];
  readonly rules: readonly Rule[];
  readonly limits: readonly Limit[];
  readonly gates: readonly Gate[];
  /** Of accounts that a refused edit takes something from, as they were: nobody outside gets a name by it. */
  readonly formerEntries?: readonly NamedEntry[] | undefined;
}

export type AnyAccount = User | Robot | Workload;

export interface NamedEntry {
  readonly kind: Account['kind'];
  readonly entry: AnyAccount;
}

export type Accounts = Pick<Policy, 'users' | 'robots' | 'workloads'>;
/** With what people from outside become members by. */
export type AccountsAndGroups = Accounts & Pick<Policy, 'groups'>;

/** `user:dana`, as policy files and `explain` write it. */
export function formatSubject(subject: Subject | Named): string {
  return 'name' in subject ? `${subject.kind}:${subject.name}` : subject.kind;
}

/** Every account with its kind, disabled ones too: users first, each kind in the order of the files. */
export function entriesOf(accounts: Accounts): readonly NamedEntry[] {
  return accountKinds.flatMap((kind) => [...accounts[sections[kind]].values()].map((entry) => ({ kind, entry })));
}

/** Groups that no account is in. */
export function emptyGroupsOf(policy: Policy): readonly GroupMember[] {
  const inhabited = new Set(entriesOf(policy).flatMap(({ entry }) => entry.groups));
  const empty = [...policy.groups.keys()].filter((name) => !inhabited.has(name)).sort();
  return empty.map((name) => ({ kind: 'group', name }));
}
