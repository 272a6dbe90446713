import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { schemaText } from '../../src/cli/json-schemas.ts';
import { configTemplate } from '../../src/config/template.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import { schemasIn, violations } from '../support/json-schema.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const shipped = readdirSync(join(root, 'policies')).filter((name) => name.endsWith('.yaml'));

describe.each(['policy', 'config'] as const)('the %s schema', (kind) => {
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
  const schema: unknown = JSON.parse(schemaText('policy'));

  test.each(shipped)('accepts the shipped %s, which names it in its first line', (name) => {
    const text = readFileSync(join(root, 'policies', name), 'utf8');
    expect(text.split('\n', 1)).toEqual(['# yaml-language-server: $schema=../schema/policy.schema.json']);
    expect(violations(schema, parse(text))).toEqual([]);
  });

  const mistakes: readonly (readonly [what: string, text: string, where: string])[] = [
    ['an unknown key', 'users: { dana: { passwort: x } }', '.users.dana.passwort is unknown'],
    ['a name with a slash', 'groups: { a/b: {} }', '.groups.a/b as a name'],
    [
      'a wrong action',
      'rules: [{ name: r, subjects: [everyone], repositories: [x], actions: [read] }]',
      '.rules[0].actions[0]',
    ],
    [
      'a missing key',
      'rules: [{ name: r, subjects: [everyone], actions: [pull] }]',
      '.rules[0].repositories is missing',
    ],
    ['an unquoted number', 'users: { dana: { groups: [1] } }', '.users.dana.groups[0]'],
    ['an empty list', 'rules: [{ name: r, subjects: [], repositories: [x], actions: [pull] }]', '.rules[0].subjects'],
  ];
  test.each(mistakes)('refuses %s where the gateway does', (_what, text, where) => {
    expect(violations(schema, parse(text))).toEqual([where]);
    expect(parsePolicy([{ file: 'f.yaml', text }]).ok).toBe(false);
  });
});

test('the configuration that init writes satisfies the config schema, with every setting on as well', () => {
  const schema: unknown = JSON.parse(schemaText('config'));
  const text = configTemplate();
  expect(violations(schema, parse(text))).toEqual([]);
  expect(violations(schema, parse(text.replace(/^( *)#(?=\w| {2})/gm, '$1')))).toEqual([]);
});
