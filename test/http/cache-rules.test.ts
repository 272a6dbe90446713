import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { parseRoute } from '../../src/distribution/route.ts';
import {
  isKnownToClient,
  isWrite,
  keepableBytes,
  keptHeaders,
  normalAccept,
  ttlOf,
  wantedOf,
} from '../../src/http/backend/cache-rules.ts';
import { Flights } from '../../src/http/backend/flights.ts';
import { KeptReplies } from '../../src/http/backend/kept-replies.ts';
import type { BackendRequest } from '../../src/http/backend/transfer.ts';

const digest = `sha256:${'a'.repeat(64)}`;

function asked(
  method: string,
  target: string,
  headers: Record<string, string> = {},
  more: object = {},
): BackendRequest {
  const parsed = parseRoute(method, target);
  if ('problem' in parsed) throw new Error(parsed.problem.reason);
  const exchange = { request: { method, headers }, expectsContinue: false, ...more };
  return { exchange, route: parsed.route } as unknown as BackendRequest;
}

describe('what memory may answer', () => {
  test('is told apart by repository, reference and Accept, not by method, and blobs from manifests', () => {
    const keys = [
      wantedOf(asked('GET', '/v2/a/b/manifests/v1')),
      wantedOf(asked('GET', '/v2/a/manifests/v1')),
      wantedOf(asked('GET', '/v2/a/b/manifests/v2')),
      wantedOf(asked('GET', '/v2/a/b/manifests/v1', { accept: 'x/y' })),
      wantedOf(asked('GET', `/v2/a/b/manifests/${digest}`)),
      wantedOf(asked('GET', `/v2/a/manifests/${digest}`)),
      wantedOf(asked('GET', `/v2/a/b/blobs/${digest}`)),
      wantedOf(asked('GET', `/v2/a/blobs/${digest}`)),
    ].map((wanted) => wanted?.key);
    expect(keys).not.toContain(undefined);
    expect(new Set(keys).size).toBe(keys.length);
    expect(wantedOf(asked('HEAD', '/v2/a/b/manifests/v1'))).toMatchObject({ key: keys[0], isHead: true, kind: 'tag' });
  });

  test.each([
    ['a list of tags', asked('GET', '/v2/a/tags/list')],
    ['a push', asked('PUT', '/v2/a/manifests/v1')],
    ['a part', asked('GET', `/v2/a/blobs/${digest}`, { range: 'bytes=0-1' })],
    ['a condition on time', asked('GET', '/v2/a/manifests/v1', { 'if-modified-since': 'x' })],
    ['an endless Accept', asked('GET', '/v2/a/manifests/v1', { accept: 'x/y,'.repeat(400) })],
    ['who waits for 100 Continue', asked('GET', '/v2/a/manifests/v1', {}, { expectsContinue: true })],
    ['a target of the registry', { ...asked('GET', '/v2/a/manifests/v1'), target: '/x' }],
  ])('is not %s', (_what, request) => {
    expect(wantedOf(request)).toBeUndefined();
  });

  test('changes with every write of a manifest and deletion of a blob, and with nothing else', () => {
    const targets = [
      ['PUT', '/v2/a/manifests/v1', true],
      ['DELETE', `/v2/a/manifests/${digest}`, true],
      ['DELETE', `/v2/a/blobs/${digest}`, true],
      ['POST', '/v2/a/blobs/uploads/', false],
      ['GET', '/v2/a/manifests/v1', false],
    ] as const;
    for (const [method, target, is] of targets) expect(isWrite(asked(method, target).route), target).toBe(is);
  });

  test('is the same for Accepts that say the same', () => {
    expect(normalAccept('A/b ; q=0.5 ,\tc/d')).toBe('a/b;q=0.5,c/d');
    expect(normalAccept()).toBe('');
    expect(normalAccept('x'.repeat(1025))).toBeUndefined();
  });

  test('is true for tagTtl or contentTtl', () => {
    const terms = { memoryBytes: 1, blobBytes: 1, tagTtlMs: 2, contentTtlMs: 3, staleIfErrorMs: 4, patienceMs: 5 };
    const of = (target: string): number | undefined => {
      const wanted = wantedOf(asked('GET', target));
      return wanted && ttlOf(wanted, terms);
    };
    expect(['/v2/a/manifests/v1', `/v2/a/manifests/${digest}`, `/v2/a/blobs/${digest}`].map(of)).toEqual([2, 3, 3]);
  });
});

describe('a reply that may be kept', () => {
  const tag = wantedOf(asked('GET', '/v2/a/manifests/v1'));
  const blob = wantedOf(asked('GET', `/v2/a/blobs/${digest}`));
  if (tag === undefined || blob === undefined) throw new Error('unwanted');
  const stream = (headers: Record<string, string> = {}) => ({ headers }) as unknown as IncomingMessage;

  test('has a length, within that of a manifest or a small blob', () => {
    const of = (length: string | undefined) => ({
      status: 200,
      headers: { 'content-length': length },
      content: stream(),
    });
    expect(keepableBytes(of('100'), tag, 65_536)).toBe(100);
    expect(keepableBytes(of('4194304'), tag, 65_536)).toBe(4_194_304);
    expect(keepableBytes(of('65536'), blob, 65_536)).toBe(65_536);
    for (const length of [undefined, '', '-1', '1e3', '4194305'])
      expect(keepableBytes(of(length), tag, 65_536)).toBeUndefined();
    expect(keepableBytes(of('65537'), blob, 65_536)).toBeUndefined();
    expect(keepableBytes({ status: 200, headers: {}, content: Buffer.alloc(7) }, tag, 65_536)).toBe(7);
  });

  test.each([
    ['no 200', { status: 404 }],
    ['encoded', { headers: { 'content-encoding': 'gzip' } }],
    ['a part', { headers: { 'content-range': 'bytes 0-1/7' } }],
    ['not for everybody', { headers: { 'cache-control': 'max-age=1, Private' } }],
    ['one of several that depend on more than Accept', { content: stream({ vary: 'Accept, Cookie' }) }],
  ])('is not one that is %s', (_what, other) => {
    const length = { 'content-length': '7' };
    expect(
      keepableBytes(
        {
          status: 200,
          content: stream({ vary: 'Accept' }),
          ...other,
          headers: { ...length, ...(other as { headers?: object }).headers },
        },
        tag,
        65_536,
      ),
    ).toBeUndefined();
  });

  test('goes out with its own length, without the warnings of that time', () => {
    expect(keptHeaders({ etag: 'x', warning: 'y', 'retry-after': '3' }, 7)).toEqual({ etag: 'x', 'content-length': 7 });
  });

  test('is known to who has its entity tag or digest', () => {
    const known = (value: string): boolean => isKnownToClient({ 'if-none-match': value }, digest, 'W/"e"');
    expect([`"${digest}"`, digest, '"e"', 'W/"e"', '"x", "e"', '*'].every(known)).toBe(true);
    expect(['"x"', 'e', ''].some(known)).toBe(false);
    expect(isKnownToClient({}, digest, '')).toBe(false);
  });
});

test('memory is bounded, and a repository is forgotten as a whole', () => {
  const kept = new KeptReplies(100_000);
  const reply = (repository: string) => ({
    ...{ repository, digest, headers: {}, etag: '', mark: 'm', confirmedAt: 0 },
    content: Buffer.alloc(10_000),
  });
  for (let count = 0; count < 50; count++) kept.set(`a ${count}`, reply('a'));
  kept.set('b', reply('b'));
  expect(kept.bytes).toBeLessThanOrEqual(100_000);
  expect([kept.get('a 0'), kept.get('a 49')?.repository]).toEqual([undefined, 'a']);
  kept.set('large', { ...reply('c'), content: Buffer.alloc(100_001) });
  expect(kept.get('large')).toBeUndefined();
  kept.forget('a');
  expect([kept.get('a 49'), kept.get('b')?.repository]).toEqual([undefined, 'b']);
  kept.forget('b');
  expect(kept.bytes).toBe(0);
});

test('a flight is found until it has landed, and tells once how', async () => {
  const flights = new Flights();
  const flight = flights.begin('x');
  const landed = flights.of('x');
  flight.land('left');
  flight.land('kept');
  expect([await landed, flights.of('x')]).toEqual(['left', undefined]);
});
