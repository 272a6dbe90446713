/** A robot's secret -> the robot and how far this secret reaches. */
import type { CompiledPolicy, Decision, Question } from '../policy/evaluate.ts';
import { type Policy, type Rights, type Robot, type RobotToken, rightsOf } from '../policy/model.ts';
import { matchesRepository } from '../policy/pattern.ts';
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

/**
 * The policy as one secret of a robot sees it: what the rules give the robot, within what the secret was made for.
 * Every question asked of the result is bounded, so that no caller can forget to.
 */
export function narrowPolicy(policy: CompiledPolicy, account: string, token: RobotToken | undefined): CompiledPolicy {
  if (token === undefined || (token.repositories === undefined && token.rights === undefined)) return policy;
  const decide = (question: Question): Decision => {
    const { action, repository } = question;
    if (action === 'push') {
      const creating = decide({ ...question, action: 'create' });
      return creating.allowed ? creating : decide({ ...question, action: 'overwrite' });
    }
    const decision = policy.decide(question);
    if (!decision.allowed) return decision;
    const pushes = rightsOf('push');
    const asked = rightsOf(action) | (action === 'pull' && question.readWhilePushing === true ? pushes : 0);
    return reaches(token, account, repository, asked) ? decision : tooNarrow;
  };
  return {
    ...policy,
    decide,
    mayListCatalog(principal, circumstances) {
      const decision = policy.mayListCatalog(principal, circumstances);
      const isAsked = token.rights === undefined || (token.rights & rightsOf('catalog')) !== 0;
      return decision.allowed && !isAsked ? tooNarrow : decision;
    },
  };
}

const tooNarrow: Decision = { allowed: false, reason: 'secret_narrow', rule: undefined, shadow: [] };

function reaches(token: RobotToken, account: string, repository: string, rights: Rights): boolean {
  if (token.rights !== undefined && (token.rights & rights) === 0) return false;
  const { repositories } = token;
  return repositories === undefined || repositories.some((pattern) => matchesRepository(pattern, repository, account));
}

export function isExpired({ expires }: RobotToken, now: number): boolean {
  return expires !== undefined && now >= expires * 1000;
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
