/** Names of gateways that write into one directory: each is one process's alone, and the next one's after a restart. */
import { randomUUID } from 'node:crypto';
import {
  linkSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../failure.ts';

export interface Claim {
  readonly instance: string;
  /** False when another process has taken the name: this one was not seen for too long. Throws where nobody can tell. */
  isHeld(): boolean;
  /** Lets another process have the name. */
  release(): void;
}

const maxOnOneHost = 99;
/** Milliseconds between signs of life. */
const signMs = 10_000;
/** Milliseconds without one after which a process that cannot be seen from here has ended. */
const silentMs = 60_000;

/**
 * `name`, or the first of `name-2`, `name-3`… that nobody has: no living process that is seen from here, and none of another
 * machine or container that has given a sign of life for a minute. Throws when the directory cannot be written.
 */
export function claimInstance(directory: string, name: string): Claim {
  const own = `${process.pid} ${placeHere()} ${begunAt(process.pid)}`;
  for (let count = 1; count <= maxOnOneHost; count++) {
    const instance = count === 1 ? name : `${name}-${count}`;
    const path = join(directory, `.${instance}.lock`);
    if (takes(path, own)) return claimOf(path, instance, own);
  }
  throw new Error(`${maxOnOneHost} gateways called ${name} write there already`);
}

function claimOf(path: string, instance: string, own: string): Claim {
  const timer = setInterval(() => {
    try {
      if (textOf(path) === own) utimesSync(path, new Date(), new Date());
    } catch {
      // The directory is away; whoever writes finds out.
    }
  }, signMs).unref();
  return {
    instance,
    // Whoever takes files away may take the lock with them.
    isHeld: () => textOf(path) === own || takes(path, own),
    release: () => {
      clearInterval(timer);
      if (textOf(path) === own) rmSync(path, { force: true });
    },
  };
}

function takes(path: string, own: string): boolean {
  for (let attempt = 0; attempt < 3; attempt++) {
    const unfinished = `${path}.${randomUUID()}`;
    writeFileSync(unfinished, own, { flag: 'wx', mode: 0o640 });
    try {
      linkSync(unfinished, path);
      return true;
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      const there = textOf(path);
      // By the clock that has dated both files.
      if (isAlive(there, ageOf(path, unfinished))) return false;
      takeAway(path, there);
    } finally {
      unlinkSync(unfinished);
    }
  }
  return false;
}

/** What a dead process left, and not what another one has put in its place since: several may begin at once. */
function takeAway(path: string, left: string | undefined): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  try {
    if (textOf(aside) !== left) linkSync(aside, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** The process that wrote this, not another one with its number. */
function isAlive(claim: string | undefined, ageMs: number): boolean {
  if (claim === undefined) return false;
  const [digits, boot, processes, begun] = claim.split(' ');
  if (`${boot} ${processes}` !== placeHere()) return ageMs < silentMs;
  const pid = Number(digits);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!hasCode(error, 'EPERM')) return false;
  }
  return begunAt(pid) === begun;
}

/** Milliseconds by which `path` is older than `now`. */
function ageOf(path: string, now: string): number {
  const there = statSync(path, { throwIfNoEntry: false });
  return there === undefined ? Infinity : statSync(now).mtimeMs - there.mtimeMs;
}

/** From where processes see each other: since which boot, and in which container. */
function placeHere(): string {
  return `${tokenOf(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'))} ${tokenOf(() => readlinkSync('/proc/self/ns/pid'))}`;
}

/** When a process began, in ticks since the boot; `-` for one that has ended, as where the system does not say. */
function begunAt(pid: number): string {
  return tokenOf(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Ended, and nobody has asked how.
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  });
}

/** A word; `-` where the system does not say. */
function tokenOf(read: () => string): string {
  try {
    return read().trim().replace(/\s/g, '') || '-';
  } catch {
    return '-';
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
