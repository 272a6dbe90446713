/** What failed logins count by, and what the records of each kind are called. */
import { createHash } from 'node:crypto';
import { clientSite } from '../../limits/client-network.ts';
import type { FailedBy, LoginAttempt } from '../../ports.ts';
import { maxListedName } from '../limit-bounds.ts';

export const failedBy: readonly FailedBy[] = ['pair', 'network', 'site', 'account'];

/** One value for each kind. */
export function ofEach<T>(of: (by: FailedBy) => T): Readonly<Record<FailedBy, T>> {
  return { pair: of('pair'), network: of('network'), site: of('site'), account: of('account') };
}

/** The name of the record that an attempt counts in: of bounded length, whatever a client sent. */
export function recordName({ account, network }: Pick<LoginAttempt, 'account' | 'network'>, by: FailedBy): string {
  switch (by) {
    case 'pair':
      return `${boundedName(account)}\n${network}`;
    case 'network':
      return network;
    case 'site':
      return clientSite(network);
    case 'account':
      return boundedName(account);
  }
}

/** Longer names are told apart by a hash, behind the part that lists show. */
export function boundedName(account: string): string {
  if (account.length <= maxListedName) return account;
  return account.slice(0, maxListedName) + createHash('sha256').update(account).digest('hex');
}

/** Of IPv4 a site is the address, which is listed as such. */
export function isSite(name: string): boolean {
  return name.endsWith('/48');
}

/** Account, as far as lists show it, and network of a record's name. A network holds no line break, an account may hold anything. */
export function partsOf(by: FailedBy, name: string): { readonly account?: string; readonly network?: string } {
  if (by === 'network' || by === 'site') return { network: name };
  if (by === 'account') return { account: name.slice(0, maxListedName) };
  const end = name.lastIndexOf('\n');
  return { account: name.slice(0, Math.min(end, maxListedName)), network: name.slice(end + 1) };
}
