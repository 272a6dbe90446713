/**
 * Names of sessions and access tokens: random, and marked with the credential that opened them. What is issued belongs to
 * whoever has that password or secret, not to an account name: it ends when the credential changes, and does not come back
 * for the next owner of the name. Nothing is looked up for it.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const randomLength = 22;
const markLength = 11;

/** `credential` is what the policy stores of a password or secret; the mark tells nothing of it to who does not have it. */
export function makeMarkedId(credential: string): string {
  const random = randomBytes(16).toString('base64url');
  return random + markOf(random, credential);
}

/** False for every id that was made otherwise. In constant time. */
export function isMarkedWith(credential: string | undefined, id: string): boolean {
  if (credential === undefined || id.length !== randomLength + markLength) return false;
  const expected = Buffer.from(markOf(id.slice(0, randomLength), credential));
  const given = Buffer.from(id.slice(randomLength));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function markOf(random: string, credential: string): string {
  return createHmac('sha256', random).update(credential).digest('base64url').slice(0, markLength);
}
