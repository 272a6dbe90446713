/** Where settings come from: the file, variables and flags, each checked by itself. */
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { checkDocument, checkValue, type Origin } from '../document/check.ts';
import { quote, type Problem } from '../document/problem.ts';
import { nearest } from '../document/suggest.ts';
import { readYaml, type Path, type YamlDocument } from '../document/yaml.ts';
import { configKeys, configSchema, type ConfigKey, type Settings } from './schema.ts';
import { parseRedisUrl } from '../network/redis-url.ts';

export interface ConfigInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By dotted key, such as `tokens.accessTtl`. */
  readonly flags: Readonly<Record<string, string>>;
  readonly file?: { readonly path: string; readonly text: string };
  /** Relative paths in variables and flags start here; those in the file start at the file's directory. */
  readonly cwd: string;
  /** The content of a secret file; throws when it cannot be read. */
  readonly readSecret: (path: string) => string;
  readonly tryMode: boolean;
}

const environment = 'environment';
const commandLine = 'command line';
const prefix = 'PORTCULLIS_';

/** What one place sets. `keys` includes those whose value has a problem, so that nothing is called missing as well. */
export interface Source {
  readonly settings: Settings;
  readonly keys: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

/** Nothing where there is no file. */
export function fileSource(input: ConfigInput): Source {
  if (input.file === undefined) return { settings: {}, keys: new Set(), problems: [] };
  const reading = readYaml(input.file.path, input.file.text);
  // A file that cannot be read at all may set every key.
  if (!reading.ok)
    return { settings: {}, keys: new Set(configKeys().map(({ key }) => key)), problems: reading.problems };
  const document: YamlDocument =
    reading.document.value === null ? { ...reading.document, value: {} } : reading.document;
  const keys = new Set(
    configKeys()
      .filter(({ key }) => holds(document.value, key.split('.')))
      .map(({ key }) => key),
  );
  const checked = checkDocument(document, configSchema);
  if (!checked.ok) return { settings: {}, keys, problems: checked.problems };
  const base = dirname(resolve(input.cwd, input.file.path));
  return { settings: withAbsolutePaths(checked.value, base), keys, problems: [] };
}

function holds(value: unknown, path: Path): boolean {
  const [step, ...rest] = path;
  if (step === undefined) return true;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return false;
  return holds((value as Record<string | number, unknown>)[step], rest);
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
  return {
    ...nowhere(environment),
    code: 'set-twice',
    message: `${variable} and ${fileVariable} are both set`,
    fix: 'keep one of them',
  };
}

function secretFromFile(variable: string, path: string, input: ConfigInput): string | Problem {
  try {
    return input.readSecret(resolve(input.cwd, path)).replace(/\r?\n$/, '');
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown reason';
    return {
      ...nowhere(environment),
      code: 'unreadable-file',
      message: `${variable}: cannot read the file: ${reason}`,
    };
  }
}

function unknownVariable(variable: string, known: ReadonlySet<string>): Problem {
  // The shared prefix would make every variable look near.
  const suggestion = nearest(
    variable.slice(prefix.length),
    [...known].map((name) => name.slice(prefix.length)),
  );
  const hint = suggestion === undefined ? '' : ` — did you mean ${quote(prefix + suggestion)}?`;
  return { ...nowhere(environment), code: 'unknown-variable', message: `unknown variable ${quote(variable)}${hint}` };
}

/**
 * Kubernetes and Docker links put variables for each service into every container (`PORTCULLIS_SERVICE_HOST`,
 * `PORTCULLIS_PORT_5050_TCP=tcp://…` for a service called `portcullis`). They are nobody's mistake.
 */
function isServiceLink(variable: string, value: string): boolean {
  const link = '(?:tcp|udp|sctp)://\\S+';
  const shapes: readonly (readonly [name: RegExp, value: RegExp | 'address'])[] = [
    [/_SERVICE_HOST$/, 'address'],
    [/_SERVICE_PORT(?:_[A-Z0-9_]+)?$/, /^\d{1,5}$/],
    [/_PORT$/, new RegExp(`^${link}$`)],
    [/_PORT_\d{1,5}_(?:TCP|UDP|SCTP)$/, new RegExp(`^${link}$`)],
    [/_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_PROTO$/, /^(?:tcp|udp|sctp)$/],
    [/_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_PORT$/, /^\d{1,5}$/],
    [/_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_ADDR$/, 'address'],
  ];
  return shapes.some(
    ([name, shape]) => name.test(variable) && (shape === 'address' ? isIP(value) !== 0 : shape.test(value)),
  );
}

/** A flag that no setting has is a problem, with what was probably meant. */
export function flagSource(input: ConfigInput): Source {
  const keys = configKeys();
  const texts = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [flag, text] of Object.entries(input.flags)) {
    const key = keys.find((candidate) => candidate.key === flag);
    if (key === undefined) {
      const suggestion = nearest(
        flag,
        keys.map((candidate) => candidate.key),
      );
      const hint = suggestion === undefined ? '' : ` — did you mean ${quote(`--${suggestion}`)}?`;
      problems.push({
        ...nowhere(commandLine),
        code: 'unknown-key',
        message: `unknown option ${quote(`--${flag}`)}${hint}`,
      });
      continue;
    }
    texts.set(flag, text);
    const redis = key.key === 'redis' ? parseRedisUrl(text) : undefined;
    if (redis?.ok === true && redis.value.password !== undefined) {
      problems.push({
        ...nowhere(commandLine),
        code: 'secret-in-argument',
        message: `--${flag}: a password on the command line can be read by every user of this machine`,
        fix: `use ${key.variable}, ${key.variable}_FILE or the configuration file`,
      });
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
      problems.push({
        ...nowhere(file),
        code: 'missing-value',
        message: `${nameOf(key)} is empty`,
        fix: 'give it a value, or remove it',
      });
      continue;
    }
    plantText(value, key.key.split('.'), key.list ? splitList(text) : text);
  }
  const origin: Origin = {
    file,
    value,
    at: () => ({ line: 0, column: 0 }),
    keyAt: () => ({ line: 0, column: 0 }),
    nameOf: (path) => {
      const words = path.filter((step) => typeof step === 'string').join('.');
      const entry = path.find((step) => typeof step === 'number');
      return `${names.get(words) ?? words}${entry === undefined ? '' : ` (entry ${entry + 1})`}`;
    },
  };
  const checked = checkValue(origin, configSchema);
  const keys = new Set(texts.keys());
  if (!checked.ok) return { settings: {}, keys, problems: [...problems, ...checked.problems] };
  return { settings: withAbsolutePaths(checked.value, base), keys, problems };
}

function splitList(text: string): readonly string[] {
  return text === '' ? [] : text.split(',').map((entry) => entry.trim());
}

function plantText(tree: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [step, ...rest] = path;
  if (step === undefined) return;
  if (rest.length === 0) {
    tree[step] = value;
    return;
  }
  const branch = (tree[step] ?? {}) as Record<string, unknown>;
  tree[step] = branch;
  plantText(branch, rest, value);
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

/** The place of a problem that no line has. */
export function nowhere(file: string): { readonly file: string; readonly line: 0; readonly column: 0 } {
  return { file, line: 0, column: 0 };
}
