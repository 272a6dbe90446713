/** The kernel's own table of TCP connections (proc_pid_net(5)), on Linux. */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { endianness } from 'node:os';
import { parseAddress } from '../../network/address.ts';
import type { Connection, SendQueues } from '../../ports.ts';

/** A connection with bytes to send. */
const row = /: (\S+) (\S+) \S+ (?!0+:)([\dA-F]+):/g;

/**
 * Bytes that the kernel has not sent yet, of all connections at once. `read` resolves to undefined where the system has
 * no such tables (they are of Linux).
 */
export function createSendQueues(tables = ['/proc/net/tcp', '/proc/net/tcp6']): SendQueues {
  return {
    async read() {
      const texts = await Promise.all(tables.map((table) => readFile(table, 'latin1').catch(() => undefined)));
      if (texts.every((text) => text === undefined)) return undefined;
      const queued = new Map<string, number>();
      for (const text of texts) {
        for (const [, local, remote, sending = ''] of (text ?? '').matchAll(row))
          queued.set(`${local} ${remote}`, Number.parseInt(sending, 16));
      }
      return (connection) => queued.get(rowOf(connection)) ?? 0;
    },
  };
}

function rowOf({ localAddress, localPort, remoteAddress, remotePort }: Connection): string {
  return `${endOf(localAddress, localPort)} ${endOf(remoteAddress, remotePort)}`;
}

/** As the table writes it: words of the address in the byte order of the machine, then the port. */
function endOf(text = '', port = 0): string {
  const address = parseAddress(text);
  // A socket of both families names its IPv4 ends as mapped ones, and is in the table of IPv6.
  const mapped = address?.family === 4 && isIP(text) === 6 ? 0xffffn << 32n : 0n;
  const value = (address?.value ?? 0n) | mapped;
  const bytes = Buffer.from(value.toString(16).padStart(isIP(text) === 4 ? 8 : 32, '0'), 'hex');
  if (endianness() === 'LE') bytes.swap32();
  return `${bytes.toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}
