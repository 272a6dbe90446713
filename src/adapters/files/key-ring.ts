/** Signing keys in a directory: PEM (PKCS#8, SEC 1, PKCS#1) or JWK, one private key a file. */
import {
  type JsonWebKey,
  type KeyObject,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
} from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyRing, TokenKey } from '../../ports.ts';
import type { Problem } from '../../document/problem.ts';

export type KeyRingReading =
  { readonly ok: true; readonly keys: KeyRing } | { readonly ok: false; readonly problems: readonly Problem[] };

const keyFile = /\.(?:pem|jwk|json|key)$/;
const maxKeyBytes = 65_536;

/** Reads every key; signs with the last by file name. With `generate`, an empty or missing directory gets a new ES256 key. */
export function readKeyRing(directory: string, generate: boolean): KeyRingReading {
  if (generate) generateWhenEmpty(directory);
  let names: readonly string[];
  try {
    names = readdirSync(directory)
      .filter((name) => keyFile.test(name) && !name.startsWith('.'))
      .sort();
  } catch (error) {
    return failed(directory, `the key directory cannot be read: ${message(error)}`);
  }
  if (names.length === 0)
    return failed(directory, 'the key directory holds no key (*.pem, *.jwk); make one with: portcullis key rotate');
  const problems: Problem[] = [];
  const keys: TokenKey[] = [];
  for (const name of names) {
    const key = readKey(join(directory, name));
    if ('problem' in key) problems.push(problemIn(join(directory, name), key.problem));
    else if (!keys.some((known) => known.kid === key.kid)) keys.push(key);
  }
  const signing = keys.at(-1);
  if (problems.length > 0 || signing === undefined) return { ok: false, problems };
  return { ok: true, keys: { signingKey: () => signing, keys: () => keys } };
}

function generateWhenEmpty(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  if (readdirSync(directory).some((name) => keyFile.test(name))) return;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const stamp = new Date().toISOString().replace(/[-:.]/g, '');
  const path = join(directory, `${stamp}.pem`);
  writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
}

function readKey(path: string): TokenKey | { readonly problem: string } {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) return { problem: 'is not a regular file' };
  if (stat.size > maxKeyBytes) return { problem: 'is too large for a key' };
  // A symlink's own mode means nothing; what it points to was checked.
  if ((stat.mode & 0o007) !== 0 && !lstatSync(path).isSymbolicLink()) {
    return { problem: `can be read by every user of this machine; fix: chmod 600 ${path}` };
  }
  let privateKey: KeyObject;
  try {
    const text = readFileSync(path, 'utf8');
    privateKey = text.trimStart().startsWith('{')
      ? createPrivateKey({ key: JSON.parse(text) as JsonWebKey, format: 'jwk' })
      : createPrivateKey(text);
  } catch {
    return { problem: 'is not a private key in PEM or JWK form' };
  }
  const algorithm = algorithmOf(privateKey);
  if (algorithm === undefined) {
    return { problem: 'has the wrong type; accepted are EC P-256 or P-384, Ed25519 and RSA of at least 2048 bits' };
  }
  const publicKey = createPublicKey(privateKey);
  return { kid: thumbprint(publicKey), algorithm, privateKey, publicKey };
}

function algorithmOf(key: KeyObject): TokenKey['algorithm'] | undefined {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ec':
      return namedCurve === 'prime256v1' ? 'ES256' : namedCurve === 'secp384r1' ? 'ES384' : undefined;
    case 'ed25519':
      return 'EdDSA';
    case 'rsa':
      return modulusLength >= 2048 ? 'RS256' : undefined;
    default:
      return undefined;
  }
}

/** RFC 7638: SHA-256 over the required members in alphabetical order. */
function thumbprint(publicKey: KeyObject): string {
  const { crv, e, kty, n, x, y } = publicKey.export({ format: 'jwk' });
  const members = kty === 'RSA' ? { e, kty, n } : kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}

function failed(file: string, text: string): KeyRingReading {
  return { ok: false, problems: [problemIn(file, text)] };
}

function problemIn(file: string, text: string): Problem {
  return { file, line: 0, column: 0, code: 'signing-key', message: text };
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
