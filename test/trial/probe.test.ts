import type { RequestListener } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { probeRegistry } from '../../src/trial/request.ts';
import { startStandIn } from '../support/stand-in.ts';

async function serve(answer: RequestListener): Promise<string> {
  const standIn = await startStandIn(answer);
  onTestFinished(() => standIn.close());
  return standIn.url;
}

describe('GET /v2/ tells what an address is', () => {
  const answers: readonly (readonly [title: string, kind: string, answer: RequestListener])[] = [
    ['200 with JSON is an open registry', 'open', (_request, response) => response.end('{}')],
    [
      '200 with the version header is an open registry, whatever the body',
      'open',
      (_request, response) => response.setHeader('docker-distribution-api-version', 'registry/2.0').end('hi'),
    ],
    ['200 with a web page is something else', 'other', (_request, response) => response.end('<html>')],
    ['200 with a bare JSON word is something else', 'other', (_request, response) => response.end('"ok"')],
    ['401 is a registry with access control', 'guarded', (_request, response) => response.writeHead(401).end()],
    ['404 is something else', 'other', (_request, response) => response.writeHead(404).end('{}')],
    [
      'a redirect is something else, and is not followed',
      'other',
      (request, response) =>
        request.url === '/v2/' ? response.writeHead(302, { location: '/open' }).end() : response.end('{}'),
    ],
    ['a connection cut before the answer is unreachable', 'unreachable', (request) => request.destroy()],
    [
      'an answer cut in the middle is unreachable',
      'unreachable',
      (_request, response) => {
        response.writeHead(200, { 'content-length': '10' }).write('{');
        setImmediate(() => response.destroy());
      },
    ],
    [
      'an endless answer is unreachable',
      'unreachable',
      (_request, response) => {
        response.on('error', () => undefined);
        const more = (): void => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
          response.once('drain', more);
        };
        more();
      },
    ],
    ['no answer in time is unreachable', 'unreachable', () => undefined],
  ];
  test.each(answers)('%s', async (_title, kind, answer) => {
    expect((await probeRegistry(await serve(answer), 300)).kind).toBe(kind);
  });

  test('nothing listening is unreachable, and says so', async () => {
    const { url, close } = await startStandIn(() => undefined);
    await close();
    expect(await probeRegistry(url, 300)).toEqual({
      kind: 'unreachable',
      reason: 'nothing listens there (ECONNREFUSED)',
    });
  });
});
