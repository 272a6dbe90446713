/** Data against a zod schema: every mistake at once, in words for a person, with file, line and column. */
import type { z } from 'zod';
import { quote, sortProblems, type Problem } from './problem.ts';
import { allowedKeys } from './schema-keys.ts';
import { didYouMean, nearest } from './suggest.ts';
import type { Path, Position, YamlDocument } from './yaml.ts';

export type Checked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

/** Where data came from, when that is not a YAML document. */
export interface Origin {
  readonly file: string;
  readonly value: unknown;
  at(path: Path): Position;
  keyAt(path: Path): Position;
  /** How messages name a path; `rules[2].actions[1]` unless given. */
  nameOf?(path: Path): string;
}

const maxProblems = 100;

/** The document as the schema's output, or every problem with its position. */
export function checkDocument<T>(document: YamlDocument, schema: z.ZodType<T>): Checked<T> {
  return checkValue(document, schema);
}

/** As `checkDocument`, for data of any origin. */
export function checkValue<T>(origin: Origin, schema: z.ZodType<T>): Checked<T> {
  const result = schema.safeParse(origin.value);
  if (result.success) return { ok: true, value: result.data };
  const problems = result.error.issues.flatMap((issue) => explain(issue, [], { origin, schema }));
  return { ok: false, problems: sortProblems(problems).slice(0, maxProblems) };
}

/** `rules[2].actions[1]`; a key that is not a plain word stands in quotes. */
export function pathInWords(path: Path): string {
  return path.reduce<string>((words, step) => {
    if (typeof step === 'number') return `${words}[${step}]`;
    const key = /^[\w-]{1,60}$/.test(step) ? step : quote(step);
    return words === '' ? key : `${words}.${key}`;
  }, '');
}

interface Context {
  readonly origin: Origin;
  readonly schema: z.ZodType;
}

type Issue = z.core.$ZodIssue;

function explain(issue: Issue, base: Path, context: Context): readonly Problem[] {
  const path = [...base, ...stepsOf(issue.path)];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, path, context));
    case 'invalid_type':
      return [wrongType(issue, path, context)];
    case 'invalid_value':
      return [wrongChoice(issue, issue.values, path, context)];
    case 'invalid_union':
      return explainUnion(issue, path, context);
    case 'invalid_key':
      return [problem(context, path, 'bad-key', reasonOf(issue.issues, 'this key is not allowed'), 'key')];
    case 'invalid_element':
      return issue.issues.flatMap((inner) => explain(inner, path, context));
    case 'too_small': {
      const words = ownWords(issue) ?? boundInWords(issue.origin, issue.minimum, 'at least');
      return [problem(context, path, 'too-small', words)];
    }
    case 'too_big': {
      const words = ownWords(issue) ?? boundInWords(issue.origin, issue.maximum, 'at most');
      return [problem(context, path, 'too-large', words)];
    }
    case 'custom':
      return [custom(issue, path, context)];
    case 'invalid_format':
    case 'not_multiple_of':
      return [problem(context, path, 'invalid-value', lowerFirst(issue.message))];
  }
}

/** The schema's own sentence for this issue, when it has one instead of the library's. */
function ownWords(issue: Issue): string | undefined {
  return /^(?:Invalid |Too |Unrecognized )/.test(issue.message) || issue.message === '' ? undefined : issue.message;
}

/** A schema's own check may set `params: { code, fix, at: 'key' }` on its issue. */
function custom(issue: z.core.$ZodIssueCustom, path: Path, context: Context): Problem {
  const { code, fix, at } = issue.params ?? {};
  const found = problem(
    context,
    path,
    typeof code === 'string' ? code : 'invalid-value',
    issue.message,
    at === 'key' ? 'key' : 'value',
  );
  return typeof fix === 'string' ? { ...found, fix } : found;
}

function unknownKey(key: string, path: Path, context: Context): Problem {
  const allowed = allowedKeys(context.schema, path).filter(
    (name) => !hasKey(valueAt(context.origin.value, path), name),
  );
  const suggestion = nearest(key, allowed);
  const keyPath = [...path, key];
  const fix =
    suggestion === undefined && allowed.length > 0 && allowed.length <= 12
      ? `known here: ${[...allowed].sort().join(', ')}`
      : undefined;
  const where = path.length === 0 ? '' : `${pathInWords(path)}: `;
  const message = `${where}unknown key ${quote(key)}${didYouMean(key, allowed)}`;
  const position = context.origin.keyAt(keyPath);
  return {
    file: context.origin.file,
    ...position,
    code: 'unknown-key',
    message,
    ...(fix === undefined ? {} : { fix }),
  };
}

function wrongType(issue: z.core.$ZodIssueInvalidType, path: Path, context: Context): Problem {
  const parent = valueAt(context.origin.value, path.slice(0, -1));
  const last = path.at(-1);
  if (typeof last === 'string' && !hasKey(parent, last)) {
    const parentPath = path.slice(0, -1);
    const where = parentPath.length === 0 ? '' : `${pathInWords(parentPath)}: `;
    return {
      file: context.origin.file,
      ...context.origin.at(parentPath),
      code: 'missing-key',
      message: `${where}the key ${quote(last)} is missing`,
    };
  }
  const words = ownWords(issue);
  if (words !== undefined) return problem(context, path, 'invalid-value', words);
  const value = valueAt(context.origin.value, path);
  const found = problem(
    context,
    path,
    'invalid-value',
    `expected ${typeInWords(issue.expected)}, got ${kindOf(value)}`,
  );
  const fix = typeFix(issue.expected, value);
  return fix === undefined ? found : { ...found, fix };
}

function typeFix(expected: string, value: unknown): string | undefined {
  if (value === null) return 'give it a value, or remove the line';
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) return 'put it in quotes';
  if (expected === 'array' && typeof value === 'string') return 'write it as a list: [ … ]';
  if (expected === 'string' && typeof value === 'object' && !Array.isArray(value)) {
    return 'put the text in quotes if it contains ": "';
  }
  return undefined;
}

function wrongChoice(issue: Issue, values: readonly unknown[], path: Path, context: Context): Problem {
  const value = valueAt(context.origin.value, path);
  if (value === undefined) {
    return wrongType({ code: 'invalid_type', expected: 'string', path: [], message: '' }, path, context);
  }
  const words = ownWords(issue);
  if (words !== undefined) return problem(context, path, 'invalid-value', words);
  const choices = values.map(String);
  const list = choices.length === 1 ? choices.join('') : `one of ${choices.join(', ')}`;
  const suggestion = typeof value === 'string' ? didYouMean(value, choices) : `, got ${kindOf(value)}`;
  return problem(context, path, 'invalid-value', `expected ${list}${suggestion}`);
}

/**
 * A union fails with one list of issues for each alternative. A person means one of them: the alternative that
 * accepted the kind of value and failed further in. When none did, the alternatives are named.
 */
function explainUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, context: Context): readonly Problem[] {
  const alternatives = issue.errors;
  if (alternatives.length === 0) return [discriminated(issue, path, context)];
  const meant = alternatives
    .filter((issues) => issues.length > 0 && !issues.some(isWrongKind))
    .sort((a, b) => a.length - b.length);
  const [closest] = meant;
  if (closest !== undefined) return closest.flatMap((inner) => explain(inner, path, context));

  const rootIssues = alternatives.flat();
  const values = rootIssues.flatMap((inner) => (inner.code === 'invalid_value' ? inner.values : []));
  if (typeof valueAt(context.origin.value, path) === 'string' && values.length > 0) {
    return [wrongChoice(issue, values, path, context)];
  }
  const kinds = new Set(
    rootIssues.map((inner) => (inner.code === 'invalid_type' ? typeInWords(inner.expected) : 'text')),
  );
  const value = valueAt(context.origin.value, path);
  if (value === undefined) {
    return [wrongType({ code: 'invalid_type', expected: 'string', path: [], message: '' }, path, context)];
  }
  const found = problem(context, path, 'invalid-value', `expected ${[...kinds].join(' or ')}, got ${kindOf(value)}`);
  const fix = kinds.has(typeInWords('string')) ? typeFix('string', value) : undefined;
  return [fix === undefined ? found : { ...found, fix }];
}

function discriminated(issue: z.core.$ZodIssueInvalidUnion, path: Path, context: Context): Problem {
  if ('options' in issue && Array.isArray(issue.options)) return wrongChoice(issue, issue.options, path, context);
  return problem(context, path, 'invalid-value', lowerFirst(issue.message));
}

/** The alternative does not even take this kind of value. */
function isWrongKind(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function problem(context: Context, path: Path, code: string, message: string, at: 'key' | 'value' = 'value'): Problem {
  const { origin } = context;
  const name = origin.nameOf?.(path) ?? pathInWords(path);
  const position = at === 'key' ? origin.keyAt(path) : origin.at(path);
  return { file: origin.file, ...position, code, message: name === '' ? message : `${name}: ${message}` };
}

function reasonOf(issues: readonly Issue[], otherwise: string): string {
  const [first] = issues;
  if (first === undefined) return otherwise;
  if (first.code === 'invalid_value') return `expected one of ${first.values.map(String).join(', ')}`;
  return lowerFirst(first.message);
}

function boundInWords(origin: string, bound: number | bigint, relation: string): string {
  const one = Number(bound) === 1;
  if (origin === 'string') return `must have ${relation} ${bound} character${one ? '' : 's'}`;
  if (origin === 'array' || origin === 'set') return `must have ${relation} ${bound} entr${one ? 'y' : 'ies'}`;
  return `must be ${relation} ${bound}`;
}

function typeInWords(expected: string): string {
  switch (expected) {
    case 'string':
      return 'text';
    case 'array':
    case 'set':
    case 'tuple':
      return 'a list';
    case 'object':
    case 'record':
    case 'map':
      return 'a mapping (key: value)';
    case 'boolean':
      return 'true or false';
    case 'int':
      return 'a whole number';
    case 'number':
      return 'a number';
    default:
      return expected;
  }
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return `the number ${value}`;
    case 'boolean':
      return String(value);
    default:
      return 'a mapping';
  }
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

function stepsOf(path: readonly PropertyKey[]): Path {
  return path.map((step) => (typeof step === 'symbol' ? String(step) : step));
}

function hasKey(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}

function valueAt(value: unknown, path: Path): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Record<string | number, unknown>)[step];
  }
  return here;
}
