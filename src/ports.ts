/** All the I/O that the gateway does. Use cases name only the ports they use; adapters implement them; main.ts connects both. */
import type { KeyObject } from 'node:crypto';
import type { CompiledPolicy } from './policy/evaluate.ts';

/** Milliseconds since 1970. */
export type Clock = () => number;

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

/** Contract section 9. Never a secret: only values that this type names reach the log. */
export interface AuditRecord {
  readonly event: 'access' | 'token' | 'login' | 'session' | 'policy' | 'limit';
  readonly decision: 'allow' | 'deny' | 'error';
  /** A word a program can match, such as `no_rule` or `password_wrong`. */
  readonly reason: string;
  readonly rule?: string | undefined;
  /** `file:line` of the rule. */
  readonly source?: string | undefined;
  readonly shadow?: readonly string[] | undefined;
  readonly account?: string | undefined;
  readonly kind?: 'user' | 'robot' | 'workload' | 'anonymous' | undefined;
  readonly method?: 'password' | 'session' | 'robot-token' | 'workload' | 'access-token' | undefined;
  readonly repository?: string | undefined;
  readonly action?: string | undefined;
  readonly reference?: string | undefined;
  readonly digest?: string | undefined;
  readonly scope?: string | undefined;
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly requestId?: string | undefined;
  readonly status?: number | undefined;
  /** Body bytes of the larger direction. */
  readonly bytes?: number | undefined;
  readonly durationMs?: number | undefined;
  /** For operators: what went wrong, in words. */
  readonly detail?: string | undefined;
}

export interface AuditLog {
  record(record: AuditRecord): void;
}

/** What the gate itself asks of the registry behind, apart from forwarding. */
export interface Registry {
  /** One page of all repositories after `last`; names as the registry sorts them. */
  repositories(size: number, last: string | undefined): Promise<NamesPage>;
  /** The digest that a tag names now. */
  resolveTag(repository: string, tag: string): Promise<TagResolution>;
  /** One page of a repository's tags after `last`. */
  tags(repository: string, size: number, last: string | undefined): Promise<NamesPage>;
  /** Whether the registry answers at all, within so many milliseconds. */
  ping(withinMs?: number): Promise<RegistryHealth>;
}

export type RegistryFailure = { readonly ok: false; readonly reason: 'unreachable' | 'timeout' | 'broken' };

export type NamesPage =
  { readonly ok: true; readonly names: readonly string[]; readonly more: boolean } | RegistryFailure;

export type TagResolution =
  { readonly ok: true; readonly digest: string } | { readonly ok: true; readonly digest: undefined } | RegistryFailure;

export type RegistryHealth = { readonly ok: true } | { readonly ok: false; readonly detail: string };

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

/** A login that lasts: one refresh token. What names a client (address, user agent) is for the person who reviews sessions. */
export interface Session {
  /** Public name of the session; `sid` in access tokens. Says nothing about the refresh token. */
  readonly id: string;
  readonly account: string;
  readonly service: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly lastUsed: number;
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

/** Nothing can be said or recorded now: never to be taken for "unknown". */
export type Unavailable = { readonly ok: false; readonly reason: 'unavailable' };

/**
 * Sessions by the SHA-256 of their refresh token. Every call is one atomic step whose outcome it returns; none throws for
 * a store that is down or slow, and none takes longer than about a second. A session ends `idleSeconds` after its last use.
 */
export interface SessionStore {
  open(tokenHash: string, session: Session, idleSeconds: number): Promise<{ readonly ok: true } | Unavailable>;
  /** Finds a live session and marks it used. */
  use(
    tokenHash: string,
    use: { readonly now: number; readonly address: string | undefined; readonly userAgent: string | undefined },
    idleSeconds: number,
  ): Promise<
    { readonly ok: true; readonly session: Session } | { readonly ok: false; readonly reason: 'unknown' } | Unavailable
  >;
  /** Ends the session of a refresh token, of an id, or all of an account; the ids that ended, none when there was nothing. */
  revoke(
    which: { readonly tokenHash: string } | { readonly id: string } | { readonly account: string },
    now: number,
  ): Promise<{ readonly ok: true; readonly ended: readonly Session[] } | Unavailable>;
  /** Live sessions, of one account or of all, most recently used first. */
  list(
    account: string | undefined,
    now: number,
  ): Promise<{ readonly ok: true; readonly sessions: readonly Session[] } | Unavailable>;
  /**
   * Whether a session was revoked, answered from memory: no round trip. Learns of revocations on other replicas within
   * 5 seconds while the store is reachable, and remembers them at least `revocationMemorySeconds`.
   */
  isRevoked(sessionId: string): boolean;
  /** For readiness and metrics. */
  health(): { readonly ok: boolean; readonly detail: string };
  close(): Promise<void>;
}

/** When a robot's secret was last used; best effort, a lost mark is not an error. */
export interface RobotUses {
  mark(tokenId: string, now: number): void;
  lastUsed(tokenIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
}
