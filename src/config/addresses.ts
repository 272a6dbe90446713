/** Addresses, networks and hosts in the configuration. */
import { isIP, isIPv6 } from 'node:net';
import { refuse, type Parsed } from '../document/parsed.ts';
import { formatAddress, networkStart, parseAddress, widths } from '../network/address.ts';
import { isHostname } from '../network/host.ts';

/** Where a listener binds. `host` is without brackets, and empty for every interface; port 0 asks for any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

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

/** `host`, `host:port`, or `*.suffix` for every name below it, in lower case; without a port, that of the scheme. */
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
  const name = bracketed === undefined ? host.toLowerCase() : new URL(`http://[${bracketed}]/`).hostname;
  return { ok: true, value: `${wildcard}${name}${digits === undefined ? '' : `:${Number(digits)}`}` };
}

/** As `address/length`, a single one as /32 or /128. Host bits must be zero; the network of everything is refused. */
export function parseNetwork(text: string): Parsed<string> {
  const [base = '', length, ...rest] = text.split('/');
  const address = parseAddress(base);
  if (address === undefined || rest.length > 0 || base.includes('%')) {
    return refuse('expected an IP address or network', 'for example 10.0.0.0/8 or 2001:db8::/32');
  }
  if (isIP(base) !== address.family) {
    return refuse('an IPv4 address in IPv6 form is not supported', 'write it as IPv4, for example 10.0.0.0/8');
  }
  const width = widths[address.family];
  if (length === undefined) return { ok: true, value: `${formatAddress(address)}/${width}` };
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (!(bits <= width)) return refuse(`the length after / must be a whole number from 1 to ${width}`);
  if (bits === 0) {
    return refuse(
      'this network holds every address, so anybody could claim any address in X-Forwarded-For',
      'list only the networks of your own proxies',
    );
  }
  const start = networkStart(address, bits);
  if (start.value !== address.value)
    return refuse(`the address has bits set beyond /${bits}`, `write ${formatAddress(start)}/${bits}`);
  return { ok: true, value: `${formatAddress(address)}/${bits}` };
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
  const [base = '', length] = network.split('/');
  const { family, value } = parseAddress(base) ?? { family: 4, value: 0n };
  return [value, value + (1n << BigInt(widths[family] - Number(length)))];
}
