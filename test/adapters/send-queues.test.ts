import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { endianness, platform } from 'node:os';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createSendQueues } from '../../src/adapters/kernel/send-queues.ts';
import { eventually } from '../support/eventually.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const queues = createSendQueues();

/** Both ends of a connection to `host`, of a server that listens on `listen`. */
async function connected(listen: string, host: string): Promise<readonly [near: Socket, far: Socket]> {
  const server = createServer().listen(0, listen);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const far = connect((server.address() as AddressInfo).port, host);
  onTestFinished(() => void far.destroy());
  const [near] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => void near.destroy());
  return [near.pause(), far.pause()];
}

describe.skipIf(platform() !== 'linux')('what the kernel has still to send', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['::', '127.0.0.1'],
  ])('is known of a connection to %s from %s, and falls as the other end reads', async (listen, host) => {
    const [near, far] = await connected(listen, host);
    const queued = async (): Promise<number> => (await queues.read())?.(near) ?? -1;
    expect(await queued()).toBe(0);
    near.write(Buffer.alloc(16_000_000));
    await eventually('it is full', async () => (await queued()) > 100_000);
    const before = await queued();
    far.resume();
    await eventually('all has arrived', async () => (await queued()) === 0);
    expect(before).toBeLessThan(16_000_001);
    expect((await queues.read())?.(far)).toBe(0);
  });

  test('is known of a link-local connection, whose address Node names with its zone', async () => {
    const dir = await makeTempDir('queues');
    onTestFinished(() => removeTempDir(dir));
    const table = join(dir, 'tcp6');
    const words = Buffer.from('fe800000000000000000000000000001', 'hex');
    if (endianness() === 'LE') words.swap32();
    const end = words.toString('hex').toUpperCase();
    await writeFile(table, `sl local remote st queues\n 0: ${end}:13BA ${end}:9C40 01 0000002A:00000000 00:0\n`);
    const address = 'fe80::1%eth0';
    const connection = { localAddress: address, localPort: 5050, remoteAddress: address, remotePort: 40_000 };
    expect((await createSendQueues([table]).read())?.(connection)).toBe(42);
  });

  test('is nothing for a connection that is not there', async () => {
    const queuedOf = await queues.read();
    expect(queuedOf?.({})).toBe(0);
    expect(queuedOf?.({ localAddress: '10.0.0.1', localPort: 1, remoteAddress: 'fe80::1', remotePort: 2 })).toBe(0);
  });
});
