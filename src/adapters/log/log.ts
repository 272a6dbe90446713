/** JSON lines on standard output, through pino: the audit trail and the few things an operator must know. */
import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { pino } from 'pino';
import type { AuditLog, AuditRecord } from '../../ports.ts';

export interface OperatorLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface Log extends AuditLog, OperatorLog {
  /** Lines lost because standard output did not take them. */
  readonly dropped: () => number;
  /** Writes what is still buffered, as far as standard output takes it within a second. Later lines are dropped. */
  flush(): void | Promise<void>;
}

/** Bytes that may wait for a reader of standard output; beyond them lines are dropped and counted, never waited for. */
const maxBuffered = 16_777_216;
const flushMs = 1000;
const maxFieldLength = 256;

// C1 controls and line separators pass through JSON unescaped and can forge lines in a terminal or a log viewer.
const unprintable = /[\u007f-\u009f\u2028\u2029]/g;

/** JSON lines on standard output, written behind the caller: what the reader does not take is dropped and counted. */
export function createLog(): Log {
  let dropped = 0;
  let closed = false;
  // Written to by a thread, a full pipe that nobody reads would hold that thread, and with it the end of the process.
  if (fstatSync(1).isFIFO()) new Socket({ fd: 1, readable: false }).unref();
  const retryEAGAIN = (): boolean => !closed;
  const destination = pino.destination({ dest: 1, sync: false, maxLength: maxBuffered, retryEAGAIN });
  destination.on('drop', () => dropped++);
  // A reader that went away (EPIPE) or a full disk must not end the gateway.
  destination.on('error', () => dropped++);
  const logger = pino(
    {
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const write = (line: () => void): void => {
    if (closed) dropped++;
    else line();
  };
  return {
    record: (record) => write(() => logger.info(clean(record))),
    info: (message, fields = {}) => write(() => logger.info(fields, message)),
    warn: (message, fields = {}) => write(() => logger.warn(fields, message)),
    error: (message, fields = {}) => write(() => logger.error(fields, message)),
    dropped: () => dropped,
    flush: () =>
      new Promise((resolve) => {
        closed = true;
        // Its own flush at the end of a process tries for ever: destroyed, it does not.
        const timer = setTimeout(() => destination.destroy(), flushMs);
        destination.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        destination.end();
      }),
  };
}

function clean(record: AuditRecord): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record)) {
    if (value === undefined) continue;
    fields[name] = typeof value === 'string' ? cleanText(value) : value;
  }
  return fields;
}

function cleanText(text: string): string {
  const cut = text.length > maxFieldLength ? `${text.slice(0, maxFieldLength)}…` : text;
  return cut.replace(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
