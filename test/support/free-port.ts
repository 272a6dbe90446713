/** Ports of this machine for programs that tests start. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * A loopback port that nothing listens on at this moment. Below those that the system gives to outgoing connections: one of
 * another test would have it by the time that the program asks for it.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(12_000, 32_000);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port was found');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
