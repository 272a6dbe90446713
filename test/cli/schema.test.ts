import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv, type SchemaObject } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { schemaText } from '../../src/cli/json-schemas.ts';
import { configTemplate } from '../../src/config/template.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Draft-07 as everybody's editor reads it. Strict: a keyword that it does not know throws. */
const ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true });

/** Where `value` does not satisfy the schema, by which keyword and for which name; empty when it does. */
function violations(kind: 'policy' | 'config', value: unknown): readonly string[] {
  const validate = ajv.compile(JSON.parse(schemaText(kind)) as SchemaObject);
  validate(value);
  return (validate.errors ?? [])
    .filter(({ propertyName }) => propertyName === undefined) // what is wrong with a name: `propertyNames` says whose
    .map(({ instancePath, keyword, params }) => {
      const { additionalProperty, missingProperty, propertyName } = params as Readonly<Record<string, string>>;
      return [instancePath, keyword, additionalProperty ?? missingProperty ?? propertyName ?? ''].join(' ').trimEnd();
    });
}

/** Every schema below, with the path that leads to it. */
function* schemasIn(schema: unknown, path = ''): Iterable<readonly [path: string, schema: Schema]> {
  if (!isObject(schema)) throw new Error(`${path}: not a schema`);
  yield [path, schema];
  const { properties, additionalProperties, items, anyOf, oneOf } = schema;
  for (const [key, inner] of Object.entries(isObject(properties) ? properties : {}))
    yield* schemasIn(inner, `${path}.${key}`);
  if (isObject(additionalProperties)) yield* schemasIn(additionalProperties, `${path}.*`);
  if (isObject(items)) yield* schemasIn(items, `${path}[]`);
  for (const inner of [anyOf, oneOf].flatMap((all): readonly unknown[] => (Array.isArray(all) ? all : [])))
    yield* schemasIn(inner, path);
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const shipped = readdirSync(join(root, 'policies')).filter((name) => name.endsWith('.yaml'));

describe.each(['policy', 'config', 'audit'] as const)('the %s schema', (kind) => {
  const schema: unknown = JSON.parse(schemaText(kind));

  test('is what is committed; after a change: npx portcullis schema KIND > schema/KIND.schema.json', () => {
    expect(readFileSync(join(root, 'schema', `${kind}.schema.json`), 'utf8')).toBe(schemaText(kind));
  });

  test('is draft-07 with a title, and no $id that would make editors ask the network', () => {
    expect(schema).toMatchObject({ $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' });
    expect(schema).toHaveProperty('title');
    expect(schemaText(kind)).not.toMatch(/"\$(?:id|ref)"/);
  });

  test('describes every key and every named entry, so that editors have something to show', () => {
    const silent = [...schemasIn(schema)]
      .filter(([path, { description }]) => /\.[^[\]]*$/.test(path) && typeof description !== 'string')
      .map(([path]) => path)
      // An alternative under a described key (one text or a list of them) needs no words of its own.
      .filter(
        (path) =>
          ![...schemasIn(schema)].some(([other, { description }]) => other === path && description !== undefined),
      );
    expect(silent.filter((path) => !path.endsWith('claims.*'))).toEqual([]);
  });
});

describe('the policy schema', () => {
  test.each(shipped)('accepts the shipped %s, which names it in its first line', (name) => {
    const text = readFileSync(join(root, 'policies', name), 'utf8');
    expect(text.split('\n', 1)).toEqual(['# yaml-language-server: $schema=../schema/policy.schema.json']);
    expect(violations('policy', parse(text))).toEqual([]);
  });

  const mistakes: readonly (readonly [what: string, text: string, where: string])[] = [
    ['an unknown key', 'users: { dana: { passwort: x } }', '/users/dana additionalProperties passwort'],
    ['a name with a slash', 'groups: { a/b: {} }', '/groups propertyNames a/b'],
    [
      'a wrong action',
      'rules: [{ name: r, subjects: [everyone], repositories: [x], actions: [read] }]',
      '/rules/0/actions/0 enum',
    ],
    ['a missing key', 'rules: [{ name: r, subjects: [everyone], actions: [pull] }]', '/rules/0 required repositories'],
    ['an unquoted number', 'users: { dana: { groups: [1] } }', '/users/dana/groups/0 type'],
    [
      'an empty list',
      'rules: [{ name: r, subjects: [], repositories: [x], actions: [pull] }]',
      '/rules/0/subjects minItems',
    ],
  ];
  test.each(mistakes)('refuses %s where the gateway does', (_what, text, where) => {
    expect(violations('policy', parse(text))).toEqual([where]);
    expect(parsePolicy([{ file: 'f.yaml', text }]).ok).toBe(false);
  });
});

test('the configuration that init writes satisfies the config schema, with every setting on as well', () => {
  const text = configTemplate();
  expect(violations('config', parse(text))).toEqual([]);
  expect(violations('config', parse(text.replace(/^( *)#(?=\w| {2})/gm, '$1')))).toEqual([]);
});
