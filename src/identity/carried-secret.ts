/**
 * Secrets that people and machines carry: `pct_` + 30 random base62 characters + a checksum of 6 for robots and for
 * people's own access tokens, and `pct_session_` + 43 + 6 for refresh tokens. 30 characters are 178 bits, so a plain SHA-256 is enough at rest. The
 * checksum tells a mistyped or cut secret from a revoked one without a look-up, and lets secret scanners be sure.
 */
import { createHmac, hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

export type SecretKind = 'robot' | 'session';

export interface CarriedSecret {
  readonly kind: SecretKind;
  readonly text: string;
}

const prefixes: Readonly<Record<SecretKind, string>> = { robot: 'pct_', session: 'pct_session_' };
const randomLengths: Readonly<Record<SecretKind, number>> = { robot: 30, session: 43 };
const checksumLength = 6;
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Enough randomness that a plain hash of it may be stored: 30 and more characters of base62. */
export function makeSecret(kind: SecretKind): CarriedSecret {
  const body = prefixes[kind] + randomBase62(randomLengths[kind]);
  return { kind, text: body + checksum(body) };
}

/** The same secret from the same seed, which is as hard to guess: who has the seed has it. */
export function secretFrom(seed: string): CarriedSecret {
  let text = '';
  for (let round = 0; text.length < randomLengths.robot; round++)
    text += inBase62(createHmac('sha512', seed).update(`access token ${round}`).digest());
  const body = prefixes.robot + text.slice(0, randomLengths.robot);
  return { kind: 'robot', text: body + checksum(body) };
}

/** Every secret of ours begins so, and no other credential is looked up as one. */
export function looksCarried(text: string): boolean {
  return text.startsWith(prefixes.robot);
}

/** The secret, or in words what is wrong with the copy at hand. Says nothing about whether it was ever given out. */
export function parseSecret(text: string): CarriedSecret | { readonly problem: string } {
  const kind: SecretKind = text.startsWith(prefixes.session) ? 'session' : 'robot';
  const expected = prefixes[kind].length + randomLengths[kind] + checksumLength;
  const missing = expected - text.length;
  if (missing > 0) return { problem: `the token is ${count(missing)} short; copy it again` };
  if (missing < 0) return { problem: `the token is ${count(-missing)} too long; copy it again` };
  if (!/^[0-9A-Za-z_]+$/.test(text) || checksum(text.slice(0, -checksumLength)) !== text.slice(-checksumLength)) {
    return { problem: 'the token is mistyped; copy it again' };
  }
  return { kind, text };
}

/** Hexadecimal SHA-256 of the whole secret: what is stored of it. */
export function secretHash(text: string): string {
  return hash('sha256', text);
}

function count(characters: number): string {
  return characters === 1 ? '1 character' : `${characters} characters`;
}

function checksum(text: string): string {
  let value = crc32(text);
  let digits = '';
  for (let position = 0; position < checksumLength; position++) {
    digits = (alphabet[value % 62] ?? '') + digits;
    value = Math.floor(value / 62);
  }
  return digits;
}

function randomBase62(length: number): string {
  let text = '';
  while (text.length < length) text += inBase62(randomBytes(length));
  return text.slice(0, length);
}

/** Bytes of 248 and above are thrown away: taking them modulo 62 would favour some characters. */
function inBase62(bytes: Buffer): string {
  return [...bytes].map((byte) => (byte < 248 ? (alphabet[byte % 62] ?? '') : '')).join('');
}
