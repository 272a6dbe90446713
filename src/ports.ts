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
  repositories(size: number, last: string | undefined): Promise<RepositoryPage>;
  /** Whether the registry answers at all. */
  ping(): Promise<RegistryHealth>;
}

export type RepositoryPage =
  | { readonly ok: true; readonly names: readonly string[]; readonly more: boolean }
  | { readonly ok: false; readonly reason: 'unreachable' | 'timeout' | 'broken' };

export type RegistryHealth = { readonly ok: true } | { readonly ok: false; readonly detail: string };
