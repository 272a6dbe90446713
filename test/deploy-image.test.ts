/** The image of deploy/image.sh is run as the one of deploy/Dockerfile; it is built and run by test/e2e/image.full.test.ts. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { dockerfile, dockerfileConfig } from './support/dockerfile.ts';
import { createTar } from './support/image.ts';
import { readImage } from './support/oci-layout.ts';
import { run } from './support/programs.ts';
import { makeTempDir, removeTempDir } from './support/temp-dir.ts';
import { projectDir } from './support/trial.ts';

const script = readFileSync(join(projectDir, 'deploy/image.sh'), 'utf8');
const node = (name: string, ...args: readonly string[]): ReturnType<typeof run> =>
  run(process.execPath, [join(projectDir, 'deploy/image', name), ...args]);

test('user, port, volume, variables, program, stop signal and health check are those of the Dockerfile', async () => {
  const dir = await makeTempDir('layout');
  onTestFinished(() => removeTempDir(dir));
  const layer = join(dir, 'layer.tar.gz');
  await writeFile(layer, gzipSync(createTar(new Map([['file', Buffer.from('content')]]))));
  expect(await node('layout.mjs', join(dir, 'image'), 'arm64', '1.2.3', layer)).toMatchObject({ code: 0 });
  const { config, architecture } = await readImage(join(dir, 'image'));
  expect(architecture).toBe('arm64');
  const { Labels, Env, ...rest } = config;
  expect(Labels).toMatchObject({ 'org.opencontainers.image.version': '1.2.3' });
  const expected = dockerfileConfig();
  expect({ ...rest, Env: Env.filter((each) => !each.startsWith('PATH=')) }).toEqual({
    ...expected,
    Env: expected.Env.map((each) => each.trim()),
  });
});

test('both have the same Node, in full and with its integrity', () => {
  const [, version] = /^node_version=(\S+)$/m.exec(script) ?? [];
  expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  for (const { name, rest } of dockerfile()) if (name === 'FROM') expect(rest).toContain(`node:${version}-`);
  expect([...script.matchAll(/^ {2}\[(x64|arm64)\]=sha512-[\w+/]{86}==$/gm)].map(([, arch]) => arch)).toEqual([
    'x64',
    'arm64',
  ]);
});

test('what the bundle leaves outside is beside it', () => {
  const external = /external: \[(.*)\]/.exec(readFileSync(join(projectDir, 'bundle.mjs'), 'utf8'))?.[1] ?? '';
  const libraries = (/^libraries=\((.*)\)$/m.exec(script)?.[1] ?? '').split(' ');
  const names = [...external.matchAll(/'([^']+)'/g)].map(([, name = '']) => name);
  expect(names.length).toBeGreaterThan(0);
  expect(libraries).toEqual(expect.arrayContaining(names));
  for (const name of libraries) expect(existsSync(join(projectDir, 'node_modules', name)), name).toBe(true);
});

test('every package that is part of the program has its licence in the notices', async () => {
  const { code, stdout } = await node('notices.mjs');
  expect(code).toBe(0);
  const manifest = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as Record<string, object>;
  for (const name of Object.keys(manifest['dependencies'] ?? {})) {
    const place = `^${name === 'http-proxy' ? '(http-proxy|httpxy)' : name} \\d+\\.\\d+\\.\\d+: \\S+`;
    expect(stdout, name).toMatch(new RegExp(place, 'm'));
  }
  for (const name of ['typescript', 'vitest', 'prettier'])
    expect(stdout, name).not.toMatch(new RegExp(`^${name} \\d`, 'm'));
  expect(stdout).toContain('Permission is hereby granted, free of charge');
});

test('a package without a licence is told, and no list is complete with it', async () => {
  const dir = await makeTempDir('notices');
  onTestFinished(() => removeTempDir(dir));
  await mkdir(join(dir, 'deploy/image'), { recursive: true });
  await mkdir(join(dir, 'node_modules/nobodys'), { recursive: true });
  const copy = join(dir, 'deploy/image/notices.mjs');
  await writeFile(copy, readFileSync(join(projectDir, 'deploy/image/notices.mjs')));
  const packages = { '': {}, 'node_modules/nobodys': { version: '1.0.0' }, 'node_modules/dev': { dev: true } };
  await writeFile(join(dir, 'package-lock.json'), JSON.stringify({ packages }));
  expect(await run(process.execPath, [copy])).toMatchObject({
    code: 1,
    stderr: 'nobodys@1.0.0 names no licence\n',
  });
});
