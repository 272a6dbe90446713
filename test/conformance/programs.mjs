/** Programs that a conformance run starts: Go's tools, suites, registries, the gateway. All end with this process. */
import { spawn } from 'node:child_process';
import { openSync, closeSync, accessSync, constants, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** This machine lacks what a run needs: neither a pass nor a failure. */
export class NotRun extends Error {}

const searchPath = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/go/bin', '/usr/sbin'];
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

export function findProgram(name) {
  return searchPath
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Builds one package with Go's module tools in a module of its own below `dir`. Modules come from the configured proxy
 * and are checked against the checksum database, as `go` does by itself; its caches make a second run quick.
 */
export async function buildGo(dir, name, modules, command, importPath, files = {}) {
  const go = process.env.GO ?? findProgram('go');
  if (go === undefined || !isExecutable(go)) {
    throw new NotRun('there is no Go on PATH (1.24 or newer; the variable GO may name it)');
  }
  const source = join(dir, `${name}-module`);
  const binary = join(dir, name);
  await mkdir(source);
  await writeFile(join(source, 'go.mod'), 'module scratch\n\ngo 1.24\n');
  for (const [file, text] of Object.entries(files)) await writeFile(join(source, file), text);
  const steps = [
    ['get', '-t', ...modules],
    [...command, '-o', binary, importPath],
  ];
  for (const step of steps) {
    const output = join(source, 'go.log');
    const env = { ...process.env, GOFLAGS: '-mod=mod -buildvcs=false', GOWORK: 'off' };
    const { code } = await runProgram(go, step, { cwd: source, env, output, timeoutMs: 20 * 60_000 });
    if (code !== 0) {
      const log = readFileSync(output, 'utf8').trim().split('\n').slice(-5).join('\n');
      throw new NotRun(`go ${step.join(' ')} failed:\n${log}`);
    }
  }
  return binary;
}

/** Runs a program to its end: its output in a file, its input from one. */
export function runProgram(path, args, { input = '/dev/null', output, timeoutMs, ...options }) {
  const child = start(path, args, { ...options, input, output });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  }).finally(() => clearTimeout(timer));
}

/** Starts a server and resolves once `readyUrl` answers 200, or `readyStatus`; `stop` ends it and waits. */
export async function startServer(path, args, { output, readyUrl, readyStatus = 200, ...options }) {
  const child = start(path, args, { ...options, input: '/dev/null', output });
  let ended = false;
  const closed = new Promise((resolve) => child.once('close', resolve)).then(() => (ended = true));
  const deadline = Date.now() + 20_000;
  while (!(await answers(readyUrl, readyStatus))) {
    if (ended || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${path} did not start:\n${readFileSync(output, 'utf8').slice(-3000)}`);
    }
    await delay(50);
  }
  return {
    stop: () => {
      child.kill('SIGTERM');
      return closed;
    },
  };
}

function start(path, args, { input, output, ...options }) {
  const files = [openSync(input, 'r'), openSync(output, 'w')];
  const child = spawn(path, args, { ...options, stdio: [...files, files[1]] });
  for (const file of files) closeSync(file);
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

async function answers(url, status) {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.status === status;
  } catch {
    return false;
  }
}
