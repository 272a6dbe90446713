/** A robot's secret -> the robot and how far this secret reaches. */
import type { Policy, Robot, RobotToken } from '../policy/model.ts';
import { isExpired } from '../policy/secret-reach.ts';
import { secretHash } from './carried-secret.ts';

export interface RobotLogin {
  readonly robot: Robot;
  readonly token: RobotToken;
}

export type RobotAuthentication =
  | ({ readonly ok: true } & RobotLogin)
  | { readonly ok: false; readonly reason: 'secret_unknown' | 'secret_expired' | 'account_disabled' };

/** By hash; looked up in a map, since a hash of 178 random bits can be compared without care for time. `now` in milliseconds. */
export function authenticateRobot(policy: Policy, account: string, secret: string, now: number): RobotAuthentication {
  const login = bySecret(policy).get(secretHash(secret));
  if (login === undefined || login.robot.name !== account) return { ok: false, reason: 'secret_unknown' };
  if (login.robot.disabled) return { ok: false, reason: 'account_disabled' };
  return isExpired(login.token, now) ? { ok: false, reason: 'secret_expired' } : { ok: true, ...login };
}

/** The secret that an access token was issued for, while it still counts; undefined once it was taken out of the policy. */
export function liveRobotToken(policy: Policy, account: string, tokenId: string, now: number): RobotToken | undefined {
  const robot = policy.robots.get(account);
  const token = robot?.disabled === false ? robot.tokens.find(({ id }) => id === tokenId) : undefined;
  return token === undefined || isExpired(token, now) ? undefined : token;
}

const indexes = new WeakMap<Policy, ReadonlyMap<string, RobotLogin>>();

/** Built at the first robot login after a reload. */
function bySecret(policy: Policy): ReadonlyMap<string, RobotLogin> {
  const known = indexes.get(policy);
  if (known !== undefined) return known;
  const index = new Map<string, RobotLogin>();
  for (const robot of policy.robots.values()) {
    for (const token of robot.tokens) index.set(token.sha256, { robot, token });
  }
  indexes.set(policy, index);
  return index;
}
