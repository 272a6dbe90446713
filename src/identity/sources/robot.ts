/** Robots of the policy files. Their secrets have 178 random bits: nothing is hashed slowly, and time tells nothing. */
import type { Policy, Robot, RobotToken } from '../../policy/model.ts';
import { principalOf } from '../../policy/principal.ts';
import { isExpired } from '../../policy/secret-reach.ts';
import { looksCarried, parseSecret, secretHash } from '../carried-secret.ts';
import { type IdentitySource, type Login, isYetToCome } from '../source.ts';

/**
 * Takes what looks like a secret of ours, whatever the account, so that none is ever compared with a password. `hasNext`: the
 * source that comes behind takes them, too, those that the policy files do not know.
 */
export const createRobotSource = ({ hasNext }: { readonly hasNext: boolean }): IdentitySource => ({
  method: 'robot-token',
  authenticate(policy, { account, password }, now) {
    if (!looksCarried(password)) return undefined;
    const secret = parseSecret(password);
    if ('problem' in secret) return { ok: false, reason: 'secret_malformed', detail: secret.problem };
    // A refresh token is good at the token endpoint only.
    if (secret.kind === 'session') return { ok: false, reason: 'secret_misplaced' };
    const found = bySecret(policy).get(secretHash(secret.text));
    if (found === undefined && hasNext) return undefined;
    if (found?.robot.name !== account) return { ok: false, reason: 'secret_unknown' };
    const { robot, token } = found;
    if (robot.disabled) return { ok: false, reason: 'account_disabled' };
    if (isExpired(token, now)) return { ok: false, reason: 'secret_expired' };
    if (isYetToCome(robot, now)) return { ok: false, reason: 'account_disabled' };
    return { ok: true, login: loginOf(robot, token) };
  },
  standing(policy, { account, secretId }, now) {
    const robot = secretId === undefined ? undefined : policy.robots.get(account);
    if (robot === undefined) return undefined;
    const { validFrom = 0 } = robot;
    if (robot.disabled) return { principal: undefined, validFrom, mark: undefined };
    const token = robot.tokens.find(({ id }) => id === secretId);
    const isLive = token !== undefined && !isExpired(token, now);
    return isLive ? loginOf(robot, token) : { principal: principalOf('robot', robot), validFrom, mark: undefined };
  },
});

function loginOf(robot: Robot, token: RobotToken): Login {
  const { validFrom = 0 } = robot;
  return { principal: principalOf('robot', robot), validFrom, mark: token.sha256, robotToken: token };
}

interface Secret {
  readonly robot: Robot;
  readonly token: RobotToken;
}

const indexes = new WeakMap<Policy, ReadonlyMap<string, Secret>>();

/** By hash, which can be compared without care for time; built at the first robot login after a reload. */
function bySecret(policy: Policy): ReadonlyMap<string, Secret> {
  const known = indexes.get(policy);
  if (known !== undefined) return known;
  const index = new Map<string, Secret>();
  for (const robot of policy.robots.values()) {
    for (const token of robot.tokens) index.set(token.sha256, { robot, token });
  }
  indexes.set(policy, index);
  return index;
}
