/** What happens on a Node.js whose bodies lie in the memory of a read; none is known, so one is pretended. */
import { once } from 'node:events';
import { type IncomingMessage, createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { basic, startTestGateway } from '../hostile/support/gateway.ts';

vi.mock('../../src/http/backend/passing-memory.ts', async (load) => {
  const original = await load<typeof import('../../src/http/backend/passing-memory.ts')>();
  const createPassingMemory: typeof original.createPassingMemory = (isOn) => ({
    ...original.createPassingMemory(isOn),
    isSafe: (chunk) => !Buffer.from(chunk).includes('overwritten'),
  });
  return { ...original, createPassingMemory };
});

test('content that the next read may have overwritten is never passed on as complete, and the log says why', async () => {
  const parts = ['whole', 'overwritten'];
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': parts.join('').length });
    response.write(parts[0]);
    setImmediate(() => response.end(parts[1]));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const gateway = await startTestGateway(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(async () => void (await gateway.close()));
  const request = get({
    port: gateway.port,
    host: '127.0.0.1',
    path: `/v2/mine/app/blobs/sha256:${'a'.repeat(64)}`,
    headers: { authorization: `Basic ${basic}` },
    agent: false,
  });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  await expect(once(response, 'end')).rejects.toThrow('aborted');
  expect(response.complete).toBe(false);
  expect(gateway.records.at(-1)).toMatchObject({
    reason: 'upstream_broken',
    detail: expect.stringContaining('reuses the memory'),
  });
});
