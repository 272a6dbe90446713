/** What of the chart can be known without Helm; the rest is in deploy-chart.full.test.ts. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { chart, valueFiles } from './support/chart.ts';
import { run } from './support/programs.ts';
import { makeTempDir, removeTempDir } from './support/temp-dir.ts';
import { projectDir } from './support/trial.ts';

type Value = Readonly<Record<string, unknown>>;
const read = (path: string): Value => parse(readFileSync(path, 'utf8')) as Value;
const values = read(join(chart, 'values.yaml'));
const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as Value;
const takes = new Ajv({ strict: false, validateFormats: false }).compile(schema);

/** The paths of all keys that the chart gives a meaning. */
function keysOf(value: Value, before: readonly string[] = []): readonly (readonly string[])[] {
  return Object.entries(value).flatMap(([key, child]) => {
    const path = [...before, key];
    const isMap = typeof child === 'object' && child !== null && !Array.isArray(child);
    return [path, ...(isMap && !free.has(key) ? keysOf(child as Value, path) : [])];
  });
}
/** Maps whose keys are somebody else's. */
const free = new Set(['annotations', 'requests', 'limits']);

function misspelt(value: unknown, [key = '', ...rest]: readonly string[]): unknown {
  const map = value as Value;
  if (rest.length > 0) return { ...map, [key]: misspelt(map[key], rest) };
  return Object.fromEntries(Object.entries(map).map(([name, child]) => [name === key ? `${name}x` : name, child]));
}

describe('values.schema.json', () => {
  test('takes the defaults, which name every key that it knows', () => {
    expect(takes(values), JSON.stringify(takes.errors)).toBe(true);
    const known = Object.keys((schema as { readonly properties: Value }).properties);
    expect(known.filter((key) => key !== 'global').sort()).toEqual(Object.keys(values).sort());
  });

  for (const path of keysOf(values)) {
    test(`refuses ${path.join('.')} when it is misspelt`, () => expect(takes(misspelt(values, path))).toBe(false));
  }

  test('refuses a misspelt key in portcullis.yaml, what the chart sets itself, and secrets', () => {
    const config = (more: Value): Value => ({
      ...values,
      config: { publicUrl: 'https://registry.example.com', ...more },
    });
    expect(takes(config({ tokens: { accessTtl: '10m' }, cache: { memory: '1GiB' } }))).toBe(true);
    const ldap = { url: ['ldaps://a'], users: { base: 'a' }, groups: { base: 'a' } };
    for (const refused of [
      ...[{ cache: { memroy: '1GiB' } }, { listen: ':1' }, { stateDir: '/tmp' }, { tokens: { keys: '/keys' } }],
      ...[
        { redis: 'redis://redis' },
        { policies: '/p' },
        { admin: { listen: ':1' } },
        { tls: { cert: 'a', key: 'b' } },
      ],
      { logins: { ldap: { ...ldap, bind: { dn: 'a', password: 'secret' } } } },
      { logins: { oidc: { issuer: 'https://a', clientId: 'b', clientSecret: 'secret' } } },
      { upstreams: { a: { url: 'http://a', credentials: { username: 'b', password: 'secret' } } } },
    ])
      expect(takes(config(refused)), JSON.stringify(refused)).toBe(false);
  });

  test.each(valueFiles)('takes %s', (file) => {
    const given = read(file);
    const merged = { ...values, ...given, config: { ...(values['config'] as Value), ...(given['config'] as Value) } };
    expect(takes(merged), JSON.stringify(takes.errors)).toBe(true);
  });
});

test('there are eight files of values', () => expect(valueFiles).toHaveLength(8));

test('what is derived is as `npm run manifests` derives it', async () => {
  const dir = await makeTempDir('manifests');
  onTestFinished(() => removeTempDir(dir));
  // Without Helm (exit code 2) all but deploy/kubernetes, which deploy-chart.full.test.ts compares.
  const args = [join(projectDir, 'deploy/helm/manifests.mjs'), '--to', dir];
  const { code, stderr } = await run(process.execPath, args);
  expect([0, 2], stderr).toContain(code);
  for (const name of ['values.schema.json', 'rules.yaml']) {
    const derived = join(dir, 'deploy/helm/portcullis', name);
    if (existsSync(derived))
      expect(readFileSync(join(chart, name), 'utf8'), 'npm run manifests').toBe(readFileSync(derived, 'utf8'));
  }
  expect(existsSync(join(chart, 'rules.yaml'))).toBe(existsSync(join(projectDir, 'deploy/prometheus/rules.yaml')));
});

test('the chart has the version of the program', () => {
  const { version } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as {
    readonly version: string;
  };
  expect(read(join(chart, 'Chart.yaml'))).toMatchObject({ version, appVersion: version });
});

test('the kustomization holds what is there', () => {
  const dir = join(projectDir, 'deploy/kubernetes');
  const { resources } = read(join(dir, 'kustomization.yaml')) as { readonly resources: readonly string[] };
  expect(resources).toEqual(['portcullis.yaml']);
  for (const name of resources) expect(existsSync(join(dir, name))).toBe(true);
});
