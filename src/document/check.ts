/** Data against a zod schema: every mistake at once, in words for a person, with file, line and column. */
import { z } from 'zod';
import { type Problem, lowerFirst, quote, sortProblems } from './problem.ts';
import { didYouMean, nearest } from './suggest.ts';
import type { Path, Position } from './yaml.ts';

export type Checked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

/** Data that knows where it came from: a YAML document, or settings. */
export interface Origin {
  readonly file: string;
  readonly value: unknown;
  at(path: Path): Position;
  keyAt(path: Path): Position;
  /** How messages name a path; `rules[2].actions[1]` unless given. */
  nameOf?(path: Path): string;
}

const maxProblems = 100;

/** The data as the schema's output, or every problem with its position. */
export function checkDocument<T>(origin: Origin, schema: z.ZodType<T>): Checked<T> {
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
      return [problem(context, path, 'bad-key', reasonOf(issue.issues), { position: context.origin.keyAt(path) })];
    case 'invalid_element':
      return issue.issues.flatMap((inner) => explain(inner, path, context));
    case 'too_small':
      return [outOfBounds(issue, 'too-small', issue.minimum, 'at least', path, context)];
    case 'too_big':
      return [outOfBounds(issue, 'too-large', issue.maximum, 'at most', path, context)];
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

/** A schema's own check may set `params: { code, fix }` on its issue. */
function custom(issue: z.core.$ZodIssueCustom, path: Path, context: Context): Problem {
  const { code, fix } = issue.params ?? {};
  const known = typeof code === 'string' ? code : 'invalid-value';
  return problem(context, path, known, issue.message, { fix: typeof fix === 'string' ? fix : undefined });
}

function unknownKey(key: string, path: Path, context: Context): Problem {
  const here = valueAt(context.origin.value, path);
  const allowed = allowedKeys(context.schema, path).filter((name) => !hasKey(here, name));
  const isList = nearest(key, allowed) === undefined && allowed.length > 0 && allowed.length <= 12;
  const fix = isList ? `known here: ${[...allowed].sort().join(', ')}` : undefined;
  const position = context.origin.keyAt([...path, key]);
  const message = `unknown key ${quote(key)}${didYouMean(key, allowed)}`;
  return problem(context, path, 'unknown-key', message, { position, fix });
}

function wrongType(issue: z.core.$ZodIssueInvalidType, path: Path, context: Context): Problem {
  const parent = path.slice(0, -1);
  const last = path.at(-1);
  if (typeof last === 'string' && !hasKey(valueAt(context.origin.value, parent), last)) {
    return problem(context, parent, 'missing-key', `the key ${quote(last)} is missing`);
  }
  const words = ownWords(issue);
  if (words !== undefined) return problem(context, path, 'invalid-value', words);
  const value = valueAt(context.origin.value, path);
  const message = `expected ${typeInWords(issue.expected)}, got ${kindOf(value)}`;
  return problem(context, path, 'invalid-value', message, { fix: typeFix(issue.expected, value) });
}

/** Where nothing stands, whatever was expected. */
function missing(path: Path, context: Context): Problem {
  return wrongType({ code: 'invalid_type', expected: 'string', path: [], message: '' }, path, context);
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
  if (value === undefined) return missing(path, context);
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
  const [closest] = alternatives
    .filter((issues) => issues.length > 0 && !issues.some(isWrongKind))
    .sort((a, b) => a.length - b.length);
  if (closest !== undefined) return closest.flatMap((inner) => explain(inner, path, context));

  const rootIssues = alternatives.flat();
  const values = rootIssues.flatMap((inner) => (inner.code === 'invalid_value' ? inner.values : []));
  const value = valueAt(context.origin.value, path);
  if (typeof value === 'string' && values.length > 0) return [wrongChoice(issue, values, path, context)];
  if (value === undefined) return [missing(path, context)];
  const kinds = new Set(
    rootIssues.map((inner) => (inner.code === 'invalid_type' ? typeInWords(inner.expected) : 'text')),
  );
  const fix = kinds.has('text') ? typeFix('string', value) : undefined;
  const message = `expected ${[...kinds].join(' or ')}, got ${kindOf(value)}`;
  return [problem(context, path, 'invalid-value', message, { fix })];
}

function discriminated(issue: z.core.$ZodIssueInvalidUnion, path: Path, context: Context): Problem {
  if ('options' in issue && Array.isArray(issue.options)) return wrongChoice(issue, issue.options, path, context);
  return problem(context, path, 'invalid-value', lowerFirst(issue.message));
}

/** The alternative does not even take this kind of value. */
function isWrongKind({ code, path }: Issue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
}

/** At the value unless another `position` is given. */
function problem(
  { origin }: Context,
  path: Path,
  code: string,
  message: string,
  { position = origin.at(path), fix }: { readonly position?: Position; readonly fix?: string | undefined } = {},
): Problem {
  const name = origin.nameOf?.(path) ?? pathInWords(path);
  return { file: origin.file, ...position, code, message: name === '' ? message : `${name}: ${message}`, fix };
}

function reasonOf([first]: readonly Issue[]): string {
  if (first === undefined) return 'this key is not allowed';
  if (first.code === 'invalid_value') return `expected one of ${first.values.map(String).join(', ')}`;
  return lowerFirst(first.message);
}

function outOfBounds(
  issue: Issue & { readonly origin: string },
  code: string,
  bound: number | bigint,
  relation: string,
  path: Path,
  context: Context,
): Problem {
  return problem(context, path, code, ownWords(issue) ?? boundInWords(issue.origin, bound, relation));
}

function boundInWords(origin: string, bound: number | bigint, relation: string): string {
  const one = Number(bound) === 1;
  if (origin === 'string') return `must have ${relation} ${bound} character${one ? '' : 's'}`;
  if (origin === 'array' || origin === 'set') return `must have ${relation} ${bound} entr${one ? 'y' : 'ies'}`;
  return `must be ${relation} ${bound}`;
}

const typeWords: Readonly<Record<string, string>> = {
  string: 'text',
  array: 'a list',
  set: 'a list',
  tuple: 'a list',
  object: 'a mapping (key: value)',
  record: 'a mapping (key: value)',
  map: 'a mapping (key: value)',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
};

function typeInWords(expected: string): string {
  return typeWords[expected] ?? expected;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return 'text';
  if (typeof value === 'number') return `the number ${value}`;
  return typeof value === 'boolean' ? String(value) : 'a mapping';
}

function stepsOf(path: readonly PropertyKey[]): Path {
  return path.map((step) => (typeof step === 'symbol' ? String(step) : step));
}

function hasKey(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}

/** Undefined where nothing stands. */
export function valueAt(value: unknown, path: Path): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Record<string | number, unknown>)[step];
  }
  return here;
}

/** The keys any object schema at `path` knows. From here on this file looks into the insides of zod 4 (`_zod.def`). */
function allowedKeys(schema: z.ZodType, path: Path): readonly string[] {
  let here: readonly z.core.$ZodType[] = [schema];
  for (const step of path) here = here.flatMap((candidate) => childSchemas(candidate, step));
  return [...new Set(here.flatMap((candidate) => unwrap(candidate)).flatMap(keysOf))];
}

function keysOf(schema: z.core.$ZodType): readonly string[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'object') return Object.keys(def.shape);
  if (def.type !== 'record') return [];
  const key = (def.keyType as z.core.$ZodTypes)._zod.def;
  return key.type === 'enum' ? Object.values(key.entries).map(String) : [];
}

function childSchemas(schema: z.core.$ZodType, step: string | number): readonly z.core.$ZodType[] {
  return unwrap(schema).flatMap((inner) => {
    const { def } = (inner as z.core.$ZodTypes)._zod;
    if (def.type === 'record' || def.type === 'map') return [def.valueType];
    if (def.type === 'array') return [def.element];
    if (def.type === 'object') return (Object.hasOwn(def.shape, step) ? def.shape[step] : def.catchall) ?? [];
    return def.type === 'tuple' && typeof step === 'number' ? (def.items[step] ?? def.rest ?? []) : [];
  });
}

/** The schema without wrappers; a union or intersection yields its parts. `lazy` is followed once for each use. */
function unwrap(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if ('innerType' in def) return unwrap(def.innerType);
  if (def.type === 'pipe') return unwrap(def.in);
  if (def.type === 'lazy') return unwrap(def.getter());
  if (def.type === 'union') return def.options.flatMap(unwrap);
  return def.type === 'intersection' ? [...unwrap(def.left), ...unwrap(def.right)] : [schema];
}

/** JSON Schema draft-07 of what a person writes, for editors: `yaml-language-server` completes, checks and explains by it. */
export function jsonSchemaOf(schema: z.ZodType, title: string): Readonly<Record<string, unknown>> {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-7' });
  return { $schema, title, ...rest };
}
