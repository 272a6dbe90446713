/**
 * An upload that began may finish. The `Location` of an upload session carries a ticket: who opened it in which
 * repository and when, sealed with a key that every replica derives from the signing keys. With it a token that expired
 * meanwhile still continues this one upload; revocation and policy are judged as always. No store is asked, so uploads go
 * on while Redis is down.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from '../ports.ts';
import { derivedKeys } from './derived-keys.ts';

export interface UploadTickets {
  /** The value for the `Location`; printable without escapes. */
  seal(upload: Upload, nowSeconds: number): string;
  /** Whether `ticket` was sealed for exactly this upload, by any live key, not longer ago than an upload may last. */
  opens(ticket: string, upload: Upload, nowSeconds: number): boolean;
}

export interface Upload {
  readonly repository: string;
  readonly uploadId: string;
  readonly account: string;
}

/** Seconds that one upload may go on after it was opened. */
export const maxUploadSeconds = 6 * 3600;

const form = /^(\d{10,12})\.([A-Za-z0-9_-]{43})$/;

export function createUploadTickets(keys: KeyRing): UploadTickets {
  const secretOf = derivedKeys('portcullis upload ticket');
  return {
    seal: (upload, nowSeconds) => `${nowSeconds}.${mac(secretOf(keys.signingKey()), upload, nowSeconds)}`,
    opens(ticket, upload, nowSeconds) {
      const [, opened = '', presented = ''] = form.exec(ticket) ?? [];
      const openedAt = Number(opened);
      if (presented === '' || nowSeconds - openedAt > maxUploadSeconds || openedAt > nowSeconds + 60) return false;
      return keys.keys().some((key) => {
        const expected = mac(secretOf(key), upload, openedAt);
        return timingSafeEqual(Buffer.from(expected), Buffer.from(presented));
      });
    },
  };
}

function mac(secret: Buffer, { repository, uploadId, account }: Upload, openedAt: number): string {
  const hmac = createHmac('sha256', secret);
  for (const field of [repository, uploadId, account, String(openedAt)]) {
    hmac.update(`${Buffer.byteLength(field)}:`).update(field);
  }
  return hmac.digest('base64url');
}
