/**
 * Who may do what in one repository, by group and not by person: a row for each subject that its rules name, everybody who
 * fares as a group does counted with it. Everybody in the same groups is judged once.
 */
import type { Circumstances } from '../conditions.ts';
import { listed } from '../describe.ts';
import {
  type Account,
  type Action,
  type GroupMember,
  type Named,
  type Principal,
  type Rule,
  accountKinds,
  entriesOf,
  formatSubject,
  isMachine,
  rightsOf,
} from '../model.ts';
import { outsideGroupsOf } from '../outside.ts';
import { isReached } from '../secret-reach.ts';
import type { CompiledPolicy } from '../evaluate.ts';
import { narrowInWords } from './explain.ts';
import type { Here, Rest } from './here.ts';
import { conditionsOf } from './gates-about.ts';
import { type WhoCanQuestion, judge, timedDenials } from './worlds.ts';

/** `none`: no rule speaks of it; `no`: a rule forbids it; `sometimes`: it hangs on what `note` says. */
export interface Cell {
  readonly answer: 'yes' | 'no' | 'none' | 'sometimes';
  readonly rule: string | undefined;
  readonly note: string | undefined;
}

export interface Row {
  /** Whom to ask about for this row: a subject in file notation. */
  readonly asked: string;
  /** What the row is called: `group:developers`, or several groups together. */
  readonly subjects: readonly string[];
  /** Accounts that fare so, in file notation. */
  readonly people: readonly string[];
  /** Groups of login sources whose members are in the group. */
  readonly from: readonly string[];
  readonly cells: readonly Cell[];
}

export interface Matrix {
  readonly actions: readonly Action[];
  readonly rows: readonly Row[];
  /** Accounts that may do nothing here. */
  readonly others: number;
}

export interface MatrixQuestion extends Circumstances {
  readonly tag?: string | undefined;
}

type Who = Principal | Named | GroupMember;

const always: readonly Action[] = ['pull', 'create', 'overwrite', 'delete'];
const further: readonly Action[] = ['promote', 'catalog', 'inspect', 'administer'];

/** What is always worth a column, and what else some rule gives here. */
function columnsOf({ reduced }: Here): readonly Action[] {
  const given = reduced.rules.filter(({ effect }) => effect === 'allow').reduce((sum, rule) => sum | rule.rights, 0);
  return [...always, ...further.filter((action) => (given & rightsOf(action)) !== 0)];
}

/** Somebody who has logged in and is in no group; no repository has a part of this name. */
const stranger: Principal = { kind: 'user', name: '-', groups: [] };

/** `rest` is called after each cell. */
export async function accessMatrix(here: Here, question: MatrixQuestion, rest: Rest): Promise<Matrix> {
  const actions = columnsOf(here);
  const rows = new Map<string, Row & { readonly people: string[] }>();
  const named = subjectsHere(here);
  const { policy } = here.compiled;
  for (const subject of named.rows) {
    const who = principalFor(subject);
    if (who.kind === 'group' && !policy.groups.has(who.name)) continue;
    const from = who.kind === 'group' ? outsideGroupsOf(policy.groups.get(who.name)) : [];
    const cells = await cellsOf(here, actions, question, who, rest);
    rows.set(subject, { asked: subject, subjects: [subject], people: [], from, cells });
  }
  let others = 0;
  const { classes, disabled } = await classesOf(here, question, named.all, rest);
  for (const { kind, members, groups } of classes.values()) {
    const [first] = members;
    if (first === undefined) continue;
    const cells = await cellsOf(here, actions, question, first, rest);
    const signature = JSON.stringify(cells);
    const homes = kind === 'alike' ? [...groups, 'authenticated'] : [formatSubject(first), ...groups, 'authenticated'];
    const home = homes.map((each) => rows.get(each)).find((row) => row && JSON.stringify(row.cells) === signature);
    const subjects = members.map(formatSubject);
    if (home !== undefined) {
      if (home.asked !== subjects[0]) home.people.push(...subjects);
    } else if (cells.every(({ answer }) => answer === 'no' || answer === 'none')) others += members.length;
    else {
      const asked = formatSubject(first);
      const isNamed = kind === 'alone' || groups.length === 0;
      rows.set(asked, {
        asked,
        subjects: isNamed ? [asked] : groups,
        people: isNamed ? [] : [...subjects],
        from: [],
        cells,
      });
    }
  }
  for (const row of rows.values()) row.people.sort();
  return { actions, rows: [...rows.values()], others: others + disabled };
}

/** What one asks about for oneself alone; `reached`: the policy as far as one's credentials reach. */
export async function ownRow(
  here: Here,
  question: MatrixQuestion,
  who: Principal,
  reached: CompiledPolicy,
  rest: Rest,
): Promise<Matrix> {
  const actions = columnsOf(here);
  const asked = formatSubject(who);
  const found = await cellsOf(here, actions, question, who, rest);
  const cells = found.map((cell, index): Cell => {
    const action = actions[index] ?? 'pull';
    if (cell.answer === 'no' || cell.answer === 'none') return cell;
    const asking = { ...question, principal: who, action, repository: here.repository };
    const { reason } = reached.decide({ ...asking, deletes: 'something' });
    return reason === 'secret_narrow' ? beyondToken : cell;
  });
  return { actions, rows: [{ asked, subjects: [asked], people: [], from: [], cells }], others: 0 };
}

const beyondToken: Cell = { answer: 'none', rule: undefined, note: narrowInWords };

/** Subjects that get a row, in the order of the rules; and all by which rules and gates here tell people apart. */
function subjectsHere({ reduced }: Here): { readonly rows: readonly string[]; readonly all: ReadonlySet<string> } {
  const rows = reduced.rules
    .filter(({ effect }) => effect === 'allow')
    .flatMap(({ subjects }) => subjects)
    .flatMap((subject) => (subject.kind === 'everyone' ? ['authenticated', 'anonymous'] : [formatSubject(subject)]));
  const all = [
    ...reduced.rules.flatMap(({ subjects, except }) => [...subjects, ...except]),
    ...reduced.gates.flatMap(({ except }) => except),
  ];
  return { rows: [...new Set(rows)], all: new Set(all.map(formatSubject)) };
}

function principalFor(subject: string): Who {
  if (subject === 'anonymous') return { kind: 'anonymous' };
  if (subject === 'authenticated') return stranger;
  const name = subject.slice(subject.indexOf(':') + 1);
  if (subject.startsWith('group:')) return { kind: 'group', name };
  return { kind: accountKinds.find((kind) => subject.startsWith(`${kind}:`)) ?? 'user', name };
}

interface Class {
  readonly kind: 'alike' | 'alone';
  readonly members: Account[];
  /** Of those that rules here speak of, as subjects. */
  readonly groups: readonly string[];
}

/** Accounts looked at between two rests. */
const atOnce = 100;

async function classesOf(
  { compiled: { policy }, repository }: Here,
  { tag = '' }: MatrixQuestion,
  named: ReadonlySet<string>,
  rest: Rest,
): Promise<{ readonly classes: ReadonlyMap<string, Class>; readonly disabled: number }> {
  const classes = new Map<string, Class>();
  let disabled = 0;
  for (const [index, { kind, entry }] of entriesOf(policy).entries()) {
    if (index % atOnce === atOnce - 1) await rest();
    if (entry.disabled) {
      disabled++;
      continue;
    }
    const { name } = entry;
    const subject = `${kind}:${name}`;
    const hasSecrets = kind === 'robot' && (policy.robots.get(name)?.tokens.length ?? 0) > 0;
    const isAlone = named.has(subject) || hasSecrets || repository.includes(name) || tag.includes(name);
    const groups = entry.groups.map((group) => `group:${group}`).filter((group) => named.has(group));
    const key = isAlone ? subject : `${isMachine({ kind }) ? 'machine ' : ''}${groups.toSorted().join(' ')}`;
    const known = classes.get(key);
    if (known === undefined) classes.set(key, { kind: isAlone ? 'alone' : 'alike', members: [{ kind, name }], groups });
    else known.members.push({ kind, name });
  }
  return { classes, disabled };
}

async function cellsOf(
  here: Here,
  actions: readonly Action[],
  question: MatrixQuestion,
  who: Who,
  rest: Rest,
): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  for (const action of actions) {
    cells.push(cellOf(here, action, question, who));
    await rest();
  }
  return cells;
}

const onlyInWords = {
  create: 'new tags only',
  overwrite: 'existing tags only',
  tagged: 'as the tags that lead there allow; no layers',
} as const;

function cellOf(here: Here, action: Action, question: MatrixQuestion, who: Who): Cell {
  const { worlds, repository } = here;
  const asked = { ...question, action, repository };
  const found = judge(worlds, asked, who);
  if (found === undefined) {
    // A layer is forbidden to everybody where a rule keeps tags; what no rule gives is not forbidden by that.
    const { reason, rule } = worlds.now.decide({ ...asked, principal: who, deletes: 'something' });
    return { answer: reason === 'rule_denies' ? 'no' : 'none', rule: rule?.name, note: undefined };
  }
  const { rule, only, tags, condition, gates, secrets, impliedByPush } = found.permitted;
  if (!isReached(secrets)) return { answer: 'none', rule: rule.name, note: 'none of its secrets reaches it' };
  const hangs = [
    ...(only === undefined ? [] : [onlyInWords[only]]),
    ...(tags === undefined ? [] : [`only tags ${listed(tags)}`]),
    ...(condition === undefined ? [] : [conditionIn(here, asked, who, rule)]),
    ...conditionsOf(gates),
    ...(found.isNow ? [] : ['not now']),
  ];
  const notes = impliedByPush ? [...hangs, 'comes with the right to push'] : hangs;
  return {
    answer: hangs.length === 0 ? 'yes' : 'sometimes',
    rule: rule.name,
    note: notes.length === 0 ? undefined : notes.join('; '),
  };
}

/** By the names of rules: what their `when` says stands once, with the rule. */
function conditionIn({ worlds }: Here, asked: WhoCanQuestion, who: Who, rule: Rule): string {
  if (rule.when !== undefined) return 'only while the rule applies';
  const against = timedDenials(worlds, asked, who).map(({ name }) => name);
  return against.length === 0 ? 'only at some times or from some addresses' : `except while ${listed(against)} applies`;
}
