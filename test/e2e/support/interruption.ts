import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

export interface Interruption {
  readonly host: string;
  /** How often a download was broken off, 0 or 1. */
  readonly happened: () => number;
  readonly stop: () => Promise<void>;
}

/** In front of `target`, breaks off the first download of a blob after `bytes` of its reply. */
export async function startInterruption(target: string, bytes: number): Promise<Interruption> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let happened = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let left = Infinity;
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => {
      if (happened === 0 && left === Infinity && /^GET \S+\/blobs\/sha256:/.test(chunk.toString('latin1')))
        left = bytes;
      upstream.write(chunk);
    });
    upstream.on('data', (chunk: Buffer) => {
      if (happened === 0 && chunk.length > left) {
        happened = 1;
        // Everything before is delivered: the client must know how far it came.
        client.end(chunk.subarray(0, left));
        return;
      }
      left -= chunk.length;
      if (!client.writableEnded) client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    happened: () => happened,
    stop: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      return closed;
    },
  };
}
