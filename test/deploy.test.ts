import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../src/config/load.ts';
import { configKeys } from '../src/config/schema.ts';
import { dockerfile } from './support/dockerfile.ts';
import { projectDir } from './support/trial.ts';

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly ports?: readonly string[];
  readonly networks?: readonly string[];
  readonly volumes?: readonly string[];
  readonly read_only?: boolean;
  readonly profiles?: readonly string[];
}

const read = (name: string): string => readFileSync(join(projectDir, 'deploy', name), 'utf8');
const sample = read('portcullis.yaml');

describe('the image', () => {
  const instructions = dockerfile();
  const all = (name: string): readonly string[] =>
    instructions.filter((instruction) => instruction.name === name).map(({ rest }) => rest);
  const stages = all('FROM').length;

  test('is built from images with a full version', () => {
    expect(stages).toBeGreaterThan(1);
    for (const from of all('FROM')) expect(from).toMatch(/^\S+:\d+\.\d+\.\d+-\S+( AS \w+)?$/);
  });

  test('does not run as root', () => {
    const users = all('USER');
    expect(users).toEqual(['65532:65532']);
    // Nothing is done after it that would need root.
    const names = instructions.map(({ name }) => name);
    expect(names.slice(names.lastIndexOf('USER') + 1)).toEqual([
      'EXPOSE',
      'HEALTHCHECK',
      'ENTRYPOINT',
      'CMD',
      'STOPSIGNAL',
    ]);
  });

  test('takes nothing from the network but packages by their lock file', () => {
    expect(all('ADD')).toEqual([]);
    for (const command of all('RUN')) expect(command).not.toMatch(/curl|wget|npm (i|install)\b|https?:/);
    expect(all('RUN').filter((command) => command.startsWith('npm ci'))).toEqual(['npm ci', 'npm ci --omit=dev']);
  });

  test('starts the program itself, without a shell or npm as process 1', () => {
    const program = ['node', '/app/dist/cli.js'];
    expect(all('ENTRYPOINT').map((command): unknown => JSON.parse(command))).toEqual([program]);
    expect(all('CMD').map((command): unknown => JSON.parse(command))).toEqual([['serve']]);
    const health = /CMD (\[.*\])$/.exec(all('HEALTHCHECK')[0] ?? '')?.[1] ?? '';
    expect(JSON.parse(health)).toEqual([...program, 'healthcheck']);
  });

  test('copies only what exists, and the build context holds it', () => {
    const ignored = read('Dockerfile.dockerignore');
    const copied = all('COPY')
      .filter((rest) => !rest.startsWith('--from'))
      .flatMap((rest) => rest.split(' ').slice(0, -1));
    for (const name of copied) {
      expect(existsSync(join(projectDir, name)), name).toBe(true);
      expect(ignored).toContain(`!${name}\n`);
    }
    expect(ignored.split('\n')).toContain('*');
  });

  test('sets only variables that the program knows', () => {
    const known = ['PORTCULLIS_CONFIG', ...configKeys().map(({ variable }) => variable)];
    for (const [variable] of read('Dockerfile').matchAll(/PORTCULLIS_\w+/g)) expect(known).toContain(variable);
  });
});

describe('compose.yaml', () => {
  const compose = parse(read('compose.yaml')) as {
    readonly services: Readonly<Record<string, Service>>;
    readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
    readonly volumes: Readonly<Record<string, unknown>>;
  };
  const { gateway = {}, registry = {}, redis = {} } = compose.services;

  test('lets nobody reach the registry and Redis but the gateway', () => {
    for (const service of [registry, redis]) {
      expect(service.ports).toBeUndefined();
      expect(service.networks).toEqual(['back']);
    }
    expect(compose.networks['back']).toEqual({ internal: true });
    expect(gateway.networks).toContain('back');
  });

  test('publishes the gateway on loopback only, as long as the sample has no TLS', () => {
    expect(gateway.ports).toEqual(['127.0.0.1:5050:5050']);
  });

  test('uses images with a full version, and builds ours from the Dockerfile here', () => {
    for (const { image } of [registry, redis]) expect(image).toMatch(/:\d+\.\d+\.\d+/);
    expect(gateway.build).toEqual({ context: '..', dockerfile: 'deploy/Dockerfile' });
  });

  test('mounts what exists, everything but the state read-only', () => {
    expect(gateway.read_only).toBe(true);
    for (const volume of gateway.volumes ?? []) {
      const [source = '', , mode] = volume.split(':');
      if (source.startsWith('.')) {
        expect(existsSync(join(projectDir, 'deploy', source)), source).toBe(true);
        expect(mode).toBe('ro');
      } else expect(Object.keys(compose.volumes)).toContain(source);
    }
  });
});

describe('portcullis.yaml', () => {
  const load = (text: string): ReturnType<typeof loadConfig> =>
    loadConfig({
      env: {},
      flags: {},
      file: { path: '/etc/portcullis/portcullis.yaml', text },
      cwd: '/app',
      readSecret: () => '',
      tryMode: false,
    });

  test('is a complete configuration', () => {
    expect(load(sample)).toMatchObject({
      ok: true,
      config: { upstreams: [{ url: 'http://registry:5000' }], policies: ['/etc/portcullis/policies'] },
    });
  });

  test('stays one when its commented settings are switched on', () => {
    expect(load(sample.replace(/^# (?=[a-zA-Z]+: [[{])/gm, ''))).toMatchObject({
      ok: true,
      config: { tls: { cert: '/run/secrets/tls.crt' }, trustedProxies: ['10.0.0.0/8'] },
    });
  });
});
