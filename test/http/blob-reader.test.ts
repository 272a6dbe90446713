/** Blobs that the gateway reads for itself. */
import { afterEach, expect, test } from 'vitest';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RedirectRules } from '../../src/http/backend/redirects.ts';
import { backendAt } from '../support/backend.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const closing: { close: () => unknown }[] = [];
afterEach(async () => void (await Promise.all(closing.splice(0).map((each) => each.close()))));

type Answer = (response: ServerResponse, request: IncomingMessage) => void;
const content: Answer = (response) => void response.writeHead(200, { 'content-length': 5 }).end('layer');

async function serve(answer: Answer): Promise<StandIn> {
  const standIn = await startStandIn((request, response) => answer(response, request));
  closing.push(standIn);
  return standIn;
}

/** What is read of a blob, or why it is not. */
async function read(registry: StandIn, redirects: RedirectRules = { mode: 'pass', hosts: [] }): Promise<string> {
  const backend = backendAt(registry.url, { redirects, askMs: 300 });
  closing.push(backend);
  const reading = await backend.ask.openBlob('mine/app', digest);
  if (!reading.ok) return reading.reason;
  if (reading.blob === undefined) return 'none';
  try {
    return `${reading.blob.size}: ${Buffer.concat((await reading.blob.content.toArray()) as Buffer[]).toString()}`;
  } catch {
    return 'broke off';
  }
}

test.each<[string, Answer, string]>([
  ['that is there', content, '5: layer'],
  ['that is not', (response) => void response.writeHead(404).end(), 'none'],
  ['of a registry that fails', (response) => void response.writeHead(500).end(), 'broken'],
  [
    'in another encoding',
    (response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
    'broken',
  ],
  ['in part', (response) => void response.writeHead(206).end('x'), 'broken'],
  ['of a registry that hangs up', (response) => void response.destroy(), 'unreachable'],
  ['of a registry that does not answer', () => {}, 'timeout'],
  ['that stalls', (response) => void response.writeHead(200, { 'content-length': 5 }).write('l'), 'broke off'],
  ['at no address', (response) => void response.writeHead(307, { location: 'http://' }).end(), 'broken'],
  [
    'at no address of HTTP',
    (response) => void response.writeHead(307, { location: 'file:///etc/passwd' }).end(),
    'broken',
  ],
  ['somewhere, without saying where', (response) => void response.writeHead(307).end(), 'broken'],
  ['at the registry itself', (response) => void response.writeHead(307, { location: '/elsewhere' }).end(), 'broken'],
])('a blob %s', async (_what, answer, reading) => {
  expect(await read(await serve(answer))).toBe(reading);
});

test('a blob in a storage is fetched there, whatever clients are given', async () => {
  const asked: (string | undefined)[] = [];
  const storage = await serve((response, request) => {
    asked.push(request.url);
    content(response, request);
  });
  const registry = await serve(
    (response) => void response.writeHead(307, { location: `${storage.url}/b?s=1` }).end('moved'),
  );
  expect(await read(registry)).toBe('5: layer');
  expect(await read(registry, { mode: 'follow', hosts: [storage.host] })).toBe('5: layer');
  expect(asked).toEqual(['/b?s=1', '/b?s=1']);
  for (const mode of ['follow', 'pass'] as const) {
    expect(await read(registry, { mode, hosts: ['storage.test'] })).toBe('broken');
  }
  expect(asked).toHaveLength(2);
});

test('a storage that has nothing, or sends on and on, is no answer', async () => {
  const empty = await serve((response) => void response.writeHead(404).end());
  expect(await read(await serve((response) => void response.writeHead(307, { location: empty.url }).end()))).toBe(
    'broken',
  );
  let hops = 0;
  const round: StandIn = await serve(
    (response) => void response.writeHead(307, { location: `${round.url}/${++hops}` }).end(),
  );
  expect(await read(await serve((response) => void response.writeHead(307, { location: round.url }).end()))).toBe(
    'broken',
  );
  expect(hops).toBe(3);
});
