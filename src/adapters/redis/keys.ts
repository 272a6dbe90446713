/**
 * Everything that the gateway keeps in Redis.
 *
 * | key                                      | type   | what                                                       | lives           |
 * |------------------------------------------|--------|------------------------------------------------------------|-----------------|
 * | portcullis:{sessions}:token:T            | hash   | one session; T = SHA-256 of its refresh token              | idle lifetime   |
 * | portcullis:{sessions}:id:N               | string | T of the session with the id N                             | idle lifetime   |
 * | portcullis:{sessions}:all                | zset   | T -> end, of every session                                 | its last entry  |
 * | portcullis:{sessions}:account:N          | zset   | T -> end, of the sessions of one account                   | its last entry  |
 * | portcullis:{sessions}:revoked            | zset   | N of a revoked id or ended account -> when it may be       | its last entry  |
 * |                                          |        | forgotten; the entry                                       |                 |
 * |                                          |        | with the highest score is `#` and a value new on each write |                |
 * | portcullis:{sessions}:ended              | hash   | N of an account -> what was issued to it before has ended  | as `revoked`    |
 * | portcullis:{sessions}:owner:N            | hash   | who has an account's name outside the policy files, when    | idle lifetime   |
 * |                                          |        | their password was last set, what was said of them         |                 |
 * | portcullis:{sessions}:person:N           | hash   | which account somebody has who has one: N = the owner's id  | idle lifetime   |
 * | portcullis:{sessions}:revocations        | channel| `<ms to remember> N N@ended`: told once, also found above   |                |
 * | portcullis:{tags:N}:N                    | string | who holds a tag (second N) of a repository (first N)       | lease           |
 * | portcullis:{mark:N}                      | string | new at each write to a repository; `|writer@until` of those | a write's       |
 * |                                          |        | under way, until in ms since 1970                          | longest time    |
 * | portcullis:{activity:N}:moves            | hash   | a tag of a repository (N) -> its last moves: when, to which | 400 days after  |
 * |                                          |        | digest, by whom                                            | the last note   |
 * | portcullis:{activity:N}:written          | zset   | tag -> when it was last written                            | the same        |
 * | portcullis:{activity:N}:pulled           | zset   | tag -> when it was last pulled                             | the same        |
 * | portcullis:{activity}:heard              | zset   | N of a repository -> when anything of it was last noted    | the same        |
 * | portcullis:{activity}:written            | zset   | N of a repository -> when a tag of it was last written     | the same        |
 * | portcullis:{activity}:entries            | hash   | N of a repository -> entries in its keys; `all`: the sum   | the same        |
 * | portcullis:{robots}:used:N               | string | when a robot's secret was last used, ms since 1970         | 400 days        |
 * | portcullis:{limits}:budget:N             | string | when a budget is full again, µs since 1970; N = its counter| until then      |
 * | portcullis:{limits}:owing                | zset   | counter -> when it is full again, of those that owe much   | its last entry  |
 * | portcullis:{limits}:gateways             | zset   | gateway -> when it was last heard of, ms since 1970        | 8 seconds       |
 * | portcullis:{logins}:pair:N               | hash   | failed logins of an account (first line of N) from a       | a day after the |
 * |                                          |        | network (second line): count, time, last fingerprints      | last failure    |
 * | portcullis:{logins}:network:N            | hash   | failed logins from a network: count, time                  | the same        |
 * | portcullis:{logins}:site:N               | hash   | failed logins from a /48: count, time                      | the same        |
 * | portcullis:{logins}:account:N            | hash   | failed logins of an account: count, time                   | the same        |
 * | portcullis:{logins}:turn:N               | hash   | when an account under attack was last tried from an unknown | 10 seconds      |
 * |                                          |        | network                                                    |                 |
 * | portcullis:{logins}:good:N               | string | an account has logged in from a network; N as in `pair`    | 30 days         |
 * | portcullis:{logins}:worst                | zset   | `kind:N` and in clear whom it is about -> last failure, of | a day           |
 * |                                          |        | those with many failures                                   |                 |
 * | portcullis:{devices}:user:N              | string | the device hash of a terminal's login; N = its user code   | 10 minutes      |
 * | portcullis:{devices}:device:H            | hash   | that login: who asks, who looked at it, the answer, when   | 10 minutes      |
 * |                                          |        | the terminal asked last; H = SHA-256 of its device code    |                 |
 * | portcullis:{promotions}:id:N             | string | a promotion, as JSON; N = its id                           | 90 days         |
 * | portcullis:{promotions}:all              | zset   | id -> when it was done, ms since 1970                      | its last entry  |
 * | portcullis:{replicas}:all                | hash   | gateway -> when it said so, ms since 1970, and as JSON its  | 30 seconds      |
 * |                                          |        | version, policy revision, key ids, publicUrl and service   |                 |
 *
 * Limits and failed logins have one slot each: what one request draws on is charged together or not at all, and a request
 * may draw on an account, an address and a repository at once. One slot serves far more requests than a registry gets.
 *
 * N is a name as `nameKey` writes it, so whatever a client supplies has one length and no special characters. Fields of a
 * session hash are read by name, never as a whole. Times are those of Redis (TIME, PX): a gateway whose clock jumps
 * neither ends nor revives anything. A script touches keys of one `{tag}` only, thus of one slot of a cluster; it derives
 * the names of sessions' keys itself, since which they are is only known from the session.
 */
import { hash } from 'node:crypto';

export const sessionsPrefix = 'portcullis:{sessions}:';
/** Names the slot of everything about sessions; the index of all of them lies there. */
export const sessionsKey = `${sessionsPrefix}all`;
export const revocationsChannel = `${sessionsPrefix}revocations`;

/** What a key is about, in one of the words that the table above has behind the brace. */
export function roomOf(key = ''): string {
  return /^portcullis:\{(\w+)/.exec(key)?.[1] ?? 'other';
}

/** A name of any length and content as 32 characters: the first half of its SHA-256. */
export function nameKey(name: string): string {
  return hash('sha256', name).slice(0, 32);
}

/** Of an account whose sessions and tokens have ended; never that of a session or token, whose ids hold no line break. */
export function endedAccountName(account: string): string {
  return nameKey(`account\n${account}`);
}

/** Holds who writes a tag. All tags of a repository share a slot of a cluster: they are taken in one step. */
export function tagLockKey(repository: string, tag: string): string {
  return `portcullis:{tags:${nameKey(repository)}}:${nameKey(tag)}`;
}

/** Holds the mark of a repository, and who is writing to it. */
export function markKey(repository: string): string {
  return `portcullis:{mark:${nameKey(repository)}}`;
}

/** Holds when a secret was used last, in milliseconds since 1970. */
export function robotUseKey(tokenId: string): string {
  return `portcullis:{robots}:used:${nameKey(tokenId)}`;
}

const limitsPrefix = 'portcullis:{limits}:';
export const owingKey = `${limitsPrefix}owing`;
export const gatewaysKey = `${limitsPrefix}gateways`;

/** Holds when a budget is full again: microseconds since 1970, on the clock of Redis. */
export function budgetKey(counter: string): string {
  return `${limitsPrefix}budget:${nameKey(counter)}`;
}

export const loginsPrefix = 'portcullis:{logins}:';
export const worstKey = `${loginsPrefix}worst`;

export const devicesPrefix = 'portcullis:{devices}:';

/** Holds what each gateway says of itself. */
export const replicasKey = 'portcullis:{replicas}:all';

export const promotionsPrefix = 'portcullis:{promotions}:id:';
export const promotionsKey = 'portcullis:{promotions}:all';

/** Holds what was promoted. Ids are made here. */
export function promotionKey(id: string): string {
  return promotionsPrefix + id;
}

/** Hold the moves of a repository's tags, when they were written, and when they were pulled. `name`: as `nameKey` writes it. */
export function activityKeys(name: string): readonly [moves: string, written: string, pulled: string] {
  const prefix = `portcullis:{activity:${name}}:`;
  return [`${prefix}moves`, `${prefix}written`, `${prefix}pulled`];
}

/** Hold of which repositories anything is remembered there, and how much. */
export const activeRepositoriesKeys = ['heard', 'written', 'entries'].map((part) => `portcullis:{activity}:${part}`);
