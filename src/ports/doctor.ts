/** What `portcullis doctor` asks of the machine and of the network. Nothing here rejects: what fails says why. */

export interface Failure {
  /** In words, such as `connect ECONNREFUSED 127.0.0.1:5000`. */
  readonly failed: string;
}

export interface WebAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** At most 1 MiB of it. */
  readonly body: string;
  /** This end of the connection. */
  readonly localAddress: string | undefined;
}

export interface Asking {
  /** Default: GET. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Sends nothing that is secret, so that any certificate will do. Default: false. */
  readonly believesAnybody?: boolean;
  /** Authorities to believe besides those of the system, in PEM. */
  readonly ca?: string | undefined;
  readonly withinMs?: number;
  /** Address of this machine from which the connection comes. */
  readonly from?: string;
}

/** A body that is sent bit by bit, to see what stands in between. */
export interface Pouring {
  readonly bytes: number;
  /** Says the length at first; otherwise in chunks. */
  readonly isDeclared: boolean;
}

/** `isEarly`: it came before most of the body was sent. */
export type Poured = WebAnswer & { readonly isEarly: boolean };

export interface CertificateFacts {
  /** Why the system does not believe it for this name; undefined: it does. */
  readonly distrust: string | undefined;
  /** Milliseconds since 1970. */
  readonly validTo: number;
  /** Such as `TLSv1.3`. */
  readonly protocol: string;
  /** A handshake of TLS 1.1 succeeds as well. */
  readonly speaksOld: boolean;
}

export interface Web {
  ask(url: string, asking?: Asking): Promise<WebAnswer | Failure>;
  /** PUT without credentials. */
  pour(url: string, pouring: Pouring): Promise<Poured | Failure>;
  /** Every address of a name. */
  resolve(host: string): Promise<readonly string[] | Failure>;
  certificate(url: string): Promise<CertificateFacts | Failure>;
}

/** `host` is what a listener is bound to. */
export interface Listener {
  readonly host: string;
  readonly port: number;
}

export interface HashTrial {
  readonly isRight: boolean;
  /** Milliseconds of one argon2id hash, at best. */
  readonly argon2Ms: number;
}

export interface DirectoryFacts {
  /** false: it is not there yet; the rest is of the directory in which it will be made. */
  readonly exists: boolean;
  /** Why nothing can be written there; undefined: a file was written and removed. */
  readonly trouble: string | undefined;
  readonly mode: number;
  readonly freeBytes: number;
  readonly isTmpfs: boolean;
}

/** Of a directory that is only looked at. */
export interface RoomFacts {
  /** Why nothing can be written there; undefined: this process may. */
  readonly trouble: string | undefined;
  readonly freeBytes: number;
  /** That can still be made; undefined where the disk does not count them. */
  readonly freeFiles: number | undefined;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

export interface Machine {
  /** In a process of its own, so that a crash is an answer. */
  tryHashes(): Promise<HashTrial | Failure>;
  /** Binds there for a moment; why it cannot, by the system's code, such as `EADDRINUSE`. */
  bind(at: Listener): Promise<{ readonly ok: true } | { readonly ok: false; readonly code: string }>;
  /** Of all programs; undefined where the system does not tell. */
  listeners(): Promise<readonly Listener[] | undefined>;
  /** Of its interfaces. */
  addresses(): readonly string[];
  /** undefined where the system does not tell. */
  descriptorLimit(): number | undefined;
  /** Bytes that a control group grants; undefined: no limit, or none that is known. */
  memoryLimit(): number | undefined;
  directory(path: string): Promise<DirectoryFacts>;
  /** Of one that is not there yet that of where it will be made. Writes nothing. */
  room(path: string): RoomFacts;
  /** undefined: it is not there, or is in a directory into which this user may not look. */
  kindOf(path: string): 'file' | 'directory' | undefined;
  /** The mount at `path`, in or around it that never sees what replaces its source: a single file, or a `subPath` of Kubernetes. */
  frozenMount(path: string): string | undefined;
  /** The directory is swapped as a whole, by a link that Kubernetes keeps. */
  isSwapped(path: string): boolean;
  /** Milliseconds since 1970; undefined: it is not there. */
  changedAt(path: string): number | undefined;
}

export interface ReplicaFacts {
  readonly version: string;
  /** Of the policy in force, as `/readyz?verbose` shows it. */
  readonly revision: string;
  readonly kids: readonly string[];
  readonly publicUrl: string;
  readonly service: string;
}

export interface RedisFacts {
  readonly version: string;
  readonly evictionPolicy: string;
  /** undefined: the account may not ask. */
  readonly persists: boolean | undefined;
  /** Milliseconds there and back, the best of some. */
  readonly roundTripMs: number;
  /** Why a script cannot be run; undefined: one was. */
  readonly scriptTrouble: string | undefined;
  /** Milliseconds by which this machine's clock is ahead. */
  readonly skewMs: number;
  /** Those that were heard of within half a minute. */
  readonly replicas: readonly ReplicaFacts[];
}

export interface SigningKeyFacts {
  readonly kid: string;
  /** Milliseconds since 1970; undefined for a file that this program did not make. */
  readonly made: number | undefined;
  /** It waits to sign. */
  readonly isNext: boolean;
}
