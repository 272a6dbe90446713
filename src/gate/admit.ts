/**
 * The gate's decision on one registry request: admitted, challenged or denied. Knows nothing of HTTP.
 * A token bounds what it may be used for; the current policy decides, on every request.
 */
import { type Access, type Need, carries, challengeAccess, requiredAccess } from '../distribution/access.ts';
import type { Credentials } from '../distribution/credentials.ts';
import { type Mount, type RegistryRoute, type RouteProblem, ordinaryUpload } from '../distribution/route.ts';
import { formatMoment } from '../policy/describe.ts';
import type { CompiledPolicy, Decision } from '../policy/evaluate.ts';
import type { Principal } from '../policy/model.ts';
import type { Clock } from '../ports.ts';
import type { Caller, Identity, RefusalOf, Showing } from '../identity/identify.ts';
import type { IdTokenRefusal } from '../identity/source.ts';
import type { Held } from '../identity/login-delays.ts';
import type { UploadTickets } from '../sealed/upload-ticket.ts';
import { type EpochMs, type EpochSeconds, inSeconds } from '../time.ts';

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
      /** For the client: what is wrong with its copy of a secret. */
      readonly detail?: string | undefined;
      readonly decision?: Decision;
    }
  | {
      readonly kind: 'denied';
      readonly caller: Caller;
      readonly need: DeniedNeed;
      readonly decision: Decision;
    }
  | { readonly kind: 'unusable'; readonly problem: RouteProblem; readonly caller: Caller }
  /** More logins than can be hashed. `isUpload`: in the middle of an upload. */
  | { readonly kind: 'busy'; readonly isUpload: boolean }
  /** Whoever knows the account cannot be asked. */
  | { readonly kind: 'unavailable'; readonly account: string; readonly detail: string }
  /** The ID token of a CI job was not taken. */
  | {
      readonly kind: 'id-token';
      readonly access: readonly Access[];
      readonly account: string;
      readonly refused: IdTokenRefusal;
    }
  /** Too many failed logins. */
  | ({ readonly kind: 'held'; readonly account: string } & Held);

export type Admitted = Extract<Admission, { kind: 'admitted' }>;
export type Refused = Exclude<Admission, { kind: 'admitted' }>;

export type ChallengeReason =
  | Exclude<RefusalOf<Credentials>['reason'], 'hashing_busy' | 'login_held' | 'id_token_refused' | 'source_unavailable'>
  | 'anonymous_refused'
  | 'scope_insufficient';

export interface DeniedNeed {
  readonly action: Need['action'] | 'create' | 'overwrite' | 'catalog' | 'promote';
  /** A manifest to delete that no tag leads to, or none that may be deleted. */
  readonly untagged?: true;
  readonly repository?: string;
  readonly tag?: string | undefined;
}

export interface AdmitParts {
  readonly identity: Pick<Identity, 'identify' | 'again'>;
  readonly tickets: UploadTickets;
  readonly clock: Clock;
  /** Runs each decision, and may time it. */
  readonly timed?: Timed | undefined;
}

export type Timed = <Result>(run: () => Result) => Result;
const untimed: Timed = (run) => run();

export interface AdmitRequest {
  readonly parsed: { readonly route: RegistryRoute } | { readonly problem: RouteProblem };
  readonly credentials: Credentials;
  readonly address: string | undefined;
}

/** Problems of the route are told only to who has proved an identity, the same for everybody. */
export async function admit(parts: AdmitParts, { parsed, credentials, address }: AdmitRequest): Promise<Admission> {
  const route = 'route' in parsed ? parsed.route : undefined;
  // Whoever opened this upload goes on with it: no failed login elsewhere stops it in the middle, and no token that expired.
  const continues: Showing['continues'] = (account, bySeconds) => opensUpload(parts.tickets, route, account, bySeconds);
  // Without credentials always a challenge: docker takes a 200 here as "no login needed, ever".
  const identified = await parts.identity.identify(credentials, { address, continues });
  if (identified.kind === 'refused') {
    const isUpload = (account: string): boolean => continues(account, inSeconds(parts.clock()));
    return unidentified(identified.refusal, route === undefined ? [] : challengeAccess(route), isUpload);
  }
  const { caller, policy } = identified;
  if ('problem' in parsed) return { kind: 'unusable', problem: parsed.problem, caller };
  const { timed = untimed, clock } = parts;
  return timed(() => judge(policy, parsed.route, caller, { address, now: clock() }));
}

/** What becomes of a request whose credentials do not hold. `isUpload`: whether it goes on with an upload of this account. */
export function unidentified(
  refusal: RefusalOf<Credentials>,
  access: readonly Access[],
  isUpload: (account: string) => boolean = () => false,
): Refused {
  switch (refusal.reason) {
    case 'login_held':
      return { kind: 'held', account: refusal.account, by: refusal.by, waitMs: refusal.waitMs };
    case 'hashing_busy':
      return { kind: 'busy', isUpload: isUpload(refusal.account) };
    case 'source_unavailable':
      return { kind: 'unavailable', account: refusal.account, detail: refusal.detail };
    case 'id_token_refused':
      return { kind: 'id-token', access, account: refusal.account, refused: refusal.refused };
    default:
      return { kind: 'challenged', access, ...refusal, ...(isTokenProblem(refusal) ? { error: 'invalid_token' } : {}) };
  }
}

/**
 * The decision once more at a later moment of the same request, for what changes something only after its body has come:
 * a client decides how long that takes, and meanwhile its login may be revoked and the policy be another one.
 */
export function admitAgain(
  parts: AdmitParts,
  route: RegistryRoute,
  caller: Caller,
  address: string | undefined,
): Admission {
  const identified = parts.identity.again(caller);
  if (identified.kind === 'refused') {
    return { kind: 'challenged', access: challengeAccess(route), ...identified.refusal, error: 'invalid_token' };
  }
  const { timed = untimed, clock } = parts;
  return timed(() => judge(identified.policy, route, identified.caller, { address, now: clock() }));
}

/** What a client mends by fetching a new token; without `error="invalid_token"` containerd keeps the old one. */
function isTokenProblem({ reason }: { readonly reason: ChallengeReason }): boolean {
  return ['token_invalid', 'token_expired', 'token_revoked', 'account_gone'].includes(reason);
}

/** Whether the route is a step of an upload and carries the ticket of the account that opened it. */
function opensUpload(
  tickets: UploadTickets,
  route: RegistryRoute | undefined,
  account: string,
  nowSeconds: EpochSeconds,
): boolean {
  if (route === undefined || !('id' in route) || route.ticket === undefined) return false;
  return tickets.opens(route.ticket, { repository: route.repository, uploadId: route.id, account }, nowSeconds);
}

interface When {
  readonly address: string | undefined;
  readonly now: EpochMs;
}

function judge(policy: CompiledPolicy, route: RegistryRoute, caller: Caller, when: When): Admission {
  const requirement = requiredAccess(route);
  switch (requirement.kind) {
    case 'login':
      return { kind: 'admitted', route, caller, decision: undefined, policy };
    case 'catalog': {
      const decision = policy.mayListCatalog(caller.principal, when);
      if (!decision.allowed) return refused(caller, { action: 'catalog' }, decision, challengeAccess(route));
      if (!reaches(caller, 'registry', 'catalog', '*')) return insufficient(caller, route);
      return { kind: 'admitted', route, caller, decision, policy };
    }
    case 'repository': {
      let decision: Decision | undefined;
      for (const need of requirement.needs) {
        decision = decideNeed(policy, caller.principal, need, when);
        if (!decision.allowed) return refused(caller, need, decision, challengeAccess(route));
      }
      const [{ repository, action }] = requirement.needs;
      // A token for pushing is enough to read while pushing, as the rule that granted it is.
      const viaPush = requirement.needs[0].readWhilePushing && reaches(caller, 'repository', repository, 'push');
      if (!viaPush && !reaches(caller, 'repository', repository, action)) return insufficient(caller, route);
      if (route.kind !== 'upload-start' || route.mount === undefined) {
        return { kind: 'admitted', route, caller, decision, policy };
      }
      return judgeMount(policy, route, route.mount, caller, decision, when);
    }
  }
}

function decideNeed(policy: CompiledPolicy, principal: Principal, need: Need, when: When): Decision {
  const { repository, action, tag, readWhilePushing, byDigest } = need;
  // Which of its tags allow it is decided when they are known.
  const deletes = byDigest ? 'something' : 'layer';
  const { address, now } = when;
  return policy.decide({ address, now, principal, action, repository, tag, readWhilePushing, deletes });
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
  when: When,
): Admission {
  const { principal } = caller;
  const source = policy.decide({ ...when, principal, action: 'pull', repository: mount.from, readWhilePushing: true });
  if (!source.allowed) {
    return { kind: 'admitted', route: ordinaryUpload(route), caller, decision, policy };
  }
  const readable =
    reaches(caller, 'repository', mount.from, 'pull') || reaches(caller, 'repository', mount.from, 'push');
  if (!readable) return insufficient(caller, route);
  return { kind: 'admitted', route, caller, decision, policy };
}

function reaches(caller: Caller, type: Access['type'], name: string, action: Access['actions'][number]): boolean {
  return caller.bound === undefined || carries(caller.bound, type, name, action);
}

/** To an anonymous caller a challenge, since logging in may help; to anybody else the final word. */
export function refused(caller: Caller, need: DeniedNeed, decision: Decision, access: readonly Access[]): Refused {
  if (caller.principal.kind !== 'anonymous') return { kind: 'denied', caller, need, decision };
  return { kind: 'challenged', reason: 'anonymous_refused', error: 'insufficient_scope', access, caller, decision };
}

function insufficient(caller: Caller, route: RegistryRoute): Admission {
  const access = challengeAccess(route);
  return { kind: 'challenged', reason: 'scope_insufficient', error: 'insufficient_scope', access, caller };
}

/** The one line that a refused client reads: who it is taken for, what was asked, and why (contract section 4). */
export function refusalSentence(caller: Caller, need: DeniedNeed, decision: Decision): string {
  return sentenceOf(caller, need, reasonInWords(need, decision));
}

/** The same where something else than a rule refuses, and says why. */
export function sentenceOf({ principal }: Caller, need: DeniedNeed, why: string): string {
  const who = 'name' in principal ? `${principal.kind} "${principal.name}"` : 'anonymous';
  const what =
    need.action === 'catalog'
      ? 'list the catalog'
      : `${need.action} ${need.repository ?? ''}${need.tag === undefined ? '' : `:${need.tag}`}`;
  const sentence = `${who} may not ${what}: ${why}`;
  return sentence.length <= 200 ? sentence : `${who.slice(0, 60)} may not ${need.action} there: ${why}`;
}

function reasonInWords({ tag, untagged }: DeniedNeed, { reason, rule, frozenUntil }: Decision): string {
  if (frozenUntil !== undefined) return `frozen until ${formatMoment(frozenUntil)}`;
  switch (reason) {
    case 'rule_denies':
      return rule?.tags !== undefined && tag === undefined ? 'a rule about its tags forbids it' : 'a rule forbids it';
    case 'secret_narrow':
      return 'its token was not made for it';
    case 'rule_allows':
    case 'no_rule':
    case 'not_a_person':
    case 'account_unknown':
      return untagged ? 'no rule allows it without a tag' : 'no rule allows it';
  }
}
