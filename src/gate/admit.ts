/**
 * The gate's decision on one registry request: admitted, challenged or denied. Knows nothing of HTTP.
 * A token bounds what it may be used for; the current policy decides, on every request.
 */
import { type Access, type Need, carries, challengeAccess, requiredAccess } from '../distribution/access.ts';
import type { Credentials } from '../distribution/credentials.ts';
import type { Mount, RegistryRoute, RouteProblem } from '../distribution/route.ts';
import type { CompiledPolicy, Decision } from '../policy/evaluate.ts';
import type { Principal } from '../policy/model.ts';
import type { Clock, PolicySource } from '../ports.ts';
import type { AccessTokens } from '../token/access-token.ts';
import {
  type AuthenticationMethod,
  type AuthenticationParts,
  type AuthenticationRefusal,
  authenticate,
  principalOf,
} from '../token/authenticate.ts';

/** Who asks, and how far the credentials reach: Basic reaches as far as the policy, a token only to its `access`. */
export interface Caller {
  readonly principal: Principal;
  readonly method: AuthenticationMethod | 'access-token' | undefined;
  readonly bound: readonly Access[] | undefined;
}

export type Admission =
  | {
      readonly kind: 'admitted';
      readonly route: RegistryRoute;
      readonly caller: Caller;
      readonly decision: Decision | undefined;
      readonly policy: CompiledPolicy;
    }
  | {
      readonly kind: 'challenged';
      readonly reason: ChallengeReason;
      readonly error?: 'invalid_token' | 'insufficient_scope';
      readonly access: readonly Access[];
      readonly caller?: Caller;
      readonly account?: string;
      readonly decision?: Decision;
    }
  | {
      readonly kind: 'denied';
      readonly caller: Caller;
      readonly need: DeniedNeed;
      readonly decision: Decision;
    }
  | { readonly kind: 'unusable'; readonly problem: RouteProblem; readonly caller: Caller }
  | { readonly kind: 'busy' };

export type ChallengeReason =
  | 'credentials_missing'
  | 'credentials_malformed'
  | 'token_invalid'
  | 'token_expired'
  | 'account_gone'
  | 'anonymous_refused'
  | 'scope_insufficient'
  | Exclude<AuthenticationRefusal, 'hashing_busy'>;

export interface DeniedNeed {
  readonly action: Need['action'] | 'catalog';
  readonly repository?: string;
  readonly tag?: string;
}

export interface AdmitParts extends AuthenticationParts {
  readonly tokens: AccessTokens;
  readonly policies: PolicySource;
  readonly clock: Clock;
}

export interface AdmitRequest {
  readonly parsed: { readonly route: RegistryRoute } | { readonly problem: RouteProblem };
  readonly credentials: Credentials;
  readonly address: string | undefined;
}

/** Problems of the route are told only to who has proved an identity, the same for everybody. */
export async function admit(parts: AdmitParts, { parsed, credentials, address }: AdmitRequest): Promise<Admission> {
  const policy = parts.policies.current();
  const now = parts.clock();
  const access = 'route' in parsed ? challengeAccess(requiredAccess(parsed.route)) : [];
  const identified = await identify(parts, policy, credentials, now);
  if (identified.kind === 'busy') return identified;
  if (identified.kind === 'refused') {
    const { reason, account } = identified;
    const isTokenProblem = reason === 'token_invalid' || reason === 'token_expired' || reason === 'account_gone';
    return {
      kind: 'challenged',
      reason,
      access,
      ...(isTokenProblem ? { error: 'invalid_token' } : {}),
      ...(account === undefined ? {} : { account }),
    };
  }
  const { caller } = identified;
  if ('problem' in parsed) return { kind: 'unusable', problem: parsed.problem, caller };
  return judge(policy, parsed.route, caller, { address, now });
}

type Identified =
  | { readonly kind: 'caller'; readonly caller: Caller }
  | { readonly kind: 'refused'; readonly reason: ChallengeReason; readonly account?: string }
  | { readonly kind: 'busy' };

async function identify(
  parts: AdmitParts,
  policy: CompiledPolicy,
  credentials: Credentials,
  now: number,
): Promise<Identified> {
  switch (credentials.kind) {
    // Without credentials always a challenge: docker takes a 200 here as "no login needed, ever".
    case 'none':
      return { kind: 'refused', reason: 'credentials_missing' };
    case 'malformed':
      return { kind: 'refused', reason: 'credentials_malformed' };
    case 'basic': {
      const { account, password } = credentials;
      const result = await authenticate(parts, policy, account, password, now);
      if (result.ok) {
        return { kind: 'caller', caller: { principal: result.principal, method: result.method, bound: undefined } };
      }
      if (result.reason === 'hashing_busy') return { kind: 'busy' };
      return { kind: 'refused', reason: result.reason, account };
    }
    case 'bearer': {
      const verified = await parts.tokens.verify(credentials.token, Math.floor(now / 1000));
      if (!verified.ok) return { kind: 'refused', reason: verified.reason };
      const { account, access } = verified.claims;
      const principal = principalOf(policy.policy, account);
      if (principal === undefined) return { kind: 'refused', reason: 'account_gone', account };
      return { kind: 'caller', caller: { principal, method: 'access-token', bound: access } };
    }
  }
}

interface When {
  readonly address: string | undefined;
  readonly now: number;
}

function judge(policy: CompiledPolicy, route: RegistryRoute, caller: Caller, when: When): Admission {
  const requirement = requiredAccess(route);
  const access = challengeAccess(requirement);
  switch (requirement.kind) {
    case 'login':
      return { kind: 'admitted', route, caller, decision: undefined, policy };
    case 'catalog': {
      const decision = policy.mayListCatalog(caller.principal, when);
      if (!decision.allowed) return refused(caller, { action: 'catalog' }, decision, access);
      if (!reaches(caller, 'registry', 'catalog', '*')) return insufficient(caller, access);
      return { kind: 'admitted', route, caller, decision, policy };
    }
    case 'repository': {
      let decision: Decision | undefined;
      for (const need of requirement.needs) {
        decision = decideNeed(policy, caller.principal, need, when);
        if (!decision.allowed) return refused(caller, need, decision, access);
      }
      const [{ repository, action }] = requirement.needs;
      // A token for pushing is enough to read while pushing, as the rule that granted it is.
      const viaPush = requirement.needs[0].readWhilePushing && reaches(caller, 'repository', repository, 'push');
      if (!viaPush && !reaches(caller, 'repository', repository, action)) return insufficient(caller, access);
      if (route.kind !== 'upload-start' || route.mount === undefined) {
        return { kind: 'admitted', route, caller, decision, policy };
      }
      return judgeMount(policy, route, route.mount, caller, decision, access, when);
    }
  }
}

function decideNeed(policy: CompiledPolicy, principal: Principal, need: Need, when: When): Decision {
  const { repository, action, tag, readWhilePushing } = need;
  return policy.decide({ ...when, principal, action, repository, tag, readWhilePushing });
}

/**
 * A mount reads its source. When the policy gives no `pull` there, the request quietly becomes an ordinary upload: a
 * refusal would end containerd's push and tell whether the blob exists. A token that is merely too narrow is challenged.
 */
function judgeMount(
  policy: CompiledPolicy,
  route: RegistryRoute & { readonly kind: 'upload-start' },
  mount: Mount,
  caller: Caller,
  decision: Decision | undefined,
  access: readonly Access[],
  when: When,
): Admission {
  const { principal } = caller;
  const source = policy.decide({ ...when, principal, action: 'pull', repository: mount.from, readWhilePushing: true });
  if (!source.allowed) {
    const plain: RegistryRoute = { kind: 'upload-start', repository: route.repository };
    return { kind: 'admitted', route: plain, caller, decision, policy };
  }
  const readable =
    reaches(caller, 'repository', mount.from, 'pull') || reaches(caller, 'repository', mount.from, 'push');
  if (!readable) {
    return insufficient(caller, [...access, { type: 'repository', name: mount.from, actions: ['pull'] }]);
  }
  return { kind: 'admitted', route, caller, decision, policy };
}

function reaches(caller: Caller, type: Access['type'], name: string, action: Access['actions'][number]): boolean {
  return caller.bound === undefined || carries(caller.bound, type, name, action);
}

/** To an anonymous caller a challenge, since logging in may help; to anybody else the final word. */
function refused(caller: Caller, need: DeniedNeed, decision: Decision, access: readonly Access[]): Admission {
  if (caller.principal.kind !== 'anonymous') return { kind: 'denied', caller, need, decision };
  return { kind: 'challenged', reason: 'anonymous_refused', error: 'insufficient_scope', access, caller, decision };
}

function insufficient(caller: Caller, access: readonly Access[]): Admission {
  return { kind: 'challenged', reason: 'scope_insufficient', error: 'insufficient_scope', access, caller };
}

/** The one line that a refused client reads: who it is taken for, what was asked, and why (contract section 4). */
export function refusalSentence(caller: Caller, need: DeniedNeed, decision: Decision): string {
  const who = 'name' in caller.principal ? `${caller.principal.kind} "${caller.principal.name}"` : 'anonymous';
  const what =
    need.action === 'catalog'
      ? 'list the catalog'
      : `${need.action} ${need.repository ?? ''}${need.tag === undefined ? '' : `:${need.tag}`}`;
  const why = decision.reason === 'rule_denies' ? 'a rule forbids it' : 'no rule allows it';
  const sentence = `${who} may not ${what}: ${why}`;
  return sentence.length <= 200 ? sentence : `${who.slice(0, 60)} may not ${need.action} there: ${why}`;
}
