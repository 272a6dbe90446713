/** What would allow a refused question: lines for a policy file, whom else they help, and which tests they break. */
import { type PolicyByName, askedByName } from '../by-name.ts';
import { compilePolicySteadily } from '../evaluate.ts';
import {
  type Account,
  type AnyAccount,
  type GroupMember,
  type Named,
  type Policy,
  type PolicyTest,
  type Rule,
  accountKinds,
  formatSubject,
  isMachine,
  rightsOf,
  sections,
} from '../model.ts';
import { parseRepositoryPattern, parseTagPattern } from '../pattern.ts';
import { accountIn } from '../principal.ts';
import { flowList, ruleEntry } from '../rule-text.ts';
import type { Inquiry } from './consider.ts';
import { diffPolicies } from './diff.ts';
import type { Explanation } from './explain.ts';
import type { Here, Rest } from './here.ts';
import { type TestFailure, runTests } from './test-run.ts';

/** `instead`: rules or accounts that the lines stand in place of, with where they are. */
export interface Allowing {
  readonly lines: string;
  readonly instead: readonly string[];
  /** What changes beside the question, in the words of `diff`. */
  readonly gains: readonly string[];
  /** There may be more than `gains`. */
  readonly isWhole: boolean;
  readonly failing: readonly TestFailure[];
}

export type WouldAllow = Allowing | { readonly why: string };

interface Edit {
  readonly policy: Policy;
  readonly lines: string;
  readonly instead: readonly string[];
}

/** Denials that are looked at, one behind the other. */
const maxDenials = 8;
/** Groups that are tried. */
const maxGroups = 5;
/** Questions of the comparison: some milliseconds. */
const maxWork = 2_000;
/** Rules that are compared, for the same reason. */
const maxRules = 60;

/** `withGroups`: also by another group, which gives more than what was asked. */
export async function wouldAllow(
  here: Here,
  explanation: Explanation,
  withGroups: boolean,
  rest: Rest,
): Promise<WouldAllow> {
  const { inquiry } = explanation;
  const hindrance = hindranceOf(here, explanation);
  if (hindrance !== undefined) return { why: hindrance };
  const edit =
    (withGroups ? await byGroup(here, explanation, rest) : undefined) ?? (await byRules(here, inquiry, rest));
  await rest();
  if (edit === undefined) return { why: 'no line of a policy file does: the name is none that rules can be about' };
  const [before, after] = [here.reduced, edit.policy].map((policy) => reducedTo(policy, inquiry.principal));
  await rest();
  const { changes, isComplete } = comparison(here, before, after, edit, inquiry);
  await rest();
  return {
    lines: edit.lines,
    instead: edit.instead,
    gains: changes.map(({ sentence }) => sentence),
    isWhole: isComplete,
    failing: await failingTests(here, edit, inquiry, rest),
  };
}

/** Of the one it is about; of whom very many rules speak, nothing here. */
function comparison(here: Here, before: Policy | undefined, after: Policy | undefined, edit: Edit, { now }: Inquiry) {
  if (before === undefined || after === undefined) return { changes: [], isComplete: false };
  const [old, young] = [withAllRules(here, before), withAllRules(here, after, edit)];
  if (young.rules.length > maxRules) return { changes: [], isComplete: false };
  return diffPolicies(old, young, { now, maxWork });
}

function hindranceOf({ compiled: { policy } }: Here, explanation: Explanation): string | undefined {
  const { inquiry, secrets, rule, isBeyondToken } = explanation;
  const { principal, action, repository } = inquiry;
  if (isBeyondToken) return 'the rules do; it takes a token that was made for it';
  if (action === 'administer' && isMachine(principal)) return 'nothing does: only a person administers';
  if (principal.kind === 'anonymous' || principal.kind === 'group') return undefined;
  const entry = accountIn(policy, principal);
  if (entry === undefined) return undefined;
  const { name } = principal;
  if (entry.disabled) return `the account is disabled; portcullis user enable ${name} ends that`;
  if (rule === undefined && secrets.length > 0)
    return `the rules do; it takes a secret that is for it: portcullis token create ${name} --actions ${action} --repositories ${repository}`;
  return undefined;
}

/** Of the groups that nearly did it, the first that does for the account, if it were in there. */
async function byGroup(here: Here, { inquiry, nearMisses }: Explanation, rest: Rest): Promise<Edit | undefined> {
  const { principal } = inquiry;
  const entry = 'name' in principal && principal.kind !== 'group' ? accountIn(here.reduced, principal) : undefined;
  if (entry === undefined || principal.kind === 'anonymous' || principal.kind === 'group') return undefined;
  const tried = nearMisses
    .filter(({ rule, failures }) => rule.effect === 'allow' && failures.every(({ part }) => part === 'subject'))
    .flatMap(({ rule }) => rule.subjects.flatMap((subject) => (subject.kind === 'group' ? [subject.name] : [])));
  const denied = here.reduced.rules.filter(({ effect }) => effect === 'deny');
  const exempt = denied.flatMap(({ except }) => except.flatMap((each) => (each.kind === 'group' ? [each.name] : [])));
  for (const group of [...new Set([...tried, ...exempt])].slice(0, maxGroups)) {
    if (entry.groups.includes(group)) continue;
    const groups = [...entry.groups, group];
    const policy = withEntry(here.reduced, principal, { ...entry, groups });
    if (!(await compiledInSteps(policy, rest)).decide(inquiry).allowed) continue;
    const section = sections[principal.kind];
    const was = entry.groups.length === 0 ? 'in no group' : flowList(entry.groups);
    return {
      policy,
      lines: `${section}:\n  ${principal.name}: { groups: ${flowList(groups)} } # was ${was}`,
      instead: [`the groups of ${formatSubject(principal)} (${placeOf(entry)})`],
    };
  }
  return undefined;
}

function withEntry(policy: Policy, { kind, name }: Account, entry: AnyAccount): Policy {
  const section = sections[kind];
  return { ...policy, [section]: new Map<string, AnyAccount>([...policy[section], [name, entry]]) };
}

function placeOf({ source }: Pick<Rule, 'source'>): string {
  return `${source.file}:${source.line}`;
}

/** An exception from each rule that forbids it, and a rule for it where none allows it. */
async function byRules({ reduced, compiled }: Here, asked: Inquiry, rest: Rest): Promise<Edit | undefined> {
  const { principal } = asked;
  // Who may make a new tag may push.
  const inquiry: Inquiry = asked.action === 'push' ? { ...asked, action: 'create' } : asked;
  let policy = reduced;
  const changed = new Map<string, Rule>();
  for (let step = 0; step < maxDenials; step++) {
    const { allowed, rule, reason } = (await compiledInSteps(withPerson(policy, principal), rest)).decide(inquiry);
    if (allowed) {
      const rules = policy.rules.filter(({ name }) => changed.has(name));
      const instead = [...changed.values()]
        .filter(({ source }) => source.line > 0)
        .map((each) => `${each.name} (${placeOf(each)})`);
      return { policy, lines: ['rules:', ...rules.map(ruleEntry)].join('\n'), instead };
    }
    if (reason === 'rule_denies' && rule !== undefined) {
      const open = { ...rule, except: [...rule.except, subjectFor(principal)] };
      changed.set(rule.name, rule);
      policy = { ...policy, rules: policy.rules.map((each) => (each.name === rule.name ? open : each)) };
    } else {
      const made = ruleFor(asked, new Set(compiled.policy.rules.map(({ name }) => name)));
      if (made === undefined || changed.has(made.name)) return undefined;
      changed.set(made.name, made);
      policy = { ...policy, rules: [...policy.rules, made] };
    }
  }
  return undefined;
}

async function compiledInSteps(policy: Policy, rest: Rest): Promise<PolicyByName> {
  await rest();
  const compiled = askedByName(await compilePolicySteadily(policy, rest));
  await rest();
  return compiled;
}

function subjectFor(principal: Named | GroupMember) {
  return principal.kind === 'anonymous' ? principal : { kind: principal.kind, name: principal.name };
}

/** Somebody from outside is judged as a user of that name. */
function withPerson(policy: Policy, principal: Named | GroupMember): Policy {
  if (principal.kind !== 'user' || policy.users.has(principal.name)) return policy;
  const groups = 'groups' in principal ? (principal.groups as readonly string[]) : [];
  return withEntry(policy, principal, { name: principal.name, groups, disabled: false, source: nowhere });
}

const nowhere = { file: '', line: 0, column: 0 };

function ruleFor({ principal, action, repository, tag }: Inquiry, taken: ReadonlySet<string>): Rule | undefined {
  const isWhole = action === 'administer';
  const pattern = parseRepositoryPattern(isWhole ? '**' : repository);
  const tagged =
    tag === undefined || isWhole || action === 'inspect' || action === 'catalog' ? undefined : parseTagPattern(tag);
  if ('problem' in pattern || (tagged !== undefined && 'problem' in tagged)) return undefined;
  const who = 'name' in principal ? principal.name : principal.kind;
  const words = `${who} may ${action} ${isWhole ? 'everywhere' : repository}`
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 90);
  let name = words;
  for (let number = 2; taken.has(name); number++) name = `${words}-${number}`;
  return {
    name,
    effect: 'allow',
    mode: 'enforce',
    subjects: [subjectFor(principal)],
    except: [],
    repositories: [pattern],
    rights: rightsOf(action),
    ...(tagged === undefined ? {} : { tags: [tagged] }),
    source: nowhere,
  };
}

/** The policy with nobody but the one it is about: nobody else is helped by an exception, a rule or a group for them. */
function reducedTo(policy: Policy, principal: Named | GroupMember): Policy {
  const entry = 'name' in principal && principal.kind !== 'group' ? accountIn(policy, principal) : undefined;
  const groupNames = principal.kind === 'group' ? [principal.name] : (entry?.groups ?? []);
  const groups = new Map([...policy.groups].filter(([name]) => groupNames.includes(name)));
  const none = { users: new Map(), robots: new Map(), workloads: new Map() } as const;
  const alone: Policy = { ...policy, ...none, groups, tests: [], limits: [], gates: [] };
  return entry === undefined ? alone : withEntry(alone, principal as Account, entry);
}

/** With the rules about everywhere else, too: who joins a group gains there as well. */
function withAllRules({ compiled }: Here, policy: Policy, edit?: Edit): Policy {
  const here = new Map(policy.rules.map((rule) => [rule.name, rule]));
  const known = new Set<string>(compiled.policy.rules.map(({ name }) => name));
  const more = edit === undefined ? [] : policy.rules.filter(({ name }) => !known.has(name));
  const subjects = new Set([
    ...[...policy.groups.keys()].map((name) => `group:${name}`),
    ...accountKinds.flatMap((kind) => [...policy[sections[kind]].keys()].map((name) => `${kind}:${name}`)),
    ...['authenticated', 'anonymous', 'everyone'],
  ]);
  const rules = compiled.policy.rules
    .filter((rule) => rule.subjects.some((subject) => subjects.has(formatSubject(subject))))
    .map((rule) => here.get(rule.name) ?? rule);
  return { ...policy, rules: [...rules, ...more] };
}

/** Tests of whom the edit is about that pass without it. */
async function failingTests(
  here: Here,
  edit: Edit,
  { principal, now }: Inquiry,
  rest: Rest,
): Promise<readonly TestFailure[]> {
  const { policy } = here.compiled;
  const subject = formatSubject(subjectFor(principal));
  const isAbout = ({ principal: asked }: PolicyTest): boolean => {
    if (formatSubject(asked) === subject) return true;
    if (principal.kind !== 'group' || asked.kind === 'group' || asked.kind === 'anonymous') return false;
    return accountIn(policy, asked)?.groups.includes(principal.name) === true;
  };
  const tests = policy.tests.filter(isAbout);
  if (tests.length === 0) return [];
  const changed = new Map(edit.policy.rules.map((rule) => [rule.name, rule]));
  const known = new Set(policy.rules.map(({ name }) => name));
  const rules = [
    ...policy.rules.map((rule) => changed.get(rule.name) ?? rule),
    ...edit.policy.rules.filter(({ name }) => !known.has(name)),
  ];
  const { users, robots, workloads } = edit.policy;
  const run = async (tried: Policy) => {
    const compiled = await compiledInSteps(tried, rest);
    return runTests(compiled, now).failures;
  };
  const before = new Set((await run({ ...policy, tests })).map(({ expectation }) => expectation));
  const after = await run({ ...policy, users, robots, workloads, rules, tests });
  return after.filter(({ expectation }) => !before.has(expectation));
}
