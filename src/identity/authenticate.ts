/** Account name and password -> who is asking, or why not. */
import { maxPasswordLength } from '../distribution/credentials.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Policy, Principal, RobotToken } from '../policy/model.ts';
import { namePattern } from '../policy/model.ts';
import { principalOf } from '../policy/principal.ts';
import type { Clock, PolicySource } from '../ports.ts';
import { clockLeewaySeconds } from '../token/access-token.ts';
import { looksCarried, parseSecret } from './carried-secret.ts';
import type { Held } from './login-delays.ts';
import type { LoginGuard } from './login-guard.ts';
import type { Passwords } from './password.ts';
import { authenticateRobot } from './robot-secret.ts';
import type { VerifiedPasswords } from './verified-passwords.ts';

export type AuthenticationMethod = 'password' | 'session' | 'robot-token' | 'workload';

export type Authentication =
  | {
      readonly ok: true;
      readonly principal: Principal;
      readonly method: AuthenticationMethod;
      /** The robot's secret, which bounds what the login reaches. */
      readonly robotToken?: RobotToken;
    }
  | { readonly ok: false; readonly reason: AuthenticationRefusal; readonly detail?: string }
  | ({ readonly ok: false; readonly reason: 'login_held' } & Held);

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

export interface AuthenticationParts {
  readonly passwords: Passwords;
  readonly verified: VerifiedPasswords;
  readonly guard: LoginGuard;
}

/**
 * Same work whether or not the account exists, also when failed logins hold it back. `now` in milliseconds.
 * A disabled account is told apart only after its password was right.
 */
export async function authenticate(
  { passwords, verified, guard }: AuthenticationParts,
  { policy }: CompiledPolicy,
  { account, password, address, isExcused = false }: Presented,
  now: number,
): Promise<Authentication> {
  if (looksCarried(password)) return authenticateSecret(policy, account, password, now);
  if (password === '') return { ok: false, reason: 'password_missing' };
  if (Buffer.byteLength(password) > maxPasswordLength) return { ok: false, reason: 'password_too_long' };
  const user = namePattern.test(account) ? policy.users.get(account) : undefined;
  const hash = user?.password;
  const isRemembered = hash !== undefined && verified.has(account, password, hash.text, now);
  const storedHash = hash?.text ?? '';
  const outcome = isRemembered
    ? 'match'
    : await guard.attempt({ account, password, storedHash, address, isExcused }, () =>
        passwords.verify(policy, hash, password),
      );
  if (typeof outcome === 'object') return { ok: false, reason: 'login_held', ...outcome };
  if (outcome === 'busy') return { ok: false, reason: 'hashing_busy' };
  if (user === undefined || hash === undefined) return { ok: false, reason: 'account_unknown' };
  if (outcome === 'mismatch') return { ok: false, reason: 'password_wrong' };
  if (user.disabled || isYetToCome(user, now)) return { ok: false, reason: 'account_disabled' };
  if (!isRemembered) verified.add(account, password, hash.text, now);
  return { ok: true, principal: principalOf('user', user), method: 'password' };
}

/**
 * `authenticate` against the policy that is in force when it answers: hashing waits for its turn, and meanwhile a password
 * may have been changed or an account closed.
 */
export async function authenticateNow(
  parts: AuthenticationParts,
  policies: PolicySource,
  presented: Presented,
  clock: Clock,
): Promise<{ readonly result: Authentication; readonly policy: CompiledPolicy }> {
  for (;;) {
    const policy = policies.current();
    const result = await authenticate(parts, policy, presented, clock());
    if (!result.ok || policy === policies.current()) return { result, policy };
  }
}

/** Whether whatever were issued now would count no longer; clocks may differ a little. */
function isYetToCome({ validFrom = 0 }: { readonly validFrom?: number }, now: number): boolean {
  return validFrom > now + clockLeewaySeconds * 1000;
}

/** Secrets have 178 random bits: nothing is hashed slowly, and time tells nothing. */
function authenticateSecret(policy: Policy, account: string, text: string, now: number): Authentication {
  const secret = parseSecret(text);
  if ('problem' in secret) return { ok: false, reason: 'secret_malformed', detail: secret.problem };
  // A refresh token is good at the token endpoint only.
  if (secret.kind === 'session') return { ok: false, reason: 'secret_misplaced' };
  const login = authenticateRobot(policy, account, secret.text, now);
  if (!login.ok) return login;
  if (isYetToCome(login.robot, now)) return { ok: false, reason: 'account_disabled' };
  const principal = principalOf('robot', login.robot);
  return { ok: true, principal, method: 'robot-token', robotToken: login.token };
}
