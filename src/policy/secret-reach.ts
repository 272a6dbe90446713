/** How far secrets reach, of robots and of people: what the rules give the account, within what each secret was made for. */
import { actionsOf, formatInstant, listed } from './describe.ts';
import type { PolicyByName } from './by-name.ts';
import type { CompiledPolicy, Decision, Question } from './evaluate.ts';
import { type GroupMember, type Named, type Reach, type Rights, type RobotToken, rightsOf } from './model.ts';
import { matchesRepository } from './pattern.ts';
import { type EpochMs, inMilliseconds } from '../time.ts';

/**
 * The policy as one secret sees it: every question asked of it is bounded, so no caller can forget to. None is
 * for administering.
 */
export function narrowPolicy<Who>(
  policy: CompiledPolicy<Who>,
  account: string,
  reach: Reach | undefined,
): CompiledPolicy<Who> {
  if (reach === undefined) return policy;
  const decide = (question: Question<Who>): Decision => {
    const { action, repository } = question;
    if (action === 'administer') return tooNarrow;
    if (action === 'push') {
      const creating = decide({ ...question, action: 'create' });
      return creating.allowed ? creating : decide({ ...question, action: 'overwrite' });
    }
    const decision = policy.decide(question);
    if (!decision.allowed) return decision;
    return reaches(reach, account, repository, askedOf(question)) ? decision : tooNarrow;
  };
  return {
    ...policy,
    decide,
    mayEverywhere(principal, action, circumstances) {
      const decision = policy.mayEverywhere(principal, action, circumstances);
      const isMeant =
        action !== 'administer' && (reach.rights === undefined || (reach.rights & rightsOf(action)) !== 0);
      const isWhole = isMeant && (reach.repositories?.some(({ text }) => text === '**') ?? true);
      return decision.allowed && !isWhole ? tooNarrow : decision;
    },
    mayListCatalog(principal, circumstances) {
      const decision = policy.mayListCatalog(principal, circumstances);
      const isAsked = reach.rights === undefined || (reach.rights & rightsOf('catalog')) !== 0;
      return decision.allowed && !isAsked ? tooNarrow : decision;
    },
  };
}

const tooNarrow: Decision = { allowed: false, reason: 'secret_narrow', rule: undefined, shadow: [] };

function askedOf({ action, readWhilePushing }: Pick<Question, 'action' | 'readWhilePushing'>): Rights {
  return rightsOf(action) | (action === 'pull' && readWhilePushing === true ? rightsOf('push') : 0);
}

function reaches(reach: Reach, account: string, repository: string, rights: Rights): boolean {
  if (reach.rights !== undefined && (reach.rights & rights) === 0) return false;
  const { repositories } = reach;
  return repositories === undefined || repositories.some((pattern) => matchesRepository(pattern, repository, account));
}

/** Whether the secret's time is over at `now`. */
export function isExpired({ expires }: RobotToken, now: EpochMs): boolean {
  return expires !== undefined && now >= inMilliseconds(expires);
}

/** What one secret comes to where the rules let its robot. */
export interface SecretReach {
  readonly token: RobotToken;
  readonly allowed: boolean;
  /** Of a push: only tags that do not exist yet, or only tags that do. */
  readonly only?: 'create' | 'overwrite' | undefined;
  /** Why not, beginning with the key in the file; absent where it reaches. */
  readonly why?: string;
}

/** One for each secret of the robot, in the order of the file; none for anybody else. */
export function secretsOf(
  compiled: PolicyByName,
  principal: Named | GroupMember,
  question: Omit<Question, 'principal'>,
): readonly SecretReach[] {
  if (principal.kind !== 'robot') return [];
  const { name } = principal;
  const tokens = compiled.policy.robots.get(name)?.tokens ?? [];
  return tokens.map((token): SecretReach => {
    const ask = narrowPolicy(compiled, name, token).decide;
    const asked = { ...question, principal, readWhilePushing: true } as const;
    if (isExpired(token, question.now)) {
      return { token, allowed: false, why: `expires: ${formatInstant(inMilliseconds(token.expires ?? 0))} is past` };
    }
    if (!ask(asked).allowed) return { token, allowed: false, why: narrowness(token, name, asked) };
    if (question.action !== 'push') return { token, allowed: true };
    return { token, allowed: true, only: onlyHalf((action) => ask({ ...asked, action }).allowed) };
  });
}

/** The half of pushing that is allowed alone; undefined where both are, or neither is. */
export function onlyHalf(isAllowed: (action: 'create' | 'overwrite') => boolean): 'create' | 'overwrite' | undefined {
  const [create, overwrite] = [isAllowed('create'), isAllowed('overwrite')];
  return create === overwrite ? undefined : create ? 'create' : 'overwrite';
}

/** Whether the robot can do at all what the rules let it: one without any secret is judged by the rules alone. */
export function isReached(secrets: readonly SecretReach[]): boolean {
  return secrets.length === 0 || secrets.some(({ allowed }) => allowed);
}

function narrowness(token: RobotToken, account: string, question: Omit<Question, 'principal'>): string {
  const { repositories = [], rights = 0 } = token;
  const asked = askedOf(question);
  if (!reaches({ ...token, rights: asked }, account, question.repository, asked)) {
    return `repositories: only ${listed(repositories.map(({ text }) => text))}`;
  }
  return reaches(token, account, question.repository, asked)
    ? 'the rules do not let it'
    : `actions: only ${listed(actionsOf(rights), 5)}`;
}

/** How far a secret reaches, in the words of a policy file: `pull, push in integration/**, until 2027-01-01T00:00:00Z`. */
export function describeSecret(token: RobotToken): string {
  const { expires } = token;
  return `${describeReach(token)}, ${expires === undefined ? 'for ever' : `until ${formatInstant(inMilliseconds(expires))}`}`;
}

/** `pull, push in integration/**`. */
export function describeReach({ rights, repositories }: Reach): string {
  const where = repositories === undefined ? '' : ` in ${listed(repositories.map(({ text }) => text))}`;
  return `${rights === undefined ? 'all that the rules give' : actionsOf(rights).join(', ')}${where}`;
}
