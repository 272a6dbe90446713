/** Where identities come from: what each source answers of credentials and of accounts, and how several are asked as one. */
import type { Policy, Principal, RobotToken } from '../policy/model.ts';
import { clockLeewaySeconds } from '../token/access-token.ts';
import type { Held } from './login-delays.ts';
import type { EpochMs } from '../time.ts';

export type AuthenticationMethod = 'password' | 'session' | 'robot-token' | 'workload';

/** Who says to be whom. */
export interface Presented {
  readonly account: string;
  readonly password: string;
  readonly address: string | undefined;
  /** See `LoginTry`. */
  readonly isExcused?: boolean;
}

/** The log tells them apart; the client learns only of a `secret_malformed`, whose copy is bad whatever it once was. */
export type AuthenticationRefusal =
  | 'account_unknown'
  | 'account_disabled'
  | 'password_wrong'
  | 'password_missing'
  | 'password_too_long'
  | 'hashing_busy'
  | 'secret_malformed'
  | 'secret_misplaced'
  | 'secret_unknown'
  | 'secret_expired';

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
}

/** Somebody who has proved who they are, and what that stands on. */
export interface Login extends Standing {
  readonly principal: Principal;
  readonly mark: string;
}

export type Authentication =
  | { readonly ok: true; readonly login: Login; readonly method: AuthenticationMethod }
  | { readonly ok: false; readonly reason: AuthenticationRefusal; readonly detail?: string }
  | ({ readonly ok: false; readonly reason: 'login_held' } & Held);

/** To whom something was issued; `secretId` where the account has several secrets, and it was for one of them. */
export interface Issued {
  readonly account: string;
  readonly secretId: string | undefined;
}

/** One kind of accounts. What the policy files say of them is read here and nowhere else on the way of a request. */
export interface IdentitySource {
  /** undefined: such credentials are another source's. */
  authenticate(
    policy: Policy,
    presented: Presented,
    now: EpochMs,
  ): Promise<Authentication> | Authentication | undefined;
  /** From memory, without a round trip. undefined: this source never issued that, or no longer knows the account. */
  standing(policy: Policy, issued: Issued, now: EpochMs): Standing | undefined;
}

/** The first source that takes the credentials answers. */
export function authenticate(
  sources: readonly IdentitySource[],
  policy: Policy,
  presented: Presented,
  now: EpochMs,
): Promise<Authentication> | Authentication {
  for (const source of sources) {
    const answer = source.authenticate(policy, presented, now);
    if (answer !== undefined) return answer;
  }
  return { ok: false, reason: 'account_unknown' };
}

/** The first source that knows the account answers. */
export function standingOf(
  sources: readonly IdentitySource[],
  policy: Policy,
  issued: Issued,
  now: EpochMs,
): Standing | undefined {
  for (const source of sources) {
    const found = source.standing(policy, issued, now);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether whatever were issued now would count no longer; clocks may differ a little. */
export function isYetToCome({ validFrom = 0 }: { readonly validFrom?: EpochMs | undefined }, now: EpochMs): boolean {
  return validFrom > now + clockLeewaySeconds * 1000;
}
