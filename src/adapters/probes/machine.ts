/** What the machine under `doctor` is like. */
import { execFile } from 'node:child_process';
import {
  type Stats,
  constants,
  accessSync,
  lstatSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import type { DirectoryFacts, Failure, HashTrial, Listener, Machine, RoomFacts } from '../../ports/doctor.ts';
import { hasCode, wordsOf } from '../failure.ts';
import { readDescriptorLimit } from '../kernel/descriptor-limit.ts';
import { readListeners } from '../kernel/listeners.ts';
import { readMemoryLimit } from '../kernel/memory-limit.ts';
import { frozenMount } from '../kernel/mounts.ts';

/** linux/magic.h */
const tmpfsMagic = 0x01021994;
const hashMs = 8000;

/** `program`: the file by which this program is started. */
export function createMachine(program: string): Machine {
  return {
    tryHashes: () => tryHashes(program),
    bind,
    listeners: () => readListeners(),
    addresses: () => Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address)),
    descriptorLimit: () => readDescriptorLimit(),
    memoryLimit: () => readMemoryLimit(),
    directory: (path) => Promise.resolve(directory(path)),
    room,
    kindOf(path) {
      const found = statOf(path);
      return found === undefined ? undefined : found.isDirectory() ? 'directory' : 'file';
    },
    frozenMount: (path) => frozenMount(textOf('/proc/self/mountinfo'), realOf(path), statSync(path).isFile()),
    isSwapped: (path) => lstatSync(join(path, '..data'), { throwIfNoEntry: false })?.isSymbolicLink() === true,
    changedAt: (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs,
  };
}

function tryHashes(program: string): Promise<HashTrial | Failure> {
  return new Promise((resolve) => {
    const options = { timeout: hashMs, maxBuffer: 1_048_576, killSignal: 'SIGKILL' } as const;
    execFile(process.execPath, [program, 'hash', '--self-test'], options, (error, stdout, stderr) => {
      if (error !== null) return resolve({ failed: firstLine(stderr) ?? wordsOf(error) });
      resolve(JSON.parse(stdout) as HashTrial);
    });
  });
}

/** The line that says what is wrong, of a stack trace. */
function firstLine(text: string): string | undefined {
  return text
    .split('\n')
    .find((line) => /error/i.test(line))
    ?.trim();
}

function bind({ host, port }: Listener): ReturnType<Machine['bind']> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve({ ok: false, code: error.code ?? error.message }));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve({ ok: true })));
  });
}

function directory(path: string): DirectoryFacts {
  const found = statSync(path, { throwIfNoEntry: false });
  const exists = found !== undefined;
  const there = exists ? path : nearest(path);
  const { bavail, bsize, type } = statfsSync(there);
  const trouble =
    exists && !found.isDirectory() ? 'it is no directory' : exists ? writeTrouble(there) : accessTrouble(there);
  return { exists, trouble, mode: (found?.mode ?? 0) & 0o777, freeBytes: bavail * bsize, isTmpfs: type === tmpfsMagic };
}

function room(path: string): RoomFacts {
  const found = statSync(path, { throwIfNoEntry: false });
  const exists = found?.isDirectory() === true;
  const there = exists ? path : nearest(path);
  const { bavail, bsize, files: most, ffree } = statfsSync(there);
  const entries = exists ? readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isFile()) : [];
  return {
    // The gateway makes it, and none of its parents.
    trouble:
      found !== undefined && !exists
        ? 'it is no directory'
        : !exists && there !== dirname(path)
          ? `${dirname(path)} does not exist`
          : accessTrouble(there),
    freeBytes: bavail * bsize,
    freeFiles: most === 0 ? undefined : ffree,
    files: entries.flatMap(({ name }) => {
      const found = statSync(join(path, name), { throwIfNoEntry: false });
      return found === undefined ? [] : [{ name, bytes: found.size }];
    }),
  };
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (hasCode(error, 'EACCES')) return undefined;
    throw error;
  }
}

function nearest(path: string): string {
  const above = dirname(path);
  return statSync(above, { throwIfNoEntry: false }) === undefined && above !== path ? nearest(above) : above;
}

function writeTrouble(path: string): string | undefined {
  const file = join(path, `.doctor-${process.pid}.tmp`);
  try {
    writeFileSync(file, 'written by portcullis doctor\n', { mode: 0o600, flag: 'wx' });
    rmSync(file);
    return undefined;
  } catch (error) {
    return wordsOf(error);
  }
}

function accessTrouble(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK);
    return undefined;
  } catch (error) {
    return wordsOf(error);
  }
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return path;
    throw error;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
