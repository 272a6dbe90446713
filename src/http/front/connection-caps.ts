/** Nobody holds every connection of a listener: whoever has too many is cut off as soon as the system accepts one more. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { clientNetwork, clientSite } from '../../limits/client-network.ts';
import { type ConnectionBounds, type Ending, createConnectionShares } from '../../limits/connection-shares.ts';
import { inNetworks } from '../../policy/conditions.ts';
import { clientAddress } from './client-address.ts';
import type { RequestWatch } from './connections.ts';

export interface ConnectionCaps {
  readonly bounds: ConnectionBounds;
  /** Their connections are those of many clients. */
  readonly trustedProxies: readonly string[];
  /** Of a connection that is about to end because somebody holds too many; at most once a second for each site. */
  readonly onExceeded: (socket: Socket) => void;
  /** Milliseconds. */
  readonly clock?: () => number;
}

/** Milliseconds: who floods the listener does not flood the log. */
const quietMs = 1000;

interface Open {
  /** TLS: the connection below until the handshake is done. */
  socket: Socket;
  readonly site: string;
  requests: number;
}

/** Counts connections from now on, and requests as far as it is told of them. */
export function capConnections(
  server: Server,
  { bounds, trustedProxies, onExceeded, clock = () => performance.now() }: ConnectionCaps,
): RequestWatch {
  const shares = createConnectionShares<Open>(bounds);
  const opened = new WeakMap<Socket, Open>();
  /** Both ends -> a TLS connection before its handshake is done: Node does not tell what it becomes. */
  const handshakes = new Map<string, Open>();
  const say = onceInAWhile(onExceeded);
  const isTls = 'setSecureContext' in server;

  function end(endings: readonly Ending<Open>[], now: number): void {
    for (const { connection, reason } of endings) {
      if (reason === 'exceeded') say(connection, now);
      cutOff(connection, isTls);
    }
  }

  function follow(socket: Socket, connection: Open): void {
    opened.set(socket, connection);
    socket.once('close', () => shares.close(connection));
  }

  server.on('connection', (socket: Socket) => {
    const now = clock();
    const address = clientAddress(socket.remoteAddress, undefined, []);
    const network = clientNetwork(address);
    const connection: Open = { socket, site: clientSite(network), requests: 0 };
    follow(socket, connection);
    if (isTls) {
      const ends = endsOf(socket);
      handshakes.set(ends, connection);
      socket.once('close', () => handshakes.get(ends) === connection && handshakes.delete(ends));
    }
    const isTrusted = address !== undefined && inNetworks(trustedProxies, address);
    end(shares.open(connection, isTrusted ? undefined : network, now), now);
  });
  if (isTls)
    server.on('secureConnection', (socket: TLSSocket) => {
      const connection = handshakes.get(endsOf(socket));
      if (connection === undefined) return;
      handshakes.delete(endsOf(socket));
      connection.socket = socket;
      follow(socket, connection);
    });

  return {
    onRequest(socket) {
      const connection = opened.get(socket);
      if (connection === undefined) return;
      connection.requests++;
      const now = clock();
      end(shares.begin(connection, now), now);
    },
    onAnswered(socket) {
      const connection = opened.get(socket);
      if (connection === undefined) return;
      connection.requests--;
      shares.finish(connection, clock());
    },
  };
}

/** An answer that has begun must not look complete; TLS marks its own end. */
function cutOff({ socket, requests }: Open, isTls: boolean): void {
  if (requests > 0 && !isTls) socket.resetAndDestroy();
  else socket.destroy();
}

/** Passes on one connection of each site. */
function onceInAWhile(onExceeded: ConnectionCaps['onExceeded']): (connection: Open, now: number) => void {
  const said = new Map<string, number>();
  return ({ site, socket }, now) => {
    for (const [earlier, at] of said) {
      if (now - at < quietMs) break;
      said.delete(earlier);
    }
    if (said.has(site)) return;
    said.set(site, now);
    onExceeded(socket);
  };
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
