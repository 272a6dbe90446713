/** What happens on a Node.js whose bodies lie in the memory of a read; none is known, so one is pretended. */
import { once } from 'node:events';
import { type IncomingMessage, get } from 'node:http';
import { expect, onTestFinished, test, vi } from 'vitest';
import { basic, startTestGateway } from '../support/gateway.ts';
import { startStandIn } from '../support/stand-in.ts';

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
  const registry = await startStandIn((_request, response) => {
    response.writeHead(200, { 'content-length': parts.join('').length });
    response.write(parts[0]);
    setImmediate(() => response.end(parts[1]));
  });
  onTestFinished(() => registry.close());
  const gateway = await startTestGateway(registry.url);
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
