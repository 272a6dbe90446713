/** Sessions that one process holds, with the ids and accounts whose revocation it remembers. Nothing of it is written here. */
import { z } from 'zod';
import type { Clock, Session, SessionStore } from '../../ports.ts';
import { cutClient, maxListedSessions } from '../session-limits.ts';

/** As they stand in a file. */
export const heldContent = z.object({
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
    }),
  ),
  /** Ids, and until when they are remembered. */
  revoked: z.array(z.object({ id: z.string(), until: z.number() })),
  /** Accounts whose sessions and tokens of before `at` have ended. */
  ended: z.array(z.object({ account: z.string(), at: z.number(), until: z.number() })).default([]),
});

export type HeldContent = z.infer<typeof heldContent>;

interface Entry {
  readonly session: Session;
  readonly expires: number;
}

/** By the clock's time; instants of sessions are milliseconds since 1970, as its. */
export class HeldSessions {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #revoked = new Map<string, number>();
  readonly #ended = new Map<string, { readonly at: number; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What was held before. */
  restore({ sessions, revoked, ended }: HeldContent): void {
    for (const { tokenHash, expires, address, userAgent, ...rest } of sessions)
      this.#entries.set(tokenHash, { expires, session: { ...rest, address, userAgent } });
    for (const { id, until } of revoked) this.#revoked.set(id, until);
    for (const { account, ...end } of ended) this.#ended.set(account, end);
  }

  /** All that is not over, for `restore`. */
  content(): HeldContent {
    this.#forgetExpired();
    return {
      sessions: [...this.#entries].map(([tokenHash, { session, expires }]) => ({ tokenHash, expires, ...session })),
      revoked: [...this.#revoked].map(([id, until]) => ({ id, until })),
      ended: [...this.#ended].map(([account, end]) => ({ account, ...end })),
    };
  }

  open(tokenHash: string, session: Session, idleSeconds: number): void {
    this.#entries.set(tokenHash, { session: cutClient(session), expires: this.#clock() + idleSeconds * 1000 });
  }

  /** As if it had never been opened. */
  drop(tokenHash: string): void {
    this.#entries.delete(tokenHash);
  }

  /** Undefined where there is none that lives. */
  use(
    tokenHash: string,
    { now, address, userAgent }: Parameters<SessionStore['use']>[1],
    idleSeconds: number,
  ): Session | undefined {
    const entry = this.#entries.get(tokenHash);
    if (entry === undefined || entry.expires <= this.#clock()) return undefined;
    const session = cutClient({
      ...entry.session,
      lastUsed: now,
      address: address ?? entry.session.address,
      userAgent: userAgent ?? entry.session.userAgent,
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

  isRevoked(id: string): boolean {
    return (this.#revoked.get(id) ?? 0) > this.#clock();
  }

  /** What was issued to the account before `at` has ended; remembered for so long. */
  endAccount(account: string, at: number, rememberedSeconds: number): void {
    const known = this.#ended.get(account)?.at ?? 0;
    this.#ended.set(account, { at: Math.max(known, at), until: this.#clock() + rememberedSeconds * 1000 });
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
  }
}
