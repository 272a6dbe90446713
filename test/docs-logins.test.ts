/** docs/logins.md keeps its word: its configurations are valid, its policy maps what they bring, and its messages are there. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../src/config/load.ts';
import { lintPolicy } from '../src/policy/analysis/lint.ts';
import { mappedGroups } from '../src/policy/outside.ts';
import { compile } from './support/policies.ts';
import { projectDir } from './support/trial.ts';

const page = await readFile(join(projectDir, 'docs/logins.md'), 'utf8');
const blocks = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);
const configurations = blocks.filter((text) => text.startsWith('# portcullis.yaml'));
const policies = blocks.filter((text) => !text.startsWith('# portcullis.yaml'));

test('has an example for OpenLDAP and one for Active Directory', () => {
  expect(configurations.filter((text) => text.includes('ldap:'))).toHaveLength(2);
});

test.each(configurations)('%s', (text) => {
  const loaded = loadConfig({
    env: {},
    flags: {},
    cwd: '/srv',
    tryMode: false,
    readSecret: () => 'secret',
    file: { path: '/etc/p/portcullis.yaml', text },
  });
  expect(loaded.ok ? [] : loaded.problems).toEqual([]);
});

test.each(policies)('%s', (text) => {
  const { policy } = compile(text);
  const { problems } = lintPolicy(policy, 0);
  expect(problems).toEqual([]);
  if (text.includes("'oidc:dev-team'"))
    expect(mappedGroups(policy, { source: 'oidc', groups: ['dev-team', 'staff'] })).toEqual(['developers']);
  if (text.includes("'ldap:developers'"))
    expect(mappedGroups(policy, { source: 'ldap', groups: ['developers', 'staff'] })).toEqual(['developers']);
});

test('its messages are those of the program', async () => {
  const folder = join(projectDir, 'src');
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'));
  const source = (await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))).join('\n');
  const cells = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, cell = '']) => cell);
  expect(cells.length).toBeGreaterThan(5);
  const parts = cells.flatMap((cell) => cell.split(/"[^"]*"|none|no such object/)).map((part) => part.trim());
  for (const part of parts.filter((each) => each.length > 3)) expect(source, part).toContain(part);
});
