/** Two gateways before a registry that does what a test says: one that waits, one that does not. */
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type RawRegistry, type Script, ok, startRawRegistry } from '../../support/stand-in.ts';
import { type RawClient, converse, openClient } from './client.ts';
import { type TestGateway, basic, startTestGateway } from '../../support/gateway.ts';

export const manifest = '/v2/mine/app/manifests/v1';
export const blob = `/v2/mine/app/blobs/sha256:${'a'.repeat(64)}`;
export const session = '/v2/mine/app/blobs/uploads/1';
export const head = (line: string, lines = ''): string =>
  `${line} HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\nAuthorization: Basic ${basic}\r\n${lines}\r\n`;
export const mebibyte = Buffer.alloc(1_048_576, 'x');

/** Waits between bytes are as long as this; the limits of the gateway below are a multiple of it. */
export const beatMs = 150;

export let backend: RawRegistry;
/** Limits far beyond the test: whatever ends here was ended by somebody. */
export let patient: TestGateway;
/** Limits of a few beats. */
export let strict: TestGateway;

/** Starts them for the tests of the file that calls it; after each test nothing is left, and the next request is answered. */
export function useGateways(): void {
  beforeAll(async () => {
    backend = await startRawRegistry();
    const long = 60_000;
    [patient, strict] = await Promise.all([
      startTestGateway(backend.url, { idleMs: long, responseMs: long }),
      startTestGateway(backend.url),
    ]);
  });

  afterAll(async () => {
    await Promise.all([patient.close(), strict.close()]);
    await backend.close();
  });

  afterEach(async () => {
    await nothingLeft();
    backend.answer({ onRequest: ok });
    for (const gateway of [patient, strict]) {
      const [next] = await converse(gateway.port, head(`GET ${manifest}`, 'Connection: close\r\n'));
      expect(next?.status).toBe(200);
      expect(gateway.errors).toEqual([]);
    }
  });
}

export async function nothingLeft(): Promise<void> {
  await backend.until(() => backend.openSockets() === 0, 'no connection to the registry was left');
  for (const gateway of [patient, strict]) expect(await gateway.inFlight()).toBe(0);
}

/** Starts `count` requests and waits until the registry has all of them. */
export async function begin(gateway: TestGateway, count: number, bytes: string): Promise<readonly RawClient[]> {
  const before = backend.connections();
  const clients = await Promise.all(Array.from({ length: count }, () => openClient(gateway.port)));
  clients.forEach((client) => client.send(bytes));
  await backend.until(() => backend.connections() === before + count, `${count} requests arrived`);
  return clients;
}

export const silence: Script = () => {};
export const beginning: Script = (_request, socket) =>
  void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\npart');
export const opened: Script = (_request, socket) =>
  void socket.write(`HTTP/1.1 202 Accepted\r\nLocation: ${session}\r\nContent-Length: 0\r\n\r\n`);
