/** Where listeners bind and which networks are trusted: addresses as people write them. */
import { isIP, isIPv6 } from 'node:net';
import { refuse, type Parsed } from './parsed.ts';

/** Where a listener binds. `host` is without brackets, and empty for every interface; port 0 asks for any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

// Underscores are not DNS, but container networks resolve them.
const hostLabel = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/** `host:port`, `:port` (every interface) or `[IPv6]:port`. */
export function parseListenAddress(text: string): Parsed<ListenAddress> {
  const expected = 'expected host:port, :port or [IPv6]:port';
  if (/^\d{1,5}$/.test(text)) return refuse(expected, `write :${text} for every interface, or 127.0.0.1:${text}`);
  if (isIPv6(text)) return refuse(`${expected}; the port is missing`, `write [${text}]:5050`);
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  if (digits === undefined) return refuse(expected, 'for example 127.0.0.1:5050');
  const port = Number(digits);
  if (port > 65_535) return refuse('the port must be at most 65535');
  if (bracketed !== undefined) {
    return isIPv6(bracketed)
      ? { ok: true, value: { host: bracketed, port } }
      : refuse('the part in [ ] is not an IPv6 address');
  }
  const host = plain ?? '';
  return host === '' || isHostname(host)
    ? { ok: true, value: { host, port } }
    : refuse('the host is not a name or address');
}

/** An IPv4 address or a DNS name; digits and dots that form no address are neither. */
export function isHostname(host: string): boolean {
  if (isIP(host) === 4) return true;
  if (host.length > 253 || /^[\d.]+$/.test(host)) return false;
  return host.split('.').every((label) => hostLabel.test(label));
}

/**
 * Hosts that a URL may name: `host`, `host:port`, or `*.suffix` for every name below it. In lower case; a host without a
 * port is one at the port of its scheme.
 */
export function parseHostPattern(text: string): Parsed<string> {
  const expected = 'expected host, host:port or *.suffix, without a scheme and a path';
  const [, wildcard = '', bracketed, plain, digits] =
    /^(\*\.)?(?:\[([^\]]*)\]|([^:[\]*/]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) return refuse(expected, 'for example storage.example.com or *.s3.example.com');
  if (digits !== undefined && (Number(digits) < 1 || Number(digits) > 65_535))
    return refuse('the port must be from 1 to 65535');
  if (bracketed === undefined ? !isHostname(host) : !isIPv6(bracketed))
    return refuse('the host is not a name or address');
  if (wildcard !== '' && isIP(host) !== 0) return refuse('*. stands before a name, not before an address');
  const name = bracketed === undefined ? host.toLowerCase() : `[${formatIPv6(ipv6Value(bracketed))}]`;
  return { ok: true, value: `${wildcard}${name}${digits === undefined ? '' : `:${Number(digits)}`}` };
}

/** `host:port` with the brackets an IPv6 address needs. */
export function formatHostPort(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/**
 * A network as `address/length`; a single address becomes /32 or /128. Host bits must be zero, and the network that
 * holds every address is refused.
 */
export function parseNetwork(text: string): Parsed<string> {
  const [address = '', length, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes('%')) {
    return refuse('expected an IP address or network', 'for example 10.0.0.0/8 or 2001:db8::/32');
  }
  const value = family === 4 ? ipv4Value(address) : ipv6Value(address);
  if (family === 6 && value >> 32n === 0xffffn) {
    return refuse('an IPv4 address in IPv6 form is not supported', 'write it as IPv4, for example 10.0.0.0/8');
  }
  const format = family === 4 ? formatIPv4 : formatIPv6;
  const width = family === 4 ? 32 : 128;
  if (length === undefined) return { ok: true, value: `${format(value)}/${width}` };
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (!(bits <= width)) return refuse(`the length after / must be a whole number from 1 to ${width}`);
  if (bits === 0) {
    return refuse(
      'this network holds every address, so anybody could claim any address in X-Forwarded-For',
      'list only the networks of your own proxies',
    );
  }
  const hostBits = BigInt(width - bits);
  const start = (value >> hostBits) << hostBits;
  if (start !== value) return refuse(`the address has bits set beyond /${bits}`, `write ${format(start)}/${bits}`);
  return { ok: true, value: `${format(value)}/${bits}` };
}

/** Networks that hold every address of the internet between them, in however many parts, are refused like that of all. */
export function parseProxies(networks: readonly string[]): Parsed<readonly string[]> {
  for (const [family, needed] of [
    [4, ipv4Internet],
    [6, ipv6Internet],
  ] as const) {
    const ranges = networks.filter((network) => isIP(network.split('/')[0] ?? '') === family).map(rangeOf);
    let reached = needed[0];
    for (const [start, end] of ranges.toSorted((a, b) => (a[0] < b[0] ? -1 : 1))) {
      if (start <= reached && end > reached) reached = end;
    }
    if (reached < needed[1]) continue;
    return refuse(
      'these networks together hold every address, so anybody could claim any address in X-Forwarded-For',
      'list only the networks of your own proxies',
    );
  }
  return { ok: true, value: networks };
}

/** First address and the one after the last: what can be a client there. */
type Range = readonly [start: bigint, end: bigint];
const ipv4Internet: Range = [1n << 24n, 224n << 24n];
const ipv6Internet: Range = [0x2000n << 112n, 0x4000n << 112n];

function rangeOf(network: string): Range {
  const [address = '', length] = network.split('/');
  const [value, width] = isIP(address) === 4 ? [ipv4Value(address), 32] : [ipv6Value(address), 128];
  return [value, value + (1n << BigInt(width - Number(length)))];
}

function ipv4Value(address: string): bigint {
  return address.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

/** `address` has passed `isIPv6`, so the groups are well formed. */
function ipv6Value(address: string): bigint {
  const dotted = /[\d.]+$/.exec(address)?.[0] ?? '';
  let groups = address;
  if (dotted.includes('.')) {
    const low = ipv4Value(dotted);
    groups = `${address.slice(0, -dotted.length)}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  }
  const [head = '', tail] = groups.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

function formatIPv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
}

function formatIPv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
