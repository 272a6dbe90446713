/**
 * Everything that the gateway keeps in Redis.
 *
 * | key                                      | type   | what                                                       | lives           |
 * |------------------------------------------|--------|------------------------------------------------------------|-----------------|
 * | portcullis:{sessions}:token:T            | hash   | one session; T = SHA-256 of its refresh token              | idle lifetime   |
 * | portcullis:{sessions}:id:N               | string | T of the session with the id N                             | idle lifetime   |
 * | portcullis:{sessions}:all                | zset   | T -> end, of every session                                 | its last entry  |
 * | portcullis:{sessions}:account:N          | zset   | T -> end, of the sessions of one account                   | its last entry  |
 * | portcullis:{sessions}:revoked            | zset   | N of a revoked id -> when it may be forgotten; the entry   | its last entry  |
 * |                                          |        | with the highest score is `#` and a value new on each write |                |
 * | portcullis:{sessions}:revocations        | channel| `<ms to remember> N N N`: told once, also found in the zset |                |
 * | portcullis:{tags:N}:N                    | string | who holds a tag (second N) of a repository (first N)       | lease           |
 * | portcullis:{robots}:used:N               | string | when a robot's secret was last used, ms since 1970         | 400 days        |
 *
 * N is a name as `nameKey` writes it, so whatever a client supplies has one length and no special characters. Fields of a
 * session hash are read by name, never as a whole. Times are those of Redis (TIME, PX): a gateway whose clock jumps
 * neither ends nor revives anything. A script touches keys of one `{tag}` only, thus of one slot of a cluster; it derives
 * the names of sessions' keys itself, since which they are is only known from the session.
 */
import { createHash } from 'node:crypto';

export const sessionsPrefix = 'portcullis:{sessions}:';
/** Names the slot of everything about sessions; the index of all of them lies there. */
export const sessionsKey = `${sessionsPrefix}all`;
export const revocationsChannel = `${sessionsPrefix}revocations`;

/** A name of any length and content as 32 characters: the first half of its SHA-256. */
export function nameKey(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32);
}

export function tagLockKey(repository: string, tag: string): string {
  return `portcullis:{tags:${nameKey(repository)}}:${nameKey(tag)}`;
}

export function robotUseKey(tokenId: string): string {
  return `portcullis:{robots}:used:${nameKey(tokenId)}`;
}
