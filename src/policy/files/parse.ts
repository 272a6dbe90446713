/** Policy files -> one Policy, or every problem in them. A half-valid policy does not exist. */
import { checkDocument } from '../../document/check.ts';
import { type Problem, sortProblems, unplaced } from '../../document/problem.ts';
import { type YamlDocument, readYaml } from '../../document/yaml.ts';
import type {
  AccountsAndGroups,
  Gate,
  Group,
  Limit,
  Policy,
  PolicyTest,
  Robot,
  Rule,
  User,
  Workload,
} from '../model.ts';
import { Findings, Place } from './place.ts';
import {
  type AccountSections,
  accountsApart,
  readGate,
  readGroup,
  readLimit,
  readRobot,
  readRule,
  readTest,
  readUser,
  readWorkload,
} from './read-entries.ts';
import { type PolicyFile, policyFileSchema } from './schema.ts';

export interface PolicyText {
  readonly file: string;
  readonly text: string;
}

export type PolicyReading =
  | { readonly ok: true; readonly policy: Policy }
  /** `accounts` when what every file says of them is whole, whatever else is wrong. */
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly accounts?: AccountsAndGroups };

/** All files are one policy, in any order; all problems at once, by file and line. `read` may know some texts. */
export function parsePolicy(files: readonly PolicyText[], read: typeof readYaml = readYaml): PolicyReading {
  const reader = new Reader();
  const texts = [...files].sort((left, right) => (left.file < right.file ? -1 : 1));
  if (files.length === 0) reader.problems.push(noFiles);
  let areAccountsKnown = files.length > 0;
  for (const { file, text } of texts) {
    const reading = read(file, text);
    if (!reading.ok) {
      reader.problems.push(...reading.problems);
      areAccountsKnown = false;
      continue;
    }
    if (saysNothing(reading.document.value)) {
      reader.problems.push({ file, line: 1, column: 1, code: 'empty-file', message: emptyFile });
      areAccountsKnown = false;
      continue;
    }
    const checked = checkDocument(reading.document, policyFileSchema);
    const accounts = checked.ok ? checked.value : accountsApart(reading.document.value);
    if (accounts === undefined || !reader.takeAccounts(reading.document, accounts)) areAccountsKnown = false;
    if (checked.ok) reader.takeRules(reading.document, checked.value);
    else reader.problems.push(...checked.problems);
  }
  // References are judged only over complete files: a file with a typo would make everything it declares "unknown".
  if (reader.problems.length === 0) reader.checkReferences();
  if (reader.problems.length === 0) return { ok: true, policy: reader.policy };
  const problems = sortProblems(reader.problems);
  return { ok: false, problems, ...(areAccountsKnown ? { accounts: reader.policy } : {}) };
}

/** What a writer leaves behind that was stopped at once, or behind the comments; taking it for "no rules" would drop denies. */
function saysNothing(value: unknown): boolean {
  return value === null || (typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0);
}

const emptyFile = 'the file says nothing, like one whose writing was cut off; delete it, or write: rules: []';

const noFiles = unplaced(
  'policies',
  'no-files',
  'there is no policy file (*.yaml, *.yml), so nobody could do anything; begin with: portcullis init',
);

class Reader {
  readonly #findings = new Findings();
  readonly policy = {
    users: new Map<string, User>(),
    robots: new Map<string, Robot>(),
    workloads: new Map<string, Workload>(),
    groups: new Map<string, Group>(),
    rules: [] as Rule[],
    limits: [] as Limit[],
    gates: [] as Gate[],
    tests: [] as PolicyTest[],
  };

  get problems(): Problem[] {
    return this.#findings.problems;
  }

  /** Whether all of them can be used. */
  takeAccounts(document: YamlDocument, file: AccountSections): boolean {
    const top = new Place(this.#findings, document);
    const before = this.problems.length;
    const named = <Entry, Read>(
      section: string,
      entries: Readonly<Record<string, Entry>> | undefined,
      read: (place: Place, name: string, entry: Entry) => Read | undefined,
      into: Map<string, Read>,
    ): void => {
      for (const [name, entry] of Object.entries(entries ?? {})) {
        const taken = read(top.at(section, name), name, entry);
        if (taken !== undefined) into.set(name, taken);
      }
    };
    named('groups', file.groups, readGroup, this.policy.groups);
    named('users', file.users, readUser, this.policy.users);
    named('robots', file.robots, readRobot, this.policy.robots);
    named('workloads', file.workloads, readWorkload, this.policy.workloads);
    return this.problems.length === before;
  }

  takeRules(document: YamlDocument, file: PolicyFile): void {
    const top = new Place(this.#findings, document);
    const listed = <Entry, Read>(
      section: string,
      entries: readonly Entry[] | undefined,
      read: (place: Place, entry: Entry) => Read | undefined,
      into: Read[],
    ): void => {
      for (const [index, entry] of (entries ?? []).entries()) {
        const taken = read(top.at(section, index), entry);
        if (taken !== undefined) into.push(taken);
      }
    };
    listed('rules', file.rules, readRule, this.policy.rules);
    listed('limits', file.limits, readLimit, this.policy.limits);
    listed('gates', file.gates, readGate, this.policy.gates);
    listed('tests', file.tests, readTest, this.policy.tests);
  }

  checkReferences(): void {
    const { users, robots, workloads, groups } = this.policy;
    this.#findings.checkReferences({ user: users, robot: robots, workload: workloads, group: groups });
  }
}
