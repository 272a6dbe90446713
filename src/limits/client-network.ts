/** Whom an address counts as: a site gets 64 bits of IPv6, so one of its hosts has as many addresses as it likes. */
import { isIP } from 'node:net';
import { formatAddress, networkStart, parseAddress } from '../network/address.ts';

/** An IPv4 address as it is, also one mapped into IPv6; the /64 of an IPv6 address; `unknown` for anything else. */
export function clientNetwork(address = ''): string {
  if (isIP(address) === 4) return address;
  const parsed = parseAddress(address);
  if (parsed === undefined) return 'unknown';
  return parsed.family === 4 ? formatAddress(parsed) : `${formatAddress(networkStart(parsed, 64))}/64`;
}

/** The /48 that a network, as `clientNetwork` writes it, is a part of; of IPv4 the address itself. */
export function clientSite(network: string): string {
  const parsed = network.endsWith('/64') ? parseAddress(network.slice(0, -3)) : undefined;
  return parsed === undefined ? network : `${formatAddress(networkStart(parsed, 48))}/48`;
}
