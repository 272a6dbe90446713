/** Policy files -> one Policy, or every problem in them. A half-valid policy does not exist. */
import { checkDocument } from '../document/check.ts';
import { type Problem, sortProblems } from '../document/problem.ts';
import { didYouMean } from '../document/suggest.ts';
import { type Path, type YamlDocument, readYaml } from '../document/yaml.ts';
import { parseRepositoryName, parseTag } from '../distribution/reference.ts';
import { type Conditions, isNetwork, isZone } from './conditions.ts';
import {
  type Action,
  type Expectation,
  type Group,
  type Limit,
  type Policy,
  type PolicyTest,
  type Robot,
  type RobotToken,
  type Rule,
  type Source,
  type Subject,
  type User,
  type Workload,
  rightsOf,
} from './model.ts';
import { parsePasswordHash } from './password-hash.ts';
import { type RepositoryPattern, parseRepositoryPattern, parseTagPattern } from './pattern.ts';
import { formatRate, parseRate } from './rate.ts';
import { type LimitEntry, type PolicyFile, type RuleEntry, type TestEntry, policyFileSchema } from './schema.ts';

export interface PolicyText {
  readonly file: string;
  readonly text: string;
}

export type PolicyReading =
  { readonly ok: true; readonly policy: Policy } | { readonly ok: false; readonly problems: readonly Problem[] };

/** All files are one policy; their order changes nothing. Problems come sorted by file and line, all at once. */
export function parsePolicy(files: readonly PolicyText[]): PolicyReading {
  const reader = new Reader();
  const texts = [...files].sort((left, right) => (left.file < right.file ? -1 : 1));
  if (files.length === 0) reader.problems.push(noFiles);
  for (const { file, text } of texts) {
    if (text.trim() === '') {
      // What a writer leaves behind that was stopped at once; taking it for "no rules" would drop denies.
      const message = 'the file is empty; delete it, or write {} when it is meant to say nothing';
      reader.problems.push({ file, line: 1, column: 1, code: 'empty-file', message });
      continue;
    }
    const reading = readYaml(file, text);
    if (!reading.ok) {
      reader.problems.push(...reading.problems);
      continue;
    }
    if (reading.document.value === null) continue;
    const checked = checkDocument(reading.document, policyFileSchema);
    if (checked.ok) reader.take(reading.document, checked.value);
    else reader.problems.push(...checked.problems);
  }
  // References are judged only over complete files: a file with a typo would make everything it declares "unknown".
  if (reader.problems.length === 0) reader.checkReferences();
  if (reader.problems.length > 0) return { ok: false, problems: sortProblems(reader.problems) };
  return { ok: true, policy: reader.policy() };
}

const noFiles: Problem = {
  file: 'policies',
  line: 0,
  column: 0,
  code: 'no-files',
  message: 'there is no policy file (*.yaml, *.yml), so nobody could do anything; begin with: portcullis init',
};

interface Reference {
  readonly subject: Subject;
  readonly document: YamlDocument;
  readonly path: Path;
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #users = new Map<string, User>();
  readonly #robots = new Map<string, Robot>();
  readonly #workloads = new Map<string, Workload>();
  readonly #groups = new Map<string, Group>();
  readonly #rules: Rule[] = [];
  readonly #limits: Limit[] = [];
  readonly #tests: PolicyTest[] = [];
  readonly #accounts = new Map<string, Source>();
  readonly #ruleNames = new Map<string, Source>();
  readonly #limitNames = new Map<string, Source>();
  readonly #tokenIds = new Map<string, Source>();
  readonly #references: Reference[] = [];

  policy(): Policy {
    return {
      users: this.#users,
      robots: this.#robots,
      workloads: this.#workloads,
      groups: this.#groups,
      rules: this.#rules,
      limits: this.#limits,
      tests: this.#tests,
    };
  }

  take(document: YamlDocument, file: PolicyFile): void {
    for (const name of Object.keys(file.groups ?? {}))
      this.#takeGroup(document, name, file.groups?.[name] ?? undefined);
    for (const [name, entry] of Object.entries(file.users ?? {})) this.#takeUser(document, name, entry);
    for (const [name, entry] of Object.entries(file.robots ?? {})) this.#takeRobot(document, name, entry);
    for (const [name, entry] of Object.entries(file.workloads ?? {})) this.#takeWorkload(document, name, entry);
    for (const [index, entry] of (file.rules ?? []).entries()) this.#takeRule(document, index, entry);
    for (const [index, entry] of (file.limits ?? []).entries()) this.#takeLimit(document, index, entry);
    for (const [index, entry] of (file.tests ?? []).entries()) this.#takeTest(document, index, entry);
  }

  checkReferences(): void {
    const declared = {
      user: this.#users,
      robot: this.#robots,
      workload: this.#workloads,
      group: this.#groups,
    };
    for (const { subject, document, path } of this.#references) {
      if (!('name' in subject)) continue;
      const names = declared[subject.kind];
      if (names.has(subject.name)) continue;
      const hint = didYouMean(subject.name, names.keys());
      this.#problem(document, path, 'unknown-name', `there is no ${subject.kind} "${subject.name}"${hint}`);
    }
  }

  #problem(document: YamlDocument, path: Path, code: string, message: string): void {
    const { line, column } = document.at(path);
    this.problems.push({ file: document.file, line, column, code, message });
  }

  #source(document: YamlDocument, path: Path): Source {
    return { file: document.file, ...document.keyAt(path) };
  }

  /** Users, robots and workloads share one space of names: docker sends only a name. */
  #declare(names: Map<string, Source>, what: string, name: string, document: YamlDocument, path: Path): Source {
    const source = this.#source(document, path);
    const before = names.get(name);
    if (before === undefined) names.set(name, source);
    else {
      const where = `${before.file}:${before.line}`;
      const { line, column } = source;
      const message = `${what} "${name}" is declared twice, first in ${where}`;
      this.problems.push({ file: document.file, line, column, code: 'duplicate-name', message });
    }
    return source;
  }

  #refer(document: YamlDocument, subject: Subject, path: Path): void {
    this.#references.push({ subject, document, path });
  }

  #takeGroups(document: YamlDocument, groups: readonly string[] | undefined, path: Path): readonly string[] {
    for (const [index, name] of (groups ?? []).entries()) {
      this.#refer(document, { kind: 'group', name }, [...path, 'groups', index]);
    }
    return groups ?? [];
  }

  #takeGroup(document: YamlDocument, name: string, entry: { description?: string | undefined } | undefined): void {
    const source = this.#source(document, ['groups', name]);
    const before = this.#groups.get(name);
    if (before !== undefined) {
      const where = `${before.source.file}:${before.source.line}`;
      this.#problem(
        document,
        ['groups', name],
        'duplicate-name',
        `group "${name}" is declared twice, first in ${where}`,
      );
    }
    const { description } = entry ?? {};
    this.#groups.set(name, { name, source, ...(description === undefined ? {} : { description }) });
  }

  #takeUser(document: YamlDocument, name: string, entry: NonNullable<PolicyFile['users']>[string]): void {
    const path = ['users', name];
    const source = this.#declare(this.#accounts, 'account', name, document, path);
    const hash = entry.password === undefined ? undefined : parsePasswordHash(entry.password);
    if (hash !== undefined && 'problem' in hash) {
      this.#problem(document, [...path, 'password'], 'invalid-hash', `password of user "${name}": ${hash.problem}`);
      return;
    }
    this.#users.set(name, {
      name,
      ...(hash === undefined ? {} : { password: hash }),
      groups: this.#takeGroups(document, entry.groups, path),
      disabled: entry.disabled ?? false,
      source,
    });
  }

  #takeRobot(document: YamlDocument, name: string, entry: NonNullable<PolicyFile['robots']>[string]): void {
    const path = ['robots', name];
    const source = this.#declare(this.#accounts, 'account', name, document, path);
    const tokens = (entry.tokens ?? []).map((token, index): RobotToken => {
      const at = [...path, 'tokens', index];
      const expires =
        token.expires === undefined ? undefined : this.#instant(document, token.expires, [...at, 'expires']);
      const repositories = token.repositories && this.#patterns(document, token.repositories, [...at, 'repositories']);
      return {
        id: token.id,
        sha256: token.sha256,
        ...(expires === undefined ? {} : { expires: Math.floor(expires / 1000) }),
        ...(repositories === undefined ? {} : { repositories }),
        ...(token.actions === undefined ? {} : { rights: union(token.actions) }),
        source: this.#declare(this.#tokenIds, 'robot token', token.id, document, [...at, 'id']),
      };
    });
    const groups = this.#takeGroups(document, entry.groups, path);
    this.#robots.set(name, { name, groups, disabled: entry.disabled ?? false, tokens, source });
  }

  #takeWorkload(document: YamlDocument, name: string, entry: NonNullable<PolicyFile['workloads']>[string]): void {
    const path = ['workloads', name];
    this.#workloads.set(name, {
      name,
      issuer: entry.issuer,
      audience: entry.audience,
      claims: new Map(Object.entries(entry.claims ?? {})),
      groups: this.#takeGroups(document, entry.groups, path),
      disabled: entry.disabled ?? false,
      source: this.#declare(this.#accounts, 'account', name, document, path),
    });
  }

  #takeRule(document: YamlDocument, index: number, entry: RuleEntry): void {
    const path = ['rules', index];
    this.#declare(this.#ruleNames, 'rule', entry.name, document, [...path, 'name']);
    const tags = entry.tags?.map((text, position) => {
      const pattern = parseTagPattern(text);
      if ('problem' in pattern)
        this.#problem(document, [...path, 'tags', position], 'invalid-pattern', pattern.problem);
      return pattern;
    });
    const when = entry.when === undefined ? undefined : this.#conditions(document, entry.when, [...path, 'when']);
    this.#rules.push({
      name: entry.name,
      effect: entry.effect ?? 'allow',
      mode: entry.mode ?? 'enforce',
      subjects: this.#subjects(document, entry.subjects, [...path, 'subjects']),
      except: this.#subjects(document, entry.except ?? [], [...path, 'except']),
      repositories: this.#patterns(document, entry.repositories, [...path, 'repositories']),
      rights: union(entry.actions),
      ...(tags === undefined ? {} : { tags: tags.filter((pattern) => 'pieces' in pattern) }),
      ...(when === undefined ? {} : { when }),
      source: this.#source(document, path),
    });
  }

  #takeLimit(document: YamlDocument, index: number, entry: LimitEntry): void {
    const path = ['limits', index];
    this.#declare(this.#limitNames, 'limit', entry.name, document, [...path, 'name']);
    const { count, per } = entry;
    const problem = (key: string, code: string, message: string): void =>
      this.#problem(document, [...path, key], code, message);
    if (count === 'token' && per === 'repository') {
      problem('per', 'never-applies', 'a token request names no one repository; count it per account or address');
    }
    if (per === 'account' && entry.subjects.every((subject) => subject === 'anonymous')) {
      problem('per', 'never-applies', 'anonymous callers have no account; write per: address');
    }
    const rate = parseRate(entry.rate);
    if ('problem' in rate) {
      problem('rate', 'invalid-rate', rate.problem);
      return;
    }
    const { burst = rate.amount } = entry;
    if (burst > rate.amount) {
      const longer = { amount: burst, seconds: (rate.seconds * burst) / rate.amount };
      const isRate = Number.isInteger(longer.seconds) && !('problem' in parseRate(formatRate(longer)));
      const fix = isRate ? `; for ${burst} at once at the same pace write rate: ${formatRate(longer)}` : '';
      problem('burst', 'invalid-rate', `a burst is at most the amount of the rate, ${rate.amount}${fix}`);
    }
    this.#limits.push({
      name: entry.name,
      mode: entry.mode ?? 'enforce',
      subjects: this.#subjects(document, entry.subjects, [...path, 'subjects']),
      except: this.#subjects(document, entry.except ?? [], [...path, 'except']),
      count,
      per,
      rate,
      burst,
      source: this.#source(document, path),
    });
  }

  #subjects(document: YamlDocument, texts: readonly string[], path: Path): readonly Subject[] {
    return texts.map((text, index) => {
      const subject = parseSubject(text);
      this.#refer(document, subject, [...path, index]);
      return subject;
    });
  }

  #patterns(document: YamlDocument, texts: readonly string[], path: Path): readonly RepositoryPattern[] {
    const patterns = texts.map((text, index) => {
      const pattern = parseRepositoryPattern(text);
      if ('problem' in pattern) this.#problem(document, [...path, index], 'invalid-pattern', pattern.problem);
      return pattern;
    });
    return patterns.filter((pattern) => 'segments' in pattern);
  }

  #conditions(document: YamlDocument, entry: NonNullable<RuleEntry['when']>, path: Path): Conditions {
    for (const [index, network] of (entry.addresses ?? []).entries()) {
      if (isNetwork(network)) continue;
      const message = `"${network}" is not a network; expected an address or CIDR as 10.0.0.0/8`;
      this.#problem(document, [...path, 'addresses', index], 'invalid-network', message);
    }
    if (entry.zone !== undefined && !isZone(entry.zone)) {
      this.#problem(document, [...path, 'zone'], 'unknown-zone', `"${entry.zone}" is not a known time zone`);
    }
    const after = entry.after === undefined ? undefined : this.#instant(document, entry.after, [...path, 'after']);
    const before = entry.before === undefined ? undefined : this.#instant(document, entry.before, [...path, 'before']);
    if (after !== undefined && before !== undefined && after >= before) {
      this.#problem(
        document,
        [...path, 'before'],
        'never-applies',
        'before is not later than after, so this rule could never apply',
      );
    }
    const hours = entry.hours === undefined ? undefined : parseHours(entry.hours);
    if (hours !== undefined && hours.from === hours.until) {
      this.#problem(
        document,
        [...path, 'hours'],
        'never-applies',
        'these hours begin and end at the same minute; leave them out for the whole day',
      );
    }
    return {
      ...(entry.addresses === undefined ? {} : { addresses: entry.addresses }),
      ...(after === undefined ? {} : { after }),
      ...(before === undefined ? {} : { before }),
      ...(entry.days === undefined ? {} : { days: entry.days }),
      ...(hours === undefined ? {} : { hours }),
      ...(entry.zone === undefined ? {} : { zone: entry.zone }),
    };
  }

  /** Milliseconds since 1970; a plain date begins at midnight UTC. */
  #instant(document: YamlDocument, text: string, path: Path): number {
    const milliseconds = Date.parse(text);
    // Date.parse rolls 2027-02-30 over into March.
    const isReal = !Number.isNaN(milliseconds) && isCalendarDay(text.slice(0, 10));
    if (!isReal) this.#problem(document, path, 'invalid-time', `"${text}" is not a date that exists`);
    return milliseconds;
  }

  #takeTest(document: YamlDocument, index: number, entry: TestEntry): void {
    const path = ['tests', index];
    const { caller, address, at } = this.#caller(document, entry.as, [...path, 'as']);
    const expectations = [
      ...this.#expectations(document, entry.allow ?? [], true, [...path, 'allow']),
      ...this.#expectations(document, entry.deny ?? [], false, [...path, 'deny']),
    ];
    if (expectations.length === 0) this.#problem(document, path, 'empty-test', 'a test needs `allow` or `deny`');
    if (caller === undefined) return;
    const source = this.#source(document, path);
    this.#tests.push({
      name: entry.name,
      principal: caller,
      ...(address === undefined ? {} : { address }),
      ...(at === undefined ? {} : { at }),
      expectations,
      source,
    });
  }

  #caller(
    document: YamlDocument,
    as: TestEntry['as'],
    path: Path,
  ): { caller?: PolicyTest['principal']; address?: string; at?: number } {
    if (typeof as === 'string') {
      const subject = parseSubject(as);
      this.#refer(document, subject, path);
      if (subject.kind === 'everyone' || subject.kind === 'authenticated') {
        this.#problem(
          document,
          path,
          'invalid-value',
          'a test asks for somebody: user:NAME, robot:NAME, group:NAME or anonymous',
        );
        return {};
      }
      return { caller: subject };
    }
    const kinds = (['user', 'robot', 'workload', 'group'] as const).filter((kind) => as[kind] !== undefined);
    const [kind] = kinds;
    const named = kind === undefined ? undefined : as[kind];
    if (kinds.length + (as.anonymous === undefined ? 0 : 1) !== 1) {
      this.#problem(document, path, 'invalid-value', 'expected exactly one of user, robot, workload, group, anonymous');
      return {};
    }
    if (as.address !== undefined && (!isNetwork(as.address) || as.address.includes('/'))) {
      this.#problem(document, [...path, 'address'], 'invalid-value', `"${as.address}" is not an address`);
    }
    const at = as.at === undefined ? undefined : this.#instant(document, as.at, [...path, 'at']);
    const caller: PolicyTest['principal'] =
      kind === undefined || named === undefined ? { kind: 'anonymous' } : { kind, name: named };
    this.#refer(document, caller, kind === undefined ? path : [...path, kind]);
    return {
      caller,
      ...(as.address === undefined ? {} : { address: as.address }),
      ...(at === undefined ? {} : { at }),
    };
  }

  #expectations(
    document: YamlDocument,
    texts: readonly string[],
    allowed: boolean,
    path: Path,
  ): readonly Expectation[] {
    return texts.flatMap((text, index) => {
      const at = [...path, index];
      const question = parseQuestion(text);
      if ('problem' in question) {
        this.#problem(document, at, 'invalid-value', question.problem);
        return [];
      }
      return [{ ...question, allowed, source: { file: document.file, ...document.at(at) } }];
    });
  }
}

/** Text in subject notation, already checked by the schema. */
export function parseSubject(text: string): Subject {
  const colon = text.indexOf(':');
  const kind = colon === -1 ? text : text.slice(0, colon);
  const name = text.slice(colon + 1);
  switch (kind) {
    case 'user':
    case 'robot':
    case 'workload':
    case 'group':
      return { kind, name };
    case 'authenticated':
      return { kind };
    case 'anonymous':
      return { kind };
    default:
      return { kind: 'everyone' };
  }
}

/** `push sandbox/app:1.0`; the action is already checked by the schema. */
export function parseQuestion(
  text: string,
): { readonly action: Action; readonly repository: string; readonly tag?: string } | { readonly problem: string } {
  const [action = '', target = ''] = text.split(/ +/);
  const colon = target.indexOf(':');
  const repository = parseRepositoryName(colon === -1 ? target : target.slice(0, colon));
  if (repository === undefined)
    return { problem: `"${target}" is not a repository name (lower case, as in sandbox/app)` };
  const tag = colon === -1 ? undefined : parseTag(target.slice(colon + 1));
  if (colon !== -1 && tag === undefined) return { problem: `"${target.slice(colon + 1)}" is not a tag` };
  return { action: action as Action, repository, ...(tag === undefined ? {} : { tag }) };
}

function union(actions: readonly Action[]): number {
  return actions.reduce((sum, action) => sum | rightsOf(action), 0);
}

function parseHours(text: string): { readonly from: number; readonly until: number } {
  const [from = 0, until = 0] = text.split('-').map((time) => {
    const [hours = 0, minutes = 0] = time.split(':').map(Number);
    return hours * 60 + minutes;
  });
  return { from, until };
}

function isCalendarDay(text: string): boolean {
  const [year = 0, month = 0, day = 0] = text.split('-').map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}
