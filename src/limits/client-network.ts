/** Whom an address counts as: a site gets 64 bits of IPv6, so one of its hosts has as many addresses as it likes. */
import { isIP } from 'node:net';

/** An IPv4 address as it is, also one mapped into IPv6; the /64 of an IPv6 address; `unknown` for anything else. */
export function clientNetwork(address: string | undefined): string {
  const plain = address?.replace(/%.*$/, '') ?? '';
  const version = isIP(plain);
  if (version === 4) return plain;
  if (version !== 6) return 'unknown';
  const groups = expand(plain);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) {
    const [high = 0, low = 0] = groups.slice(6);
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  }
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  while (network.length > 1 && network.at(-1) === '0') network.pop();
  return network.length === 1 && network[0] === '0' ? '::/64' : `${network.join(':')}::/64`;
}

/** The /48 that a network, as `clientNetwork` writes it, is a part of; of IPv4 the address itself. */
export function clientSite(network: string): string {
  if (!network.includes(':')) return network;
  const [head = ''] = network.split('::');
  const groups = head.split(':').slice(0, 3);
  while (groups.at(-1) === '0') groups.pop();
  return `${groups.join(':')}::/48`;
}

/** The eight groups of a valid IPv6 address. */
function expand(text: string): readonly number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const hexed =
    dotted === null ? text : `${dotted[1] ?? ''}${pair(dotted[2], dotted[3])}:${pair(dotted[4], dotted[5])}`;
  const [head = '', tail] = hexed.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...(tail === undefined ? [] : gap), ...after].map((group) => Number.parseInt(group, 16));
}

function pair(high = '0', low = '0'): string {
  return (Number(high) * 256 + Number(low)).toString(16);
}
