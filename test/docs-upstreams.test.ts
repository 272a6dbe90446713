/** docs/upstreams.md and deploy/mirror keep their word: configurations that load, names that go where they say, policies that hold. */
import { existsSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { callProgram } from './cli/in-process.ts';
import { type LoadedConfig, loadConfig } from '../src/config/load.ts';
import { parseRepositoryName } from '../src/distribution/reference.ts';
import { createUpstreams, remoteName } from '../src/distribution/upstreams.ts';
import { fencesOf } from './support/pages.ts';
import { makeTempDir, removeTempDir } from './support/temp-dir.ts';
import { projectDir } from './support/trial.ts';

const page = 'docs/upstreams.md';
const text = await readFile(join(projectDir, page), 'utf8');
const configurations = fencesOf(page).filter(({ language }) => language === 'yaml');

function load(yaml: string): Extract<LoadedConfig, { ok: true }>['config'] {
  const loaded = loadConfig({
    env: {},
    flags: {},
    cwd: '/srv',
    file: { path: '/srv/portcullis.yaml', text: yaml },
    readSecret: () => '',
    tryMode: false,
  });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

let dir: string;
beforeAll(async () => {
  dir = await makeTempDir('upstream-docs');
  await cp(join(projectDir, 'policies'), join(dir, 'policies'), { recursive: true });
});
afterAll(() => removeTempDir(dir));

describe(page, () => {
  for (const { line, text: yaml } of configurations) {
    test(`${page}:${line} is a configuration`, () => expect(load(yaml).upstreams.length).toBeGreaterThan(1));
  }

  test('says where names go', () => {
    const upstreams = createUpstreams(load(configurations[0]?.text ?? '').upstreams);
    const rows = [...text.matchAll(/^\| `([^`]+):\w[\w-]*` +\| (\w[\w ]*?) +\| (?:`([^`]+):|404)/gm)];
    expect(rows.length).toBe(4);
    for (const [, name = '', where = '', there] of rows) {
      const repository = parseRepositoryName(name) ?? '';
      const found = upstreams.of(repository);
      expect(found?.name ?? 'no registry').toBe(where.toLowerCase());
      expect(found && remoteName(found, repository)).toBe(there);
    }
  });

  test('says what explain says, of the policies that come along', async () => {
    await writeFile(join(dir, 'portcullis.yaml'), configurations[0]?.text ?? '');
    const shown = /```text\n(allow.*?)\n```/s.exec(text)?.[1] ?? 'nothing';
    const { stdout } = await callProgram(['explain', 'user:dana', 'push', 'sandbox/dana/app'], { cwd: dir });
    expect(stdout).toContain(`${shown}\n`);
    expect(await callProgram(['check'], { cwd: dir })).toMatchObject({ code: 0 });
  });

  test('names codes and messages that the program has', async () => {
    const sources = await Promise.all(
      ['policy/analysis/lint-upstreams.ts', 'config/load.ts', 'config/upstream-terms.ts', 'http/registry/placed.ts']
        .concat('http/front/respond.ts', 'http/backend/renamed-errors.ts')
        .map((name) => readFile(join(projectDir, 'src', name), 'utf8')),
    );
    const all = sources.join('\n');
    const codes = [...text.matchAll(/\(`([a-z]+-[a-z-]+)`\)/g)].map(([, code = '']) => code);
    expect(codes.length).toBeGreaterThan(3);
    for (const code of codes) expect(all).toContain(`'${code}'`);
    const messages = [...(text.split('| it says')[1]?.matchAll(/^\| `([^`]+)`/gm) ?? [])].map(([, each = '']) => each);
    expect(messages.length).toBeGreaterThan(5);
    for (const part of messages.flatMap((each) => each.split(/…|"|upstreams?\b/))) expect(all).toContain(part.trim());
  });
});

describe('deploy/mirror', () => {
  const mirror = (name: string): string => join(projectDir, 'deploy/mirror', name);
  const ask = (...args: readonly string[]) =>
    callProgram([...args, '--config', mirror('portcullis.yaml')], {
      cwd: dir,
      env: { PORTCULLIS_POLICIES: mirror('policies') },
    });

  test('check has nothing to say about it, and every rule has a test', async () => {
    expect(await ask('check', '--strict')).toMatchObject({ code: 0, stderr: '' });
    expect(await ask('test', '--strict')).toMatchObject({ code: 0 });
    expect(await callProgram(['check', '--strict', mirror('policies')], { cwd: '/' })).toMatchObject({ code: 0 });
  });

  test('nobody at all may write into the mirror', async () => {
    for (const action of ['push', 'delete', 'promote']) {
      expect(await ask('who-can', action, 'mirror/**')).toMatchObject({ code: 1 });
    }
  });

  test('its compose file gives only the cache a way out, and nobody a way past the gateway', async () => {
    interface Service {
      readonly image?: string;
      readonly ports?: readonly string[];
      readonly networks: readonly string[];
      readonly volumes: readonly string[];
      readonly environment?: Readonly<Record<string, string>>;
    }
    const { services, networks, volumes } = parse(await readFile(mirror('compose.yaml'), 'utf8')) as {
      readonly services: Readonly<Record<string, Service>>;
      readonly networks: Readonly<Record<string, object>>;
      readonly volumes: object;
    };
    expect(networks['back']).toEqual({ internal: true });
    const { upstreams } = load(await readFile(mirror('portcullis.yaml'), 'utf8'));
    for (const { url } of upstreams) expect(Object.keys(services)).toContain(new URL(url).hostname);
    for (const [name, service] of Object.entries(services)) {
      expect(service.ports ?? [], name).toEqual(name === 'gateway' ? ['127.0.0.1:5050:5050'] : []);
      expect(service.networks.includes('outside'), name).toBe(name === 'cache');
      if (name !== 'gateway') expect(service.image).toMatch(/:\d+\.\d+\.\d+/);
      for (const volume of service.volumes) {
        const [source = '', , mode] = volume.split(':');
        if (source.startsWith('.')) expect([existsSync(mirror(source)), mode], source).toEqual([true, 'ro']);
        else expect(Object.keys(volumes)).toContain(source);
      }
    }
    expect(services['cache']?.environment).toMatchObject({ REGISTRY_PROXY_REMOTEURL: 'https://registry-1.docker.io' });
  });
});
