/** Real signing keys, made in a moment and thrown away. */
import { type KeyObject, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import type { KeyRing, TokenKey } from '../../src/ports.ts';

const generate: Readonly<Record<TokenKey['algorithm'], () => KeyObject>> = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  EdDSA: () => generateKeyPairSync('ed25519').privateKey,
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
};

export async function makeKey(algorithm: TokenKey['algorithm'] = 'ES256'): Promise<TokenKey> {
  const privateKey = generate[algorithm]();
  const publicKey = createPublicKey(privateKey);
  return { kid: await calculateJwkThumbprint(await exportJWK(publicKey)), algorithm, privateKey, publicKey };
}

/** Signs with the last; `set` changes the ring while it is in use. */
export function ringOf(...keys: readonly TokenKey[]): KeyRing & { set(...keys: readonly TokenKey[]): void } {
  let current = keys;
  return {
    keys: () => current,
    signingKey() {
      const key = current.at(-1);
      if (key === undefined) throw new Error('an empty ring');
      return key;
    },
    set: (...next) => void (current = next),
  };
}
