/**
 * Access tokens: distribution's token authentication (spec/auth/jwt.md) as RFC 7519. jose verifies; what we sign ourselves takes it twice
 * as long as node:crypto.
 * A token is identity and an upper bound; what a request may do is decided by the current policy.
 */
import { errors, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Access } from '../distribution/access.ts';
import { type Outside, actions, loginSources, namePattern } from '../policy/model.ts';
import { ownReachBounds } from '../policy/own-reach.ts';
import { outsideGroupBounds } from '../policy/outside.ts';
import type { KeyRing, SessionReach, TokenKey } from '../ports.ts';
import { makeMarkedId } from '../identity/marked-id.ts';
import type { EpochSeconds } from '../time.ts';
import { signCompact } from './signature.ts';

export interface AccessClaims {
  /** '' for anonymous. */
  readonly account: string;
  readonly access: readonly Access[];
  readonly tokenId: string;
  readonly sessionId?: string | undefined;
  /** Of a person outside the policy files. */
  readonly outside?: Outside | undefined;
  /** Of the person's own access token for which it was issued, whose id is `sessionId`: it bounds every use. */
  readonly reach?: SessionReach | undefined;
  readonly issuedAt: EpochSeconds;
  readonly expiresAt: EpochSeconds;
}

export type TokenVerification =
  | { readonly ok: true; readonly claims: AccessClaims }
  /** `claims` come with an expired token whose signature is good: an upload that began may finish. */
  | { readonly ok: false; readonly reason: 'token_invalid' }
  | { readonly ok: false; readonly reason: 'token_expired'; readonly claims: AccessClaims };

/** What a token ends with. */
export interface TokenOrigin {
  readonly sessionId?: string | undefined;
  /** What the policy stores of the password or secret; the token is marked with it. */
  readonly credential?: string | undefined;
  /** It lives no longer. */
  readonly endsAt?: EpochSeconds | undefined;
  /** What is known of somebody outside the policy files: at most 50 groups. */
  readonly outside?: Outside | undefined;
  /** Of the person's own access token behind it: its id is `sessionId`. */
  readonly reach?: SessionReach | undefined;
}

export interface AccessTokens {
  /** A signed token for `account` ('' for anonymous) that lives `ttlSeconds` from `nowSeconds`, or until it is to end. */
  sign(account: string, access: readonly Access[], nowSeconds: EpochSeconds, origin?: TokenOrigin): Promise<string>;
  /** Never throws for a bad token. */
  verify(token: string, nowSeconds: EpochSeconds): Promise<TokenVerification>;
  readonly ttlSeconds: number;
}

export interface AccessTokenOptions {
  readonly keys: KeyRing;
  readonly issuer: string;
  readonly service: string;
  readonly ttlSeconds: number;
}

/** Seconds by which clocks may differ; distribution grants the same. */
export const clockLeewaySeconds = 60;
/** Remembered signatures; a verification costs about as much as a hundred policy decisions. */
const maxRemembered = 4096;
/** Characters: 48 KiB, and what the longest of names and signatures can add, groups (8 KiB before base64) and the reach of an own token. */
const maxTokenLength = 63_200;
/** Characters of a token that is worth remembering: anybody may fetch long ones, for names that grant nothing. */
const maxRememberedLength = 4096;

const compact = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)$/;
const seconds = z.int().min(0).max(8_640_000_000_000);
const outsideClaims = {
  src: z.enum(loginSources).optional(),
  /** Whose the name is in the source. */
  own: z.string().min(1).max(128).optional(),
  groups: z.array(z.string().max(outsideGroupBounds.name)).max(outsideGroupBounds.groups).optional(),
};
const reachClaim = z.strictObject({
  repositories: z.array(z.string().max(ownReachBounds.characters)).max(ownReachBounds.repositories).optional(),
  actions: z.array(z.enum(actions)).max(actions.length).optional(),
});
const claimSet = z.object({
  ...outsideClaims,
  reach: reachClaim.optional(),
  sub: z.union([z.literal(''), z.string().regex(namePattern)]),
  aud: z.string(),
  exp: seconds,
  nbf: seconds,
  iat: seconds,
  jti: z.string().min(16).max(64),
  sid: z.string().max(128).optional(),
  access: z.array(
    z.object({
      type: z.enum(['repository', 'registry']),
      name: z.string().max(255),
      actions: z.array(z.enum(['pull', 'push', 'delete', 'promote', 'inspect', '*'])).max(8),
    }),
  ),
});

/** A token whose signature and shape are good; its time is judged at every use. */
interface Verified {
  readonly claims: AccessClaims;
  readonly kid: string;
  readonly notBefore: EpochSeconds;
}

/** Verified tokens are remembered until they end: a pull of many layers costs one verification. */
export function createAccessTokens({ keys, issuer, service, ttlSeconds }: AccessTokenOptions): AccessTokens {
  const remembered = new Map<string, Verified>();

  const sign: AccessTokens['sign'] = async (account, access, nowSeconds, origin = {}) => {
    const { sessionId, credential = '', endsAt = Infinity, outside, reach } = origin;
    return signCompact(keys.signingKey(), {
      iss: issuer,
      sub: account,
      aud: service,
      exp: Math.min(nowSeconds + ttlSeconds, endsAt),
      nbf: nowSeconds - 10,
      iat: nowSeconds,
      jti: makeMarkedId(credential),
      access,
      sid: sessionId,
      src: outside?.source,
      own: outside?.id,
      groups: outside?.groups,
      reach,
    });
  };

  const verify: AccessTokens['verify'] = async (token, nowSeconds) => {
    let known = remembered.get(token);
    if (known === undefined || !keys.keys().some((key) => key.kid === known?.kid)) {
      remembered.delete(token);
      let verified = await verifySignature(token, keys.keys(), issuer, service);
      // Another replica may sign with a key that this one has not read yet.
      if (verified === 'key_unknown' && keys.refresh?.() === true) {
        verified = await verifySignature(token, keys.keys(), issuer, service);
      }
      if (verified === 'refused' || verified === 'key_unknown') return { ok: false, reason: 'token_invalid' };
      known = verified;
      if (token.length <= maxRememberedLength) {
        if (remembered.size >= maxRemembered) remembered.delete(remembered.keys().next().value ?? '');
        remembered.set(token, known);
      }
    }
    const { claims, notBefore } = known;
    // One from the future would count although what was issued until now has been ended.
    if (nowSeconds + clockLeewaySeconds < Math.max(notBefore, claims.issuedAt))
      return { ok: false, reason: 'token_invalid' };
    if (nowSeconds - clockLeewaySeconds >= claims.expiresAt) return { ok: false, reason: 'token_expired', claims };
    return { ok: true, claims };
  };

  return { sign, verify, ttlSeconds };
}

/**
 * Signature and shape, without time. The key is chosen by `kid` among ours and pins its algorithm; `jwk`, `jku` and `x5c`
 * in a header are ignored (distribution CVE-2025-24976 took the first). jose alone accepts an audience list, a numeric
 * `sub` and `exp: 1e308`; the claim schema does not.
 */
async function verifySignature(
  token: string,
  keys: readonly TokenKey[],
  issuer: string,
  service: string,
): Promise<Verified | 'refused' | 'key_unknown'> {
  const signature = token.length > maxTokenLength ? undefined : compact.exec(token)?.[1];
  if (signature === undefined || !isCanonical(signature)) return 'refused';
  try {
    const { payload, protectedHeader } = await jwtVerify(
      token,
      (header) => {
        const key = keys.find((candidate) => candidate.kid === header.kid && candidate.algorithm === header.alg);
        if (key === undefined) throw new errors.JWKSNoMatchingKey();
        return key.publicKey;
      },
      {
        issuer,
        audience: service,
        typ: 'JWT',
        algorithms: [...new Set(keys.map((key) => key.algorithm))],
        // Time is judged by the caller; this instant makes every well-formed token pass.
        currentDate: new Date(0),
        clockTolerance: Number.MAX_SAFE_INTEGER,
      },
    );
    const claims = claimSet.parse(payload);
    const { sub, access, jti, sid, iat, exp, nbf, reach } = claims;
    const outside = outsideOf(claims);
    if (outside === 'refused' || (reach !== undefined && sid === undefined)) return 'refused';
    return {
      kid: protectedHeader.kid ?? '',
      notBefore: nbf,
      claims: { account: sub, access, tokenId: jti, sessionId: sid, outside, reach, issuedAt: iat, expiresAt: exp },
    };
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return 'key_unknown';
    if (error instanceof errors.JOSEError || error instanceof z.ZodError || error instanceof SyntaxError)
      return 'refused';
    throw error;
  }
}

/** All of it or nothing: one without the rest is none of ours. */
function outsideOf({ src, own, groups }: Pick<z.infer<typeof claimSet>, 'src' | 'own' | 'groups'>) {
  if (src === undefined && own === undefined && groups === undefined) return undefined;
  return src === undefined || own === undefined || groups === undefined ? 'refused' : { source: src, id: own, groups };
}

/** Base64url leaves bits of the last character unused, and jose ignores them: without this, one token has 16 spellings. */
function isCanonical(text: string): boolean {
  return Buffer.from(text, 'base64url').toString('base64url') === text;
}
