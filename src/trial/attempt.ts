/** Starting a registry: what is needed for it, what comes of it, and how it is known to answer. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { probeRegistry } from './probe.ts';
import type { Environment } from './program.ts';
import type { TiedProcess } from './tied-process.ts';

export interface Upstream {
  /** Origin, without a trailing slash. */
  readonly url: string;
  /** What it is and where its data lives, for a person. */
  readonly description: string;
  /** Ends what was started for it; does nothing for a registry that was already there. */
  readonly stop: () => Promise<void>;
  /** Present when we started it: settles with the exit code when it ends, asked for or not. */
  readonly exited?: Promise<number | null> | undefined;
}

export type Attempt =
  { readonly ok: true; readonly upstream: Upstream } | { readonly ok: false; readonly reason: string };

export interface Search {
  /** Made private by prepareState. */
  readonly stateDir: string;
  readonly env: Environment;
  /** Receives a line when something takes time or changes the machine. */
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

const readyStepMs = 25;
const maxLogBytes = 1024 * 1024;

export interface Expected {
  readonly url: string;
  /** When given, only a registry that sends it counts: another one may have taken the port. */
  readonly instance: string | undefined;
}

/** Until what was started answers as an open registry; why it does not, when it has ended, was interrupted or takes too long. */
export async function awaitReady(
  child: TiedProcess,
  locate: () => Promise<Expected | undefined>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<{ readonly ok: true } | { readonly ok: false; readonly reason: string }> {
  const end: { reason?: string } = {};
  void child.exited.then((code) => {
    end.reason = `it ended at once${code === null ? '' : ` with exit code ${code}`}`;
  });
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if (signal?.aborted === true) return { ok: false, reason: 'interrupted' };
    const expected = await locate();
    const probe = expected === undefined ? undefined : await probeRegistry(expected.url, 1000, signal);
    if (end.reason !== undefined) return { ok: false, reason: end.reason };
    if (probe?.kind === 'open' && (expected?.instance === undefined || probe.instance === expected.instance)) {
      return { ok: true };
    }
    await Promise.race([child.exited, delay(readyStepMs)]);
  }
  return { ok: false, reason: `it did not answer within ${timeoutMs / 1000} s` };
}

/** Where the words of a registry go. */
export interface RegistryLog {
  readonly file: FileHandle;
  /** Size before this start, in bytes. */
  readonly start: number;
}

/** In the state directory; emptied when it has become too long. */
export async function openLog(stateDir: string): Promise<RegistryLog> {
  const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  const file = await open(join(stateDir, 'registry.log'), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
  const { size } = await file.stat();
  if (size <= maxLogBytes) return { file, start: size };
  await file.truncate(0);
  return { file, start: 0 };
}

/** The last lines of this start, on one line. */
export async function readTail(log: RegistryLog): Promise<string> {
  const { size } = await log.file.stat();
  const start = Math.max(log.start, size - 2000);
  const { buffer, bytesRead } = await log.file.read(Buffer.alloc(2000), 0, 2000, start);
  const lines = buffer
    .toString('utf8', 0, bytesRead)
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.length === 0 ? '(nothing)' : lines.slice(-3).join(' | ');
}
