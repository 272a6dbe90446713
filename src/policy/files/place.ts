/** A place in a policy file: where its problems are reported, and what reading any part of one shares. */
import type { Problem } from '../../document/problem.ts';
import { didYouMean } from '../../document/suggest.ts';
import type { Path, YamlDocument } from '../../document/yaml.ts';
import { parseInstant } from '../../time.ts';
import { type Source, type Subject, accountKinds } from '../model.ts';
import { type RepositoryPattern, parseRepositoryPattern } from '../pattern.ts';

/** Users, robots and workloads share one space of names: docker sends only a name. */
type Space = 'account' | 'gate' | 'group' | 'limit' | 'robot token' | 'rule';

/** What all files of one reading share. */
export class Findings {
  readonly problems: Problem[] = [];
  readonly #declared = new Map<string, Source>();
  readonly #references: { readonly subject: Subject; readonly place: Place; readonly below: Path }[] = [];

  declare(space: Space, name: string, source: Source): void {
    const key = `${space} "${name}"`;
    const before = this.#declared.get(key);
    if (before === undefined) this.#declared.set(key, source);
    else {
      const message = `${key} is declared twice, first in ${before.file}:${before.line}`;
      this.problems.push({ ...source, code: 'duplicate-name', message });
    }
  }

  /** `below` leads from the place to where the subject stands. */
  refer(subject: Subject, place: Place, below: Path): void {
    this.#references.push({ subject, place, below });
  }

  /** `declared` has the names that each kind of subject may have. */
  checkReferences(declared: Record<'user' | 'robot' | 'workload' | 'group', ReadonlyMap<string, unknown>>): void {
    for (const { subject, place, below } of this.#references) {
      if (!('name' in subject)) continue;
      const { kind, name } = subject;
      if (declared[kind].has(name)) continue;
      place
        .at(...below)
        .problem('unknown-name', `there is no ${kind} "${name}"${didYouMean(name, declared[kind].keys())}`);
    }
  }
}

export class Place {
  readonly #findings: Findings;
  readonly #document: YamlDocument;
  readonly #path: Path;

  constructor(findings: Findings, document: YamlDocument, path: Path = []) {
    this.#findings = findings;
    this.#document = document;
    this.#path = path;
  }

  at(...keys: Path): Place {
    return new Place(this.#findings, this.#document, [...this.#path, ...keys]);
  }

  problem(code: string, message: string): void {
    this.#findings.problems.push({ ...this.value(), code, message });
  }

  /** Where its value begins. */
  value(): Source {
    return { file: this.#document.file, ...this.#document.at(this.#path) };
  }

  /** Where its key begins; for an entry of a list, where the entry does. */
  key(): Source {
    return { file: this.#document.file, ...this.#document.keyAt(this.#path) };
  }

  /** Reports a name that stands elsewhere already. */
  declare(space: Space, name: string): Source {
    const source = this.key();
    this.#findings.declare(space, name, source);
    return source;
  }

  /** To be there once all files are read. */
  refer<S extends Subject>(subject: S, below: Path = []): S {
    this.#findings.refer(subject, this, below);
    return subject;
  }

  /** A path that the file means: what is not absolute lies beside it. */
  beside(path: string): string {
    const { file } = this.#document;
    return path.startsWith('/') ? path : file.slice(0, file.lastIndexOf('/') + 1) + path;
  }

  groups(names: readonly string[] | undefined): readonly string[] {
    for (const [index, name] of (names ?? []).entries()) this.refer({ kind: 'group', name }, ['groups', index]);
    return names ?? [];
  }

  subjects(texts: readonly string[] = []): readonly Subject[] {
    return texts.map((text, index) => this.refer(parseSubject(text), [index]));
  }

  /** Without those that are none; each of them is reported. */
  patterns(texts: readonly string[]): readonly RepositoryPattern[] {
    return this.each(texts, parseRepositoryPattern, 'invalid-pattern');
  }

  /** What `parse` makes of each text; what it cannot read is reported and left out. */
  each<Parsed extends object>(
    texts: readonly string[],
    parse: (text: string) => Parsed | { readonly problem: string },
    code: string,
  ): readonly Parsed[] {
    return texts.flatMap((text, index) => {
      const parsed = parse(text);
      if (!('problem' in parsed)) return [parsed];
      this.at(index).problem(code, parsed.problem);
      return [];
    });
  }

  /** Milliseconds since 1970; a plain date begins at midnight UTC. undefined, and reported, for a day no calendar has. */
  instant(text: string): number | undefined {
    const milliseconds = parseInstant(text);
    if (milliseconds === undefined) this.problem('invalid-time', `"${text}" is not a date that exists`);
    return milliseconds;
  }
}

const named = [...accountKinds, 'group'] as const;

/** Text in subject notation, already checked by the schema. */
export function parseSubject(text: string): Subject {
  const colon = text.indexOf(':');
  const kind = colon === -1 ? undefined : named.find((each) => each === text.slice(0, colon));
  if (kind !== undefined) return { kind, name: text.slice(colon + 1) };
  return { kind: text === 'authenticated' || text === 'anonymous' ? text : 'everyone' };
}
