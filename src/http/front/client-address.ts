/** The address a request comes from. X-Forwarded-For is a client's claim unless each hop that passed it on is trusted. */
import { isIP } from 'node:net';
import { formatAddress, parseAddress } from '../../network/address.ts';
import { inNetworks } from '../../policy/conditions.ts';

/** Entries looked at; a longer chain is not one of proxies. */
const maxHops = 32;
/** Characters of an address with its zone, port, brackets and quotes. */
const maxEntryLength = 80;

/**
 * Walks X-Forwarded-For from the right: the first address that is not a trusted proxy is the client.
 * An entry that cannot be read ends the walk at the last address that is sure, and `onUnreadable` gets it: until
 * whoever runs the proxy knows, all its clients count as one. Addresses come in one spelling each.
 */
export function clientAddress(
  remoteAddress: string | undefined,
  forwardedFor: string | readonly string[] | undefined,
  trustedProxies: readonly string[],
  onUnreadable: (entry: string) => void = () => {},
): string | undefined {
  let address = canonical(remoteAddress ?? '');
  if (address === undefined) return undefined;
  const joined = typeof forwardedFor === 'string' ? forwardedFor : (forwardedFor ?? []).join(',');
  const hops = joined === '' ? [] : joined.split(',').slice(-maxHops);
  while (inNetworks(trustedProxies, address)) {
    const hop = hops.pop();
    if (hop === undefined) break;
    const next = entryAddress(hop.trim());
    if (next === undefined) {
      onUnreadable(hop.trim());
      break;
    }
    address = next;
  }
  return address;
}

/** Whether the other end of a connection is a proxy whose word counts. */
export function isTrusted(remoteAddress: string | undefined, trustedProxies: readonly string[]): boolean {
  const address = canonical(remoteAddress ?? '');
  return address !== undefined && inNetworks(trustedProxies, address);
}

/** With or without port and quotes, as in `203.0.113.7:54321` and `[2001:db8::1]:443`; a zone also escaped (`%25`). */
function entryAddress(entry: string): string | undefined {
  if (entry.length > maxEntryLength) return undefined;
  const text = /^"([^"]*)"$/.exec(entry)?.[1] ?? entry;
  const [, bracketed, port] = /^\[([^[\]]*)\](?::(\d{1,5}))?$/.exec(text) ?? [];
  const [, dotted, dottedPort] = /^([\d.]+):(\d{1,5})$/.exec(text) ?? [];
  if (Number(port ?? dottedPort ?? 0) > 65_535) return undefined;
  const address = (bracketed ?? dotted ?? text).replace('%25', '%');
  // Only IPv6 stands in brackets.
  return bracketed !== undefined && isIP(address) !== 6 ? undefined : canonical(address);
}

/** One spelling of each address; IPv4-mapped IPv6 is written as IPv4. undefined for what is no address. */
function canonical(text: string): string | undefined {
  if (isIP(text) === 4) return text;
  const address = parseAddress(text);
  return address && formatAddress(address);
}
