/** Programs of a run: each on its core, its processor time and memory read from /proc, its output in memory. Linux only. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from './client.mjs';

/** Daemons lie outside the path of many users. */
const path = [process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(delimiter);
const running = new Set();
/** Everything that a run writes but its results; in memory where that can be. */
export const runDir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'portcullis-bench-'));

process.once('exit', () => {
  for (const program of running) program.kill('SIGKILL');
  rmSync(runDir, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

/**
 * The path of a program, or undefined.
 * @param {string} name
 */
export function found(name) {
  return path
    .split(delimiter)
    .map((dir) => join(dir, name))
    .find((candidate) => existsSync(candidate));
}

/** The cores this process may use: what is measured has the first, everything else the second; both the same on one core. */
export function cores() {
  const [, list = '0'] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const all = list.split(',').flatMap((part) => {
    const [from, to = from] = part.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
  return { measured: all[0], others: all[1] ?? all[0] };
}

/**
 * This process and its load stay on that core.
 * @param {number} core
 */
export function stayOn(core) {
  execFileSync('taskset', ['-a', '-c', '-p', String(core), String(process.pid)], { stdio: 'ignore' });
}

/**
 * Puts a process, and the session that it leads, before what else the machine does; false where it may not.
 * @param {number} pid
 */
export function goFirst(pid) {
  try {
    setPriority(pid, -19);
    // Where the kernel groups processes by session, niceness counts within one only.
    if (existsSync(`/proc/${pid}/autogroup`)) writeFileSync(`/proc/${pid}/autogroup`, '-19');
    return true;
  } catch {
    return false;
  }
}

let ticks;
function ticksPerSecond() {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticks;
}

function readProc(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    // It has ended.
    return '';
  }
}

function threadsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

export class Program {
  /**
   * Starts it in a session of its own.
   * @param {string} name of its log
   * @param {readonly string[]} command
   * @param {{ core: number, env?: Record<string, string>, cwd?: string }} options
   */
  constructor(name, command, { core, env = {}, cwd = runDir }) {
    this.name = name;
    this.log = join(runDir, `${name}.log`);
    const out = openSync(this.log, 'a');
    this.child = spawn('taskset', ['-c', String(core), ...command], {
      cwd,
      env: { PATH: path, HOME: runDir, ...env },
      stdio: ['ignore', out, out],
      detached: true,
    });
    closeSync(out);
    if (this.child.pid !== undefined) goFirst(this.child.pid);
    this.child.once('error', (error) => (this.failure = error));
    running.add(this);
    this.child.once('exit', () => running.delete(this));
  }

  hasEnded() {
    return this.failure !== undefined || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** The process and what it forked. */
  pids() {
    const pids = [this.child.pid];
    for (const pid of pids) pids.push(...readProc(pid, `task/${pid}/children`).split(' ').filter(Boolean).map(Number));
    return pids;
  }

  /** Seconds of user and system time so far: to the nanosecond where the kernel tells that, else in its ticks. */
  processorSeconds() {
    let used = 0;
    for (const pid of this.pids()) {
      const nanoseconds = threadsOf(pid).reduce((sum, id) => sum + parseInt(readProc(pid, `task/${id}/schedstat`)), 0);
      if (nanoseconds > 0) {
        used += (nanoseconds / 1e9) * ticksPerSecond();
        continue;
      }
      const stat = readProc(pid, 'stat');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      used += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
    }
    return used / ticksPerSecond();
  }

  /** MB in memory now. */
  residentMB() {
    return this.#status('VmRSS');
  }

  /** MB at most since the start, or since `resetPeak`. */
  peakMB() {
    return this.#status('VmHWM');
  }

  resetPeak() {
    for (const pid of this.pids()) writeFileSync(`/proc/${pid}/clear_refs`, '5');
  }

  emptyLog() {
    truncateSync(this.log);
  }

  lastWords() {
    return readFileSync(this.log, 'utf8').slice(-1000);
  }

  kill(signal) {
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // It has ended.
    }
  }

  async stop() {
    if (this.hasEnded()) return;
    const ended = once(this.child, 'exit');
    this.kill('SIGTERM');
    const slow = setTimeout(() => this.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(slow);
  }

  #status(key) {
    const line = new RegExp(`^${key}:\\s*(\\d+) kB$`, 'm');
    return this.pids().reduce((sum, pid) => sum + Number(line.exec(readProc(pid, 'status'))?.[1] ?? 0), 0) / 1024;
  }
}

/**
 * Resolves once it answers `/v2/`, with 200 or 401.
 * @param {Program} program
 * @param {number} port
 */
export async function answers(program, port) {
  const end = performance.now() + 60_000;
  while (performance.now() < end && !program.hasEnded()) {
    const { status } = await ask(port, { path: '/v2/' }).catch(() => ({ status: 0 }));
    if (status === 200 || status === 401) return;
    await delay(2);
  }
  throw new Error(`${program.name} does not answer:\n${program.lastWords()}`);
}
