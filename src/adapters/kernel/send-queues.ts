/** The kernel's own table of TCP connections (proc_pid_net(5)), on Linux. */
import { readFile } from 'node:fs/promises';
import { endianness } from 'node:os';
import type { Connection, SendQueues } from '../../ports.ts';

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
        for (const line of (text ?? '').split('\n').slice(1)) {
          const [, local, remote, , queues] = line.trim().split(/\s+/);
          const sending = Number.parseInt(queues ?? '', 16);
          if (sending > 0) queued.set(`${local} ${remote}`, sending);
        }
      }
      return (connection) => queued.get(rowOf(connection)) ?? 0;
    },
  };
}

function rowOf({ localAddress, localPort, remoteAddress, remotePort }: Connection): string {
  return `${endOf(localAddress, localPort)} ${endOf(remoteAddress, remotePort)}`;
}

/** As the table writes it: words of the address in the byte order of the machine, then the port. */
function endOf(address = '', port = 0): string {
  const bytes = bytesOf(address);
  if (endianness() === 'LE') bytes.swap32();
  return `${bytes.toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

/** Of an address as Node names it: a link-local one with its zone, IPv4 at the end of IPv6 in dots. */
function bytesOf(named: string): Buffer {
  const [address = ''] = named.split('%');
  const [, before = address, dotted] = /^(.*:)?(\d+\.\d+\.\d+\.\d+)$/.exec(address) ?? [];
  const v4 = dotted === undefined ? Buffer.alloc(0) : Buffer.from(dotted.split('.').map(Number));
  if (dotted === address) return v4;
  const [head = '', tail = ''] = before.split('::');
  const groups = (text: string): Buffer =>
    Buffer.from(
      text
        .split(':')
        .filter((group) => group !== '')
        .map((group) => group.padStart(4, '0'))
        .join(''),
      'hex',
    );
  const [left, right] = [groups(head), groups(tail)];
  const zeros = Math.max(0, 16 - left.length - right.length - v4.length);
  return Buffer.concat([left, Buffer.alloc(zeros), right, v4]);
}
