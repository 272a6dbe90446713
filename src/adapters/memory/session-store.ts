/** Sessions of one process, kept across restarts by a file. It holds no refresh token, only their SHA-256. */
import type { Problem } from '../../document/problem.ts';
import { actions, loginSources } from '../../policy/model.ts';
import type { Clock, NameOwner, Session, SessionStore } from '../../ports.ts';
import { type SessionMemory, cutClient, maxListedSessions, unavailable } from '../bounds.ts';
import { openStateFile } from './state-file.ts';
import { z } from 'zod';

interface MemorySessionStoreOptions extends SessionMemory {
  /** In a directory that exists and belongs to this process alone. Undefined: a restart ends all sessions. */
  readonly file: string | undefined;
  readonly clock: Clock;
  /** A file that cannot be used or written. */
  readonly onProblem: (problem: Problem) => void;
}

/**
 * What was opened or revoked is on disk before the call returns; when the disk does not take it, the answer is
 * `unavailable`, the session is not opened, and the revocation holds in this process. When a session was last used is
 * written within seconds.
 */
export function createMemorySessionStore(options: MemorySessionStoreOptions): SessionStore {
  const { revocationMemorySeconds, accountMemorySeconds = revocationMemorySeconds, clock, onProblem } = options;
  const sessions = new HeldSessions(clock);
  const { file, held } = openStateFile({
    path: options.file,
    kind: 'portcullis sessions',
    version: 1,
    schema: heldContent,
    onProblem,
    current: () => sessions.content(),
  });
  if (held !== undefined) sessions.restore(held);

  return {
    async open(tokenHash, session, idleSeconds) {
      sessions.open(tokenHash, session, idleSeconds);
      if (await file.save()) return { ok: true };
      sessions.drop(tokenHash);
      return unavailable;
    },

    find(tokenHash) {
      const session = sessions.find(tokenHash);
      return Promise.resolve(session === undefined ? { ok: false, reason: 'unknown' } : { ok: true, session });
    },

    async use(tokenHash, use, idleSeconds) {
      const session = sessions.use(tokenHash, use, idleSeconds);
      if (session === undefined) return { ok: false, reason: 'unknown' };
      if (use.outside === undefined) file.saveSoon();
      else await file.save();
      return { ok: true, session };
    },

    async revoke(which) {
      const ended = sessions.end(which, revocationMemorySeconds);
      // Anyone may send tokens to be revoked: nothing found costs no write, unless an earlier one is still missing.
      const isNothing = ended.length === 0 && !('id' in which) && file.problem() === undefined;
      return isNothing || (await file.save()) ? { ok: true, ended } : unavailable;
    },

    list: (account) => Promise.resolve({ ok: true, sessions: sessions.list(account) }),

    isRevoked: (id) => sessions.isRevoked(id),

    endAccount(account, at) {
      sessions.endAccount(account, at, accountMemorySeconds);
      void file.save();
    },

    async own(account, owner, now) {
      const { isNew, hasEnded } = sessions.own(account, owner, now, accountMemorySeconds);
      return !isNew || (await file.save()) ? { ok: true, hasEnded } : unavailable;
    },

    owner: (account) => Promise.resolve({ ok: true, owner: sessions.owner(account) }),

    endedBefore: (account) => sessions.endedBefore(account),

    count: () => sessions.count(),

    health() {
      const problem = file.problem();
      if (problem !== undefined) return { ok: false, detail: `sessions cannot be written to disk: ${problem}` };
      return { ok: true, detail: options.file === undefined ? 'in this process, lost at its end' : 'in this process' };
    },

    close: () => file.close(),
  };
}

const outside = z.object({
  source: z.enum(loginSources),
  id: z.string(),
  groups: z.array(z.string()).readonly(),
  lookedUp: z.number(),
});

/** As they stand in a file. */
const heldContent = z.object({
  sessions: z.array(
    z.object({
      tokenHash: z.string(),
      expires: z.number(),
      id: z.string(),
      account: z.string(),
      service: z.string(),
      created: z.number(),
      lastUsed: z.number(),
      address: z.string().optional(),
      userAgent: z.string().optional(),
      outside: outside.optional(),
      kind: z.enum(['web', 'personal']).optional(),
      ends: z.number().optional(),
      label: z.string().optional(),
      reach: z
        .object({
          repositories: z.array(z.string()).readonly().optional(),
          actions: z.array(z.enum(actions)).readonly().optional(),
        })
        .optional(),
    }),
  ),
  /** Ids, and until when they are remembered. */
  revoked: z.array(z.object({ id: z.string(), until: z.number() })),
  /** Accounts whose sessions and tokens of before `at` have ended. */
  ended: z.array(z.object({ account: z.string(), at: z.number(), until: z.number() })).default([]),
  /** Whose names are outside the policy files. */
  owners: z
    .array(
      z.object({
        account: z.string(),
        id: z.string(),
        passwordChanged: z.number().optional(),
        outside: outside.optional(),
        until: z.number(),
      }),
    )
    .default([]),
});

type HeldContent = z.infer<typeof heldContent>;

interface Entry {
  readonly session: Session;
  readonly expires: number;
}

/** By the clock's time; instants of sessions are milliseconds since 1970, as its. */
class HeldSessions {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #revoked = new Map<string, number>();
  readonly #ended = new Map<string, { readonly at: number; readonly until: number }>();
  readonly #owners = new Map<string, NameOwner & { readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What was held before. */
  restore({ sessions, revoked, ended, owners }: HeldContent): void {
    for (const { tokenHash, expires, ends, address, userAgent, ...rest } of sessions) {
      const session = { ...rest, address, userAgent, ...(ends === undefined ? {} : { expires: ends }) };
      this.#entries.set(tokenHash, { expires, session });
    }
    for (const { id, until } of revoked) this.#revoked.set(id, until);
    for (const { account, ...end } of ended) this.#ended.set(account, end);
    for (const { account, ...owner } of owners) this.#owners.set(account, owner);
  }

  /** All that is not over, for `restore`. */
  content(): HeldContent {
    this.#forgetExpired();
    return {
      sessions: [...this.#entries].map(([tokenHash, { session, expires }]) => ({
        ...{ tokenHash, ...session, expires },
        ...(session.expires === undefined ? {} : { ends: session.expires }),
      })),
      revoked: [...this.#revoked].map(([id, until]) => ({ id, until })),
      ended: [...this.#ended].map(([account, end]) => ({ account, ...end })),
      owners: [...this.#owners].map(([account, owner]) => ({ account, ...owner })),
    };
  }

  open(tokenHash: string, session: Session, idleSeconds: number): void {
    const idleEnd = this.#clock() + idleSeconds * 1000;
    this.#entries.set(tokenHash, {
      session: cutClient(session),
      expires: Math.min(idleEnd, session.expires ?? Infinity),
    });
  }

  /** As if it had never been opened. */
  drop(tokenHash: string): void {
    this.#entries.delete(tokenHash);
  }

  /** Undefined where there is none that lives. */
  find(tokenHash: string): Session | undefined {
    const entry = this.#entries.get(tokenHash);
    return entry === undefined || entry.expires <= this.#clock() ? undefined : entry.session;
  }

  /** As `find`. */
  use(
    tokenHash: string,
    { now, address, userAgent, outside }: Parameters<SessionStore['use']>[1],
    idleSeconds: number,
  ): Session | undefined {
    const found = this.find(tokenHash);
    if (found === undefined) return undefined;
    const session = cutClient({
      ...found,
      lastUsed: now,
      address: address ?? found.address,
      userAgent: userAgent ?? found.userAgent,
      ...(outside === undefined ? {} : { outside }),
    });
    this.open(tokenHash, session, idleSeconds);
    return session;
  }

  /** Ends and returns the live ones; what has ended, and an id in any case, is remembered for so long. */
  end(which: Parameters<SessionStore['revoke']>[0], rememberedSeconds: number): readonly Session[] {
    const now = this.#clock();
    const isMeant = (tokenHash: string, { id, account }: Session): boolean => {
      if ('tokenHash' in which) return tokenHash === which.tokenHash;
      return 'id' in which ? id === which.id : account === which.account;
    };
    const ending = [...this.#entries].filter(
      ([tokenHash, { session, expires }]) => expires > now && isMeant(tokenHash, session),
    );
    const until = now + rememberedSeconds * 1000;
    for (const [tokenHash, { session }] of ending) {
      this.#entries.delete(tokenHash);
      this.#revoked.set(session.id, until);
    }
    // Also when the session is not here (any more): access tokens may still carry its id.
    if ('id' in which) this.#revoked.set(which.id, until);
    return ending.map(([, { session }]) => session);
  }

  list(account: string | undefined): readonly Session[] {
    this.#forgetExpired();
    return [...this.#entries.values()]
      .map(({ session }) => session)
      .filter((session) => account === undefined || session.account === account)
      .sort((a, b) => b.lastUsed - a.lastUsed)
      .slice(0, maxListedSessions);
  }

  count(): number {
    this.#forgetExpired();
    return this.#entries.size;
  }

  isRevoked(id: string): boolean {
    return (this.#revoked.get(id) ?? 0) > this.#clock();
  }

  /** What was issued to the account before `at` has ended; remembered for so long. */
  endAccount(account: string, at: number, rememberedSeconds: number): void {
    const known = this.#ended.get(account)?.at ?? 0;
    this.#ended.set(account, { at: Math.max(known, at), until: this.#clock() + rememberedSeconds * 1000 });
  }

  /** `isNew`: something of it was not known before. */
  own(
    account: string,
    owner: NameOwner,
    now: number,
    rememberedSeconds: number,
  ): { readonly isNew: boolean; readonly hasEnded: boolean } {
    const { id, passwordChanged, outside } = owner;
    const before = this.owner(account);
    const isOther = before !== undefined && before.id !== id;
    const isNewer = (passwordChanged ?? 0) > (before?.passwordChanged ?? Infinity);
    const latest = isOther || isNewer ? passwordChanged : (before?.passwordChanged ?? passwordChanged);
    const until = this.#clock() + rememberedSeconds * 1000;
    if (outside !== undefined) this.#endOtherNames(account, id, now, rememberedSeconds);
    this.#owners.set(account, { id, passwordChanged: latest, outside, until });
    if (isOther || isNewer) this.endAccount(account, now, rememberedSeconds);
    const isNew = before === undefined || isOther || before.passwordChanged !== latest || outside !== undefined;
    return { isNew, hasEnded: isOther || isNewer };
  }

  #endOtherNames(account: string, id: string, now: number, rememberedSeconds: number): void {
    for (const [name, held] of this.#owners) {
      if (name === account || held.id !== id || held.outside === undefined) continue;
      this.#owners.delete(name);
      this.endAccount(name, now, rememberedSeconds);
    }
  }

  owner(account: string): NameOwner | undefined {
    const held = this.#owners.get(account);
    if (held === undefined || held.until <= this.#clock()) return undefined;
    const { id, passwordChanged, outside } = held;
    return { id, passwordChanged, outside };
  }

  /** Milliseconds since 1970; 0 for an account of which nothing has ended. */
  endedBefore(account: string): number {
    const end = this.#ended.get(account);
    return end === undefined || end.until <= this.#clock() ? 0 : end.at;
  }

  #forgetExpired(): void {
    const now = this.#clock();
    for (const [tokenHash, { expires }] of this.#entries) if (expires <= now) this.#entries.delete(tokenHash);
    for (const [id, until] of this.#revoked) if (until <= now) this.#revoked.delete(id);
    for (const [account, { until }] of this.#ended) if (until <= now) this.#ended.delete(account);
    for (const [account, { until }] of this.#owners) if (until <= now) this.#owners.delete(account);
  }
}
