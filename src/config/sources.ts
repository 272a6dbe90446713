/** Where settings come from: the file, variables and flags, each checked by itself. */
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { type Origin, checkDocument, valueAt } from '../document/check.ts';
import { type Problem, quote, unplaced } from '../document/problem.ts';
import { nearest } from '../document/suggest.ts';
import { readYaml } from '../document/yaml.ts';
import { configKeys, configSchema, type ConfigKey, type Settings } from './schema.ts';
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

/** What one place sets. `keys` includes those whose value has a problem, so that nothing is called missing as well. */
export interface Source {
  readonly settings: Settings;
  readonly keys: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

/** Nothing where there is no file. */
export function fileSource({ file, cwd }: ConfigInput): Source {
  if (file === undefined) return { settings: {}, keys: new Set(), problems: [] };
  const all = configKeys().map(({ key }) => key);
  const reading = readYaml(file.path, file.text);
  // A file that cannot be read at all may set every key.
  if (!reading.ok) return { settings: {}, keys: new Set(all), problems: reading.problems };
  const document = { ...reading.document, value: reading.document.value ?? {} };
  const keys = new Set(all.filter((key) => valueAt(document.value, key.split('.')) !== undefined));
  const checked = checkDocument(document, configSchema);
  if (!checked.ok) return { settings: {}, keys, problems: checked.problems };
  return { settings: withAbsolutePaths(checked.value, dirname(resolve(cwd, file.path))), keys, problems: [] };
}

/** A `PORTCULLIS_*` variable that is neither a setting nor a service link of Kubernetes is a problem. */
export function environmentSource(input: ConfigInput): Source {
  const keys = configKeys();
  const texts = new Map<string, string>();
  const problems: Problem[] = [];
  const known = new Set([`${prefix}CONFIG`, ...keys.map(({ variable }) => variable)]);
  for (const key of keys) {
    const text = input.env[key.variable];
    if (text !== undefined) texts.set(key.key, text);
    if (!key.secret) continue;
    const fileVariable = `${key.variable}_FILE`;
    known.add(fileVariable);
    const path = input.env[fileVariable];
    if (path === undefined) continue;
    const secret = text === undefined ? secretFromFile(fileVariable, path, input) : bothSet(key.variable, fileVariable);
    if (typeof secret === 'string') texts.set(key.key, secret);
    else problems.push(secret);
  }
  for (const [variable, value] of Object.entries(input.env)) {
    if (!variable.startsWith(prefix) || known.has(variable) || value === undefined) continue;
    if (variable.startsWith(`${prefix}TEST_`) || isServiceLink(variable, value)) continue;
    problems.push(unknownVariable(variable, known));
  }
  const nameOf = (key: ConfigKey): string =>
    input.env[key.variable] === undefined && key.secret ? `${key.variable}_FILE` : key.variable;
  return textSource(environment, texts, nameOf, input.cwd, problems);
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
  const keys = configKeys();
  const texts = new Map<string, string>();
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
    texts.set(flag, text);
    const redis = key.key === 'redis' ? parseRedisUrl(text) : undefined;
    if (redis?.ok === true && redis.value.password !== undefined) {
      const message = `--${flag}: a password on the command line can be read by every user of this machine`;
      const fix = `use ${key.variable}, ${key.variable}_FILE or the configuration file`;
      problems.push(unplaced(commandLine, 'secret-in-argument', message, fix));
    }
  }
  return textSource(commandLine, texts, (key) => `--${key.key}`, input.cwd, problems);
}

/** Settings that arrive as text by key; `nameOf` is what messages call a key. */
function textSource(
  file: string,
  texts: ReadonlyMap<string, string>,
  nameOf: (key: ConfigKey) => string,
  base: string,
  earlier: readonly Problem[],
): Source {
  const value: Record<string, unknown> = {};
  const problems = [...earlier];
  const names = new Map<string, string>();
  for (const key of configKeys()) {
    const text = texts.get(key.key);
    names.set(key.key, nameOf(key));
    if (text === undefined) continue;
    if (text === '' && key.key !== 'trustedProxies') {
      problems.push(unplaced(file, 'missing-value', `${nameOf(key)} is empty`, 'give it a value, or remove it'));
      continue;
    }
    plantText(value, key.key.split('.'), key.list ? splitList(text) : text);
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
  const keys = new Set(texts.keys());
  if (!checked.ok) return { settings: {}, keys, problems: [...problems, ...checked.problems] };
  return { settings: withAbsolutePaths(checked.value, base), keys, problems };
}

function splitList(text: string): readonly string[] {
  return text === '' ? [] : text.split(',').map((entry) => entry.trim());
}

function plantText(tree: Record<string, unknown>, [step, ...rest]: readonly string[], value: unknown): void {
  if (step === undefined) return;
  if (rest.length === 0) tree[step] = value;
  else plantText((tree[step] ??= {}) as Record<string, unknown>, rest, value);
}

function withAbsolutePaths(settings: Settings, base: string): Settings {
  const absolute = (path: string): string => resolve(base, path);
  const { policies, stateDir, tls, tokens } = settings;
  return {
    ...settings,
    ...(policies === undefined ? {} : { policies: policies.map(absolute) }),
    ...(stateDir === undefined ? {} : { stateDir: absolute(stateDir) }),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ...(tls.cert === undefined ? {} : { cert: absolute(tls.cert) }),
            ...(tls.key === undefined ? {} : { key: absolute(tls.key) }),
          },
        }),
    ...(tokens?.keys === undefined ? {} : { tokens: { ...tokens, keys: absolute(tokens.keys) } }),
  };
}
