/** Who listens on which TCP port, from the kernel's own table (proc_pid_net(5)), on Linux. */
import { readFile } from 'node:fs/promises';
import { endianness } from 'node:os';
import { formatAddress } from '../../network/address.ts';

export interface BoundPort {
  readonly host: string;
  readonly port: number;
}

/** State 0A is LISTEN. */
const row = /^\s*\d+: ([\dA-F]+):([\dA-F]{4}) \S+ 0A /gim;

/** Of all programs in this network namespace; undefined where the system has no such table. */
export async function readListeners(
  tables = ['/proc/net/tcp', '/proc/net/tcp6'],
): Promise<readonly BoundPort[] | undefined> {
  const texts = await Promise.all(tables.map((table) => readFile(table, 'latin1').catch(() => undefined)));
  if (texts.every((text) => text === undefined)) return undefined;
  return texts.flatMap((text) =>
    [...(text ?? '').matchAll(row)].map(([, host = '', port = '']) => boundPort(host, port)),
  );
}

function boundPort(host: string, port: string): BoundPort {
  const bytes = Buffer.from(host, 'hex');
  // Words of the address are in the byte order of the machine.
  if (endianness() === 'LE') bytes.swap32();
  const value = BigInt(`0x${bytes.toString('hex')}`);
  const isMapped = bytes.length === 16 && value >> 32n === 0xffffn;
  const address = isMapped
    ? { family: 4 as const, value: value & 0xffff_ffffn }
    : { family: bytes.length === 4 ? (4 as const) : (6 as const), value };
  return { host: formatAddress(address), port: Number.parseInt(port, 16) };
}
