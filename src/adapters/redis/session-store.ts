/** Sessions in Redis, for any number of gateways. What is kept where: keys.ts. */
import type { Session, SessionStore, Unavailable } from '../../ports.ts';
import { cutClientText, maxListedSessions } from '../session-limits.ts';
import type { RedisConnection } from './connection.ts';
import { nameKey, sessionsKey } from './keys.ts';
import { followRevocations, newMarker } from './revocations.ts';
import { listSessions, openSession, readSessions, revokeSessions, sessionFields, useSession } from './scripts.ts';

export interface RedisSessionStoreOptions {
  /** At least as long as an access token lives, allowed clock skew included. */
  readonly revocationMemorySeconds: number;
  /** As long as a session may lie unused; `revocationMemorySeconds` when left out. */
  readonly accountMemorySeconds?: number;
}

const unavailable: Unavailable = { ok: false, reason: 'unavailable' };
const replicaTimeoutMs = 200;
const readAtOnce = 500;
/** An account with more sessions loses them in several steps, so that no step keeps other calls waiting. */
const revokedAtOnce = 1000;
/** For what takes several steps. */
const withinMs = 2000;

/**
 * Sessions end by Redis' clock, whatever the gateway's says. `revoke` waits up to 200 ms for a replica of Redis; when none
 * confirms, the answer is `ok` all the same, because every gateway that knows of the revocation repeats it to a store that
 * has lost it. A revocation by id holds in this process even when the answer is `unavailable`. The connection stays open on
 * `close`: it belongs to whoever made it.
 */
export function createRedisSessionStore(
  connection: RedisConnection,
  { revocationMemorySeconds, accountMemorySeconds = revocationMemorySeconds }: RedisSessionStoreOptions,
): SessionStore {
  const calls = connection.calls();
  const revocations = followRevocations(connection, calls);
  const memoryMs = Math.ceil(revocationMemorySeconds * 1000);

  return {
    async open(tokenHash, session, idleSeconds) {
      const fields = writeFields({
        ...session,
        address: cutClientText(session.address),
        userAgent: cutClientText(session.userAgent),
      });
      const names = [nameKey(session.id), nameKey(session.account)];
      const answer = await calls.run(openSession, [sessionsKey], [tokenHash, ...names, ms(idleSeconds), ...fields]);
      return answer.ok ? { ok: true } : unavailable;
    },

    async use(tokenHash, { now, address, userAgent }, idleSeconds) {
      const changes = writeFields({
        lastUsed: now,
        address: cutClientText(address),
        userAgent: cutClientText(userAgent),
      });
      const answer = await calls.run(useSession, [sessionsKey], [tokenHash, ms(idleSeconds), ...changes]);
      if (!answer.ok) return unavailable;
      if (answer.reply === null) return { ok: false, reason: 'unknown' };
      const session = readFields(answer.reply);
      if (session === undefined) return unavailable;
      if (!revocations.has(session.id)) return { ok: true, session };
      // The store has lost the revocation: it is told again at once.
      revocations.synchronize();
      return { ok: false, reason: 'unknown' };
    },

    async revoke(which) {
      const [kind, name] =
        'tokenHash' in which
          ? ['token', which.tokenHash]
          : 'id' in which
            ? ['id', nameKey(which.id)]
            : ['account', nameKey(which.account)];
      // Before the store is asked: from here on this process refuses the session, whatever becomes of the answer.
      if ('id' in which) revocations.add(which.id, memoryMs);
      const begun = performance.now();
      const ended: Session[] = [];
      for (let left = 1; left > 0;) {
        if (performance.now() - begun > withinMs) return unavailable;
        const values = [kind, name, memoryMs, newMarker(), revokedAtOnce];
        const answer = await calls.run(revokeSessions, [sessionsKey], values);
        if (!answer.ok || !Array.isArray(answer.reply)) return unavailable;
        const parts: readonly unknown[] = answer.reply;
        for (const fields of parts.slice(1)) {
          const session = readFields(fields);
          if (session === undefined) continue;
          revocations.add(session.id, memoryMs);
          ended.push(session);
        }
        left = Number(parts[0]);
      }
      if (revocations.replicas() > 0 && (ended.length > 0 || kind === 'id'))
        await connection.waitForReplica(sessionsKey, replicaTimeoutMs);
      return { ok: true, ended };
    },

    async list(account) {
      const begun = performance.now();
      const index = account === undefined ? '' : nameKey(account);
      const answer = await calls.run(listSessions, [sessionsKey], [index, maxListedSessions]);
      if (!answer.ok || !Array.isArray(answer.reply)) return unavailable;
      const tokens = answer.reply.map(String);
      const sessions: Session[] = [];
      for (let begin = 0; begin < tokens.length; begin += readAtOnce) {
        if (performance.now() - begun > withinMs) return unavailable;
        const part = await calls.run(readSessions, [sessionsKey], tokens.slice(begin, begin + readAtOnce));
        if (!part.ok || !Array.isArray(part.reply)) return unavailable;
        for (const fields of part.reply) {
          const session = readFields(fields);
          if (session !== undefined && !revocations.has(session.id)) sessions.push(session);
        }
      }
      return { ok: true, sessions: sessions.sort((a, b) => b.lastUsed - a.lastUsed) };
    },

    isRevoked: (id) => revocations.has(id),

    endAccount(account, at) {
      revocations.endAccount(account, at, Math.ceil(accountMemorySeconds * 1000));
      revocations.synchronize();
    },

    endedBefore: (account) => revocations.endedBefore(account),

    health() {
      const { ok, detail } = connection.health();
      return ok && calls.isCut() ? { ok: false, detail: `${detail}, but it does not answer in time` } : { ok, detail };
    },

    close() {
      revocations.close();
      return Promise.resolve();
    },
  };
}

function ms(seconds: number): number {
  return Math.max(1, Math.round(seconds * 1000));
}

/** Name, value, name, value; what is undefined is left out. */
function writeFields(session: Partial<Session>): readonly (string | number)[] {
  return sessionFields.flatMap((field) => {
    const value = session[field];
    return value === undefined ? [] : [field, value];
  });
}

/** Undefined for anything but a whole session: it may have ended between two steps. */
function readFields(reply: unknown): Session | undefined {
  if (!Array.isArray(reply)) return undefined;
  const texts: readonly (string | undefined)[] = reply.map((value) => (typeof value === 'string' ? value : undefined));
  const [id, account, service, created, lastUsed, address, userAgent] = texts;
  if (id === undefined || account === undefined || service === undefined) return undefined;
  return { id, account, service, created: Number(created), lastUsed: Number(lastUsed), address, userAgent };
}
