/** Names of gateways that write into one directory: each is one process's alone, and the next one's after a restart. */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../failure.ts';

export interface Claim {
  readonly instance: string;
  /** Lets another process have the name. */
  release(): void;
}

const maxOnOneHost = 99;

/**
 * `name`, or the first of `name-2`, `name-3`… that no living process of this machine has. Two machines, or containers that
 * do not see each other's processes, need different names. Throws when the directory cannot be written.
 */
export function claimInstance(directory: string, name: string, pid = process.pid): Claim {
  const own = `${pid} ${begunAt(pid) ?? ''}`;
  for (let count = 1; count <= maxOnOneHost; count++) {
    const instance = count === 1 ? name : `${name}-${count}`;
    const path = join(directory, `.${instance}.lock`);
    if (!takes(path, own)) continue;
    return {
      instance,
      release: () => {
        if (textOf(path) === own) rmSync(path, { force: true });
      },
    };
  }
  throw new Error(`${maxOnOneHost} gateways called ${name} write there already`);
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
    } finally {
      unlinkSync(unfinished);
    }
    if (isAlive(textOf(path) ?? '')) return false;
    rmSync(path, { force: true });
  }
  return false;
}

/** The process that wrote this, not another one with its number. */
function isAlive(claim: string): boolean {
  const [digits, ...begun] = claim.split(' ');
  const pid = Number(digits);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return hasCode(error, 'EPERM') && begunAt(pid) === begun.join(' ');
  }
  return (begunAt(pid) ?? '') === begun.join(' ');
}

/** Which boot, and when in it; undefined where the system does not say. */
function begunAt(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return `${boot} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    return undefined;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
