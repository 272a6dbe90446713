/** What checks are about, and whom they ask. What several of them want to know is asked once. */
import type { Config, Place } from '../config/load.ts';
import type { UpstreamTerms } from '../config/upstreams.ts';
import type { Failure, Machine, RedisFacts, SigningKeyFacts, Web, WebAnswer } from '../ports/doctor.ts';
import type { Problem } from '../document/problem.ts';
import type { Policy } from '../policy/model.ts';
import type { PasswordHash } from '../policy/password-hash.ts';

/** What the gateway that runs on this configuration says of its policy. */
export interface RunningPolicy {
  readonly revision: string;
  /** Of newer files, which are not in force. */
  readonly problems: readonly string[];
}

export interface RunningRecord {
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

/** Of an account, as `/api/v1/accounts` has it. */
export interface RunningAccount {
  readonly name: string;
  readonly secrets: readonly { readonly id: string; readonly marks: readonly string[] }[];
}

/** A finding as the gateway takes it. */
export interface Told {
  readonly number: number;
  readonly name: string;
  readonly state: string;
  readonly found: string;
  readonly fix: string | null;
}

/** The gateway on this machine, asked by its admin listener. `failed`: it does not answer. */
export interface RunningGateway {
  policy(): Promise<RunningPolicy | Failure>;
  records(): Promise<readonly RunningRecord[] | Failure>;
  accounts(): Promise<readonly RunningAccount[] | Failure>;
  metrics(): Promise<string | Failure>;
  /** Parts that are not well, in the words of `/readyz?verbose`. */
  troubles(): Promise<readonly { readonly name: string; readonly detail: string }[] | Failure>;
  /** Shows people what was found; nothing comes of it where it does not answer. */
  tell(findings: readonly Told[]): Promise<unknown>;
}

/** What `check` says. */
export interface CheckFindings {
  readonly problems: readonly Problem[];
  readonly notes: readonly Problem[];
  readonly tests: { readonly passed: number; readonly failed: number };
  readonly rules: number;
  /** Undefined where the policies cannot be read. */
  readonly revision?: string;
}

export interface Context {
  readonly config: Config;
  readonly placeOf: (key: string) => Place;
  /** Dotted keys of settings that are made somewhere. */
  readonly keys: readonly string[];
  readonly findings: CheckFindings;
  /** undefined where it cannot be read. */
  readonly policy: Policy | undefined;
  /** Rules that no test needs, by name. */
  readonly unexercised: readonly string[];
  readonly signingKeys: () => readonly SigningKeyFacts[] | { readonly problems: readonly Problem[] };
  /** Why certificate and key of the configuration cannot be served; undefined: they can, or there are none. */
  readonly certificateProblem: () => string | undefined;
  /** Of `logins.htpasswd`, by name; none where there is no such file, or none that can be read. */
  readonly htpasswd: () => Promise<ReadonlyMap<string, { readonly password: PasswordHash }>>;
  /** Of a file of authorities, in PEM. */
  readonly authorities: (path: string) => string | undefined;

  readonly web: Web;
  readonly machine: Machine;
  readonly gateway: RunningGateway;
  /** undefined: there is none. */
  readonly redis: (() => Promise<RedisFacts | Failure>) | undefined;
  /** `/v2/` through `publicUrl`, without credentials. */
  readonly front: () => Promise<WebAnswer | Failure>;
  /** `/v2/` of a registry, without credentials. */
  readonly registry: (upstream: UpstreamTerms) => Promise<WebAnswer | Failure>;
  /** The same with the gateway's own login: why it does not work. */
  readonly registryLogin: (upstream: UpstreamTerms) => Promise<{ readonly ok: boolean; readonly detail: string }>;
  /** Whether a host may be asked: with --offline only this machine. */
  readonly mayReach: (url: string) => boolean;

  readonly nodeVersion: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Addresses from which the registry must not be reached, given on the command line. */
  readonly from: readonly string[];
  readonly login: { readonly name: string; readonly password: string } | undefined;
  /** Repository into which may be written. */
  readonly writeTo: string | undefined;
}

/** The answer, when it is one. */
export function isFailure<T>(answer: T | Failure): answer is Failure {
  return typeof answer === 'object' && answer !== null && 'failed' in answer;
}

/** Asks when it is asked for the first time, and gives everybody that answer. */
export function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => (asked ??= ask());
}
