/** Checkpoints as they are checked: by whom they were signed, and that nothing else stands in their line. */
import { type JsonWebKey, type KeyObject, createPublicKey, verify } from 'node:crypto';
import { createHash } from 'node:crypto';
import { type Head, chainedLine, checkpointObject, checkpointType } from './chain.ts';

/** A public key by its RFC 7638 thumbprint. */
export interface PublicKey {
  readonly kid: string;
  readonly key: KeyObject;
  readonly algorithm: string;
}

const digests: Readonly<Record<string, string | null>> = {
  ES256: 'sha256',
  ES384: 'sha384',
  RS256: 'sha256',
  EdDSA: null,
};

export type CheckpointCheck =
  /** `hash`: of the line before, as it was signed. */
  | { readonly ok: true; readonly hash: string; readonly kid: string; readonly time: string }
  | { readonly ok: false; readonly problem: string };

/** Whether a line that says to be a checkpoint is one, to the last byte. `head`: what it begins with. */
export function checkCheckpoint(line: Buffer, head: Head, keys: ReadonlyMap<string, PublicKey>): CheckpointCheck {
  const fields = objectOf(line.toString('utf8'));
  const { kid, jws } = fields ?? {};
  if (typeof kid !== 'string' || typeof jws !== 'string') return refused('a checkpoint without a signature');
  const [header = '', payload = '', signature = '', ...rest] = jws.split('.');
  const about = objectOf(decoded(header) ?? '');
  const signed = objectOf(decoded(payload) ?? '');
  if (rest.length > 0 || about?.['typ'] !== checkpointType || about['kid'] !== kid || signed === undefined)
    return refused('its signature is not that of a checkpoint');
  const { instance, seq, hash, time } = signed;
  if (instance !== head.instance || seq !== head.seq || typeof hash !== 'string' || typeof time !== 'string')
    return refused('its signature belongs to another line');
  const key = keys.get(kid);
  if (key === undefined) return refused(`the key ${kid} is not known: name a file with it by --jwks`);
  if (about['alg'] !== key.algorithm || !isSigned(key, `${header}.${payload}`, signature))
    return refused(`its signature is wrong for the key ${kid}`);
  const object = checkpointObject({ instance, seq, hash, time }, { kid, jws });
  const written = chainedLine({ seq: head.seq - 1, hash: head.prev }, instance, object).line;
  return written.equals(line) ? { ok: true, hash, kid, time } : refused('it says something else than was signed');
}

function isSigned({ key, algorithm }: PublicKey, text: string, signature: string): boolean {
  const digest = digests[algorithm];
  const bytes = Buffer.from(signature, 'base64url');
  // One signature has one spelling.
  if (digest === undefined || bytes.toString('base64url') !== signature) return false;
  return verify(digest, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, bytes);
}

function refused(problem: string): CheckpointCheck {
  return { ok: false, problem };
}

function decoded(text: string): string | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes.toString('utf8') : undefined;
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** The keys of a JWK set, each under its own thumbprint whatever it says to be called; undefined for anything else. */
export function readKeySet(text: string): readonly PublicKey[] | undefined {
  const keys = objectOf(text)?.['keys'];
  if (!Array.isArray(keys)) return undefined;
  return keys.flatMap((jwk: unknown) => {
    const algorithm = typeof jwk === 'object' && jwk !== null && 'alg' in jwk ? jwk.alg : undefined;
    if (typeof algorithm !== 'string') return [];
    try {
      const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
      return [{ kid: thumbprintOf(key), key, algorithm }];
    } catch {
      return [];
    }
  });
}

/** RFC 7638: SHA-256 over the required members in alphabetical order. */
function thumbprintOf(key: KeyObject): string {
  const { crv, e, kty, n, x, y } = key.export({ format: 'jwk' });
  const members = kty === 'RSA' ? { e, kty, n } : kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}
