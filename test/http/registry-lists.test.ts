import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/http/backend/backend.ts';
import { everyTag } from '../../src/gate/every-tag.ts';
import { backendAt } from '../support/backend.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';

/** Lists of registries as they are: by `last`, by a word of their own, all at once, and not at all. */

let registry: StandIn;
let backend: Backend;
let answer: (url: URL, response: ServerResponse) => void;
const asked: string[] = [];

beforeAll(async () => {
  registry = await startStandIn(({ url = '' }, response) => {
    asked.push(url);
    answer(new URL(url, 'http://registry'), response);
  });
  backend = backendAt(registry.url, { publicUrl: 'https://public.test' });
});
afterEach(() => void asked.splice(0));
afterAll(async () => {
  backend.close();
  await registry.close();
});

const list = (response: ServerResponse, names: readonly string[], link?: string): void => {
  if (link !== undefined) response.setHeader('Link', link);
  response.end(JSON.stringify({ name: 'a', tags: names, repositories: names }));
};

describe('the tags of a registry that', () => {
  test('pages by a word of its own and ignores `last` are read to their end, byte for byte where it says', async () => {
    const pages = new Map([
      [null, [['v1', 'v2'], '%2Fa%3d%3D&x=,;']],
      ['/a==', [['v3'], '2~']],
      ['2~', [['v4'], undefined]],
    ] as const);
    answer = (url, response) => {
      const [names, next] = pages.get(url.searchParams.get('token') as null) ?? [['lost']];
      list(response, names, next === undefined ? undefined : `</v2/a/tags/list?token=${next}>; rel="next"`);
    };
    expect(await everyTag(backend.ask, 'a')).toEqual({ ok: true, tags: ['v1', 'v2', 'v3', 'v4'] });
    expect(asked.slice(1)).toEqual(['/v2/a/tags/list?token=%2Fa%3d%3D&x=,;', '/v2/a/tags/list?token=2~']);
  });

  test('calls itself as clients call it are read to their end', async () => {
    answer = (url, response) =>
      url.searchParams.has('p')
        ? list(response, ['v2'])
        : list(response, ['v1'], '<https://public.test/v2/a/tags/list?p=2>; rel="next"');
    expect(await everyTag(backend.ask, 'a')).toEqual({ ok: true, tags: ['v1', 'v2'] });
  });

  test.each([
    ['leads to another registry', '<http://evil.test/v2/a/tags/list?p=2>; rel="next"'],
    ['leads to another repository', '</v2/b/tags/list?p=2>; rel="next"'],
    ['leads back to the page it is on', '</v2/a/tags/list?n=1000>; rel="next"'],
    ['cannot be read', 'page 2'],
  ])('says where they go on in a way that %s are unknown, and nothing is asked there', async (_how, link) => {
    answer = (_url, response) => list(response, ['v1'], link);
    expect(await everyTag(backend.ask, 'a')).toEqual({ ok: false, reason: 'broken' });
    expect(asked).toHaveLength(1);
  });

  test('knows only `last` and never says that there is more are read to their end', async () => {
    const all = Array.from({ length: 2500 }, (_, index) => `v${String(index).padStart(4, '0')}`);
    answer = (url, response) => {
      const rest = all.filter((tag) => tag > (url.searchParams.get('last') ?? ''));
      list(response, rest.slice(0, Number(url.searchParams.get('n'))));
    };
    expect(await everyTag(backend.ask, 'a')).toEqual({ ok: true, tags: all });
  });

  test('sorts without regard to case loses none of them', async () => {
    const all = ['a', 'B', 'c', 'D'];
    answer = (url, response) => {
      const begin = all.indexOf(url.searchParams.get('last') ?? '') + 1;
      const end = begin + 2;
      const link = `</v2/a/tags/list?n=2&last=${all[end - 1] ?? ''}>; rel="next"`;
      list(response, all.slice(begin, end), end < all.length ? link : undefined);
    };
    expect(await everyTag(backend.ask, 'a')).toEqual({ ok: true, tags: all });
  });

  test.each([999, 1000, 1001])('gives all of them at once, %i, has given all', async (count) => {
    const all = Array.from({ length: count }, (_, index) => `v${String(index).padStart(4, '0')}`);
    answer = (_url, response) => list(response, all.toReversed());
    expect(await everyTag(backend.ask, 'a')).toMatchObject({ ok: true });
    expect((await everyTag(backend.ask, 'a')).ok && asked.length).toBe(count === 1000 ? 4 : 2);
  });

  test('gives all of them at once begins after any name, there or not', async () => {
    answer = (_url, response) => list(response, ['v2', 'B', 'v1', 'a']);
    const names = async (after: string): Promise<unknown> => {
      const page = await backend.ask.tags('a', 1000, { after });
      return page.ok && page.names;
    };
    expect(await names('B')).toEqual(['a', 'v1', 'v2']);
    expect(await names('v1')).toEqual(['v2']);
    expect(await names('v11')).toEqual(['v2']);
  });

  test.each([
    ['says that it has no such repository', 404, '{"errors":[{"code":"NAME_UNKNOWN"}]}', 'unknown'],
    ['knows no such list', 404, '404 page not found', 'unsupported'],
    ['knows no such list by that method', 405, '', 'unsupported'],
    ['has not made such a list', 501, '<h1>Not Implemented</h1>', 'unsupported'],
    ['has an error of that kind', 501, '{"errors":[{"code":"UNSUPPORTED"}]}', 'unsupported'],
    ['fails', 500, '{"errors":[{"code":"UNKNOWN"}]}', 'broken'],
  ])('%s are told from others', async (_how, status, body, reason) => {
    answer = (_url, response) => void response.writeHead(status).end(body);
    expect(await backend.ask.tags('a', 10)).toEqual({ ok: false, reason });
  });

  test('is told to go on at a place of another list is not asked', async () => {
    for (const next of ['/v2/b/tags/list?p=2', '/v2/a/tags/list?a b', 'http://evil.test/', '/v2/a/tags/list?p>,<x']) {
      expect(await backend.ask.tags('a', 10, { next })).toEqual({ ok: false, reason: 'broken' });
    }
    expect(asked).toEqual([]);
  });
});

describe('the catalog', () => {
  test.each(
    [404, 405, 501].flatMap((status) =>
      ['404 page not found', '<h1>No</h1>', '', '{"errors":[{"code":"UNSUPPORTED"}]}'].map(
        (body) => [status, body] as const,
      ),
    ),
  )('of a registry that has none is told from one that is broken: %i %s', async (status, body) => {
    answer = (_url, response) => void response.writeHead(status).end(body);
    expect(await backend.ask.repositories(10)).toEqual({ ok: false, reason: 'unsupported' });
    expect(await backend.ask.repositories(10, { after: 'a' })).toEqual({ ok: false, reason: 'unsupported' });
  });

  test.each([400, 401, 403, 410, 429, 500, 502, 503])('is not known to be missing after a %i', async (status) => {
    answer = (_url, response) => void response.writeHead(status).end('{"errors":[{"code":"UNSUPPORTED"}]}');
    const reason = status === 429 ? 'limited' : 'broken';
    expect(await backend.ask.repositories(10)).toEqual({ ok: false, reason });
  });

  test('goes on where the registry says', async () => {
    answer = (url, response) =>
      url.searchParams.has('p') ? list(response, ['b']) : list(response, ['a'], '<?p=2>; rel=next');
    expect(await backend.ask.repositories(10)).toEqual({ ok: true, names: ['a'], next: '/v2/_catalog?p=2' });
    expect(await backend.ask.repositories(10, { next: '/v2/_catalog?p=2' })).toEqual({
      ok: true,
      names: ['b'],
      next: undefined,
    });
  });
});

test.each([301, 302, 303, 307, 308])(
  'a %i to anywhere is no answer to a question of the gate, and is not followed',
  async (status) => {
    let elsewhere = 0;
    answer = ({ pathname }, response) => {
      if (pathname === '/elsewhere') elsewhere++;
      response
        .writeHead(status, { Location: '/elsewhere', 'Docker-Content-Digest': `sha256:${'a'.repeat(64)}` })
        .end('{}');
    };
    const broken = { ok: false, reason: 'broken' };
    expect(await backend.ask.resolveTag('a', 'v1')).toEqual(broken);
    expect(await backend.ask.manifest('a', 'v1')).toEqual(broken);
    expect(await backend.ask.tags('a', 10)).toEqual(broken);
    expect(await backend.ask.repositories(10)).toEqual(broken);
    expect((await backend.ping()).ok).toBe(false);
    expect(elsewhere).toBe(0);
  },
);
