/** The address a request comes from. X-Forwarded-For is a client's claim unless each hop that passed it on is trusted. */
import { isIP } from 'node:net';
import { inNetworks } from '../policy/conditions.ts';

/** Entries looked at; a longer chain is not one of proxies. */
const maxHops = 32;

/**
 * Walks X-Forwarded-For from the right: the first address that is not a trusted proxy is the client.
 * A malformed entry ends the walk at the last address that is sure. IPv4-mapped IPv6 is written as IPv4.
 */
export function clientAddress(
  remoteAddress: string | undefined,
  forwardedFor: string | readonly string[] | undefined,
  trustedProxies: readonly string[],
): string | undefined {
  let address = plain(remoteAddress ?? '');
  if (address === undefined) return undefined;
  const joined = typeof forwardedFor === 'string' ? forwardedFor : (forwardedFor ?? []).join(',');
  const hops = joined === '' ? [] : joined.split(',').slice(-maxHops);
  while (inNetworks(trustedProxies, address)) {
    const hop = hops.pop();
    const next = hop === undefined ? undefined : plain(hop.trim());
    if (next === undefined) break;
    address = next;
  }
  return address;
}

function plain(text: string): string | undefined {
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(text)?.[1];
  const address = mapped ?? text;
  return isIP(address) === 0 ? undefined : address;
}
