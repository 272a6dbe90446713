/** Ports of this machine for programs that tests, benchmarks and suites start. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * A loopback port that nothing listens on, and that no other process gets from here until this one ends: what two found
 * free at once, their programs would collide on seconds later. Below those that the system gives to outgoing connections.
 * @returns {Promise<number>}
 */
export async function freePort() {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(12_000, 32_000);
    if (!(await isReserved(port))) continue;
    const server = await listening({ port, host: '127.0.0.1' });
    if (server === undefined) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error('no free port was found');
}

/**
 * By an abstract socket (unix(7)), which one process of the machine can hold, and which is gone with it however it ends.
 * @param {number} port
 */
async function isReserved(port) {
  if (process.platform !== 'linux') return true;
  const lock = await listening({ path: `\0portcullis-test-port-${port}` });
  lock?.unref();
  return lock !== undefined;
}

/**
 * @param {import('node:net').ListenOptions} where
 * @returns {Promise<import('node:net').Server | undefined>} Nothing where somebody else listens.
 */
async function listening(where) {
  const server = createServer().listen(where);
  try {
    await once(server, 'listening');
    return server;
  } catch {
    return undefined;
  }
}
