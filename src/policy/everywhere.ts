/** What is judged for all repositories at once: calling the catalog, and looking at or looking after everything. */
import { type Circumstances, failedCondition } from './conditions.ts';
import { type GroupMember, type Policy, type Principal, type Rule, isMachine, rights, rightsOf } from './model.ts';
import { isAbout, principalOf, subjectsOf } from './principal.ts';
import { type Decision, decided, noRule, notAPerson } from './question.ts';

/** Actions that count for every repository there is or will be. */
export type EverywhereAction = 'inspect' | 'administer' | 'catalog';

/** As everywhere: where no tag is named, an allow holds and a deny of certain tags does not. */
function isUntagged({ mode, effect, tags }: Rule): boolean {
  return mode === 'enforce' && (effect === 'allow' || tags === undefined);
}

function holdsNow({ when }: Rule, circumstances: Circumstances): boolean {
  return when === undefined || failedCondition(when, circumstances) === undefined;
}

function isOfAll({ repositories }: Rule): boolean {
  return repositories.some(({ text }) => text === '**');
}

/** Whether the principal may call the catalog at all. `ordered`: the rules by name. */
export function mayListCatalog(
  ordered: readonly Rule[],
  principal: Principal | GroupMember,
  circumstances: Circumstances,
): Decision {
  const subjects = subjectsOf(principal);
  const matching = ordered.filter(
    (rule) =>
      (rule.rights & rights.catalog) !== 0 &&
      isUntagged(rule) &&
      isAbout(rule, subjects) &&
      holdsNow(rule, circumstances),
  );
  const denied = matching.find((rule) => rule.effect === 'deny' && isOfAll(rule));
  if (denied !== undefined) return decided(false, denied);
  const allowed = matching.find((rule) => rule.effect === 'allow');
  return allowed === undefined ? noRule : decided(true, allowed);
}

/** Whether the principal may do this wherever: a rule allows it for `**`, and none denies it anywhere. */
export function mayEverywhere(
  ordered: readonly Rule[],
  principal: Principal | GroupMember,
  action: EverywhereAction,
  circumstances: Circumstances,
): Decision {
  if (action === 'administer' && isMachine(principal)) return notAPerson;
  const matching = about(ordered, principal, action).filter((rule) => holdsNow(rule, circumstances));
  const denied = matching.find(({ effect }) => effect === 'deny');
  if (denied !== undefined) return decided(false, denied);
  const allowed = matching.find(isOfAll);
  return allowed === undefined ? noRule : decided(true, allowed);
}

function about(rules: readonly Rule[], principal: Principal | GroupMember, action: EverywhereAction): readonly Rule[] {
  const subjects = subjectsOf(principal);
  return rules.filter((rule) => (rule.rights & rightsOf(action)) !== 0 && isUntagged(rule) && isAbout(rule, subjects));
}

/** Whether rules let somebody administer at some time, from somewhere. */
function mayAdminister(rules: readonly Rule[], principal: Principal | GroupMember): boolean {
  const concerned = about(rules, principal, 'administer');
  const isDenied = concerned.some(({ effect, when }) => effect === 'deny' && when === undefined);
  return !isDenied && concerned.some((rule) => rule.effect === 'allow' && isOfAll(rule));
}

/** Whether `after` leaves nobody who may administer, of those who may by `before`: false where nobody ever could. */
export function losesAdministrators(before: Policy, after: Pick<Policy, 'users' | 'groups'>): boolean {
  const { rules } = before;
  const allowances = rules.filter(({ effect }) => effect === 'allow');
  const people = [...before.users.values()].filter(
    (user) => !user.disabled && mayAdminister(rules, principalOf('user', user)),
  );
  const groups = [...before.groups.values()].filter(
    ({ name, from = [] }) => from.length > 0 && mayAdminister(rules, { kind: 'group', name }),
  );
  if (people.length + groups.length === 0) return false;
  const isLeft = people.some(({ name, password }) => {
    const user = after.users.get(name);
    const canLogIn = user !== undefined && !user.disabled && (password === undefined || user.password !== undefined);
    return canLogIn && mayAdminister(allowances, principalOf('user', user));
  });
  return !isLeft && !groups.some(({ name }) => (after.groups.get(name)?.from?.length ?? 0) > 0);
}
