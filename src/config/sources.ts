/** Where settings come from: the file, variables and flags, each checked by itself. */
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { type Checked, type Origin, checkDocument, valueAt } from '../document/check.ts';
import { type Problem, quote, unplaced } from '../document/problem.ts';
import { nearest } from '../document/suggest.ts';
import { type Position, readYaml } from '../document/yaml.ts';
import type { LoginSettings } from './logins-schema.ts';
import { configKeys, configSchema, type ConfigKey, type Settings } from './schema.ts';
import type { UpstreamSettings } from './upstream-schema.ts';
import { parseRedisUrl } from '../network/redis-url.ts';

export interface ConfigInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By dotted key, such as `tokens.accessTtl`. */
  readonly flags: Readonly<Record<string, string>>;
  readonly file?: { readonly path: string; readonly text: string } | undefined;
  /** Relative paths in variables and flags start here; those in the file start at the file's directory. */
  readonly cwd: string;
  /** The content of a secret file; throws when it cannot be read. */
  readonly readSecret: (path: string) => string;
  readonly tryMode: boolean;
}

const environment = 'environment';
const commandLine = 'command line';
const prefix = 'PORTCULLIS_';
const nowhere = { line: 0, column: 0 };

/** What one place sets. */
export interface Source {
  readonly settings: Settings;
  /** Whether all that is said of registries is in `settings`. */
  readonly hasSoundUpstreams: boolean;
  /** Of a key or of one that holds others. Also when the value has a problem, so that nothing is called missing as well. */
  isSet(key: string): boolean;
  /** Where it does, and what messages call the key there. */
  placeOf(key: string): Position & { readonly file: string; readonly name: string };
  readonly problems: readonly Problem[];
}

/** Nothing where there is no file. */
export function fileSource({ file, cwd }: ConfigInput): Source {
  if (file === undefined) return textSource('', new Map(), cwd, []);
  const reading = readYaml(file.path, file.text);
  if (!reading.ok) return unreadFile(file.path, reading.problems);
  const document = { ...reading.document, value: reading.document.value ?? {} };
  const checked = checkDocument(document, configSchema);
  return {
    ...settingsOf(checked, document.value, dirname(resolve(cwd, file.path))),
    isSet: (key) => valueAt(document.value, key.split('.')) !== undefined,
    placeOf: (key) => ({ file: file.path, ...document.keyAt(key.split('.')), name: key }),
    problems: checked.ok ? [] : checked.problems,
  };
}

/** It may set every key, but one of those that exclude each other. */
function unreadFile(file: string, problems: readonly Problem[]): Source {
  const placeOf = (name: string): ReturnType<Source['placeOf']> => ({ file, ...nowhere, name });
  return { settings: {}, hasSoundUpstreams: false, isSet: (key) => key !== 'upstreams', placeOf, problems };
}

/** Of a value with a mistake, what it says of registries, where that has none. */
function settingsOf(
  checked: Checked<Settings>,
  value: unknown,
  base: string,
): Pick<Source, 'settings' | 'hasSoundUpstreams'> {
  if (checked.ok) return { settings: withAbsolutePaths(checked.value, base), hasSoundUpstreams: true };
  const parts = (['upstreams', 'redirects'] as const).flatMap((key) => {
    const part = valueAt(value, [key]);
    return part === undefined ? [] : [[key, part] as const];
  });
  const found = configSchema.safeParse(Object.fromEntries(parts));
  return {
    settings: found.success ? withAbsolutePaths(found.data, base) : {},
    hasSoundUpstreams: found.success,
  };
}

/** A `PORTCULLIS_*` variable that is neither a setting nor a service link of Kubernetes is a problem. */
export function environmentSource(input: ConfigInput): Source {
  const keys = configKeys(namesIn(Object.keys(input.env), environmentEntry));
  const texts = new Map<ConfigKey, Text>();
  const problems: Problem[] = [];
  const known = new Set([`${prefix}CONFIG`, ...keys.map(({ variable }) => variable)]);
  for (const key of keys) {
    const text = input.env[key.variable];
    if (text !== undefined) texts.set(key, { text, name: key.variable });
    const fileVariable = `${key.variable}_FILE`;
    // Where the file has a key of its own, it is a setting like any other.
    if (!key.secret || known.has(fileVariable)) continue;
    known.add(fileVariable);
    const path = input.env[fileVariable];
    if (path === undefined) continue;
    const secret = text === undefined ? secretFromFile(fileVariable, path, input) : bothSet(key.variable, fileVariable);
    if (typeof secret === 'string') texts.set(key, { text: secret, name: fileVariable });
    else problems.push(secret);
  }
  for (const [variable, value] of Object.entries(input.env)) {
    if (!variable.startsWith(prefix) || known.has(variable) || value === undefined) continue;
    if (variable.startsWith(`${prefix}TEST_`) || isServiceLink(variable, value)) continue;
    problems.push(unknownVariable(variable, known));
  }
  return textSource(environment, texts, input.cwd, problems);
}

/** An entry of a map: its name holds no underscore, so it ends at the next one. */
const environmentEntry = /^PORTCULLIS_UPSTREAMS_([A-Z0-9]+)_/;
const flagEntry = /^upstreams\.([a-z0-9]+)\./;

/** The names of entries that these variables or keys are about. */
function namesIn(texts: readonly string[], entry: RegExp): readonly string[] {
  return [...new Set(texts.flatMap((text) => entry.exec(text)?.[1]?.toLowerCase() ?? []))];
}

function bothSet(variable: string, fileVariable: string): Problem {
  return unplaced(environment, 'set-twice', `${variable} and ${fileVariable} are both set`, 'keep one of them');
}

function secretFromFile(variable: string, path: string, input: ConfigInput): string | Problem {
  try {
    return input.readSecret(resolve(input.cwd, path)).replace(/\r?\n$/, '');
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown reason';
    return unplaced(environment, 'unreadable-file', `${variable}: cannot read the file: ${reason}`);
  }
}

function unknownVariable(variable: string, known: ReadonlySet<string>): Problem {
  // The shared prefix would make every variable look near.
  const hint = meant(
    variable.slice(prefix.length),
    [...known].map((name) => name.slice(prefix.length)),
    prefix,
  );
  return unplaced(environment, 'unknown-variable', `unknown variable ${quote(variable)}${hint}`);
}

/** As `didYouMean`, of words that all begin with `before`. */
function meant(word: string, known: readonly string[], before: string): string {
  const suggestion = nearest(word, known);
  return suggestion === undefined ? '' : ` — did you mean ${quote(before + suggestion)}?`;
}

/**
 * Kubernetes and Docker links put variables for each service into every container (`PORTCULLIS_SERVICE_HOST`,
 * `PORTCULLIS_PORT_5050_TCP=tcp://…` for a service called `portcullis`). They are nobody's mistake.
 */
function isServiceLink(variable: string, value: string): boolean {
  const shapes: readonly (readonly [name: RegExp, isValue: (text: string) => boolean])[] = [
    [/_SERVICE_HOST$|_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_ADDR$/, (text) => isIP(text) !== 0],
    [/_SERVICE_PORT(?:_[A-Z0-9_]+)?$|_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_PORT$/, (text) => /^\d{1,5}$/.test(text)],
    [/_PORT(?:_\d{1,5}_(?:TCP|UDP|SCTP))?$/, (text) => /^(?:tcp|udp|sctp):\/\/\S+$/.test(text)],
    [/_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_PROTO$/, (text) => /^(?:tcp|udp|sctp)$/.test(text)],
  ];
  return shapes.some(([name, isValue]) => name.test(variable) && isValue(value));
}

/** A flag that no setting has is a problem, with what was probably meant. */
export function flagSource(input: ConfigInput): Source {
  const keys = configKeys(namesIn(Object.keys(input.flags), flagEntry));
  const texts = new Map<ConfigKey, Text>();
  const problems: Problem[] = [];
  for (const [flag, text] of Object.entries(input.flags)) {
    const key = keys.find((candidate) => candidate.key === flag);
    if (key === undefined) {
      const hint = meant(
        flag,
        keys.map((candidate) => candidate.key),
        '--',
      );
      problems.push(unplaced(commandLine, 'unknown-key', `unknown option ${quote(`--${flag}`)}${hint}`));
      continue;
    }
    texts.set(key, { text, name: `--${flag}` });
    if (!key.secret || !holdsPassword(key, text)) continue;
    const message = `--${flag}: a password on the command line can be read by every user of this machine`;
    const fix = `use ${key.variable}, ${key.variable}_FILE or the configuration file`;
    problems.push(unplaced(commandLine, 'secret-in-argument', message, fix));
  }
  return textSource(commandLine, texts, input.cwd, problems);
}

function holdsPassword({ key }: ConfigKey, text: string): boolean {
  if (key !== 'redis') return true;
  const redis = parseRedisUrl(text);
  return redis.ok && redis.value.password !== undefined;
}

/** What stands in a variable or flag, and what messages call that. */
interface Text {
  readonly text: string;
  readonly name: string;
}

/** Settings that arrive as text by key. */
function textSource(
  file: string,
  texts: ReadonlyMap<ConfigKey, Text>,
  base: string,
  earlier: readonly Problem[],
): Source {
  const value = emptyTree();
  const problems = [...earlier];
  const names = new Map<string, string>();
  for (const [{ key, list }, { text, name }] of texts) {
    names.set(key, name);
    if (text === '' && key !== 'trustedProxies') {
      problems.push(unplaced(file, 'missing-value', `${name} is empty`, 'give it a value, or remove it'));
    } else plantText(value, key.split('.'), list ? splitList(text) : text);
  }
  const origin: Origin = {
    file,
    value,
    at: () => nowhere,
    keyAt: () => nowhere,
    nameOf: (path) => {
      const words = path.filter((step) => typeof step === 'string').join('.');
      const entry = path.find((step) => typeof step === 'number');
      return `${names.get(words) ?? words}${entry === undefined ? '' : ` (entry ${entry + 1})`}`;
    },
  };
  const checked = checkDocument(origin, configSchema);
  const found = settingsOf(checked, value, base);
  const isLeftOut = [...names.keys()].some((key) => /^(?:upstreams|redirects)\./.test(key) && !isPlanted(value, key));
  return {
    ...found,
    hasSoundUpstreams: found.hasSoundUpstreams && !isLeftOut,
    isSet: (key) => names.has(key) || [...names.keys()].some((each) => each.startsWith(`${key}.`)),
    placeOf: (key) => ({ file, ...nowhere, name: names.get(key) ?? key }),
    problems: checked.ok ? problems : [...problems, ...checked.problems],
  };
}

/** What is empty was left out. */
function isPlanted(value: unknown, key: string): boolean {
  return valueAt(value, key.split('.')) !== undefined;
}

/** Inherits nothing: an entry may be called `constructor`. */
function emptyTree(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

function splitList(text: string): readonly string[] {
  return text === '' ? [] : text.split(',').map((entry) => entry.trim());
}

function plantText(tree: Record<string, unknown>, [step, ...rest]: readonly string[], value: unknown): void {
  if (step === undefined) return;
  if (rest.length === 0) tree[step] = value;
  else plantText((tree[step] ??= emptyTree()) as Record<string, unknown>, rest, value);
}

function withAbsolutePaths(settings: Settings, base: string): Settings {
  const { policies, tls, tokens, upstreams, logins, audit } = settings;
  const absolute = (path: string): string => resolve(base, path);
  /** The part with these of its keys, where it has them, as absolute paths. */
  const inside = <T extends object>(part: T, ...keys: readonly (keyof T & string)[]): T => ({
    ...part,
    ...Object.fromEntries(
      keys.flatMap((key) => (typeof part[key] === 'string' ? [[key, absolute(part[key])] as const] : [])),
    ),
  });
  const entry = (upstream: UpstreamSettings): UpstreamSettings => {
    const { credentials } = upstream;
    const whole = inside(upstream, 'ca');
    return credentials === undefined ? whole : { ...whole, credentials: inside(credentials, 'passwordFile') };
  };
  const people = ({ ldap, htpasswd, oidc }: LoginSettings): LoginSettings => {
    const files = {
      ...(htpasswd === undefined ? {} : { htpasswd: inside(htpasswd, 'file') }),
      ...(oidc === undefined ? {} : { oidc: inside(oidc, 'ca', 'clientSecretFile') }),
    };
    if (ldap === undefined) return files;
    const { bind } = ldap;
    const whole = inside(ldap, 'ca');
    return { ...files, ldap: bind === undefined ? whole : { ...whole, bind: inside(bind, 'passwordFile') } };
  };
  return {
    ...inside(settings, 'stateDir'),
    ...(policies === undefined ? {} : { policies: policies.map(absolute) }),
    ...(tls === undefined ? {} : { tls: inside(tls, 'cert', 'key') }),
    ...(tokens === undefined ? {} : { tokens: inside(tokens, 'keys') }),
    ...(logins === undefined ? {} : { logins: people(logins) }),
    ...(audit === undefined ? {} : { audit: inside(audit, 'directory') }),
    ...(upstreams === undefined
      ? {}
      : { upstreams: Object.fromEntries(Object.entries(upstreams).map(([name, each]) => [name, entry(each)])) }),
  };
}
