/** A registry that is down, does not take connections, or answers on a kept one no more. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.mjs';
import { waited } from '../support/loop-time.ts';
import { type Script, ok } from '../support/stand-in.ts';
import { converse, headerOf } from './support/client.ts';
import { startTestGateway } from '../support/gateway.ts';
import { backend, patient, manifest, blob, session, head, useGateways } from './support/gateways.ts';

useGateways();

describe('a registry that fails', () => {
  test('one that is down is a 502 within a second, with advice to come back', async () => {
    const gateway = await startTestGateway(`http://127.0.0.1:${await freePort()}`);
    for (const line of [`GET ${blob}`, `POST /v2/mine/app/blobs/uploads/`]) {
      const {
        value: [reply],
        ms,
      } = await waited(() => converse(gateway.port, head(line)));
      expect(ms).toBeLessThan(1000);
      expect(reply?.status).toBe(502);
      expect(headerOf(reply, 'retry-after')).toBe('5');
      expect(reply?.body.toString()).toContain('UNAVAILABLE');
    }
    await gateway.close();
  });

  test('one that does not take connections is a 504 after the connect limit', async () => {
    const registry = await startStoppableRegistry();
    const url = `http://127.0.0.1:${registry.port}`;
    const gateway = await startTestGateway(url, { connectMs: 200, idleMs: 60_000, responseMs: 60_000 });
    await registry.stop();
    const [reply] = await converse(gateway.port, head(`GET ${blob}`));
    expect(reply?.status).toBe(504);
    registry.close();
    await gateway.close();
  });

  for (const how of ['end', 'resetAndDestroy'] as const) {
    test(`a read that met a connection which was just given up is asked once more (${how})`, async () => {
      backend.answer({ onRequest: answeringOnce(how) });
      const before = backend.requests().length;
      for (let count = 0; count < 2; count++) {
        const [reply] = await converse(patient.port, head(`GET ${manifest}`));
        expect(reply?.status).toBe(200);
      }
      const connections = backend
        .requests()
        .slice(before)
        .map(({ connection }) => connection);
      expect(connections).toHaveLength(3);
      expect(connections[0]).toBe(connections[1]);
      expect(connections[2]).not.toBe(connections[1]);
      backend.hangUp();
    });
  }

  test('a read that met one of several such connections is not sent to another of them', async () => {
    const used = new Map<number, Socket>();
    backend.answer({
      onRequest(request, socket) {
        if (used.has(request.connection)) return void socket.end();
        used.set(request.connection, socket);
        if (used.size > 2) return ok(request, socket);
        // Both answers at once, so that neither request finds the connection of the other.
        if (used.size === 2)
          for (const each of used.values()) each.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      },
    });
    await Promise.all([1, 2].map(() => converse(patient.port, head(`GET ${manifest}`))));
    const before = backend.requests().length;
    const [reply] = await converse(patient.port, head(`GET ${manifest}`));
    expect(reply?.status).toBe(200);
    expect(backend.requests().length).toBe(before + 2);
    backend.hangUp();
  });

  test('a read whose answer on a kept connection is garbage is not asked again', async () => {
    const used = new Set<number>();
    backend.answer({
      onRequest({ connection }, socket) {
        const isAgain = used.has(connection);
        used.add(connection);
        socket.write(isAgain ? 'garbage\r\n\r\n' : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      },
    });
    await converse(patient.port, head(`GET ${manifest}`));
    const before = backend.requests().length;
    const [reply] = await converse(patient.port, head(`GET ${manifest}`));
    expect(reply?.status).toBe(502);
    expect(backend.requests().length).toBe(before + 1);
    backend.hangUp();
  });

  test('a read is asked once more at most', async () => {
    backend.answer({ onRequest: answeringOnce('end') });
    await converse(patient.port, head(`GET ${manifest}`));
    const before = backend.requests().length;
    backend.answer({ onRequest: (_request, socket) => void socket.end() });
    const [reply] = await converse(patient.port, head(`GET ${manifest}`));
    expect(reply?.status).toBe(502);
    expect(backend.requests().length).toBe(before + 2);
  });

  test('a read on a new connection is not asked again', async () => {
    backend.answer({ onRequest: (_request, socket) => void socket.end() });
    const before = backend.requests().length;
    const [reply] = await converse(patient.port, head(`GET ${manifest}`));
    expect(reply?.status).toBe(502);
    expect(backend.requests().length).toBe(before + 1);
  });

  for (const [line, lines] of [
    ['POST /v2/mine/app/blobs/uploads/', 'Content-Length: 0\r\n'],
    [`PUT ${session}`, 'Content-Length: 0\r\n'],
    [`DELETE ${manifest}`, ''],
  ] as const) {
    test(`a ${line.split(' ', 1)[0]} is never sent twice, and never on a connection that was used before`, async () => {
      const keeping: Script = (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      backend.answer({ onRequest: keeping });
      await converse(patient.port, head(`GET ${manifest}`));
      await converse(patient.port, head(line, lines));
      const before = backend.requests().length;
      backend.answer({ onRequest: (_request, socket) => void socket.resetAndDestroy() });
      const [reply] = await converse(patient.port, head(line, lines));
      expect(reply?.status).toBe(502);
      const requests = backend.requests();
      expect(requests.length).toBe(before + 1);
      const earlier = requests.slice(0, before).map(({ connection }) => connection);
      expect(earlier).not.toContain(requests.at(-1)?.connection);
      backend.hangUp();
    });
  }
});

/** The first answer on a connection keeps it; whoever uses it again finds it given up. */
function answeringOnce(how: 'end' | 'resetAndDestroy'): Script {
  const used = new Set<number>();
  return ({ connection }, socket) => {
    if (used.has(connection)) socket[how]();
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    used.add(connection);
  };
}

interface FullListener {
  readonly port: number;
  /** From now on connections are neither taken nor refused. */
  readonly stop: () => Promise<void>;
  readonly close: () => void;
}

/** A registry that can be stopped like a process in a debugger: its queue fills, and further connections wait. */
async function startStoppableRegistry(): Promise<FullListener> {
  const program =
    "require('http').createServer((_, r) => r.end()).listen({ port: 0, host: '127.0.0.1', backlog: 1 }, " +
    'function () { console.log(this.address().port) })';
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(line.toString());
  const waiting: Socket[] = [];
  return {
    port,
    async stop() {
      child.kill('SIGSTOP');
      for (let isFull = false; !isFull;) {
        const socket = connect(port, '127.0.0.1').on('error', () => {});
        waiting.push(socket);
        isFull = await Promise.race([once(socket, 'connect').then(() => false), delay(200, true)]);
      }
    },
    close() {
      child.kill('SIGKILL');
      waiting.forEach((socket) => socket.destroy());
    },
  };
}
