/** The registries that the suites run against: how each is found or built, and started on a loopback port. */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../support/free-port.mjs';
import { NotRun, buildGo, findProgram, startServer } from './programs.mjs';

const distribution3 = { module: 'github.com/distribution/distribution/v3', version: 'v3.1.2' };
const olareg = { module: 'github.com/olareg/olareg', version: 'v0.2.1' };

/** Name on the command line to what provides the program. */
export const registries = {
  distribution2: {
    title: 'distribution 2.8 (docker-registry)',
    provide: () => {
      const path = findProgram('docker-registry');
      if (path === undefined) throw new NotRun("docker-registry (Debian's distribution 2.8) is not on PATH");
      return path;
    },
    start: startDistribution,
  },
  distribution3: {
    title: `distribution ${distribution3.version}`,
    // With the storage driver that is used here and no other: the clouds' are nine tenths of the program.
    provide: (dir) => {
      const { module, version } = distribution3;
      const parts = ['registry', 'registry/storage/driver/filesystem', 'registry/auth/token'];
      const packages = parts.map((part) => `${module}/${part}`);
      const main = [
        'package main',
        'import (',
        '  "os"',
        `  "${packages[0]}"`,
        ...packages.slice(1).map((name) => `  _ "${name}"`),
        ')',
        'func main() {',
        '  if registry.RootCmd.Execute() != nil {',
        '    os.Exit(1)',
        '  }',
        '}',
        '',
      ].join('\n');
      const modules = packages.map((name) => `${name}@${version}`);
      return buildGo(dir, 'registry', modules, ['build'], '.', { 'main.go': main });
    },
    start: startDistribution,
  },
  olareg: {
    title: `olareg ${olareg.version}`,
    provide: (dir) => {
      const program = `${olareg.module}/cmd/olareg`;
      return buildGo(dir, 'olareg', [`${program}@${olareg.version}`], ['build'], program);
    },
    start: startOlareg,
  },
  zot: {
    title: 'zot',
    // The module proxy does not give it out: whoever has the program puts it on PATH.
    provide: () => {
      const path = findProgram('zot');
      if (path === undefined) throw new NotRun('zot is not on PATH');
      return path;
    },
    start: startZot,
  },
};

/** A registry that already runs, such as zot in a container. What the suites push stays there where it cannot be deleted. */
export function runningRegistry(url) {
  return { title: url, provide: () => undefined, start: () => ({ url, stop: () => undefined }) };
}

/**
 * `auth`: its own access control, as its configuration has it; `data`: where its content lies.
 * @param {any} program
 * @param {string} dir
 * @param {{ readonly port?: number, readonly auth?: object, readonly data?: string }} [options]
 */
async function startDistribution(program, dir, { port: given, auth, data = join(dir, 'data') } = {}) {
  const port = given ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  await mkdir(dir);
  // JSON is YAML. Never the packaged configuration: Debian's turns htpasswd on.
  const configuration = {
    version: 0.1,
    log: { level: 'warn' },
    storage: { filesystem: { rootdirectory: data }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, secret: randomBytes(16).toString('hex') },
    ...(auth === undefined ? {} : { auth }),
  };
  await writeFile(join(dir, 'config.yml'), JSON.stringify(configuration));
  const server = await startServer(program, ['serve', join(dir, 'config.yml')], {
    env: { HOME: dir, OTEL_TRACES_EXPORTER: 'none' },
    output: join(dir, 'registry.log'),
    readyUrl: `${url}/v2/`,
    ...(auth === undefined ? {} : { readyStatus: 401 }),
  });
  return { url, stop: server.stop };
}

/**
 * With Docker's own media types, and without deduplication unless asked for: it gives a blob to whoever names its digest.
 * @param {any} program
 * @param {string} dir
 * @param {{ readonly port?: number, readonly auth?: object, readonly data?: string, readonly dedupe?: boolean }} [options]
 */
async function startZot(program, dir, { port: given, auth, data = join(dir, 'data'), dedupe = false } = {}) {
  const port = given ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  await mkdir(dir);
  const configuration = {
    distSpecVersion: '1.1.1',
    log: { level: 'error' },
    storage: { rootDirectory: data, dedupe, gc: false },
    http: { address: '127.0.0.1', port: `${port}`, compat: ['docker2s2'], ...(auth === undefined ? {} : { auth }) },
  };
  await writeFile(join(dir, 'config.json'), JSON.stringify(configuration));
  const server = await startServer(program, ['serve', join(dir, 'config.json')], {
    env: { HOME: dir },
    output: join(dir, 'registry.log'),
    readyUrl: `${url}/v2/`,
    ...(auth === undefined ? {} : { readyStatus: 401 }),
  });
  return { url, stop: server.stop };
}

/** Keeps an upload's state in the query of its location, and pages lists its own way. */
async function startOlareg(program, dir) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await mkdir(join(dir, 'data'), { recursive: true });
  const deletion = ['--api-delete', '--api-blob-delete', '--gc-frequency', '-1s'];
  const place = ['--addr', '127.0.0.1', '--port', `${port}`, '--dir', join(dir, 'data')];
  const server = await startServer(program, ['serve', ...place, ...deletion], {
    env: { HOME: dir },
    output: join(dir, 'registry.log'),
    readyUrl: `${url}/v2/`,
  });
  return { url, stop: server.stop };
}
