/**
 * docker_auth's static users and access list as a policy. There the first entry that matches decides, here every allow
 * counts and any deny wins; what cannot be said that way is left out, so that nobody may do more than before.
 */
import { type Problem, quote, sortProblems } from '../document/problem.ts';
import { grouped } from '../policy/grouped.ts';
import { nameInYaml, quoted } from '../editing/scalar.ts';
import { parsePasswordHash } from '../policy/password-hash.ts';
import { type AclEntry, type DockerAuthFile, type StaticUser, readDockerAuth } from './docker-auth-file.ts';
import { type AccessList, type Entry, type Part, accessListOf, isAnonymousLetIn } from './docker-auth-parts.ts';
import { type Conversion, repositoryActions } from './first-match.ts';
import { type Imported, inComment, isAccountName } from './imported.ts';
import type { Caller } from './matching.ts';

/** Undefined text: the file cannot be read, and `problems` says why. `file` is what messages call it. */
export function importDockerAuth(
  file: string,
  text: string,
): ({ readonly ok: true } & Imported) | { readonly ok: false; readonly problems: readonly Problem[] } {
  const reading = readDockerAuth(file, text);
  if (!reading.ok) return reading;
  const writer = new Writer(file, reading.value);
  return { ok: true, text: writer.text(), skipped: sortProblems(writer.skipped) };
}

class Writer {
  readonly skipped: Problem[] = [];
  readonly #file: string;
  readonly #source: DockerAuthFile;
  readonly #list: AccessList;

  constructor(file: string, source: DockerAuthFile) {
    this.#file = file;
    this.#source = source;
    this.#list = accessListOf(source);
  }

  text(): string {
    return `${[...this.#head(), ...this.#users(), ...this.#rules()].join('\n')}\n`;
  }

  #skip(line: number, code: string, message: string): void {
    this.skipped.push({ file: this.#file, line, column: 1, code, message });
  }

  #head(): readonly string[] {
    for (const { key, line } of this.#source.foreign) {
      const message = `${quote(key)} is another source of accounts or rules; what it gives is not taken over`;
      this.#skip(line, 'foreign-source', message);
    }
    return [
      `# Users and access list of ${inComment(this.#file)}, taken over by: portcullis import docker_auth`,
      '# There the first entry that matches decides. Here the order means nothing: every allow counts, and one deny beats all.',
      '# Nobody may do more by these rules than by that list. Read them, then check them with: portcullis check',
      ...(isAnonymousLetIn(this.#source)
        ? []
        : ['# Nobody is served without logging in there (its users have no "": {}), so nobody is here.']),
      '',
    ];
  }

  #users(): readonly string[] {
    const taken = this.#source.users.filter(({ name }) => name !== '');
    const lines = taken.flatMap((user) => this.#user(user));
    const missing = this.#list.accounts.filter((name) => !taken.some((user) => user.name === name));
    const more = missing.flatMap((name) => [
      '  # Named by the access list only; without a password nobody can log in as this user.',
      `  ${nameInYaml(name)}: {}`,
    ]);
    return [lines.length + more.length === 0 ? 'users: {}' : 'users:', ...lines, ...more, ''];
  }

  #user({ name, password, line }: StaticUser): readonly string[] {
    const advice = `give it a password: portcullis user passwd ${name}`;
    if (!isAccountName(name)) {
      const other = 'add it with another: portcullis user add NAME';
      this.#skip(line, 'invalid-name', `${quote(name)} cannot be an account name here; ${other}`);
      return [];
    }
    const key = `  ${nameInYaml(name)}:`;
    if (password === 'locked') return [`${key} {}`];
    if (password === 'none') {
      const message = `user ${quote(name)} was let in with any password, and here with none; ${advice}`;
      this.#skip(line, 'no-password', message);
      return [`${key} {}`];
    }
    const hash = parsePasswordHash(password.hash);
    if (!('problem' in hash)) return [key, `    password: ${quoted(password.hash)}`];
    this.#skip(line, 'invalid-hash', `user ${quote(name)} has no usable hash (${hash.problem}); ${advice}`);
    return [`${key} {}`];
  }

  #rules(): readonly string[] {
    const blocks = this.#list.entries.map((entry) => this.#entryLines(entry));
    const hasRule = blocks.some((lines) => lines.some((line) => line.startsWith('  - ')));
    return [hasRule ? 'rules:' : 'rules: []', ...blocks.flatMap((lines) => ['', ...lines])];
  }

  #entryLines(entry: Entry): readonly string[] {
    const { source, reasons } = entry;
    const match = inComment(Object.fromEntries(source.match));
    const actions = inComment(source.actions);
    // What can never be the first to match is no loss.
    const why = this.#list.parts.some(({ reached }) => reached.has(source.number)) ? reasons.join('; ') : '';
    if (why !== '') this.#skip(source.line, 'not-expressible', `entry ${source.number} is not taken over: ${why}`);
    const rules = [...this.#allows(entry), ...this.#denials(entry)];
    const said =
      why === ''
        ? [`Line ${source.line}: ${match} gives ${actions}`]
        : [`Line ${source.line}, not taken over: ${why}`, `  - match: ${match}`, `    actions: ${actions}`];
    const notes = this.#notes(entry);
    if (why !== '' && rules.length > 0) {
      notes.push('Where it may match, what it does not give is denied, for it would come before the entries below.');
    } else if (why === '' && rules.length === 0 && notes.length === 0) notes.push(this.#reasonForNoRule(entry));
    const comment = source.comment === undefined ? [] : [inComment(source.comment)];
    return [...[...said, ...comment, ...notes].map((line) => `  # ${line}`), ...rules];
  }

  #allows(entry: Entry): readonly string[] {
    const { number } = entry.source;
    const groups = this.#grouped(number, ({ conversion }) => conversion.grants);
    const catalog = this.#callers((part) => part.catalog.some((given) => given.entry === number));
    const harmless = this.#callers(({ conversion }) =>
      conversion.decided.some(({ candidate, harmless }) => harmless && candidate.entry === number),
    );
    const listing = new Set([...harmless].filter((caller) => this.#mayList(caller)));
    const rules = groups.map(({ pattern, actions, callers }) => {
      const both = this.#subjects(callers, listing);
      // One rule says both where both are about the same callers.
      const isBoth = pattern === '**' && catalog.size > 0 && both.join() === this.#subjects(catalog, listing).join();
      if (!isBoth) return { pattern, actions, subjects: this.#subjects(callers, harmless) };
      catalog.clear();
      return { pattern, actions: [...actions, 'catalog'], subjects: both };
    });
    if (catalog.size > 0)
      rules.push({ pattern: '**', actions: ['catalog'], subjects: this.#subjects(catalog, new Set()) });
    return rules.flatMap((rule, index) => {
      const name = `docker-auth-${number}${index === 0 ? '' : `-${index + 1}`}`;
      return ruleLines({ ...rule, name, network: entry.network });
    });
  }

  #callers(isMeant: (part: Part) => boolean): Set<Caller> {
    return new Set(this.#list.parts.filter(isMeant).map(({ caller }) => caller));
  }

  #mayList(caller: Caller): boolean {
    const part = this.#list.parts.find((candidate) => candidate.caller === caller);
    return part?.catalog.some(({ network }) => network === undefined) === true;
  }

  #denials(entry: Entry): readonly string[] {
    const { number } = entry.source;
    const groups = this.#grouped(number, ({ conversion }) => conversion.denials);
    return groups.flatMap(({ pattern, actions, callers }, index) => {
      const name = `docker-auth-${number}-limit${index === 0 ? '' : `-${index + 1}`}`;
      const subjects = this.#subjects(callers, new Set());
      return ruleLines({ name, effect: 'deny', pattern, actions, subjects, network: entry.network });
    });
  }

  /** Callers with the same pattern and actions together. */
  #grouped(number: number, select: (part: Part) => Conversion['grants']) {
    const all = this.#list.parts.flatMap((part) =>
      select(part).flatMap(({ candidate, actions: given }) => {
        if (candidate.entry !== number) return [];
        const actions = repositoryActions.filter((action) => given.has(action));
        return [{ caller: part.caller, pattern: candidate.region.pattern, actions }];
      }),
    );
    return [...grouped(all, ({ pattern, actions }) => `${pattern} ${actions.join()}`).values()].map((group) => {
      const [{ pattern, actions }] = group;
      return { pattern, actions, callers: new Set(group.map(({ caller }) => caller)) };
    });
  }

  /** `subjects:` and, where needed, `except:`. */
  #subjects(callers: ReadonlySet<Caller>, harmless: ReadonlySet<Caller>): readonly string[] {
    const has = (caller: Caller): boolean => callers.has(caller);
    if (!this.#list.callers.some((caller) => caller.kind === 'others' && has(caller))) {
      return [`subjects: [${this.#list.callers.filter(has).map(wordFor).join(', ')}]`];
    }
    const isForAnonymous = this.#list.callers.some((caller) => caller.kind === 'anonymous' && has(caller));
    const excepted = this.#list.callers.filter(
      (caller) => caller.kind === 'user' && !has(caller) && !harmless.has(caller),
    );
    return [
      `subjects: [${isForAnonymous ? 'everyone' : 'authenticated'}]`,
      ...(excepted.length === 0 ? [] : [`except: [${excepted.map(wordFor).join(', ')}]`]),
    ];
  }

  /** What docker_auth gives by this entry and the rules do not. */
  #notes({ source, isOfKnownOnly, reasons }: Entry): string[] {
    // Nobody else could log in there.
    const isWholeFile = this.#source.foreign.length === 0 && this.#list.isPatterned;
    const lost = this.#concerned(isWholeFile).flatMap(({ caller, conversion, catalogDropped }) => {
      const dropped = conversion.dropped.filter(({ candidate }) => candidate.entry === source.number);
      const losses = [...grouped(dropped, ({ because }) => String(because)).values()].map((group) => {
        const what = group.flatMap(({ actions }) => [...actions]).join(', ');
        return { caller, what, because: group[0].because };
      });
      const isListing = catalogDropped.includes(source.number);
      return isListing ? [...losses, { caller, what: 'catalog', because: undefined }] : losses;
    });
    const messages = [...grouped(lost, ({ what, because }) => `${what} ${because}`).values()].map((group) => {
      const [{ what, because }] = group;
      const who = group.map(({ caller }) => wordFor(caller)).join(', ');
      return `not given to ${who}: ${what}; ${this.#obstacle(source, because)}`;
    });
    const known = 'given to the users of this file that the account pattern matches, and to nobody else';
    const isNarrowed = isOfKnownOnly && reasons.length === 0;
    if (isNarrowed && !isWholeFile) messages.push(known);
    const notes = [...messages, ...this.#limits(source, isWholeFile)].map((message) => {
      this.#skip(source.line, 'narrowed', `entry ${source.number}: ${message}`);
      return `Less than there: ${message}.`;
    });
    return isNarrowed && isWholeFile ? [`It is ${known}.`, ...notes] : notes;
  }

  /** Parts of callers whom the list tells apart. */
  #concerned(isWholeFile: boolean): readonly Part[] {
    return this.#list.parts.filter(({ caller }) => !(caller.kind === 'others' && isWholeFile));
  }

  #limits(source: AclEntry, isWholeFile: boolean): readonly string[] {
    const all = this.#concerned(isWholeFile).flatMap(({ caller, conversion }) =>
      conversion.limited.flatMap(({ candidate, action, givers }) => {
        if (candidate.entry !== source.number) return [];
        const where = `${givers.length === 1 ? 'line' : 'lines'} ${givers.map((giver) => this.#lineOf(giver)).join(', ')}`;
        const limit = `${action} on ${candidate.region.pattern} is denied also where ${where} may give it, to `;
        return [{ limit, who: wordFor(caller) }];
      }),
    );
    const limits = grouped(all, ({ limit }) => limit);
    return [...limits].map(([limit, group]) => limit + group.map(({ who }) => who).join(', '));
  }

  #lineOf(number: number | undefined): number | undefined {
    return this.#list.entries.find((entry) => entry.source.number === number)?.source.line;
  }

  #obstacle(source: AclEntry, because: number | undefined): string {
    if (because === source.number) return 'pushing means reading here, and an earlier entry gives pull on a part of it';
    const line = this.#lineOf(because);
    const earlier = line === undefined ? 'an earlier entry' : `the entry in line ${line}`;
    return `${earlier} may decide a part of it, and that part cannot be left out alone`;
  }

  #reasonForNoRule({ source, actions, givesCatalog, account }: Entry): string {
    const { number } = source;
    if (actions.size === 0 && !givesCatalog) return 'No rule: it gives nothing, and what no rule allows is refused.';
    const decided = this.#list.parts
      .flatMap(({ conversion }) => conversion.decided)
      .find(({ candidate }) => candidate.entry === number);
    const line = this.#lineOf(decided?.by);
    if (line !== undefined) return `No rule: where it matches, earlier entries decide (line ${line}).`;
    if (account === '' && !isAnonymousLetIn(this.#source)) return 'No rule: nobody is served without logging in.';
    return 'No rule: no account or repository can match it, or earlier entries decide.';
  }
}

function wordFor(caller: Caller): string {
  return caller.kind === 'user' ? `user:${caller.name}` : caller.kind === 'others' ? 'all other users' : caller.kind;
}

function ruleLines(rule: {
  readonly name: string;
  readonly effect?: 'deny';
  readonly pattern: string;
  readonly actions: readonly string[];
  readonly subjects: readonly string[];
  readonly network: string | undefined;
}): readonly string[] {
  return [
    `  - name: ${rule.name}`,
    ...(rule.effect === undefined ? [] : [`    effect: ${rule.effect}`]),
    ...rule.subjects.map((line) => `    ${line}`),
    `    repositories: [${quoted(rule.pattern)}]`,
    `    actions: [${rule.actions.join(', ')}]`,
    ...(rule.network === undefined ? [] : [`    when: { addresses: [${quoted(rule.network)}] }`]),
  ];
}
