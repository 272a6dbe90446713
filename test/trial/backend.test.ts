import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test, type TestContext } from 'vitest';
import type { Upstream } from '../../src/trial/registry.ts';
import { findUpstream, type UpstreamSearch } from '../../src/trial/backend.ts';
import { probeRegistry } from '../../src/trial/request.ts';
import { type Environment, findProgram } from '../../src/trial/program.ts';
import { buildSampleImage } from '../../src/trial/sample-image.ts';
import { eventually } from '../support/eventually.ts';
import { startStandIn } from '../support/stand-in.ts';

let place: string;
let stateDir: string;
/** The only directory on PATH besides what a test adds. */
let programs: string;
let reports: string[];
let ended: (() => Promise<unknown>)[];

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'trial-upstream-'));
  stateDir = join(place, 'state');
  programs = join(place, 'bin');
  reports = [];
  ended = [];
  await mkdir(stateDir, { mode: 0o700 });
  await mkdir(programs);
});
afterEach(async () => {
  for (const end of ended.reverse()) await end();
  await rm(place, { recursive: true, force: true });
});

async function serve(answer: RequestListener): Promise<string> {
  const standIn = await startStandIn(answer);
  ended.push(standIn.close);
  return standIn.url;
}

const openRegistry: RequestListener = (_request, response) => {
  response.end('{}');
};

/** An address where nothing listens, in place of 127.0.0.1:5000. */
const NOTHING = 'http://127.0.0.1:1';

function search(overrides: Partial<UpstreamSearch> = {}): UpstreamSearch {
  return {
    upstream: undefined,
    stateDir,
    env: { PATH: programs },
    report: (line) => reports.push(line),
    localRegistry: NOTHING,
    ...overrides,
  };
}

async function found(overrides: Partial<UpstreamSearch> = {}): Promise<Upstream> {
  const result = await findUpstream(search(overrides));
  if (!result.ok) throw new Error(result.message);
  ended.push(result.upstream.stop);
  return result.upstream;
}

async function refused(overrides: Partial<UpstreamSearch> = {}): Promise<string> {
  const result = await findUpstream(search(overrides));
  if (!result.ok) return result.message;
  await result.upstream.stop();
  throw new Error(`expected no upstream, found ${result.upstream.url}`);
}

/** A program on PATH that is a few lines of JavaScript; `answers --version` like distribution unless it does it itself. */
async function putProgram(name: string, script: string): Promise<void> {
  const path = join(programs, name);
  const version = `if (process.argv[2] === '--version') { console.log('registry github.com/distribution/distribution/v3 v3.0.0'); process.exit(0); }`;
  await writeFile(`${path}.cjs`, `${version}\n${script}\n`);
  await writeFile(path, `#!/bin/sh\nexec '${process.execPath}' '${path}.cjs' "$@"\n`);
  await chmod(path, 0o755);
}

/** Serves as the port and headers of our configuration file tell. */
const OBEDIENT = `
const text = require('node:fs').readFileSync(process.argv[3], 'utf8');
const port = Number(/addr: 127\\.0\\.0\\.1:(\\d+)/.exec(text)[1]);
const instance = /x-registry-instance: \\["(.*)"\\]/.exec(text)[1];
require('node:http').createServer((request, response) => response.setHeader('x-registry-instance', instance).end('{}')).listen(port, '127.0.0.1');
`;

async function requireProgram(ctx: TestContext, name: string): Promise<string> {
  const path = await findProgram(name, process.env);
  if (path !== undefined) return path;
  if (process.env['PORTCULLIS_TEST_REQUIRE'] === 'all') throw new Error(`${name} is not on PATH`);
  return ctx.skip(`${name} is not on PATH`);
}

/** Command lines of the living processes that name `text`. */
async function processesNaming(text: string): Promise<string[]> {
  const lines: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(text) && Number(pid) !== process.pid) lines.push(line.replaceAll('\0', ' '));
  }
  return lines;
}

describe('an upstream that is given', () => {
  test('is used when it is an open registry, and is left running', async () => {
    const url = await serve(openRegistry);
    const upstream = await found({ upstream: `${url}/` });
    expect(upstream.url).toBe(url);
    await upstream.stop();
    expect((await probeRegistry(url, 1000)).kind).toBe('open');
  });

  const answers: readonly (readonly [title: string, words: string, answer: RequestListener])[] = [
    ['has access control of its own', 'has an access control of its own', (_q, r) => r.writeHead(401).end()],
    ['is not a registry', 'does not answer like a registry (GET /v2/ answered 200)', (_q, r) => r.end('<html>')],
    ['answers 503', 'GET /v2/ answered 503', (_q, r) => r.writeHead(503).end()],
  ];
  test.each(answers)('is an error and not passed over when it %s', async (_title, words, answer) => {
    await putProgram('registry', OBEDIENT);
    expect(await refused({ upstream: await serve(answer), localRegistry: await serve(openRegistry) })).toContain(words);
  });

  const addresses: readonly (readonly [address: string, words: string])[] = [
    [NOTHING, 'cannot be reached: nothing listens there'],
    ['registry:5000', 'not an http:// or https:// address'],
    ['not an address', 'not an http:// or https:// address'],
    ['http://registry:5000/sub', 'scheme, host and port only: http://registry:5000'],
    ['http://me:s3cret@registry:5000', 'without a user name and password'],
  ];
  test.each(addresses)('%s is refused: %s', async (address, words) => {
    const message = await refused({ upstream: address });
    expect(message).toContain(words);
    expect(message).not.toContain('s3cret');
  });
});

describe('the order of the search', () => {
  test('an open registry that is already running comes before programs', async () => {
    const url = await serve(openRegistry);
    await putProgram('registry', OBEDIENT);
    const upstream = await found({ localRegistry: url });
    expect(upstream.url).toBe(url);
    expect(upstream.exited).toBeUndefined();
  });

  test('one with access control, such as our own gateway, is passed over', async () => {
    const guarded = await serve((_request, response) => response.writeHead(401).end());
    await putProgram('registry', OBEDIENT);
    expect((await found({ localRegistry: guarded })).url).not.toBe(guarded);
  });

  test('registry comes before docker-registry', async () => {
    await putProgram('registry', OBEDIENT);
    await putProgram('docker-registry', OBEDIENT);
    expect((await found()).description).toContain(`${join(programs, 'registry')} v3.0.0`);
  });

  test('a program that is called registry and is none is passed over', async () => {
    await writeFile(join(programs, 'registry'), '#!/bin/sh\necho winreg 1.0\n', { mode: 0o755 });
    await putProgram('docker-registry', OBEDIENT);
    expect((await found()).description).toContain(join(programs, 'docker-registry'));
  });

  test('with nothing at hand one message names every way', async () => {
    const message = await refused();
    for (const way of [
      'PORTCULLIS_UPSTREAM=',
      'open registry on 127.0.0.1:1 ',
      'docker-registry on PATH',
      'unpacked',
      'Docker engine',
    ]) {
      expect(message).toContain(way);
    }
  });

  test('an interrupted search ends at once and leaves no process', async () => {
    await putProgram('registry', 'setInterval(() => {}, 1000);');
    const stopping = new AbortController();
    const result = findUpstream(search({ signal: stopping.signal }));
    await eventually('it runs', async () => (await processesNaming(join(stateDir, 'registry.yml'))).length > 0);
    stopping.abort();
    expect(await result).toEqual({ ok: false, message: 'interrupted while looking for a registry' });
    expect(await processesNaming(stateDir)).toEqual([]);
  });
});

describe('a program started as a child', () => {
  test('that ends at once is reported with its last words', async () => {
    await putProgram('registry', `console.error('first'); console.error('disk is on fire'); process.exit(3);`);
    const message = await refused();
    expect(message).toContain('ended at once with exit code 3');
    expect(message).toContain('disk is on fire');
    expect(message).toContain(join(stateDir, 'registry.log'));
  });

  test('whose port was taken meanwhile is started again on another', async () => {
    const marker = JSON.stringify(join(place, 'second'));
    await putProgram(
      'registry',
      `const fs = require('node:fs');
      if (!fs.existsSync(${marker})) { fs.writeFileSync(${marker}, ''); console.error('listen tcp: bind: address already in use'); process.exit(1); }
      ${OBEDIENT}`,
    );
    expect((await probeRegistry((await found()).url, 1000)).kind).toBe('open');
  });

  test('is not confused with a stranger who took its port', async () => {
    await putProgram(
      'registry',
      `${OBEDIENT.replace("setHeader('x-registry-instance', instance)", "setHeader('x-registry-instance', 'stranger')")}
      setTimeout(() => process.exit(1), 300);`,
    );
    expect(await refused()).toContain('ended at once with exit code 1');
  });

  test('gets none of our secrets and no REGISTRY_ variable that would override our configuration', async () => {
    await putProgram(
      'registry',
      `require('node:fs').writeFileSync(process.argv[3] + '.env', JSON.stringify(process.env)); ${OBEDIENT}`,
    );
    await found({ env: { PATH: programs, REGISTRY_AUTH: 'htpasswd', PORTCULLIS_REDIS: 'redis://:secret@h' } });
    const env = await readFile(join(stateDir, 'registry.yml.env'), 'utf8');
    expect(env).not.toMatch(/REGISTRY_AUTH|secret/);
  });

  test('tells when it ended by itself', async () => {
    await putProgram(
      'registry',
      OBEDIENT.replace('response) =>', "response) => request.url === '/end' ? process.exit(7) :"),
    );
    const upstream = await found();
    await fetch(`${upstream.url}/end`).catch(() => undefined);
    expect(await upstream.exited).toBe(7);
  });

  test('gets the time to finish its work when it is stopped', async () => {
    const work = JSON.stringify(join(place, 'work'));
    await putProgram(
      'registry',
      `process.on('SIGTERM', () => setTimeout(() => { require('node:fs').writeFileSync(${work}, 'done'); process.exit(0); }, 300));
      ${OBEDIENT}`,
    );
    await (await found()).stop();
    expect(await readFile(join(place, 'work'), 'utf8')).toBe('done');
    expect(await processesNaming(stateDir)).toEqual([]);
  });

  test('that ignores SIGTERM is killed within a few seconds', async () => {
    await putProgram('registry', `process.on('SIGTERM', () => {}); ${OBEDIENT}`);
    const upstream = await found();
    await upstream.stop();
    await eventually('none of it is left', async () => (await processesNaming(stateDir)).length === 0);
  });
});

describe('docker-registry', () => {
  async function installed(ctx: TestContext): Promise<Environment> {
    await symlink(await requireProgram(ctx, 'docker-registry'), join(programs, 'docker-registry'));
    return { PATH: programs };
  }

  test('takes an image, gives it back, deletes it, and is open whatever the packaged configuration says', async (ctx) => {
    const { url } = await found({ env: { ...(await installed(ctx)), REGISTRY_AUTH: 'htpasswd' } });
    const image = buildSampleImage();
    for (const blob of image.blobs) {
      const started = await fetch(`${url}/v2/sandbox/hello/blobs/uploads/`, { method: 'POST' });
      const location = started.headers.get('location') ?? '';
      expect(location).toMatch(/^\/v2\/sandbox\/hello\//);
      const target = new URL(location, url);
      target.searchParams.set('digest', blob.digest);
      expect((await fetch(target, { method: 'PUT', body: new Uint8Array(blob.bytes) })).status).toBe(201);
    }
    const manifest = `${url}/v2/sandbox/hello/manifests`;
    const headers = { 'content-type': image.manifest.mediaType, accept: image.manifest.mediaType };
    const body = new Uint8Array(image.manifest.bytes);
    expect((await fetch(`${manifest}/try`, { method: 'PUT', headers, body })).status).toBe(201);
    const pulled = await fetch(`${manifest}/try`, { headers });
    expect(Buffer.from(await pulled.arrayBuffer()).equals(image.manifest.bytes)).toBe(true);
    expect((await fetch(`${manifest}/${image.manifest.digest}`, { method: 'DELETE' })).status).toBe(202);
  });

  test('keeps its data for the next start, in files that only we can read', async (ctx) => {
    const env = await installed(ctx);
    const first = await found({ env });
    expect((await fetch(`${first.url}/v2/a/blobs/uploads/`, { method: 'POST' })).status).toBe(202);
    await first.stop();
    expect((await probeRegistry(first.url, 1000)).kind).toBe('unreachable');
    expect(await readdir(join(stateDir, 'registry-data/docker/registry/v2/repositories'))).toEqual(['a']);
    for (const name of ['registry.yml', 'registry.log']) {
      expect((await stat(join(stateDir, name))).mode & 0o777).toBe(0o600);
    }
    expect((await probeRegistry((await found({ env })).url, 1000)).kind).toBe('open');
  });

  test('ends with all its helpers when it is stopped', async (ctx) => {
    const upstream = await found({ env: await installed(ctx) });
    expect(await processesNaming(stateDir)).not.toEqual([]);
    await upstream.stop();
    expect(await processesNaming(stateDir)).toEqual([]);
    await upstream.stop();
  });

  test('survives the Ctrl-C of a terminal, for the gateway drains first, and ends when the gateway is killed', async (ctx) => {
    const { parent, url } = await startParent(await installed(ctx));
    const group = -(parent.pid ?? 0);
    process.kill(group, 'SIGINT');
    await once(parent.stdout ?? parent, 'data');
    expect((await probeRegistry(url, 1000)).kind).toBe('open');

    process.kill(parent.pid ?? 0, 'SIGKILL');
    await eventually('the registry is gone', async () => (await probeRegistry(url, 1000)).kind === 'unreachable');
    await eventually('none of it is left', async () => (await processesNaming(stateDir)).length === 0);
  });

  /** A process of its own that finds an upstream, prints its URL, and prints again when it gets SIGINT. */
  async function startParent(env: Environment): Promise<{ parent: ChildProcess; url: string }> {
    const built = new URL('../../build/trial/backend.js', import.meta.url);
    const options = { stateDir, env, localRegistry: NOTHING };
    const program = join(place, 'parent.mjs');
    await writeFile(
      program,
      `import { findUpstream } from '${built.href}';
      process.on('SIGINT', () => console.log('interrupted'));
      const found = await findUpstream({ ...${JSON.stringify(options)}, report: () => {} });
      console.log(found.ok ? found.upstream.url : found.message);
      setInterval(() => {}, 1000);`,
    );
    const parent = spawn(process.execPath, [program], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    ended.push(async () => {
      if (parent.exitCode === null && parent.signalCode === null && parent.kill('SIGKILL')) await once(parent, 'exit');
    });
    const lines = createInterface({ input: parent.stdout });
    const [url] = (await once(lines, 'line')) as [string];
    lines.close();
    parent.stdout.resume();
    return { parent, url };
  }
});

describe('the Debian package unpacked without root', () => {
  /** Real dpkg; apt-get is a script that makes the package of the installed program instead of downloading it. */
  async function debian(ctx: TestContext): Promise<void> {
    const registry = await requireProgram(ctx, 'docker-registry');
    for (const name of ['dpkg', 'dpkg-deb', 'tar', 'rm', 'mkdir', 'cp', 'cat']) {
      await symlink(await requireProgram(ctx, name), join(programs, name));
    }
    await writeFile(
      join(programs, 'apt-get'),
      `#!/bin/sh -e
echo "$@" >> '${place}/apt-get.log'
mkdir -p tree/DEBIAN tree/usr/bin
cp '${registry}' tree/usr/bin/docker-registry
printf 'Package: docker-registry\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody\\nDescription: test\\n' > tree/DEBIAN/control
dpkg-deb -Znone --build tree docker-registry_1_all.deb >/dev/null
rm -r tree
`,
      { mode: 0o755 },
    );
  }

  test('is fetched once and used again at the next start', async (ctx) => {
    await debian(ctx);
    const first = await found();
    expect(first.description).toContain(join(stateDir, 'registry-program/usr/bin/docker-registry'));
    expect(reports.join()).toContain('downloading the package docker-registry');
    await first.stop();
    expect((await probeRegistry((await found()).url, 1000)).kind).toBe('open');
    expect((await readFile(join(place, 'apt-get.log'), 'utf8')).trim().split('\n')).toHaveLength(1);
    expect((await readdir(stateDir)).filter((name) => name.startsWith('download-'))).toEqual([]);
  });

  test('that apt cannot find is reported with its words and the way to fresh lists', async () => {
    await writeFile(join(programs, 'dpkg'), '#!/bin/sh\n', { mode: 0o755 });
    await writeFile(join(programs, 'apt-get'), '#!/bin/sh\necho "E: No packages found" >&2\nexit 100\n', {
      mode: 0o755,
    });
    const message = await refused();
    expect(message).toContain('apt-get download: E: No packages found');
    expect(message).toContain('sudo apt-get update');
    expect((await readdir(stateDir)).filter((name) => name.startsWith('download-'))).toEqual([]);
  });
});

describe('a Docker engine', () => {
  /** Speaks the few words of the docker command line that we use; the "container" is an HTTP server. */
  async function putDocker(): Promise<void> {
    const note = JSON.stringify(join(place, 'docker'));
    await putProgram(
      'docker',
      `const fs = require('node:fs');
      const words = process.argv.slice(2);
      fs.appendFileSync(${note} + '.log', words.join(' ') + '\\n');
      const port = ${note} + '.port', pid = ${note} + '.pid', image = ${note} + '.image';
      switch (words[0]) {
        case 'version': console.log('28.2.2'); break;
        case 'image': process.exit(fs.existsSync(image) ? 0 : 1);
        case 'pull': fs.writeFileSync(image, ''); break;
        case 'run': {
          const server = require('node:http').createServer((request, response) => response.end('{}'));
          server.listen(0, '127.0.0.1', () => fs.writeFileSync(port, String(server.address().port)));
          fs.writeFileSync(pid, String(process.pid));
          break;
        }
        case 'port': try { console.log('127.0.0.1:' + fs.readFileSync(port)); } catch { process.exit(1); } break;
        case 'stop': process.kill(Number(fs.readFileSync(pid)), 'SIGTERM'); break;
        default: process.exit(1);
      }`,
    );
  }

  test('runs the registry image on loopback with deletion enabled, and stops it', async () => {
    await putDocker();
    const upstream = await found();
    expect((await probeRegistry(upstream.url, 1000)).kind).toBe('open');
    expect(reports.join()).toContain('docker pull registry:3');
    await upstream.stop();
    await upstream.exited;
    expect((await probeRegistry(upstream.url, 1000)).kind).toBe('unreachable');

    const lines = (await readFile(join(place, 'docker.log'), 'utf8')).split('\n');
    const run = lines.find((line) => line.startsWith('run '));
    expect(run).toContain('-p 127.0.0.1::5000 ');
    expect(run).toContain('-e REGISTRY_STORAGE_DELETE_ENABLED=true');
    expect(run).toMatch(/ registry:3$/);
    expect(lines.some((line) => line.startsWith('stop '))).toBe(true);
  });

  test('that is not running is reported with the words of docker', async () => {
    await writeFile(join(programs, 'docker'), '#!/bin/sh\necho "Cannot connect to the Docker daemon" >&2\nexit 1\n', {
      mode: 0o755,
    });
    expect(await refused()).toContain('its engine does not answer: Cannot connect to the Docker daemon');
  });
});
