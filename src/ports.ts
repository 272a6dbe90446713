/** All the I/O that the gateway does. Use cases name only the ports they use; adapters implement them; main.ts connects both. */
import type { KeyObject } from 'node:crypto';
import type { CompiledPolicy } from './policy/evaluate.ts';
import type { Action, Outside } from './policy/model.ts';
import type { EpochMs } from './time.ts';

export type * from './ports/audit.ts';
export type * from './ports/registry.ts';
export type * from './ports/promotion.ts';
export type * from './ports/issuer.ts';
export type * from './ports/directory.ts';
export type * from './ports/oidc.ts';
export type * from './ports/upstream.ts';
export type * from './ports/activity.ts';
export type * from './ports/device.ts';

export type Clock = () => EpochMs;

/** The policy in force: one immutable value, swapped whole on reload. Callers take it once per request. */
export interface PolicySource {
  current(): CompiledPolicy;
}

export interface TokenKey {
  /** RFC 7638 thumbprint, SHA-256, base64url. */
  readonly kid: string;
  readonly algorithm: 'ES256' | 'ES384' | 'EdDSA' | 'RS256';
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface KeyRing {
  signingKey(): TokenKey;
  /** Every key whose tokens are still accepted, the signing key among them. */
  keys(): readonly TokenKey[];
  /** Looks for new keys because a token names one that is not known; rarely, whatever the number of calls. True when something changed. */
  refresh?(): boolean;
}

/** Keeps two writes of one tag apart, so that both cannot find it missing and create it. */
export interface TagLocks {
  /**
   * Waits for its turn on every tag of `repository` at once, at most `waitMs`, then runs `task`.
   * `busy`: the turn did not come; `unavailable`: nobody can tell. The task did not run then.
   */
  withTags<T>(
    repository: string,
    tags: readonly string[],
    waitMs: number,
    task: () => Promise<T>,
  ): Promise<
    { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: 'busy' | 'unavailable' }
  >;
}

/** Random, so that a store that lost its memory never gives an old one again. */
export type Mark = string;

/** Whether a repository was written to between two moments, through any gateway that shares the store. Neither throws. */
export interface RepositoryMarks {
  /**
   * The mark of now: made where there is none. undefined while a write is under way, or may be: one began, and nobody
   * told of its end.
   */
  read(repository: string): Mark | undefined | Unavailable | Promise<Mark | undefined | Unavailable>;
  /**
   * Runs `task` between two new marks, the second however it ends. Where `isOver` says no to what came of it, the registry
   * may be writing still: then there is none for a minute. `unavailable`: without the first mark it did not run.
   */
  around<T>(
    repository: string,
    task: () => Promise<T>,
    isOver?: (value: T) => boolean,
  ): Promise<{ readonly ok: true; readonly value: T } | Unavailable>;
}

/** A login that lasts: one refresh token. What names a client (address, user agent) is for the person who reviews sessions. */
export interface Session {
  /** Public name of the session; `sid` in access tokens. Says nothing about the refresh token. */
  readonly id: string;
  readonly account: string;
  readonly service: string;
  readonly created: EpochMs;
  readonly lastUsed: EpochMs;
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
  /** Of somebody from outside the policy files. */
  readonly outside?: SessionOutside | undefined;
  /** `web`: of the page; `personal`: an access token that a person made. Absent: of `docker login`. */
  readonly kind?: 'web' | 'personal' | undefined;
  /** It has ended from then on, however it is used. */
  readonly expires?: EpochMs | undefined;
  /** What its person calls it. */
  readonly label?: string | undefined;
  readonly reach?: SessionReach | undefined;
}

/** What a person's own access token is made for, within what the policy lets the person do; what is absent narrows nothing. */
export interface SessionReach {
  /** As policy files write them. */
  readonly repositories?: readonly string[] | undefined;
  readonly actions?: readonly Action[] | undefined;
}

/** What the source said of somebody, and when. */
export interface SessionOutside extends Outside {
  readonly lookedUp: EpochMs;
}

/** Whose a name is outside the policy files. */
export interface NameOwner {
  /** Of one person in one source. */
  readonly id: string;
  /** When their password was last set, where that is known. */
  readonly passwordChanged?: EpochMs | undefined;
  /** As of their last login, at a source that speaks of somebody only then; they have one account there. */
  readonly outside?: SessionOutside | undefined;
}

/** Nothing can be said or recorded now: never to be taken for "unknown". */
export type Unavailable = { readonly ok: false; readonly reason: 'unavailable' };

/**
 * Sessions by the SHA-256 of their refresh token, access tokens of people by that of their secret. Every call is one atomic step whose outcome it returns; none throws for
 * a store that is down or slow, and none takes longer than about a second. A session ends `idleSeconds` after its last use,
 * and when it expires.
 */
export interface SessionStore {
  open(tokenHash: string, session: Session, idleSeconds: number): Promise<{ readonly ok: true } | Unavailable>;
  /** Finds a live session, and leaves it as it is. */
  find(
    tokenHash: string,
  ): Promise<
    { readonly ok: true; readonly session: Session } | { readonly ok: false; readonly reason: 'unknown' } | Unavailable
  >;
  /** Finds a live session and marks it used; `outside` is what is known of its person from now on. */
  use(
    tokenHash: string,
    use: {
      readonly now: EpochMs;
      readonly address: string | undefined;
      readonly userAgent: string | undefined;
      readonly outside?: SessionOutside | undefined;
    },
    idleSeconds: number,
  ): Promise<
    { readonly ok: true; readonly session: Session } | { readonly ok: false; readonly reason: 'unknown' } | Unavailable
  >;
  /**
   * Ends the session of a refresh token, of an id, or all of an account; the ids that ended, none when there was nothing. An
   * id is revoked whether or not a session has it: that of an access token is.
   */
  revoke(
    which: { readonly tokenHash: string } | { readonly id: string } | { readonly account: string },
    now: EpochMs,
  ): Promise<{ readonly ok: true; readonly ended: readonly Session[] } | Unavailable>;
  /** Live sessions, of one account or of all, most recently used first. */
  list(
    account: string | undefined,
    now: EpochMs,
  ): Promise<{ readonly ok: true; readonly sessions: readonly Session[] } | Unavailable>;
  /**
   * Whether a session, or an access token by its `jti`, was revoked: from memory. Learns of revocations on other replicas
   * within 5 seconds while the store is reachable, and remembers them at least `revocationMemorySeconds`.
   */
  isRevoked(id: string): boolean;
  /**
   * Everything issued to the account before `at` has ended for good: here at once, on other replicas within 5 seconds of
   * the store's answering, which is told again if it lost it. Forgotten when the last session of then would have ended.
   */
  endAccount(account: string, at: EpochMs): void;
  /**
   * Says who has an account's name now. Where it was somebody else, or the same person with an older password, everything
   * issued to the account before `now` has ended, as by `endAccount`, and `hasEnded` says so. With `outside`, an account
   * that the same owner had under another name has ended as well, and has no owner any more.
   */
  own(
    account: string,
    owner: NameOwner,
    now: EpochMs,
  ): Promise<{ readonly ok: true; readonly hasEnded: boolean } | Unavailable>;
  /** Who has the name, as `own` was told last; undefined where that is not known, or long ago. */
  owner(account: string): Promise<{ readonly ok: true; readonly owner: NameOwner | undefined } | Unavailable>;
  /** The latest such instant, 0 when there is none: from memory, as `isRevoked`. */
  endedBefore(account: string): EpochMs;
  /** Live sessions, as far as is known, which may be as old as the last call; undefined before anything is. */
  count(): number | undefined;
  /** For readiness and metrics. */
  health(): { readonly ok: boolean; readonly detail: string };
  close(): Promise<void>;
}

/** One budget that a request draws on. */
export interface Budget {
  /** Tells counters apart; of any length and content, the same on every gateway. */
  readonly counter: string;
  /** Microseconds that one request is worth. */
  readonly intervalUs: number;
  /** Requests that may come at once. */
  readonly burst: number;
  /** false: counted, but no reason to refuse. */
  readonly isEnforced: boolean;
}

export interface Balance {
  /** Whether the request had room in this budget. */
  readonly fits: boolean;
  /** Microseconds until the budget is full again, this request counted if it was. */
  readonly debtUs: number;
  /** Requests that would fit now. */
  readonly remaining: number;
  /** Microseconds until one fits; 0 when one does. */
  readonly waitUs: number;
}

/**
 * Budgets by GCRA (limits/gcra.ts), shared by all gateways while there is a store. Never rejects and never takes longer than
 * about a second: while the store is away this process counts for itself, each request as one of every gateway known.
 */
export interface RateLimiter {
  /** One atomic step: counts one request in every budget that has room for it, or in none when an enforced one has not. */
  charge(budgets: readonly Budget[]): Promise<{ readonly admitted: boolean; readonly balances: readonly Balance[] }>;
  /** The balances, nothing counted; may be some seconds old. */
  peek(budgets: readonly Budget[]): Promise<readonly Balance[]>;
  /** Counters that owed much when they were last charged, those that owe longest first; bounded in number. */
  owing(): Promise<
    | { readonly ok: true; readonly owing: readonly { readonly counter: string; readonly debtUs: number }[] }
    | Unavailable
  >;
}

/** Somebody trying a password. */
export interface LoginAttempt {
  /** As given: of any length and content. */
  readonly account: string;
  /** Where from, as limits count it. */
  readonly network: string;
  /** Of account, password and stored hash, keyed: equal ones are the same mistake. */
  readonly fingerprint: string;
}

export interface Failures {
  readonly count: number;
  /** Milliseconds since the last one. */
  readonly ageMs: number;
}

/** What failed logins count by. */
export type FailedBy = 'pair' | 'network' | 'site' | 'account';

export interface LoginRecord {
  /** Of this account from this network, of anybody from this network, from its /48, of this account from anywhere. */
  readonly failures: Readonly<Record<FailedBy, Failures>>;
  /** This account has logged in from this network within the last 30 days. */
  readonly isKnownGood: boolean;
  /** Exactly this was tried before from this network, and failed. */
  readonly isKnownWrong: boolean;
}

/**
 * Failed logins, remembered for a day after the last one. Never rejects; while the store is away this process goes on with
 * what it knows, and what it learned is not lost when the store is back.
 */
export interface FailedLogins {
  look(attempt: LoginAttempt): Promise<LoginRecord>;
  /** Counts a failure, once for each fingerprint. */
  fail(attempt: LoginAttempt): Promise<void>;
  /** Forgives what this account failed from this network. */
  succeed(attempt: LoginAttempt): Promise<void>;
  /**
   * Milliseconds until somebody from an unknown network may try this account, which is under attack. 0: now; with `take` the
   * turn is the caller's, and nobody has the next one for ten seconds.
   */
  turn(account: string, take: boolean): Promise<number>;
  /** Accounts and networks with many failures, the latest first; bounded in number. */
  worst(): Promise<
    | {
        readonly ok: true;
        readonly worst: readonly {
          readonly by: FailedBy;
          readonly account?: string;
          readonly network?: string;
          readonly failures: Failures;
        }[];
      }
    | Unavailable
  >;
}

/** When a robot's secret was last used; best effort, a lost mark is not an error. */
export interface RobotUses {
  mark(tokenId: string, now: EpochMs): void;
  lastUsed(tokenIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** The two ends of a TCP connection; a socket of node:net is one. */
export interface Connection {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** What the kernel holds of what was written to a connection: bytes that the other end has not acknowledged. */
export interface SendQueues {
  /** Of all connections at one moment. undefined where the system does not tell; never rejects. */
  read(): Promise<((connection: Connection) => number) | undefined>;
}
