/** IP addresses as numbers, and each in one spelling (RFC 4291, RFC 5952). */
import { isIP } from 'node:net';

export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
  /** Of a link-local address: the interface it belongs to. */
  readonly zone?: string;
}

/** Bits of an address of a family. */
export const widths = { 4: 32, 6: 128 } as const;

/** undefined for what is no address. IPv4 mapped into IPv6 (RFC 4291 section 2.5.5.2) is the IPv4 address it stands for. */
export function parseAddress(text: string): Address | undefined {
  const family = isIP(text);
  if (family === 4) return { family, value: joined(text.split('.').map(Number), 8n) };
  if (family !== 6) return undefined;
  const [plain = '', zone] = text.split('%');
  // Without dots, zeros at the beginning and capitals, whatever the text has of these.
  const spelled = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
  const [left = [], right] = spelled
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':')).map((group) => Number.parseInt(group, 16)));
  const zeros = right === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => 0);
  const value = joined([...left, ...zeros, ...(right ?? [])], 16n);
  if (value >> 32n === 0xffffn) return { family: 4, value: value & 0xffff_ffffn };
  return zone === undefined ? { family, value } : { family, value, zone };
}

/** The one spelling of an address; a zone stays. */
export function formatAddress({ family, value, zone }: Address): string {
  if (family === 4) return split(value, 4, 8n).join('.');
  const groups = split(value, 8, 16n).map((group) => group.toString(16));
  const spelled = new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
  return zone === undefined ? spelled : `${spelled}%${zone}`;
}

/** The first address of the network of so many bits that an address lies in; it has no zone. */
export function networkStart({ family, value }: Address, bits: number): Address {
  const hostBits = BigInt(widths[family] - bits);
  return { family, value: (value >> hostBits) << hostBits };
}

function joined(parts: readonly number[], bits: bigint): bigint {
  return parts.reduce((value, part) => (value << bits) | BigInt(part), 0n);
}

function split(value: bigint, count: number, bits: bigint): readonly number[] {
  return Array.from({ length: count }, (_, index) =>
    Number(BigInt.asUintN(Number(bits), value >> (BigInt(count - 1 - index) * bits))),
  );
}
