/** Directories of people outside the policy files. What they say is theirs; which of their groups count, policy files say. */
import type { EpochMs } from '../time.ts';

/** Somebody as a directory knows them. */
export interface Person {
  /** As the directory spells it, whatever case was asked with; of several names always the same one. */
  readonly account: string;
  /** Never given to anybody else (entryUUID, objectGUID): another value under the same name is another person. */
  readonly id: string;
  /** Where the entry is, for operators. */
  readonly place: string;
  /** By the directory's own names. */
  readonly groups: readonly string[];
  /** When the password was last set, where that can be read. */
  readonly passwordChanged?: EpochMs | undefined;
}

/** Nobody can be asked, or not in time. `detail` for operators, without secrets. */
export interface DirectoryUnavailable {
  readonly ok: false;
  readonly reason: 'unavailable';
  readonly detail: string;
  /** Only this person: others can be asked about. */
  readonly isTheirs?: boolean;
}

/** `ambiguous`: several entries have the name. `disabled`: closed, locked or expired there, whatever the password. */
export type PersonRefused = {
  readonly ok: false;
  readonly reason: 'unknown' | 'ambiguous' | 'disabled';
  readonly detail: string;
};

export type PersonLogin =
  | { readonly ok: true; readonly person: Person }
  | PersonRefused
  | { readonly ok: false; readonly reason: 'password_wrong'; readonly detail: string }
  | DirectoryUnavailable;

export type PersonFound = { readonly ok: true; readonly person: Person } | PersonRefused | DirectoryUnavailable;

/** None of its calls rejects, and none takes longer than about ten seconds. */
export interface Directory {
  /** Whether this is the person's password; an empty one is wrong without anybody being asked (RFC 4513, section 5.1.2). */
  logIn(account: string, password: string): Promise<PersonLogin>;
  /** What is known of the person now, without their password. */
  look(account: string): Promise<PersonFound>;
  /** As of the last call, or of a look at it from time to time. */
  health(): { readonly ok: boolean; readonly detail: string };
  close(): Promise<void>;
}
