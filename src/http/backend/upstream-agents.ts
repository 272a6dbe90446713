/** The connections to the registry and to the storage it points at. */
import { type ClientRequest, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex, DuplexOptions } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { PassingMemory } from './passing-memory.ts';

/** Milliseconds; below the idle limit of common registries, so that a kept connection is ours to close. */
const keepIdleMs = 15_000;

export interface UpstreamAgents {
  /** Keeps connections for reads only: a request that changes something never meets a stale one. */
  readonly readers: HttpAgent;
  /** Asks to keep each connection, and never uses one again: after `Connection: close` Go resets with an answer unread. */
  readonly writers: HttpAgent;
  /** For the gate's own questions, of which few are asked at once: their answers are read whole. */
  readonly questions: HttpAgent;
  /** For what people look at, who hold up nobody else. */
  readonly browsing: HttpAgent;
  /** For a storage; connections are not kept. */
  storage(protocol: string): HttpAgent;
  close(): void;
}

/** `protocol` is the registry's. What answers reads goes through `memory`. `secureContext`: whose certificates are believed. */
export function createUpstreamAgents(
  protocol: string,
  memory: PassingMemory,
  secureContext?: SecureContext,
): UpstreamAgents {
  const trust = secureContext === undefined ? {} : { secureContext };
  const readers = new (quiet(followed(classFor(protocol), memory)))({
    keepAlive: true,
    maxFreeSockets: 64,
    timeout: keepIdleMs,
    scheduling: 'lifo',
    ...trust,
  });
  const writers = new (onceOnly(classFor(protocol)))({ keepAlive: true, ...trust });
  const questions = new (quiet(classFor(protocol)))({ keepAlive: true, maxSockets: 16, timeout: keepIdleMs, ...trust });
  const browsing = new (quiet(classFor(protocol)))({ keepAlive: true, maxSockets: 4, timeout: keepIdleMs, ...trust });
  const plainStorage = new (followed(HttpAgent, memory))({ keepAlive: false });
  const secureStorage = new (followed(HttpsAgent, memory))({ keepAlive: false, ...trust });
  return {
    readers,
    writers,
    questions,
    browsing,
    storage: (protocol) => (protocol === 'https:' ? secureStorage : plainStorage),
    close() {
      readers.destroy();
      writers.destroy();
      questions.destroy();
      browsing.destroy();
    },
  };
}

function classFor(protocol: string): typeof HttpAgent {
  return protocol === 'https:' ? HttpsAgent : HttpAgent;
}

function followed(Agent: typeof HttpAgent, memory: PassingMemory): typeof HttpAgent {
  return class extends Agent {
    override createConnection(
      options: Parameters<HttpAgent['createConnection']>[0],
      opened?: Parameters<HttpAgent['createConnection']>[1],
    ): Duplex | null | undefined {
      // A response takes the mark of its socket: what a slow client makes wait is one read, not one more beside it. TLS
      // does not take it: there one more of 16 KiB may wait.
      const reading: typeof options & DuplexOptions = { ...options, readableHighWaterMark: 0 };
      const socket = super.createConnection(reading, opened);
      if (socket) memory.follow(socket);
      return socket;
    }
  };
}

/** What arrives on a kept connection between two requests would be taken for the next answer (CVE-2026-48931). */
function quiet(Agent: typeof HttpAgent): typeof HttpAgent {
  return class extends Agent {
    override keepSocketAlive(socket: Duplex): boolean {
      socket.on('data', destroyThis);
      // The type says void; the documentation asks for true to keep the socket.
      return Boolean(super.keepSocketAlive(socket));
    }

    override reuseSocket(socket: Duplex, request: ClientRequest): void {
      socket.off('data', destroyThis);
      super.reuseSocket(socket, request);
    }
  };
}

function onceOnly(Agent: typeof HttpAgent): typeof HttpAgent {
  return class extends Agent {
    override keepSocketAlive(): boolean {
      return false;
    }
  };
}

function destroyThis(this: Duplex): void {
  this.destroy();
}
