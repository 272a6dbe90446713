/**
 * Requests that change something come from our own pages. SameSite does not see to that: a page on another port of the same
 * host is the same site. The browser has to say that the origin is ours, and the form has to hold what only our page knows.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Exchange } from '../front/exchange.ts';
import { parsedUrl } from '../front/request-host.ts';

const length = 32;

/** The field `csrf` of a form that posts to `path`. Masked anew each time: compression would tell it bit by bit (BREACH). */
export function csrfToken(secret: string, path: string): string {
  const mask = randomBytes(length);
  return Buffer.concat([mask, mixed(mask, signed(secret, path))]).toString('base64url');
}

/** Whether `text` is such a token, of this cookie and for this path. */
export function isCsrfToken(secret: string, path: string, text: string): boolean {
  const bytes = Buffer.from(text.slice(0, 256), 'base64url');
  if (bytes.length !== 2 * length) return false;
  return timingSafeEqual(mixed(bytes.subarray(0, length), bytes.subarray(length)), signed(secret, path));
}

function signed(secret: string, path: string): Buffer {
  return createHmac('sha256', secret).update(`portcullis form\n${path}`).digest();
}

function mixed(left: Buffer, right: Buffer): Buffer {
  return Buffer.from(left.map((byte, at) => byte ^ (right[at] ?? 0)));
}

/** Whether the browser says that a page of ours sent it: `Sec-Fetch-Site`, or `Origin` where that is missing. */
export function isFromOwnPage({ request, publicUrl }: Exchange): boolean {
  const { 'sec-fetch-site': site, origin } = request.headers;
  if (site !== undefined) return site === 'same-origin';
  return origin !== undefined && origin === parsedUrl(publicUrl).origin;
}
