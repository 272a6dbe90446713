import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export interface Throttle {
  readonly url: string;
  readonly stop: () => void;
}

/** In front of `target`, lets what clients send through at `bytesPerSecond`, and answers at full speed. */
export function startThrottle(target: string, bytesPerSecond: number): Promise<Throttle> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    upstream.pipe(client);
    void (async () => {
      for await (const chunk of client as AsyncIterable<Buffer>) {
        // Small pieces: the other side must see a slow transfer, not a stalled one.
        for (let begin = 0; begin < chunk.length; begin += 4096) {
          const piece = chunk.subarray(begin, begin + 4096);
          if (!upstream.write(piece)) await new Promise((resolve) => upstream.once('drain', resolve));
          if (chunk.length > 2048) await pause((piece.length / bytesPerSecond) * 1000);
        }
      }
      upstream.end();
    })().catch(() => client.destroy());
  });
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () =>
      resolve({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        stop: () => {
          server.close();
          for (const socket of sockets) socket.destroy();
        },
      }),
    ),
  );
}
