/**
 * Text that leaves this gateway and comes back: encrypted and authenticated (AES-256-GCM) with a key that every replica
 * derives from the signing keys, so that no store is asked. It opens for the words that it was sealed with and no others.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { KeyRing } from '../ports.ts';
import { derivedKeys } from './derived-keys.ts';
import type { EpochSeconds } from '../time.ts';

const algorithm = 'aes-256-gcm';
const nonceLength = 12;
const tagLength = 16;
const timeLength = 6;

/** `purpose` keeps one kind of sealed text from being taken for another. */
export function createSeals(keys: KeyRing, purpose: string) {
  const secretOf = derivedKeys(purpose);
  return {
    /** Printable without escapes; different each time. Its length tells that of `text` in bytes. */
    seal(words: readonly string[], text: string, nowSeconds: EpochSeconds): string {
      const nonce = randomBytes(nonceLength);
      const time = Buffer.alloc(timeLength);
      time.writeUIntBE(Math.floor(nowSeconds), 0, timeLength);
      const cipher = createCipheriv(algorithm, secretOf(keys.signingKey()), nonce).setAAD(associated(words));
      const content = Buffer.concat([cipher.update(time), cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), content]).toString('base64url');
    },
    /** What was sealed with the same words by any live key, and when; undefined for anything else. */
    open(words: readonly string[], sealed: string) {
      const bytes = Buffer.from(sealed, 'base64url');
      // Node reads more than one spelling of the same bytes.
      if (bytes.length < nonceLength + tagLength + timeLength || bytes.toString('base64url') !== sealed)
        return undefined;
      const nonce = bytes.subarray(0, nonceLength);
      for (const key of keys.keys()) {
        const decipher = createDecipheriv(algorithm, secretOf(key), nonce, { authTagLength: tagLength });
        decipher.setAAD(associated(words)).setAuthTag(bytes.subarray(nonceLength, nonceLength + tagLength));
        try {
          const content = Buffer.concat([decipher.update(bytes.subarray(nonceLength + tagLength)), decipher.final()]);
          return {
            text: content.toString('utf8', timeLength),
            sealedAt: content.readUIntBE(0, timeLength) as EpochSeconds,
          };
        } catch {
          // Sealed by another key, or by nobody.
        }
      }
      return undefined;
    },
  };
}

function associated(words: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(words));
}
