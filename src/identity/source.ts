/** Where identities come from: what each source answers of credentials and of accounts, and how several are asked as one. */
import type { LoginSource, Outside, Policy, Principal, RobotToken } from '../policy/model.ts';
import type { Session, SessionOutside, SessionReach } from '../ports.ts';
import { clockLeewaySeconds } from '../token/access-token.ts';
import type { Held } from './login-delays.ts';
import type { EpochMs, EpochSeconds } from '../time.ts';

export type AuthenticationMethod = 'password' | 'session' | 'robot-token' | 'personal-token' | 'workload' | 'oidc';

/** Who says to be whom. */
export interface Presented {
  readonly account: string;
  readonly password: string;
  readonly address: string | undefined;
  readonly userAgent?: string | undefined;
  /** See `LoginTry`. */
  readonly isExcused?: boolean;
}

/** The log tells them apart; the client learns only of a `secret_malformed`, whose copy is bad whatever it once was. */
export type AuthenticationRefusal =
  | 'account_unknown'
  | 'account_disabled'
  /** The policy files, or an earlier source, have given the name to somebody else. */
  | 'account_conflict'
  /** The policy names more groups of one person than a token holds, and none may be left out: denials may hang on it. */
  | 'groups_too_many'
  /** Their last login by the browser is too long ago. */
  | 'login_needed'
  | 'password_wrong'
  | 'password_missing'
  | 'password_too_long'
  | 'hashing_busy'
  | 'secret_malformed'
  | 'secret_misplaced'
  | 'secret_unknown'
  | 'secret_expired'
  /** With all that its person had: by a new password, or with the account. */
  | 'secret_ended';

/** Why the ID token of a CI job was not taken. */
export type IdTokenRefusal =
  /** Nothing of it is proved: the client is told the same in every case. */
  | {
      readonly reason: 'id_token_too_long' | 'id_token_invalid' | 'key_unknown' | 'issuer_wrong' | 'workload_unknown';
      /** For operators. */
      readonly detail: string;
    }
  /** The rest are told to whoever has a token of the issuer. */
  | { readonly reason: 'audience_wrong'; readonly given: readonly string[]; readonly wanted: readonly string[] }
  | { readonly reason: 'claim_wrong'; readonly workload: string; readonly claim: string; readonly given: unknown }
  | { readonly reason: 'workload_ambiguous'; readonly workloads: readonly string[] }
  | { readonly reason: 'no_workload_matches' }
  /** `goodSeconds`: for how long after it was issued it was good. */
  | {
      readonly reason: 'id_token_expired';
      readonly workload: string;
      readonly goodSeconds: number;
      readonly hasLifetime: boolean;
    }
  | { readonly reason: 'id_token_early'; readonly workload: string };

/** The server that knows cannot be asked: nothing is known about the credentials. */
export interface SourceUnavailable {
  readonly reason: 'source_unavailable';
  /** For operators. */
  readonly detail: string;
}

/** By what a workload was known: who vouched for it, what the policy names of its claims, and where it does. */
export interface Evidence {
  readonly issuer: string;
  readonly claims: Readonly<Record<string, string>>;
  /** `file:line`. */
  readonly source: string;
}

/** An account as its source knows it now. */
export interface Standing {
  /** In the groups that the source gives. undefined: the account is closed, and nothing that was issued to it counts. */
  readonly principal: Principal | undefined;
  /** What was issued before counts no longer. 0: no such instant. */
  readonly validFrom: EpochMs;
  /**
   * What the source stores of the password or secret, '' where the account has none: what is issued is marked with it and
   * ends with it. undefined: the secret was taken away, or has expired.
   */
  readonly mark: string | undefined;
  /** The robot's secret, which bounds what is reached with it. */
  readonly robotToken?: RobotToken | undefined;
  /** What a source outside the policy files said of the person. */
  readonly outside?: Outside | undefined;
}

/** The access token that a person made and shows: it bounds all that is reached with it, and what is issued for it. */
export interface OwnToken {
  /** Of its session in the store. */
  readonly id: string;
  readonly created: EpochMs;
  readonly reach: SessionReach;
}

/** Somebody who has proved who they are, and what that stands on. */
export interface Login extends Standing {
  readonly principal: Principal;
  readonly mark: string;
  /** Nothing that is issued to it lives longer. */
  readonly endsAt?: EpochSeconds | undefined;
  readonly evidence?: Evidence | undefined;
  /** When the source said what is known of somebody outside the policy files. */
  readonly lookedUp?: EpochMs | undefined;
  readonly ownToken?: OwnToken | undefined;
}

export type Authentication =
  | { readonly ok: true; readonly login: Login }
  | { readonly ok: false; readonly reason: AuthenticationRefusal; readonly detail?: string }
  | ({ readonly ok: false; readonly reason: 'login_held' } & Held)
  | { readonly ok: false; readonly reason: 'id_token_refused'; readonly refused: IdTokenRefusal }
  | ({ readonly ok: false } & SourceUnavailable);

type Refusal = Extract<Authentication, { readonly ok: false }>;

/** To whom something was issued; `secretId` where the account has several secrets, and it was for one of them. */
export interface Issued {
  readonly account: string;
  readonly secretId: string | undefined;
  /** Of a person outside the policy files, as the source told it then. */
  readonly outside?: Outside | undefined;
}

/** What becomes of a session whose person the source was asked about again, or who was asked about not long ago. */
export type Renewal =
  | {
      readonly ok: true;
      readonly outside: SessionOutside;
      /** What is issued now lives no longer. */
      readonly endsAt?: EpochSeconds | undefined;
    }
  /**
   * `session_account_gone`: not there now; `session_ended`: the name is somebody else's, or the password another one;
   * `login_needed`: it goes on after their next login by the browser.
   */
  | {
      readonly ok: false;
      readonly reason: 'session_account_gone' | 'session_ended' | 'login_needed';
      readonly detail?: string;
    }
  | ({ readonly ok: false } & SourceUnavailable);

/** One kind of accounts. What the policy files say of them is read here and nowhere else on the way of a request. */
export interface IdentitySource {
  /** By what its accounts prove who they are. */
  readonly method: AuthenticationMethod;
  /** Of people outside the policy files; absent: of accounts that these declare. */
  readonly login?: LoginSource;
  /** undefined: such credentials are another source's. */
  authenticate(
    policy: Policy,
    presented: Presented,
    now: EpochMs,
  ): Promise<Authentication> | Authentication | undefined;
  /**
   * From memory, without a round trip. undefined: this source never issued that, or no longer knows the account. Asked only
   * about what the source of this `login` issued.
   */
  standing(policy: Policy, issued: Issued, now: EpochMs): Standing | undefined;
  /** Whether the name is its own whatever the password, so that no source behind it gives it to anybody. From memory. */
  owns?(account: string): boolean;
  /** As `owns`, of a source that has to ask for it. Never rejects. */
  knows?(account: string): Promise<boolean | SourceUnavailable>;
  /** Asks about the person of one of its sessions again, where that was long ago. Never rejects. */
  renew?(policy: Policy, session: Session & { readonly outside: SessionOutside }, now: EpochMs): Promise<Renewal>;
}

/** The first source that takes the credentials answers; by which method, if any did. */
export async function authenticate(
  sources: readonly IdentitySource[],
  policy: Policy,
  presented: Presented,
  now: EpochMs,
): Promise<{ readonly result: Authentication; readonly method?: AuthenticationMethod | undefined }> {
  for (const [at, source] of sources.entries()) {
    const answer = source.authenticate(policy, presented, now);
    if (answer === undefined) continue;
    const found = await answer;
    const result = source.login === undefined ? found : withOwnName(sources.slice(0, at), found);
    return { result, method: source.method };
  }
  return { result: { ok: false, reason: 'account_unknown' } };
}

/** A directory may spell a name otherwise than it was asked: as that of somebody whom an earlier source knows. */
function withOwnName(earlier: readonly IdentitySource[], found: Authentication): Authentication {
  if (!found.ok || found.login.principal.kind === 'anonymous') return found;
  const { name } = found.login.principal;
  const owner = earlier.find((source) => source.owns?.(name) === true)?.login;
  return owner === undefined ? found : takenBy(owner, name);
}

function takenBy(owner: LoginSource | undefined, name: string): Refusal {
  return { ok: false, reason: 'account_conflict', detail: `"${name}" is a name of the login source ${owner}` };
}

/** Why a name that a source behind these has just heard of is not that of its person; undefined when none of them has it. */
export async function isTakenEarlier(earlier: readonly IdentitySource[], name: string): Promise<Refusal | undefined> {
  for (const source of earlier) {
    const found = source.owns?.(name) === true || (await source.knows?.(name));
    if (found === true) return takenBy(source.login, name);
    // Unknown is not free.
    if (typeof found === 'object') return { ok: false, ...found };
  }
  return undefined;
}

/** The source that issued it answers, unless an earlier one has the name now. */
export function standingOf(
  sources: readonly IdentitySource[],
  policy: Policy,
  issued: Issued,
  now: EpochMs,
): Standing | undefined {
  const login = issued.outside?.source;
  for (const source of sources) {
    if (source.login === login) {
      const found = source.standing(policy, issued, now);
      if (found !== undefined) return found;
    } else if (login !== undefined && source.owns?.(issued.account) === true)
      return { principal: undefined, validFrom: Infinity, mark: undefined };
  }
  return undefined;
}

/** Asks the source of a session about its person again; nothing is asked about accounts of the policy files. */
export function renew(
  sources: readonly IdentitySource[],
  policy: Policy,
  session: Session,
  now: EpochMs,
): Promise<Renewal> | undefined {
  const { outside } = session;
  if (outside === undefined) return undefined;
  return sources.find(({ login }) => login === outside.source)?.renew?.(policy, { ...session, outside }, now);
}

/** Whether whatever were issued now would count no longer; clocks may differ a little. */
export function isYetToCome({ validFrom = 0 }: { readonly validFrom?: EpochMs | undefined }, now: EpochMs): boolean {
  return validFrom > now + clockLeewaySeconds * 1000;
}
