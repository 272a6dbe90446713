/**
 * docker_auth's configuration (cesanta/docker_auth, examples/reference.yml) as far as it says who may do what. That
 * program ignores keys it does not know; here they are kept, because an entry with a misspelt key matches everybody.
 */
import type { Checked } from '../document/check.ts';
import type { Problem } from '../document/problem.ts';
import { layoutOf } from '../editing/layout.ts';
import { type Path, type YamlDocument, readYaml } from '../document/yaml.ts';

export interface StaticUser {
  readonly name: string;
  /** `none`: any password is accepted. `locked`: an entry without a value, which nobody can log in as. */
  readonly password: { readonly hash: string } | 'none' | 'locked';
  readonly line: number;
}

export interface AclEntry {
  /** From 1. */
  readonly number: number;
  readonly line: number;
  readonly match: ReadonlyMap<string, unknown>;
  readonly actions: readonly string[];
  readonly comment: string | undefined;
}

export interface DockerAuthFile {
  readonly users: readonly StaticUser[];
  readonly entries: readonly AclEntry[];
  /** Top-level keys that name further sources of accounts or rules. */
  readonly foreign: readonly { readonly key: string; readonly line: number }[];
}

const ownKeys: ReadonlySet<string> = new Set(['server', 'token', 'users', 'acl']);

/** Entries that docker_auth itself would refuse or crash on are problems: there is nothing to be faithful to. */
export function readDockerAuth(file: string, text: string): Checked<DockerAuthFile> {
  const reading = readYaml(file, withoutOtherSections(text));
  if (!reading.ok) return reading;
  const reader = new Reader(reading.document);
  const value = reader.read();
  return reader.problems.length > 0 ? { ok: false, problems: reader.problems } : { ok: true, value };
}

/** Of sections that say nothing of accounts or rules the keys alone, on their lines: faults in them are not ours. */
function withoutOtherSections(text: string): string {
  const sections = layoutOf(text).root?.entries ?? [];
  const seen = new Set<string>();
  return sections.reduce((all, { key, keyOffset, keyEnd, end }) => {
    const isAgain = seen.has(key);
    seen.add(key);
    if (key === 'users' || key === 'acl') return all;
    // Nothing else of a section is read; a second one of the name goes with its key.
    const start = isAgain ? keyOffset : all.indexOf(':', keyEnd) + 1;
    return all.slice(0, start) + all.slice(start, end).replaceAll(/[^\r\n]/g, ' ') + all.slice(end);
  }, text);
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #document: YamlDocument;

  constructor(document: YamlDocument) {
    this.#document = document;
  }

  read(): DockerAuthFile {
    const root = this.#mapping(this.#document.value, []);
    const users = [...this.#mapping(root.get('users'), ['users'])].map(([name, entry]) => this.#user(name, entry));
    const acl = root.get('acl') ?? [];
    if (!Array.isArray(acl)) this.#problem(['acl'], 'expected a list of entries');
    const entries = Array.isArray(acl) ? acl.map((entry: unknown, index) => this.#entry(entry, index)) : [];
    const foreign = [...root.keys()]
      .filter((key) => !ownKeys.has(key))
      .map((key) => ({ key, line: this.#document.keyAt([key]).line }));
    return { users, entries, foreign };
  }

  #problem(path: Path, message: string): void {
    this.problems.push({ file: this.#document.file, ...this.#document.at(path), code: 'docker-auth', message });
  }

  #mapping(value: unknown, path: Path): ReadonlyMap<string, unknown> {
    if (value === undefined || value === null) return new Map();
    if (typeof value === 'object' && !Array.isArray(value)) return new Map(Object.entries(value));
    this.#problem(path, 'expected a mapping (key: value)');
    return new Map();
  }

  #user(name: string, entry: unknown): StaticUser {
    const path = ['users', name];
    const { line } = this.#document.keyAt(path);
    if (entry === null) return { name, password: 'locked', line };
    const password = this.#mapping(entry, path).get('password');
    if (password === undefined || password === null) return { name, password: 'none', line };
    if (typeof password === 'string') return { name, password: { hash: password }, line };
    this.#problem([...path, 'password'], 'expected text; put it in quotes');
    return { name, password: 'locked', line };
  }

  #entry(value: unknown, index: number): AclEntry {
    const path = ['acl', index];
    const entry = this.#mapping(value, path);
    const match = entry.get('match');
    if (match === undefined || match === null) {
      const message = 'the entry has no `match`; docker_auth does not start with it (write {} to match everything)';
      this.#problem(path, message);
    }
    const actions = entry.get('actions');
    if (!Array.isArray(actions)) this.#problem(path, 'the entry needs a list of `actions`');
    const words: readonly unknown[] = Array.isArray(actions) ? actions : [];
    for (const [position, action] of words.entries()) {
      if (typeof action !== 'string') this.#problem([...path, 'actions', position], 'expected text; put it in quotes');
    }
    const comment = entry.get('comment');
    return {
      number: index + 1,
      line: this.#document.keyAt(path).line,
      match: this.#mapping(match, [...path, 'match']),
      actions: words.filter((action) => typeof action === 'string'),
      comment: typeof comment === 'string' ? comment : undefined,
    };
  }
}
