/** Failed logins as Redis holds them: keys, what lists call them, and what it says of an attempt. */
import { clientSite } from '../../limits/client-network.ts';
import type { FailedBy, FailedLogins, LoginAttempt, LoginRecord } from '../../ports.ts';
import { maxListedName } from '../limit-bounds.ts';
import { failedBy, isSite, ofEach, partsOf, recordName } from '../memory/login-names.ts';
import { type Answer, listOf } from './connection.ts';
import { loginsPrefix, nameKey } from './keys.ts';

/** Of the record that is called `name`. */
export function recordKey(by: FailedBy, name: string): string {
  return `${loginsPrefix}${by}:${nameKey(name)}`;
}

/** Of the good logins of an account at a network; `pair`: the name of their record. */
export function goodKey(pair: string): string {
  return `${loginsPrefix}good:${nameKey(pair)}`;
}

/** Of the turns to try an account that is under attack. */
export function turnKey(account: string): string {
  return `${loginsPrefix}turn:${nameKey(recordName({ account, network: '' }, 'account'))}`;
}

/** As scripts take them: pair, network, site, account, good. */
export function keysOf(attempt: LoginAttempt): readonly string[] {
  return [...failedBy.map((by) => recordKey(by, recordName(attempt, by))), goodKey(recordName(attempt, 'pair'))];
}

/** In clear, for people; what a client sent is cut. Empty for what is not listed. */
export function labelOf(by: FailedBy, { account, network }: Pick<LoginAttempt, 'account' | 'network'>): string {
  if (by === 'site' && !isSite(clientSite(network))) return '';
  return recordName({ account: account.slice(0, maxListedName), network }, by);
}

/** The answer of `lookFailures`; `goodMs`: for how long more the account is known at its network. Undefined for anything else. */
export function readRecord(answer: Answer): (LoginRecord & { readonly goodMs: number }) | undefined {
  const numbers = listOf(answer)?.map(Number);
  if (numbers?.length !== 10) return undefined;
  const [goodMs = 0, isKnownWrong] = numbers.slice(8);
  return {
    failures: ofEach((by) => {
      const at = 2 * failedBy.indexOf(by);
      return { count: numbers[at] ?? 0, ageMs: numbers[at + 1] ?? 0 };
    }),
    isKnownGood: goodMs !== 0,
    goodMs,
    isKnownWrong: isKnownWrong === 1,
  };
}

/** The answer of `listFailures`; undefined where there is none. */
export function readWorst(answer: Answer): Worst | undefined {
  const flat = listOf(answer);
  return flat?.flatMap((kind, at) => {
    const by = at % 4 === 0 ? failedBy.find((each) => each === kind) : undefined;
    if (by === undefined) return [];
    const failures = { count: Number(flat[at + 2]), ageMs: Number(flat[at + 3]) };
    return [{ by, ...partsOf(by, String(flat[at + 1])), failures }];
  });
}

type Worst = Extract<Awaited<ReturnType<FailedLogins['worst']>>, { readonly ok: true }>['worst'];
