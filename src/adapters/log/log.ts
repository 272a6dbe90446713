/** JSON lines on standard output, through pino: the audit trail and the few things an operator must know. */
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
  /** Writes what is still buffered; for the end of the process. */
  flush(): void;
}

/** Bytes that may wait for a reader of standard output; beyond them lines are dropped and counted, never waited for. */
const maxBuffered = 16_777_216;
const maxFieldLength = 256;

// C1 controls and line separators pass through JSON unescaped and can forge lines in a terminal or a log viewer.
const unprintable = /[\u007f-\u009f\u2028\u2029]/g;

export function createLog(): Log {
  let dropped = 0;
  const destination = pino.destination({ dest: 1, sync: false, maxLength: maxBuffered });
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
  return {
    record: (record) => logger.info(clean(record)),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
    dropped: () => dropped,
    flush() {
      try {
        destination.flushSync();
      } catch {
        dropped++;
      }
    },
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
