/** ID tokens of CI jobs and clusters (OpenID Connect Core 1.0 section 2): read, and checked by the keys of their issuer. */
import { type JWTVerifyOptions, createLocalJWKSet, errors, jwtVerify } from 'jose';
import { parseJson } from '../distribution/json.ts';
import type { EpochSeconds } from '../time.ts';
import type { IssuerKeySet } from './issuer-keys.ts';

/** Bytes of an ID token. */
export const maxIdTokenLength = 8192;

/** Asymmetric ones only: a public key is no secret to sign with. */
const algorithms = ['RS256', 'ES256', 'ES384', 'EdDSA', 'PS256'];
/** Keys of an issuer that are tried for a token that names none: each costs as much as a whole login. */
const maxTried = 20;
/** Of an ID token. What else is signed in this form is meant for something else. */
const types: ReadonlySet<unknown> = new Set([undefined, 'JWT', 'jwt', 'JOSE']);
const compact = /^([A-Za-z0-9_-]{1,4096})\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]*)$/;

/** Whether a password is meant as a token: three parts, the first a JSON object that names an algorithm. */
export function looksLikeIdToken(password: string): boolean {
  const header = compact.exec(password)?.[1];
  return header !== undefined && typeof objectIn(header)?.alg === 'string';
}

/** Who says to have issued it; nothing of it is proved. undefined where it cannot be read. */
export function claimedIssuer(token: string): string | undefined {
  const issuer = objectIn(compact.exec(token)?.[2] ?? '')?.iss;
  return typeof issuer === 'string' ? issuer : undefined;
}

/** What a token says whose signature is good. It may have expired. */
export interface IdToken {
  readonly claims: Readonly<Record<string, unknown>>;
  readonly audiences: readonly string[];
  readonly issuedAt: EpochSeconds;
  readonly expiresAt: EpochSeconds;
  /** It counts from then on. */
  readonly notBefore: EpochSeconds;
}

export type IdTokenCheck =
  | { readonly ok: true; readonly token: IdToken }
  /** `key_unknown`: none of these keys can have signed it. */
  | { readonly ok: false; readonly reason: 'key_unknown' }
  | { readonly ok: false; readonly reason: 'invalid'; readonly detail: string };

type KeyOf = ReturnType<typeof createLocalJWKSet>;
const keysBySet = new WeakMap<IssuerKeySet, KeyOf>();

/** Signature, shape and issuer; its time and what else it says are judged by the caller. Rejects for no token. */
export async function checkIdToken(text: string, issuer: string, set: IssuerKeySet): Promise<IdTokenCheck> {
  const type = objectIn(compact.exec(text)?.[1] ?? '')?.typ;
  if (!types.has(type)) return invalid(`its type is ${JSON.stringify(type).slice(0, 40)}`);
  try {
    const keyOf = keysBySet.get(set) ?? createLocalJWKSet({ keys: [...set.keys] });
    keysBySet.set(set, keyOf);
    return read(await verifyWith(text, keyOf, { algorithms, issuer, ...untimed }));
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return { ok: false, reason: 'key_unknown' };
    // A key that cannot be used is one that did not sign.
    const words = error instanceof Error ? error.message : String(error);
    return invalid(words.slice(0, 200));
  }
}

const untimed = { currentDate: new Date(0), clockTolerance: Number.MAX_SAFE_INTEGER };

async function verifyWith(
  text: string,
  keyOf: KeyOf,
  options: JWTVerifyOptions,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await jwtVerify(text, keyOf, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // A token that names no key, of an issuer that has several.
    let left = maxTried;
    for await (const key of error) {
      if (left-- === 0)
        throw new Error('it names no key, and its issuer has too many to try them all', { cause: error });
      try {
        return (await jwtVerify(text, key, options)).payload;
      } catch (each) {
        if (!(each instanceof errors.JWSSignatureVerificationFailed)) throw each;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function read(claims: Readonly<Record<string, unknown>>): IdTokenCheck {
  const { aud, iat, exp, nbf } = claims;
  const audiences = (Array.isArray(aud) ? (aud as readonly unknown[]) : [aud]).filter(
    (each) => typeof each === 'string',
  );
  if (!isTime(iat) || !isTime(exp)) return invalid('it does not say when it was issued and when it expires');
  if (nbf !== undefined && !isTime(nbf)) return invalid('its nbf is no time');
  return {
    ok: true,
    token: {
      claims,
      audiences,
      issuedAt: Math.floor(iat),
      expiresAt: Math.floor(exp),
      notBefore: Math.floor(Math.max(iat, nbf ?? 0)),
    },
  };
}

/** Seconds since 1970, fractions allowed (RFC 7519 section 2), as far as a calendar goes. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 8_640_000_000_000;
}

function invalid(detail: string): IdTokenCheck {
  return { ok: false, reason: 'invalid', detail };
}

function objectIn(part: string): Readonly<Record<string, unknown>> | undefined {
  const value = parseJson(Buffer.from(part, 'base64url').toString('utf8'));
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}
