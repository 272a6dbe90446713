/** JWTs signed by node:crypto, in JWS compact serialization (RFC 7515 section 7.1). */
import { sign as signBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { TokenKey } from '../ports.ts';

const signElsewhere = promisify(signBytes);

/** RFC 7518 section 3.1 and RFC 8037: what is hashed with. Ed25519 hashes by itself. */
const digests = { ES256: 'sha256', ES384: 'sha384', RS256: 'sha256', EdDSA: null } as const;
/** Whose signature takes so little time that handing it to a thread takes longer. */
const atOnce: ReadonlySet<TokenKey['algorithm']> = new Set(['ES256', 'EdDSA']);

const headers = new WeakMap<TokenKey, string>();

/** `claims` are written as JSON; those that are undefined are left out. */
export async function signCompact(key: TokenKey, claims: object): Promise<string> {
  const signed = `${headerOf(key)}.${base64url(claims)}`;
  // RFC 7518 section 3.4: both numbers one behind the other, not in DER. Other kinds of keys know no such setting.
  const by = { key: key.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  const bytes = Buffer.from(signed);
  const digest = digests[key.algorithm];
  const signature = atOnce.has(key.algorithm) ? signBytes(digest, bytes, by) : await signElsewhere(digest, bytes, by);
  return `${signed}.${signature.toString('base64url')}`;
}

function headerOf(key: TokenKey): string {
  const known = headers.get(key);
  if (known !== undefined) return known;
  const header = base64url({ alg: key.algorithm, typ: 'JWT', kid: key.kid });
  headers.set(key, header);
  return header;
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
