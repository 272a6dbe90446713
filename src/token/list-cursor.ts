/**
 * Where a list of repositories or tags goes on behind a name that its reader may not see. The name is encrypted, at one length for
 * all, with a key that every replica derives from the signing keys; no store is asked. It opens for the list and the reader
 * that it was made for: in a list of one's own names, one could search for the place of a hidden name of another.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { maxRepositoryNameLength } from '../distribution/reference.ts';
import type { KeyRing } from '../ports.ts';
import { derivedKeys } from './derived-keys.ts';

export interface ListCursors {
  /** Printable without escapes; different each time. `list`: words that name the list and its reader. */
  seal(list: readonly string[], name: string): string;
  /** The name that was sealed for the same list by any live key; undefined for anything else. */
  open(list: readonly string[], cursor: string): string | undefined;
}

const algorithm = 'aes-256-gcm';
const nonceLength = 12;
const tagLength = 16;

export function createListCursors(keys: KeyRing): ListCursors {
  const secretOf = derivedKeys('portcullis list cursor');
  return {
    seal(list, name) {
      const nonce = randomBytes(nonceLength);
      const cipher = createCipheriv(algorithm, secretOf(keys.signingKey()), nonce).setAAD(associated(list));
      const content = Buffer.concat([cipher.update(name.padEnd(maxRepositoryNameLength)), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), content]).toString('base64url');
    },
    open(list, cursor) {
      const bytes = Buffer.from(cursor, 'base64url');
      if (bytes.length < nonceLength + tagLength) return undefined;
      for (const key of keys.keys()) {
        const decipher = createDecipheriv(algorithm, secretOf(key), bytes.subarray(0, nonceLength)).setAAD(
          associated(list),
        );
        decipher.setAuthTag(bytes.subarray(nonceLength, nonceLength + tagLength));
        try {
          const content = decipher.update(bytes.subarray(nonceLength + tagLength), undefined, 'utf8');
          return (content + decipher.final('utf8')).trimEnd();
        } catch {
          // Sealed by another key, or by nobody.
        }
      }
      return undefined;
    },
  };
}

function associated(list: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(list));
}
