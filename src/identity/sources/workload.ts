/** CI jobs of the policy files, who log in with the ID token that their platform gives them. */
import { claimOf, matchesClaim, textsOf } from '../../policy/claims.ts';
import type { Policy, Workload } from '../../policy/model.ts';
import { principalOf, trustOf } from '../../policy/principal.ts';
import { clockLeewaySeconds } from '../../token/access-token.ts';
import { type EpochMs, type EpochSeconds, inSeconds } from '../../time.ts';
import { type IdToken, claimedIssuer, looksLikeIdToken, maxIdTokenLength } from '../id-token.ts';
import { type Checked, createIdTokenChecks } from '../id-token-checks.ts';
import type { IdTokenGuard } from '../id-token-guard.ts';
import type { IssuerKeys, Trust } from '../issuer-keys.ts';
import {
  type Authentication,
  type Evidence,
  type IdTokenRefusal,
  type IdentitySource,
  type SourceUnavailable,
  isYetToCome,
} from '../source.ts';

export interface WorkloadParts {
  readonly keys: IssuerKeys;
  readonly guard: IdTokenGuard;
  /** Who signs our own access tokens: those are no ID tokens. */
  readonly ownIssuer: string;
}

/** Stands for any workload, where exactly one accepts the token. */
const anyName = 'oidc';
/** Characters of a claim that is logged. */
const maxLoggedLength = 128;

/**
 * Takes whatever looks like an ID token, whatever the account: none is ever hashed, or counted as a failed login. What is
 * issued to a workload is marked with all that the policy knows it by, and ends when that changes.
 */
export function createWorkloadSource({ keys, ownIssuer, guard }: WorkloadParts): IdentitySource {
  const checks = createIdTokenChecks(keys);
  return {
    method: 'workload',
    authenticate(policy, { password, ...shown }, now): Promise<Authentication> | undefined {
      if (!looksLikeIdToken(password)) return undefined;
      const found = candidatesOf(policy, shown.account, password, ownIssuer);
      const judge = (inVain: () => void): Promise<Authentication> =>
        'reason' in found
          ? Promise.resolve(refused(found))
          : logIn(found, (trust) => checks.check(password, trust, now, inVain), now);
      const isKnown = !('reason' in found) && found.some((trust) => checks.isProved(password, trust, now));
      return isKnown ? judge(() => {}) : guard.attempt(shown, judge);
    },
    standing(policy, { account, secretId }) {
      const workload = secretId === undefined ? policy.workloads.get(account) : undefined;
      if (workload === undefined) return undefined;
      const { disabled, validFrom = 0 } = workload;
      const principal = disabled ? undefined : principalOf('workload', workload);
      return { principal, validFrom, mark: trustOf(workload) };
    },
  };
}

/** Whose token it may be, by what it says itself. */
function candidatesOf(
  policy: Policy,
  account: string,
  token: string,
  ownIssuer: string,
): readonly Workload[] | IdTokenRefusal {
  if (Buffer.byteLength(token) > maxIdTokenLength)
    return { reason: 'id_token_too_long', detail: `${token.length} characters` };
  const issuer = claimedIssuer(token);
  if (issuer === undefined || issuer === ownIssuer)
    return { reason: 'id_token_invalid', detail: issuer ? 'it is one of our own' : 'it names no issuer' };
  const detail = `it says to be of ${JSON.stringify(issuer).slice(0, 120)}`;
  const named = policy.workloads.get(account);
  if (named !== undefined) return named.issuer === issuer ? [named] : { reason: 'issuer_wrong', detail };
  const all = account === anyName ? [...policy.workloads.values()] : [];
  const candidates = all.filter((each) => each.issuer === issuer);
  return candidates.length === 0 ? { reason: 'workload_unknown', detail } : candidates;
}

/** Of all candidates exactly one must accept the token. */
async function logIn(
  candidates: readonly Workload[],
  check: (trust: Trust) => Promise<Checked>,
  now: EpochMs,
): Promise<Authentication> {
  const matching: { readonly workload: Workload; readonly token: IdToken }[] = [];
  const refusals: (IdTokenRefusal | SourceUnavailable)[] = [];
  for (const workload of candidates) {
    const result = await check(workload);
    const why = result.ok ? mismatch(workload, result.token) : result.why;
    if (result.ok && why === undefined) matching.push({ workload, token: result.token });
    else if (why !== undefined) refusals.push(why);
  }
  // Whether another one would accept it as well, nobody can tell then.
  const unavailable = refusals.find((each) => each.reason === 'source_unavailable');
  if (unavailable !== undefined) return { ok: false, ...unavailable };
  const enabled = matching.filter(({ workload }) => !workload.disabled);
  if (enabled.length > 1)
    return refused({ reason: 'workload_ambiguous', workloads: enabled.map(({ workload: { name } }) => name) });
  const [found] = enabled.length === 1 ? enabled : matching;
  if (found === undefined) return refused(worst(refusals));
  return loginOf(found.workload, found.token, now);
}

/** Of a single candidate its own refusal; of several one that is true of all. */
function worst(refusals: readonly (IdTokenRefusal | SourceUnavailable)[]): IdTokenRefusal {
  const known = refusals.filter((each) => each.reason !== 'source_unavailable');
  const proved = known.filter((each) => !('detail' in each));
  const [first = { reason: 'no_workload_matches' }] = proved.length === 0 ? known : proved;
  const isShared = known.length === 1 || proved.every(({ reason }) => reason === 'audience_wrong');
  return isShared ? first : { reason: 'no_workload_matches' };
}

/** By the policy of now; undefined when all of it is as the policy says. */
function mismatch({ name, audiences, claims }: Workload, { audiences: given, claims: all }: IdToken) {
  if (!given.some((each) => audiences.includes(each)))
    return { reason: 'audience_wrong', given, wanted: audiences } as const;
  for (const [claim, pattern] of claims) {
    const value = claimOf(all, claim);
    if (!textsOf(value).some((text) => matchesClaim(pattern, text)))
      return { reason: 'claim_wrong', workload: name, claim, given: value } as const;
  }
  return undefined;
}

function loginOf(workload: Workload, token: IdToken, now: EpochMs): Authentication {
  const { name, lifetimeSeconds, disabled, validFrom = 0 } = workload;
  const endsAt = endOf(token, lifetimeSeconds);
  const nowSeconds = inSeconds(now);
  if (nowSeconds + clockLeewaySeconds < token.notBefore) return refused({ reason: 'id_token_early', workload: name });
  if (nowSeconds - clockLeewaySeconds >= endsAt) {
    const goodSeconds = Math.max(0, endsAt - token.issuedAt);
    return refused({
      reason: 'id_token_expired',
      workload: name,
      goodSeconds,
      hasLifetime: lifetimeSeconds !== undefined,
    });
  }
  if (disabled || isYetToCome(workload, now)) return { ok: false, reason: 'account_disabled' };
  const evidence = evidenceOf(workload, token);
  const principal = principalOf('workload', workload);
  return { ok: true, login: { principal, validFrom, mark: trustOf(workload), endsAt, evidence } };
}

function endOf({ issuedAt, expiresAt }: IdToken, lifetimeSeconds: number | undefined): EpochSeconds {
  return lifetimeSeconds === undefined ? expiresAt : issuedAt + lifetimeSeconds;
}

function evidenceOf({ issuer, claims, source }: Workload, { claims: all }: IdToken): Evidence {
  const named = [...claims.keys()].map((claim) => [
    claim,
    textsOf(claimOf(all, claim)).join(' ').slice(0, maxLoggedLength),
  ]);
  return { issuer, claims: Object.fromEntries(named) as Evidence['claims'], source: `${source.file}:${source.line}` };
}

function refused(why: IdTokenRefusal): Authentication {
  return { ok: false, reason: 'id_token_refused', refused: why };
}
