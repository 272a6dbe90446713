/** Texts of settings as values: times, sizes, origins, addresses and networks. */
import { type Parsed, refuse } from '../document/parsed.ts';
import { isIP, isIPv6 } from 'node:net';
import { formatAddress, networkStart, parseAddress, widths } from '../network/address.ts';
import { isHostname } from '../network/host.ts';
import { formatDuration, readDuration } from '../time.ts';

interface Bounds {
  readonly minSeconds: number;
  readonly maxSeconds: number;
}

/** `30s`, `15m`, `6h`, `30d` as seconds. Whole numbers with one unit only; `0` needs none. */
export function parseDuration(text: string, bounds: Bounds): Parsed<number> {
  const seconds = text === '0' ? 0 : readDuration(text);
  if (seconds === undefined) {
    const fix = /^\d{1,9}$/.test(text) ? `write ${text}s for seconds` : 'write for example 30s, 15m, 6h or 30d';
    return refuse('expected a duration: a whole number and one of s, m, h, d', fix);
  }
  if (seconds < bounds.minSeconds) return refuse(`must be at least ${formatDuration(bounds.minSeconds)}`);
  if (seconds > bounds.maxSeconds) return refuse(`must be at most ${formatDuration(bounds.maxSeconds)}`);
  return { ok: true, value: seconds };
}

const unitBytes: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** `512KiB`, `64MiB`, `1GiB` as bytes; `0` needs no unit. At most `most`, which is written likewise. */
export function parseSize(text: string, most = '64GiB'): Parsed<number> {
  const size = readSize(text);
  const largest = readSize(most);
  return size.ok && largest.ok && size.value > largest.value ? refuse(`must be at most ${most}`) : size;
}

function readSize(text: string): Parsed<number> {
  if (text === '0') return { ok: true, value: 0 };
  const [, count, unit] = /^(\d{1,9})([KMG]iB)$/.exec(text) ?? [];
  const bytesInUnit = unit === undefined ? undefined : unitBytes[unit];
  if (count === undefined || bytesInUnit === undefined) {
    const [, number, letter] = /^(\d{1,9}) ?(?:([kmg])i?b?)?$/i.exec(text) ?? [];
    const meant = letter === undefined ? `${number}MiB for mebibytes` : `${number}${letter.toUpperCase()}iB`;
    const fix = `write ${number === undefined ? 'for example 512KiB, 64MiB or 1GiB' : meant}`;
    return refuse('expected a size: a whole number and one of KiB, MiB, GiB', fix);
  }
  return { ok: true, value: Number(count) * bytesInUnit };
}

// The URL parser drops tabs and line ends and turns backslashes into slashes; what a person sees must be what is used.
const ambiguous = /[^\x21-\x7e]|["<>\\^`{|}]/;

/** An http or https origin in canonical form, without a slash at the end. Anything beyond scheme, host and port is refused. */
export function parseOrigin(text: string, example: string): Parsed<string> {
  if (!/^https?:\/\/[^/]/i.test(text))
    return refuse('expected a URL that starts with http:// or https://', `for example ${example}`);
  if (ambiguous.test(text))
    return refuse('a URL may only contain ASCII letters, digits and URL punctuation', `for example ${example}`);
  if (text.includes('@'))
    return refuse('a user name or password in this URL is not supported', `for example ${example}`);
  if (text.includes('?')) return refuse('this URL may not have a query', 'remove everything from the ? on');
  if (text.includes('#')) return refuse('this URL may not have a fragment', 'remove everything from the # on');
  if (!/^[a-z]+:\/\/[^/]+\/?$/i.test(text)) return refuse('this URL may not have a path', `for example ${example}`);
  if (!URL.canParse(text)) return refuse('this is not a valid URL', `for example ${example}`);
  const url = new URL(text);
  if (url.port === '0') return refuse('the port must be from 1 to 65535');
  return { ok: true, value: url.origin };
}

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
