/** What a refused edit takes away: accounts, secrets, password marks and memberships. It never gives anything. */
import { type CompiledPolicy, compilePolicy } from './evaluate.ts';
import { losesAdministrators } from './everywhere.ts';
import {
  type AccountsAndGroups,
  type AnyAccount,
  type Group,
  type GroupMember,
  type Principal,
  type Robot,
  type User,
  type Workload,
  entriesOf,
} from './model.ts';
import { formatOutsideGroup, mappedGroups } from './outside.ts';
import { accountIn, trustOf } from './principal.ts';

export interface Withdrawal {
  /** undefined when so much would be lost that it must be a mistake, or nobody would be left who may administer. */
  readonly compiled: CompiledPolicy | undefined;
  readonly isOfAllAdministrators?: boolean;
  /** Accounts that have lost something since the good policy, by name. */
  readonly losing: readonly string[];
}

/** More accounts than this, and more than half of all, are a mistake rather than leavers. */
const alwaysTaken = 10;

/**
 * The good policy with what `named` takes from `left`: its accounts, less what refused edits took before. undefined when
 * that is nothing more. Bounded by all that is gone since the good policy, so that no row of edits takes everybody. Only
 * allowances are judged by the memberships that are left: a denial and an `except` keep the old ones.
 */
export function withdraw(
  good: CompiledPolicy,
  left: AccountsAndGroups,
  named: AccountsAndGroups,
): Withdrawal | undefined {
  const { users, robots, workloads, groups } = good.policy;
  const losing: string[] = [];
  let takesMore = false;
  const keep = <Account extends AnyAccount>(
    before: ReadonlyMap<string, Account>,
    held: ReadonlyMap<string, Account>,
    now: ReadonlyMap<string, Account>,
    both: (before: Account, now: Account) => Account | undefined,
  ): ReadonlyMap<string, Account> =>
    new Map(
      [...before].flatMap(([name, account]) => {
        const [has, found] = [held.get(name), now.get(name)];
        const kept = has && found && both(has, found);
        if (kept !== account) losing.push(name);
        if (kept !== has) takesMore = true;
        return kept === undefined ? [] : [[name, kept] as const];
      }),
    );
  const accounts: AccountsAndGroups = {
    users: keep(users, left.users, named.users, userLeft),
    robots: keep(robots, left.robots, named.robots, robotLeft),
    workloads: keep(workloads, left.workloads, named.workloads, workloadLeft),
    groups: new Map(
      [...groups].map(([name, group]) => [name, groupLeft(group, left.groups.get(name), named.groups.get(name))]),
    ),
  };
  const isCut = [...groups.keys()].some((name) => accounts.groups.get(name)?.from !== left.groups.get(name)?.from);
  const shut = shutOut(good.policy, left, named);
  if (!takesMore && !isCut && shut.every((user) => left.users.get(user.name) === user)) return undefined;
  const total = users.size + robots.size + workloads.size;
  if (losing.length > alwaysTaken && losing.length * 2 > total) return { losing, compiled: undefined };
  const shutUsers = new Map([...accounts.users, ...shut.map((user) => [user.name, user] as const)]);
  if (losesAdministrators(good.policy, { users: shutUsers, groups: accounts.groups }))
    return { losing, compiled: undefined, isOfAllAdministrators: true };
  const losers = new Set(losing);
  const formerEntries = entriesOf(good.policy).filter(({ entry }) => losers.has(entry.name));
  const revision = good.policy.revision && `${good.policy.revision}-cut`;
  const policy = { ...good.policy, revision, ...accounts, users: shutUsers, formerEntries };
  losing.push(...shut.map(({ name }) => name), ...cutGroups(good.policy.groups, accounts.groups));
  const asBefore = withGroupsOf(good);
  const giving = compilePolicy({ ...policy, rules: policy.rules.filter(({ effect }) => effect === 'allow') });
  return {
    losing,
    compiled: {
      policy,
      limitsOf: (principal, counted) => good.limitsOf(asBefore(principal), counted),
      gatesOf: (principal, repository, tag) => good.gatesOf(asBefore(principal), repository, tag),
      judgesTags: (question) => good.judgesTags({ ...question, principal: asBefore(question.principal) }),
      decide: (question) => {
        const before = good.decide({ ...question, principal: asBefore(question.principal) });
        return before.allowed ? giving.decide(question) : before;
      },
      mayEverywhere: (principal, action, circumstances) => {
        const given = giving.mayEverywhere(principal, action, circumstances);
        return given.allowed ? good.mayEverywhere(asBefore(principal), action, circumstances) : given;
      },
      mayListCatalog: (principal, circumstances) => {
        const given = giving.mayListCatalog(principal, circumstances);
        return given.allowed ? good.mayListCatalog(asBefore(principal), circumstances) : given;
      },
    },
  };
}

/** Puts a principal into the groups, too, that the files gave its account before. */
function withGroupsOf({ policy }: CompiledPolicy): (principal: Principal | GroupMember) => Principal | GroupMember {
  const known = new WeakMap<Principal, Principal>();
  return (principal) => {
    if (!('groups' in principal)) return principal;
    const found = known.get(principal);
    if (found !== undefined) return found;
    const declared = accountIn(policy, principal)?.groups ?? [];
    const mapped = principal.outside === undefined ? [] : mappedGroups(policy, principal.outside);
    const before = { ...principal, groups: [...new Set([...declared, ...mapped, ...principal.groups])] };
    known.set(principal, before);
    return before;
  };
}

/** Less the groups of login sources that an edit no longer names. */
function groupLeft(before: Group, held: Group | undefined, now: Group | undefined): Group {
  const { from } = before;
  if (from === undefined) return before;
  const has = (group: Group | undefined, wanted: string): boolean =>
    group?.from?.some((each) => formatOutsideGroup(each) === wanted) === true;
  const kept = from.filter((each) => [held, now].every((group) => has(group, formatOutsideGroup(each))));
  if (kept.length === from.length) return before;
  return kept.length === held?.from?.length ? held : { ...before, from: kept };
}

/** `group developers`, for each that fewer people come into. */
function cutGroups(before: AccountsAndGroups['groups'], now: AccountsAndGroups['groups']): readonly string[] {
  return [...before.values()].filter((group) => now.get(group.name) !== group).map(({ name }) => `group ${name}`);
}

/** Names of nobody in the good policy that an edit shuts, for good or until an instant: people from outside have them. */
function shutOut(good: AccountsAndGroups, left: AccountsAndGroups, named: AccountsAndGroups): readonly User[] {
  const isNew = ({ name }: User): boolean => [good.users, good.robots, good.workloads].every((map) => !map.has(name));
  const found = new Map([...left.users].filter(([, user]) => isNew(user)));
  for (const user of named.users.values()) {
    if (!isNew(user) || !(user.disabled || user.validFrom !== undefined)) continue;
    const held = found.get(user.name);
    const { disabled, validFrom } = held === undefined ? user : sharedLeft({ ...held, groups: [] }, user);
    const isSame = held?.disabled === disabled && held.validFrom === validFrom;
    if (!isSame) found.set(user.name, { ...user, groups: [], password: undefined, disabled, validFrom });
  }
  return [...found.values()];
}

type Shared = Pick<User, 'groups' | 'disabled' | 'validFrom'>;

/** What both say of what every account has; the same object when nothing is lost. */
function sharedLeft<Account extends Shared>(before: Account, now: Shared): Account {
  const groups = before.groups.filter((group) => now.groups.includes(group));
  const disabled = before.disabled || now.disabled;
  const validFrom = Math.max(before.validFrom ?? 0, now.validFrom ?? 0);
  const isSame =
    groups.length === before.groups.length && disabled === before.disabled && validFrom === (before.validFrom ?? 0);
  return isSame ? before : { ...before, groups, disabled, validFrom: validFrom === 0 ? undefined : validFrom };
}

function userLeft(before: User, now: User): User {
  const shared = sharedLeft(before, now);
  if (before.password === undefined || before.password.text === now.password?.text) return shared;
  return { ...shared, password: undefined };
}

/** A secret whose limits changed is gone until the edit is whole: which of both limits are meant nobody can say. */
function robotLeft(before: Robot, now: Robot): Robot {
  const shared = sharedLeft(before, now);
  const mark = ({ id, sha256, expires, repositories, rights }: Robot['tokens'][number]): string =>
    JSON.stringify([id, sha256, expires, repositories?.map(({ text }) => text), rights]);
  const marks = new Set(now.tokens.map(mark));
  const tokens = before.tokens.filter((token) => marks.has(mark(token)));
  return tokens.length === before.tokens.length ? shared : { ...shared, tokens };
}

function workloadLeft(before: Workload, now: Workload): Workload | undefined {
  return trustOf(before) === trustOf(now) ? sharedLeft(before, now) : undefined;
}
