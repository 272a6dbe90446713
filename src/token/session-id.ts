/**
 * Names of sessions: random, and marked with the password that opened them. A session belongs to a person with a password,
 * not to an account name: it ends when the password changes, and does not come back for the next owner of the name.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const randomLength = 22;
const markLength = 11;

/** `storedHash` is the account's password hash as the policy holds it; the mark tells nothing of it to who does not have it. */
export function makeSessionId(storedHash: string): string {
  const random = randomBytes(16).toString('base64url');
  return random + markOf(random, storedHash);
}

export function isOfPassword(sessionId: string, storedHash: string | undefined): boolean {
  if (storedHash === undefined || sessionId.length !== randomLength + markLength) return false;
  const expected = Buffer.from(markOf(sessionId.slice(0, randomLength), storedHash));
  const given = Buffer.from(sessionId.slice(randomLength));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function markOf(random: string, storedHash: string): string {
  return createHmac('sha256', random).update(storedHash).digest('base64url').slice(0, markLength);
}
