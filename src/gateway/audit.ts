/** Where records go: standard output, audit files, or both. Who records does not know. */
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { keepPublicKey } from '../adapters/audit/beside.ts';
import { createAuditTrail } from '../adapters/audit/trail.ts';
import { type AuditTrouble, type AuditWriter, openAuditWriter } from '../adapters/audit/writer.ts';
import { hasCode, wordsOf } from '../adapters/failure.ts';
import type { Log, OperatorLog } from '../adapters/log/log.ts';
import { checkpointType } from '../audit/chain.ts';
import { instanceNameOf } from '../audit/file-name.ts';
import { fieldsText } from '../audit/plain-record.ts';
import type { Config } from '../config/load.ts';
import type { Checked } from '../document/check.ts';
import { unplaced } from '../document/problem.ts';
import type { AuditTrail, Clock, KeyRing } from '../ports.ts';
import { signCompact } from '../token/signature.ts';
import type { Part } from './readiness.ts';

export interface Audit {
  /** As the log that was given, with its records where they belong. */
  readonly log: Log;
  /** What was written, to be read; undefined without files. */
  readonly trail: AuditTrail | undefined;
  /** For the readiness page; none without files. */
  readonly parts: readonly Part[];
  /** From now on what is written is signed. */
  signBy(keys: KeyRing): void;
  close(): Promise<void>;
}

/** A directory that cannot be used is a problem of the configuration. */
export async function openAudit(config: Pick<Config, 'audit'>, log: Log, clock: Clock): Promise<Checked<Audit>> {
  const { directory, keepMs, isChained, isRequired, hasStdout } = config.audit;
  if (directory === undefined)
    return {
      ok: true,
      value: { log, trail: undefined, parts: [], signBy: () => undefined, close: () => Promise.resolve() },
    };
  try {
    makeDirectory(directory);
    const writer = await openAuditWriter({
      ...{ directory, keepMs, isChained, clock },
      name: instanceNameOf(hostname()),
      onTrouble: (what) => report(log, directory, what),
      onCheckpoint: (checkpoint) => log.info('audit checkpoint', { event: 'checkpoint', ...checkpoint }),
    });
    return {
      ok: true,
      value: {
        ...auditOf(writer, { directory, isRequired, hasStdout }, log),
        trail: createAuditTrail(directory, clock),
      },
    };
  } catch (error) {
    const message = `the audit directory cannot be used: ${wordsOf(error)}`;
    return { ok: false, problems: [unplaced(directory, 'audit-directory', message)] };
  }
}

/** Not its parents: a volume that is not mounted is not to be made up for, and Node never ends where the system has no place for them. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o750 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

function auditOf(
  writer: AuditWriter,
  {
    directory,
    isRequired,
    hasStdout,
  }: { readonly directory: string; readonly isRequired: boolean; readonly hasStdout: boolean },
  log: Log,
): Omit<Audit, 'trail'> {
  const health = (): ReturnType<Part['health']> => {
    const problem = writer.problem();
    return problem === undefined ? { ok: true } : { ok: false, detail: `audit files cannot be written: ${problem}` };
  };
  return {
    log: {
      ...log,
      record(record) {
        const text = fieldsText(record);
        if (hasStdout && log.recordText !== undefined) log.recordText(text);
        else if (hasStdout) log.record(record);
        writer.recordText(text);
      },
      intend: isRequired ? writer.intend : undefined,
      dropped: () => log.dropped() + writer.lost(),
    },
    parts: [{ name: 'audit', health }],
    signBy(keys) {
      writer.signBy(async (signed) => {
        const key = keys.signingKey();
        await keepPublicKey(directory, key);
        return { kid: key.kid, jws: await signCompact(key, signed, checkpointType) };
      });
    },
    close: () => writer.close(),
  };
}

function report(log: OperatorLog, directory: string, what: AuditTrouble): void {
  switch (what.kind) {
    case 'failing':
      log.error('audit files cannot be written; lines wait in memory', {
        ...{ directory, detail: what.detail },
        fix: 'make room, or the directory writable; it is tried again every second',
      });
      return;
    case 'writing_again':
      log.info('audit files are written again', { directory, lost: what.lost });
      return;
    case 'lost_at_end':
      log.error('audit lines were lost: they could not be written before the end', { directory, lost: what.lost });
      return;
    case 'changed_from_outside':
      log.error('an audit file was changed by somebody else', { file: what.path, bytes: what.bytes });
      return;
    case 'restarted':
      log.warn('the audit files of an earlier process were not closed by it', { directory, reason: what.reason });
  }
}
