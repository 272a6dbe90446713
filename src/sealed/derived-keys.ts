/** Secrets that every replica derives from the signing keys it shares with the others, one for each purpose. */
import { hkdfSync } from 'node:crypto';
import type { TokenKey } from '../ports.ts';

/** 32 bytes of key material; remembered as long as the signing key lives. */
export function derivedKeys(purpose: string): (key: TokenKey) => Buffer {
  const known = new WeakMap<TokenKey, Buffer>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const material = key.privateKey.export({ type: 'pkcs8', format: 'der' });
    const secret = Buffer.from(hkdfSync('sha256', material, '', purpose, 32));
    known.set(key, secret);
    return secret;
  };
}
