/** JSON lines on standard output: the audit trail and the few things an operator must know. */
import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import sonicBoom from 'sonic-boom';
import { fieldsText, timedText } from '../../audit/plain-record.ts';
import type { AuditLog } from '../../ports.ts';

export interface OperatorLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface Log extends AuditLog, OperatorLog {
  /** As `record`, of one that is text already: making it takes most of the time. */
  readonly recordText?: (fields: string) => void;
  /** Lines lost because standard output did not take them. */
  readonly dropped: () => number;
  /** Writes what is still buffered, as far as standard output takes it within a second. Later lines are dropped. */
  flush(): void | Promise<void>;
}

/** Bytes that may wait for a reader of standard output; beyond them lines are dropped and counted, never waited for. */
const maxBuffered = 16_777_216;
/** Lines that wait for the next write, and milliseconds for which they do. */
const maxGathered = 128;
const gatherMs = 10;
const flushMs = 1000;

/**
 * JSON lines on standard output, written behind the caller: what the reader does not take is dropped and counted. Lines of
 * a few milliseconds go out in one write, each of which costs as much as a small request.
 */
export function createLog(): Log {
  let dropped = 0;
  let closed = false;
  let gathered: string[] = [];
  // Written to by a thread, a full pipe that nobody reads would hold that thread, and with it the end of the process.
  if (fstatSync(1).isFIFO()) new Socket({ fd: 1, readable: false }).unref();
  const retryEAGAIN = (): boolean => !closed;
  const destination = new sonicBoom.SonicBoom({ fd: 1, sync: false, maxLength: maxBuffered, retryEAGAIN });
  let lines = 0;
  destination.on('drop', () => (dropped += lines));
  // A reader that went away (EPIPE) or a full disk must not end the gateway.
  destination.on('error', () => dropped++);
  const writeOut = (): void => {
    lines = gathered.length;
    if (lines > 0) destination.write(gathered.join(''));
    gathered = [];
  };
  const write = (line: string): void => {
    if (closed) dropped++;
    else if (gathered.push(line) === 1) setTimeout(writeOut, gatherMs);
    else if (gathered.length === maxGathered) writeOut();
  };
  const recordText = (fields: string): void =>
    write(`${timedText(fields, new Date().toISOString(), '"level":"info",')}\n`);
  const say =
    (level: string): OperatorLog['info'] =>
    (message, fields = {}) =>
      write(lineOf(level, { ...fields, message }));
  return {
    record: (record) => recordText(fieldsText(record)),
    recordText,
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    dropped: () => dropped,
    flush: () =>
      new Promise((resolve) => {
        writeOut();
        closed = true;
        const timer = setTimeout(() => destination.destroy(), flushMs);
        destination.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        destination.end();
      }),
  };
}

/** What has a time of its own keeps it: a name twice is no JSON to many that read it. */
function lineOf(level: string, fields: object): string {
  return `${JSON.stringify({ level, time: new Date().toISOString(), ...fields })}\n`;
}
