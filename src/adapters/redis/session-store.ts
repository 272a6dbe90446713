/** Sessions in Redis, for any number of gateways. What is kept where: keys.ts. */
import { parseJson } from '../../distribution/json.ts';
import { isJsonObject } from '../../distribution/plain-json.ts';
import { actions } from '../../policy/model.ts';
import type { Session, SessionReach, SessionStore } from '../../ports.ts';
import { type SessionMemory, cutClient, maxListedSessions, unavailable } from '../bounds.ts';
import { type RedisCalls, type RedisConnection, listOf } from './connection.ts';
import { nameKey, sessionsKey } from './keys.ts';
import { nameOwners, readOutside } from './name-owners.ts';
import { followRevocations, newMarker } from './revocations.ts';
import {
  countSessions,
  findSession,
  listSessions,
  openSession,
  readSessions,
  revokeSessions,
  sessionFields,
  useSession,
} from './scripts.ts';
import { batches } from '../runs.ts';
import { readInstant } from '../../time.ts';

const replicaTimeoutMs = 200;

/**
 * Sessions end by Redis' clock, whatever the gateway's says. `revoke` waits up to 200 ms for a replica of Redis; when none
 * confirms, the answer is `ok` all the same, because every gateway that knows of the revocation repeats it to a store that
 * has lost it. A revocation by id holds in this process even when the answer is `unavailable`. The connection stays open on
 * `close`: it belongs to whoever made it.
 */
export function createRedisSessionStore(
  connection: RedisConnection,
  { revocationMemorySeconds, accountMemorySeconds = revocationMemorySeconds }: SessionMemory,
): SessionStore {
  const calls = connection.calls();
  const revocations = followRevocations(connection, calls);
  const memoryMs = Math.ceil(revocationMemorySeconds * 1000);
  const accountMemoryMs = Math.ceil(accountMemorySeconds * 1000);

  function liveOf(answer: Awaited<ReturnType<RedisCalls['run']>>): Awaited<ReturnType<SessionStore['find']>> {
    if (!answer.ok) return unavailable;
    if (answer.reply === null) return { ok: false, reason: 'unknown' };
    const session = readFields(answer.reply);
    if (session === undefined) return unavailable;
    if (!revocations.has(session.id)) return { ok: true, session };
    // The store has lost the revocation: it is told again at once.
    revocations.synchronize();
    return { ok: false, reason: 'unknown' };
  }

  return {
    async open(tokenHash, session, idleSeconds) {
      const fields = writeFields(cutClient(session));
      const names = [nameKey(session.id), nameKey(session.account)];
      const answer = await calls.run(openSession, [sessionsKey], [tokenHash, ...names, ms(idleSeconds), ...fields]);
      return answer.ok ? { ok: true } : unavailable;
    },

    find: async (tokenHash) => liveOf(await calls.run(findSession, [sessionsKey], [tokenHash])),

    async use(tokenHash, { now, address, userAgent, outside }, idleSeconds) {
      const changes = writeFields({ lastUsed: now, ...cutClient({ address, userAgent }), outside });
      return liveOf(await calls.run(useSession, [sessionsKey], [tokenHash, ms(idleSeconds), ...changes]));
    },

    async revoke(which) {
      // Before the store is asked: from here on this process refuses the session, whatever becomes of the answer.
      if ('id' in which) revocations.add(which.id, memoryMs);
      const ended: Session[] = [];
      const isDone = await endSessions(calls, storedName(which), memoryMs, (session) => {
        revocations.add(session.id, memoryMs);
        ended.push(session);
      });
      if (!isDone) return unavailable;
      if (revocations.replicas() > 0 && (ended.length > 0 || 'id' in which))
        await connection.waitForReplica(sessionsKey, replicaTimeoutMs);
      return { ok: true, ended };
    },

    async list(account) {
      const sessions = await readAll(calls, account);
      if (sessions === undefined) return unavailable;
      return { ok: true, sessions: sessions.filter(({ id }) => !revocations.has(id)) };
    },

    isRevoked: (id) => revocations.has(id),
    endAccount(account, at) {
      revocations.endAccount(account, at, accountMemoryMs);
      revocations.synchronize();
    },

    ...nameOwners(calls, revocations, accountMemoryMs),
    endedBefore: (account) => revocations.endedBefore(account),
    count: followCount(connection, calls),
    health: () => healthOf(connection, calls),
    close: () => Promise.resolve(revocations.close()),
  };
}

/** The last answer; each call asks for the next one, as does a connection that is ready again. */
function followCount(connection: RedisConnection, calls: RedisCalls): () => number | undefined {
  let count: number | undefined;
  const ask = async (): Promise<void> => {
    const answer = await calls.run(countSessions, [sessionsKey]);
    count = answer.ok ? Number(answer.reply) : undefined;
  };
  connection.onReady(() => void ask());
  if (connection.isReady()) void ask();
  return () => {
    void ask();
    return count;
  };
}

function healthOf(connection: RedisConnection, calls: RedisCalls): ReturnType<SessionStore['health']> {
  const { ok, detail } = connection.health();
  return ok && calls.isCut() ? { ok: false, detail: `${detail}, but it does not answer in time` } : { ok, detail };
}

function ms(seconds: number): number {
  return Math.max(1, Math.round(seconds * 1000));
}

/** As `revokeSessions` takes it. */
function storedName(which: Parameters<SessionStore['revoke']>[0]): readonly ['token' | 'id' | 'account', string] {
  if ('tokenHash' in which) return ['token', which.tokenHash];
  return 'id' in which ? ['id', nameKey(which.id)] : ['account', nameKey(which.account)];
}

const readAtOnce = 500;
/** An account with more sessions loses them in several steps. */
const revokedAtOnce = 1000;
/** For all steps together. */
const withinMs = 2000;

/** Ends sessions by token hash, name of an id or account, each told to `onEnded`. False: perhaps not all have ended. */
async function endSessions(
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
async function readAll(calls: RedisCalls, account: string | undefined): Promise<readonly Session[] | undefined> {
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
function writeFields(session: Partial<Session>): readonly (string | number)[] {
  return sessionFields.flatMap((field) => {
    const value = session[field];
    if (value === undefined) return [];
    return [field, typeof value === 'object' ? JSON.stringify(value) : value];
  });
}

/** Undefined for anything but a whole session: it may have ended between two steps. */
function readFields(reply: unknown): Session | undefined {
  if (!Array.isArray(reply)) return undefined;
  const texts: readonly (string | undefined)[] = reply.map((value) => (typeof value === 'string' ? value : undefined));
  const [id, account, service, created, lastUsed, address, userAgent, outside, ...special] = texts;
  if (id === undefined || account === undefined || service === undefined) return undefined;
  const times = { created: readInstant(created), lastUsed: readInstant(lastUsed) };
  const kept = readSpecial(special);
  if (kept === undefined || times.created === undefined || times.lastUsed === undefined) return undefined;
  const { created: begun, lastUsed: used } = times;
  const session = { id, account, service, created: begun, lastUsed: used, address, userAgent, ...kept };
  if (outside === undefined) return session;
  const read = readOutside(outside);
  return read && { ...session, outside: read };
}

/** Of what is no login of docker. Undefined for what this file does not write: how far it reaches nobody can tell then. */
function readSpecial([kind, expires, label, reach]: readonly (string | undefined)[]): Partial<Session> | undefined {
  if (kind === undefined) return {};
  if (kind !== 'web' && kind !== 'personal') return undefined;
  const read = reach === undefined ? undefined : readReach(reach);
  if (reach !== undefined && read === undefined) return undefined;
  const until = readInstant(expires);
  if (expires !== undefined && until === undefined) return undefined;
  return { kind, expires: until, label, reach: read };
}

function readReach(text: string): SessionReach | undefined {
  const stored = parseJson(text);
  if (!isJsonObject(stored)) return undefined;
  const { repositories, actions: named } = stored;
  // What is no list limits nothing, and was written to limit.
  if (![repositories, named].every((each) => each === undefined || Array.isArray(each))) return undefined;
  return {
    ...(Array.isArray(repositories) ? { repositories: repositories.map(String) } : {}),
    ...(Array.isArray(named) ? { actions: actions.filter((action) => named.includes(action)) } : {}),
  };
}
