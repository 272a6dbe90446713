/** JWTs signed by node:crypto, in JWS compact serialization (RFC 7515 section 7.1). */
import { sign as signBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { TokenKey } from '../ports.ts';

const signElsewhere = promisify(signBytes);

/** RFC 7518 section 3.1 and RFC 8037: what is hashed with. Ed25519 hashes by itself. */
const digests = { ES256: 'sha256', ES384: 'sha384', RS256: 'sha256', EdDSA: null } as const;
/** Whose signature takes so little time that handing it to a thread takes longer. */
const atOnce: ReadonlySet<TokenKey['algorithm']> = new Set(['ES256', 'EdDSA']);

const headers = new WeakMap<TokenKey, Map<string, string>>();

/** Bytes of each of the two numbers of a signature by an elliptic curve (RFC 7518 section 3.4). */
const numberBytes: Partial<Record<TokenKey['algorithm'], number>> = { ES256: 32, ES384: 48 };

/** `claims` are written as JSON; those that are undefined are left out. `typ`: what it is, so that nothing else passes for it. */
export async function signCompact(key: TokenKey, claims: object, typ = 'JWT'): Promise<string> {
  const signed = `${headerOf(key, typ)}.${base64url(claims)}`;
  const bytes = Buffer.from(signed);
  const { algorithm, privateKey } = key;
  const digest = digests[algorithm];
  // The key by itself: in an object that asks for the form of JWS, Node 24 takes as long to find it as to sign.
  const made = atOnce.has(algorithm)
    ? signBytes(digest, bytes, privateKey)
    : await signElsewhere(digest, bytes, privateKey);
  const size = numberBytes[algorithm];
  return `${signed}.${(size === undefined ? made : numbersOf(made, size)).toString('base64url')}`;
}

/** The two numbers of a signature in DER, one behind the other (RFC 7518 section 3.4); shorter than 128 bytes, as on curves up to P-384. */
function numbersOf(der: Buffer, size: number): Buffer {
  const numbers = Buffer.alloc(2 * size);
  let at = 2;
  for (const end of [size, 2 * size]) {
    const length = der[at + 1] ?? 0;
    const number = der.subarray(at + 2, at + 2 + length);
    // One byte more keeps a number positive; leading zeros are left out.
    const digits = number.subarray(Math.max(0, length - size));
    numbers.set(digits, end - digits.length);
    at += 2 + length;
  }
  return numbers;
}

function headerOf(key: TokenKey, typ: string): string {
  const known = headers.get(key) ?? new Map<string, string>();
  const header = known.get(typ) ?? base64url({ alg: key.algorithm, typ, kid: key.kid });
  headers.set(key, known.set(typ, header));
  return header;
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
