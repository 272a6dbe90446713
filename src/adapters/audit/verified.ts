/** The files of a directory, verified one gateway after the other, with the lines of one block in memory. */
import { existsSync } from 'node:fs';
import type { PublicKey } from '../../audit/checkpoint.ts';
import { type ChainSummary, type Fault, ChainCheck } from '../../audit/verify.ts';
import { wordsOf } from '../failure.ts';
import { type AuditFile, linesOf, listAuditFiles } from '../files/audit-files.ts';

export interface VerifiedChain {
  readonly summary: ChainSummary;
  /** The first thing that is wrong. */
  readonly fault: Fault | undefined;
  readonly files: number;
}

/** `since`: a day, files of earlier ones are left out. Rejects when the directory cannot be read. */
export async function verifyDirectory(
  directory: string,
  keys: ReadonlyMap<string, PublicKey>,
  since = '',
): Promise<readonly VerifiedChain[]> {
  const files = (await listAuditFiles(directory)).filter(({ day }) => day >= since);
  const chains: VerifiedChain[] = [];
  for (const instance of [...new Set(files.map((file) => file.instance))].sort()) {
    chains.push(
      await verifyChain(
        instance,
        files.filter((file) => file.instance === instance),
        keys,
      ),
    );
  }
  return chains;
}

async function verifyChain(
  instance: string,
  files: readonly AuditFile[],
  keys: ReadonlyMap<string, PublicKey>,
): Promise<VerifiedChain> {
  const check = new ChainCheck(instance, keys);
  let fault: Fault | undefined;
  for (const file of files) {
    fault = await giveFile(check, file);
    if (fault !== undefined) break;
  }
  fault ??= check.end();
  return { summary: check.summary(), fault, files: files.length };
}

async function giveFile(check: ChainCheck, file: AuditFile): Promise<Fault | undefined> {
  let number = 0;
  try {
    for await (const lines of linesOf(file, 'oldest')) {
      for (const { bytes, isWhole } of lines) {
        const fault = check.give({ file, number: ++number, bytes, isWhole });
        if (fault !== undefined) return fault;
      }
    }
    // One that was deleted meanwhile is missed where others follow on it.
    return number === 0 && existsSync(file.path) ? emptyFault(file) : undefined;
  } catch (error) {
    return { file: file.name, line: number + 1, kind: 'unreadable', detail: wordsOf(error) };
  }
}

/** A file begins with its own line as soon as it is there; only a full disk leaves one without. */
function emptyFault({ name }: AuditFile): Fault {
  return { file: name, line: 1, kind: 'missing', detail: 'the file is empty' };
}
