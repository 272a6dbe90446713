/** `portcullis audit verify`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keysFile } from '../adapters/audit/beside.ts';
import { type VerifiedChain, verifyDirectory } from '../adapters/audit/verified.ts';
import { wordsOf } from '../adapters/failure.ts';
import { readKeyFiles } from '../adapters/files/key-ring.ts';
import { type PublicKey, readKeySet } from '../audit/checkpoint.ts';
import { dayOf } from '../audit/file-name.ts';
import { escapeLines, quote } from '../document/problem.ts';
import { sinceProblem } from '../audit/asked.ts';
import { parseSince } from '../time.ts';
import { auditDirectory } from './audit-place.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, complain, exitCodes, printJson } from './report.ts';
import { usageProblem } from './verb.ts';

interface VerifyOptions {
  readonly jwks?: string;
  readonly since?: string;
  readonly json?: boolean;
}

/** 0 when nothing is wrong, 1 at the first fault of any gateway and for a directory without audit files. */
export async function verifyAudit(
  argument: string | undefined,
  { jwks, since, json = false }: VerifyOptions,
): Promise<ExitCode> {
  const directory = auditDirectory(argument);
  if (typeof directory !== 'string') return directory;
  const from = since === undefined ? undefined : parseSince(since, Date.now());
  if (since !== undefined && from === undefined) return usageProblem(`--since: ${sinceProblem}`);
  const first = from === undefined ? '' : dayOf(from);
  const keys = keysFor(directory, jwks);
  if ('problem' in keys) return usageProblem(`--jwks: ${keys.problem}`);
  let chains: readonly VerifiedChain[];
  try {
    chains = await verifyDirectory(directory, keys.all, first);
  } catch (error) {
    return complain(wordsOf(error));
  }
  if (chains.length === 0)
    return complain(
      `${directory} holds no audit files${first && ` of ${first} or later`}, such as 2026-11-26.gateway.jsonl`,
    );
  const isOk = chains.every(({ fault }) => fault === undefined);
  const unseen = [...chains.flatMap((chain) => unseenOf(chain, keys, directory)), goneAsAWhole];
  if (json) {
    const gateways = chains.map(({ summary, fault = null, files }) => ({ ...summary, files, fault }));
    printJson({ ok: isOk, directory, gateways, cannotSee: unseen });
  } else process.stdout.write(escapeLines(toText(directory, chains, unseen)));
  return isOk ? exitCodes.ok : exitCodes.problems;
}

interface Keys {
  readonly all: ReadonlyMap<string, PublicKey>;
  /** Those that only the directory itself names. */
  readonly ownWord: ReadonlySet<string>;
}

/** From a file that was kept elsewhere; else those of the configuration, and behind them those in the directory. */
function keysFor(directory: string, jwks: string | undefined): Keys | { readonly problem: string } {
  if (jwks !== undefined) {
    const read = keysIn(jwks);
    if (typeof read === 'string') return { problem: read };
    return { all: new Map(read.map((key) => [key.kid, key])), ownWord: new Set() };
  }
  const beside = keysBeside(join(directory, keysFile));
  const own = configuredKeys();
  const all = new Map([...beside, ...own].map((key) => [key.kid, key]));
  const known = new Set(own.map(({ kid }) => kid));
  return { all, ownWord: new Set(beside.map(({ kid }) => kid).filter((kid) => !known.has(kid))) };
}

/** Or what is wrong with the file. */
function keysIn(path: string): readonly PublicKey[] | string {
  try {
    return readKeySet(readFileSync(path, 'utf8')) ?? `${quote(path)} is no JWK set`;
  } catch (error) {
    return `${quote(path)} cannot be read: ${wordsOf(error)}`;
  }
}

function keysBeside(path: string): readonly PublicKey[] {
  try {
    return readKeySet(readFileSync(path, 'utf8')) ?? [];
  } catch {
    return [];
  }
}

/** None where there is no configuration: files are verified on other machines as well. */
function configuredKeys(): readonly PublicKey[] {
  const configuration = readConfiguration();
  if (!configuration.ok) return [];
  const { tokens, stateDir } = configuration.config;
  const reading = readKeyFiles(tokens.keys ?? join(stateDir, 'keys'), false);
  return reading.ok
    ? reading.files.map(({ key: { kid, publicKey, algorithm } }) => ({ kid, key: publicKey, algorithm }))
    : [];
}

const goneAsAWhole =
  'a gateway all of whose files are gone would not be missed: every checkpoint that was kept elsewhere must stand here';

/** What lines and signatures cannot tell, in sentences. */
function unseenOf({ summary, fault }: VerifiedChain, { ownWord }: Keys, directory: string): readonly string[] {
  const { instance, lines, firstSeq = 1, signedTo, unsigned, lost, restarts, unfinished, isTorn, kids } = summary;
  const found: string[] = [];
  if (fault !== undefined) return [`${instance}: nothing behind ${fault.file}:${fault.line} was looked at`];
  if (signedTo === undefined)
    found.push(`no line is signed: ${lines} lines are chained only, and could have been written anew`);
  else if (unsigned > 0)
    found.push(
      `${count(unsigned, 'line')} after ${signedTo.time.slice(0, 19)}Z (${signedTo.file}:${signedTo.line}) ${unsigned === 1 ? 'is' : 'are'} chained, not signed: they could have been written anew`,
    );
  found.push(
    `lines that were cut off at the end, or before a restart, would not be missed: every checkpoint that was kept elsewhere must stand here${signedTo === undefined ? '' : `, the newest as line ${signedTo.seq}`}`,
  );
  if (firstSeq > 1) found.push(`lines 1 to ${firstSeq - 1} of the chain are not here`);
  if (lost > 0) found.push(`the gateway itself says that ${count(lost, 'line')} could not be written`);
  if (restarts > 0)
    found.push(
      `its process ended ${count(restarts, 'time')} without a last checkpoint; lines just before were signed afterwards only`,
    );
  if (unfinished > 0)
    found.push(
      `what became of ${count(unfinished, 'intent')} is not written down: see portcullis audit query --unfinished`,
    );
  if (isTorn) found.push('the last line is not whole: it is being written, or the process was killed');
  const vouched = kids.filter((kid) => ownWord.has(kid));
  if (vouched.length > 0)
    found.push(
      `the ${vouched.length === 1 ? 'key' : 'keys'} ${vouched.join(', ')} ${vouched.length === 1 ? 'is' : 'are'} known from ${join(directory, keysFile)} only: name a copy that was kept elsewhere by --jwks`,
    );
  return found.map((sentence) => `${instance}: ${sentence}`);
}

function toText(directory: string, chains: readonly VerifiedChain[], unseen: readonly string[]): string {
  const lines = chains.map(({ summary: { instance, lines: number, checkpoints, firstTime = '' }, files, fault }) =>
    fault === undefined
      ? `ok    ${instance}: ${count(number, 'line')} in ${count(files, 'file')} since ${firstTime.slice(0, 19)}Z, ${count(checkpoints, 'checkpoint')}`
      : `FAIL  ${join(directory, fault.file)}:${fault.line}: ${fault.kind}: ${fault.detail}`,
  );
  const rest = unseen.map((sentence) => `  ${sentence}`);
  return `${[...lines, 'what this cannot see:', ...rest].join('\n')}\n`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
