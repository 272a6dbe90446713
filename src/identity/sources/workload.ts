/** CI jobs of the policy files, who log in with the ID token that their platform gives them. */
import { hash } from 'node:crypto';
import { claimOf, matchesClaim, textsOf } from '../../policy/claims.ts';
import type { Policy, Workload } from '../../policy/model.ts';
import { principalOf, trustOf } from '../../policy/principal.ts';
import { clockLeewaySeconds } from '../../token/access-token.ts';
import { type EpochMs, type EpochSeconds, inSeconds } from '../../time.ts';
import { type IdToken, checkIdToken, claimedIssuer, looksLikeIdToken, maxIdTokenLength } from '../id-token.ts';
import type { IssuerKeys, KeysFound, Trust } from '../issuer-keys.ts';
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
  /** Who signs our own access tokens: those are no ID tokens. */
  readonly ownIssuer: string;
}

/** Stands for any workload, where exactly one accepts the token. */
const anyName = 'oidc';
/** Checked tokens are remembered for so long: docker shows the same one again for every repository. */
const rememberMs = 60_000;
const maxRemembered = 1000;
/** Characters of a claim that is logged. */
const maxLoggedLength = 128;

type Checked =
  | { readonly ok: true; readonly token: IdToken }
  | { readonly ok: false; readonly why: IdTokenRefusal | SourceUnavailable };

/**
 * Takes whatever looks like an ID token, whatever the account: none is ever hashed, or counted as a failed login. What is
 * issued to a workload is marked with all that the policy knows it by, and ends when that changes.
 */
export function createWorkloadSource({ keys, ownIssuer }: WorkloadParts): IdentitySource {
  const checked = createChecks(keys);
  return {
    method: 'workload',
    authenticate(policy, { account, password }, now): Promise<Authentication> | Authentication | undefined {
      if (!looksLikeIdToken(password)) return undefined;
      if (Buffer.byteLength(password) > maxIdTokenLength)
        return refused({ reason: 'id_token_too_long', detail: `${password.length} characters` });
      const issuer = claimedIssuer(password);
      if (issuer === undefined || issuer === ownIssuer)
        return refused({ reason: 'id_token_invalid', detail: issuer ? 'it is one of our own' : 'it names no issuer' });
      const named = policy.workloads.get(account);
      if (named !== undefined && named.issuer !== issuer)
        return refused({ reason: 'issuer_wrong', detail: `it says to be of ${shown(issuer)}` });
      const candidates = named === undefined ? workloadsOf(policy, account, issuer) : [named];
      if (candidates.length === 0)
        return refused({ reason: 'workload_unknown', detail: `it says to be of ${shown(issuer)}` });
      return logIn(candidates, (trust) => checked(password, trust, now), now);
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

function workloadsOf(policy: Policy, account: string, issuer: string): readonly Workload[] {
  return account === anyName ? [...policy.workloads.values()].filter((each) => each.issuer === issuer) : [];
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

/** Signatures checked by the keys of those whom a workload trusts; good ones are remembered for a while. */
function createChecks(keys: IssuerKeys) {
  const remembered = new Map<string, { readonly token: IdToken; readonly at: EpochMs }>();
  return async (text: string, { issuer, jwks, ca }: Trust, now: EpochMs): Promise<Checked> => {
    const trust = { issuer, jwks, ca };
    const name = hash('sha256', `${JSON.stringify(trust)}\n${text}`, 'base64');
    const known = remembered.get(name);
    if (known !== undefined && Math.abs(now - known.at) < rememberMs) return { ok: true, token: known.token };
    const found = await checkBy(keys, text, trust);
    if (!found.ok) return found;
    remembered.delete(name);
    if (remembered.size >= maxRemembered) remembered.delete(remembered.keys().next().value ?? '');
    remembered.set(name, { token: found.token, at: now });
    return found;
  };
}

async function checkBy(keys: IssuerKeys, text: string, trust: Trust): Promise<Checked> {
  const found = await keys.keysOf(trust);
  if (!found.ok) return unavailableBy(found);
  let check = await checkIdToken(text, found.set);
  if (!check.ok && check.reason === 'key_unknown') {
    const newer = await keys.newerThan(trust, found);
    if (newer?.ok === false) return unavailableBy(newer);
    if (newer !== undefined) check = await checkIdToken(text, newer.set);
  }
  if (check.ok) return check;
  const why: IdTokenRefusal =
    check.reason === 'key_unknown'
      ? { reason: 'key_unknown', detail: `none of the keys of ${shown(trust.issuer)} can have signed it` }
      : { reason: 'id_token_invalid', detail: check.detail };
  return { ok: false, why };
}

function unavailableBy({ detail }: Exclude<KeysFound, { readonly ok: true }>): Checked {
  return { ok: false, why: { reason: 'source_unavailable', detail } };
}

function refused(why: IdTokenRefusal): Authentication {
  return { ok: false, reason: 'id_token_refused', refused: why };
}

function shown(issuer: string): string {
  return JSON.stringify(issuer).slice(0, 120);
}
