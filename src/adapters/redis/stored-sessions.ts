/** Sessions as Redis holds them, and what is done with many of them: in several steps, so that no step keeps other calls waiting. */
import type { Session } from '../../ports.ts';
import { batches } from '../batches.ts';
import { maxListedSessions } from '../session-limits.ts';
import { type RedisCalls, listOf } from './connection.ts';
import { nameKey, sessionsKey } from './keys.ts';
import { newMarker } from './revocations.ts';
import { listSessions, readSessions, revokeSessions, sessionFields } from './scripts.ts';

const readAtOnce = 500;
/** An account with more sessions loses them in several steps. */
const revokedAtOnce = 1000;
/** For all steps together. */
const withinMs = 2000;

/** Ends sessions by token hash, name of an id or account, each told to `onEnded`. False: perhaps not all have ended. */
export async function endSessions(
  calls: RedisCalls,
  which: readonly ['token' | 'id' | 'account', string],
  memoryMs: number,
  onEnded: (session: Session) => void,
): Promise<boolean> {
  const begun = performance.now();
  for (let left = 1; left > 0;) {
    if (performance.now() - begun > withinMs) return false;
    const values = [...which, memoryMs, newMarker(), revokedAtOnce];
    const reply = listOf(await calls.run(revokeSessions, [sessionsKey], values));
    if (reply === undefined) return false;
    const [remaining, ...ended] = reply;
    for (const session of ended.flatMap((fields) => readFields(fields) ?? [])) onEnded(session);
    left = Number(remaining);
  }
  return true;
}

/** Live sessions, of one account or of all, the most recently used first. Undefined when Redis does not tell in time. */
export async function readAll(calls: RedisCalls, account: string | undefined): Promise<readonly Session[] | undefined> {
  const begun = performance.now();
  const index = account === undefined ? '' : nameKey(account);
  const tokens = listOf(await calls.run(listSessions, [sessionsKey], [index, maxListedSessions]))?.map(String);
  if (tokens === undefined) return undefined;
  const sessions: Session[] = [];
  for (const some of batches(tokens, readAtOnce)) {
    if (performance.now() - begun > withinMs) return undefined;
    const part = listOf(await calls.run(readSessions, [sessionsKey], some));
    if (part === undefined) return undefined;
    sessions.push(...part.flatMap((fields) => readFields(fields) ?? []));
  }
  return sessions.sort((a, b) => b.lastUsed - a.lastUsed);
}

/** Name, value, name, value; what is undefined is left out. */
export function writeFields(session: Partial<Session>): readonly (string | number)[] {
  return sessionFields.flatMap((field) => {
    const value = session[field];
    return value === undefined ? [] : [field, value];
  });
}

/** Undefined for anything but a whole session: it may have ended between two steps. */
export function readFields(reply: unknown): Session | undefined {
  if (!Array.isArray(reply)) return undefined;
  const texts: readonly (string | undefined)[] = reply.map((value) => (typeof value === 'string' ? value : undefined));
  const [id, account, service, created, lastUsed, address, userAgent] = texts;
  if (id === undefined || account === undefined || service === undefined) return undefined;
  return { id, account, service, created: Number(created), lastUsed: Number(lastUsed), address, userAgent };
}
