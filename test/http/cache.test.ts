import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { HistoryRegistry, imageType, manifestOf, sha256 } from '../support/history-registry.ts';
import { type Front, credentials, startFront } from './support/front.ts';

/** What memory answers, and what it never does, through the whole gateway in front of a registry that remembers. */

const rules = `rules:
  - { name: team, subjects: [group:devs], repositories: ['team/**', 'other/**'], actions: [pull, push, delete] }
  - { name: keep, effect: deny, subjects: [everyone], repositories: ['team/fixed'], tags: ['v*'], actions: [overwrite] }
`;

let registry: HistoryRegistry;
let front: Front;
let ahead: number;

beforeEach(async () => {
  registry = new HistoryRegistry();
  await registry.start();
  ahead = 0;
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + ahead);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await front.close();
  await registry.stop();
});

async function start(env: Readonly<Record<string, string>> = {}, text = rules): Promise<void> {
  front = await startFront({ rules: text, upstream: registry.url, env });
}

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

async function ask(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
  account = 'dana',
): Promise<Reply> {
  const reply = await fetch(`${front.url}/v2/${path}`, {
    method,
    headers: { authorization: `Basic ${credentials(account)}`, accept: imageType, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return { status: reply.status, text: await reply.text(), headers: reply.headers };
}

const get = (path: string, headers?: Readonly<Record<string, string>>): Promise<Reply> => ask('GET', path, headers);
const push = (path: string, text: string): Promise<Reply> => ask('PUT', path, { 'content-type': imageType }, text);
/** Lines that reached the registry while this ran. */
async function reaching(work: () => Promise<unknown>): Promise<readonly string[]> {
  const before = registry.requests.length;
  await work();
  return registry.requests.slice(before);
}
/** The last decision on a read. */
const recorded = async (count: number): Promise<readonly (string | undefined)[]> => {
  const reads = () => front.records.filter(({ action }) => action === 'pull').map(({ cache }) => cache);
  await eventually('the requests are written down', () => Promise.resolve(reads().length >= count));
  return reads();
};
const metric = async (line: RegExp): Promise<number> =>
  Number(line.exec(await (await fetch(`${front.adminUrl}/metrics`)).text())?.[1]);

describe('a manifest that the registry gave', () => {
  test.each(['v1', 'digest'])(
    'is given again from memory, by %s, to GET and HEAD, with the same headers',
    async (by) => {
      await start();
      const digest = registry.put('team/app', 'v1', manifestOf('one'));
      const path = `team/app/manifests/${by === 'v1' ? 'v1' : digest}`;
      const first = await get(path);
      const lines = await reaching(async () => {
        const second = await get(path);
        expect(second.text).toBe(first.text);
        const names = [
          'content-type',
          'content-length',
          'docker-content-digest',
          'etag',
          'docker-distribution-api-version',
        ];
        for (const name of names) expect(second.headers.get(name), name).toBe(first.headers.get(name));
        expect(second.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'));
        const head = await ask('HEAD', path);
        expect(head).toMatchObject({ status: 200, text: '' });
        for (const name of names) expect(head.headers.get(name), name).toBe(first.headers.get(name));
      });
      expect(lines).toEqual([]);
      expect(await recorded(3)).toEqual([undefined, 'hit', 'hit']);
      expect(front.records.at(-2)).toMatchObject({
        account: 'dana',
        rule: 'team',
        status: 200,
        bytes: first.text.length,
        digest,
      });
      const kind = by === 'v1' ? 'tag' : 'digest';
      expect(await metric(new RegExp(`cache_requests_total\\{kind="${kind}",result="hit"\\} (\\d+)`))).toBe(2);
      expect(await metric(/cache_bytes (\d+)/)).toBeGreaterThan(first.text.length);
    },
  );

  test('is known to a HEAD after a HEAD, and to a GET only after a GET', async () => {
    await start();
    registry.put('team/app', 'v1', manifestOf('one'));
    const lines = await reaching(async () => {
      for (const method of ['HEAD', 'HEAD', 'GET', 'GET', 'HEAD']) await ask(method, 'team/app/manifests/v1');
    });
    expect(lines).toEqual(['HEAD /v2/team/app/manifests/v1', 'GET /v2/team/app/manifests/v1']);
  });

  test('is judged anew each time: not given to who may not read it, nor after the policy has changed', async () => {
    await start();
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    const paths = ['team/app/manifests/v1', `team/app/manifests/${digest}`];
    for (const path of paths) {
      expect((await get(path)).status).toBe(200);
      expect(await ask('GET', path, {}, undefined, 'tess')).toMatchObject({ status: 403 });
      expect((await fetch(`${front.url}/v2/${path}`)).status).toBe(401);
    }
    await front.setPolicy(
      `rules: [{ name: less, subjects: [group:devs], repositories: ['other/**'], actions: [pull] }]`,
    );
    for (const path of paths) expect((await get(path)).status).toBe(403);
  });

  test.each(['client', 'proxy'])('is not kept after a write that may go on: cut off by the %s', async (by) => {
    await start();
    registry.put('team/app', 'v1', manifestOf('one'));
    await get('team/app/manifests/v1');
    if (by === 'proxy') {
      registry.trouble = (line) => (line.startsWith('PUT') ? 504 : undefined);
      expect((await push('team/app/manifests/v2', manifestOf('two'))).status).toBe(504);
    } else {
      registry.trouble = (line) => (line.startsWith('PUT') ? 'hang' : undefined);
      const before = registry.requests.length;
      const leaving = new AbortController();
      const headers = { authorization: `Basic ${credentials('dana')}`, 'content-type': imageType };
      const options = { method: 'PUT', headers, body: manifestOf('two'), signal: leaving.signal };
      const pushed = fetch(`${front.url}/v2/team/app/manifests/v2`, options);
      await eventually('it is pushed', () => Promise.resolve(registry.requests.length > before));
      leaving.abort();
      await expect(pushed).rejects.toThrow();
      await eventually('its end is written down', () =>
        Promise.resolve(front.records.some(({ action, status }) => action === 'push' && status === 499)),
      );
    }
    const lines = await reaching(async () => (await get('team/app/manifests/v1'), await get('team/app/manifests/v1')));
    expect(lines).toHaveLength(2);
    registry.put('other/app', 'v1', manifestOf('one'));
    expect(
      await reaching(async () => (await get('other/app/manifests/v1'), await get('other/app/manifests/v1'))),
    ).toHaveLength(1);
  });

  test('keeps its own length when a reply to a HEAD calls another one by its digest', async () => {
    await start();
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    await get('team/app/manifests/v1');
    for (const size of [100, 0]) {
      registry.put('team/app', 'v1', size === 0 ? '{}' : manifestOf('two', size));
      registry.name = () => digest;
      ahead += 6000;
      expect((await ask('HEAD', 'team/app/manifests/v1')).status).toBe(200);
      registry.name = (named) => named;
      const reply = await get('team/app/manifests/v1');
      expect(reply.headers.get('content-length')).toBe(String(reply.text.length));
      registry.put('team/app', 'v1', manifestOf('one'));
      ahead += 6000;
      await get('team/app/manifests/v1');
    }
  });

  test('counts against limits as every other', async () => {
    const limits = `limits: [{ name: few, subjects: [everyone], count: pull, per: account, rate: 3/1h }]\n`;
    await start({}, rules + limits);
    registry.put('team/app', 'v1', manifestOf('one'));
    const replies = [];
    for (let count = 0; count < 4; count++) replies.push(await get('team/app/manifests/v1'));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(replies[2]?.headers.get('ratelimit-remaining')).toMatch(/^0/);
  });

  test('stays in its repository: the same digest elsewhere is asked for there', async () => {
    await start();
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    expect((await get(`team/app/manifests/${digest}`)).status).toBe(200);
    expect((await get(`other/app/manifests/${digest}`)).status).toBe(404);
  });

  test('is kept apart for each Accept, however it is spaced', async () => {
    await start();
    registry.convert = (text, accept) => (accept.includes('text/old') ? `${text} ` : text);
    registry.put('team/app', 'v1', manifestOf('one'));
    const lines = await reaching(async () => {
      const texts = [];
      for (const accept of ['a/b, text/new', 'a/b,text/old', 'a/b,text/new', 'A/b , text/old'])
        texts.push((await get('team/app/manifests/v1', { accept })).text);
      expect(texts).toEqual([manifestOf('one'), `${manifestOf('one')} `, manifestOf('one'), `${manifestOf('one')} `]);
    });
    expect(lines).toHaveLength(2);
  });

  test('is 304 for who has it, and asked of the registry for whoever wants a part', async () => {
    await start();
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    const path = 'team/app/manifests/v1';
    await get(path);
    const lines = await reaching(async () => {
      for (const known of [`"${digest}"`, digest, `W/"${digest}"`, `"other", "${digest}"`, '*']) {
        const reply = await get(path, { 'if-none-match': known });
        expect(reply, known).toMatchObject({ status: 304, text: '' });
      }
      expect((await get(path, { 'if-none-match': '"other"' })).status).toBe(200);
    });
    expect(lines).toEqual([]);
    for (const name of ['range', 'if-match', 'if-modified-since', 'if-unmodified-since', 'if-range'])
      expect(await reaching(() => get(path, { [name]: 'bytes=0-1' })), name).toHaveLength(1);
  });

  test('is not kept when it has another digest than it says, or says that it may not be', async () => {
    await start();
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    registry.name = () => sha256('something else');
    expect(
      await reaching(async () => (await get('team/app/manifests/v1'), await get('team/app/manifests/v1'))),
    ).toHaveLength(2);
    registry.name = (name) => name;
    registry.convert = (text) => `${text} `;
    const path = `team/app/manifests/${digest}`;
    expect(await reaching(async () => (await get(path), await get(path)))).toHaveLength(2);
    registry.convert = (text) => text;
    for (const extra of [
      { 'Cache-Control': 'no-store' },
      { 'Cache-Control': 'private' },
      { Vary: 'User-Agent' },
      { 'Content-Encoding': 'x' },
    ]) {
      registry.extra = extra;
      expect(await reaching(async () => (await get(path), await get(path))), JSON.stringify(extra)).toHaveLength(2);
    }
  });

  test('is not kept when it comes as a redirect', async () => {
    await start();
    registry.trouble = () => 307;
    registry.put('team/app', 'v1', manifestOf('one'));
    expect(
      await reaching(async () => (await get('team/app/manifests/v1'), await get('team/app/manifests/v1'))),
    ).toHaveLength(2);
  });

  test('is asked for once by many at the same time, also when the first of them leaves', async () => {
    await start();
    registry.put('team/app', 'v1', manifestOf('one'));
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    registry.hold = () => held;
    const leaving = new AbortController();
    const first = fetch(`${front.url}/v2/team/app/manifests/v1`, {
      headers: { authorization: `Basic ${credentials('dana')}`, accept: imageType },
      signal: leaving.signal,
    }).catch(() => undefined);
    await eventually('the first one is asked', () => Promise.resolve(registry.requests.length === 1));
    const others = Array.from({ length: 12 }, () => get('team/app/manifests/v1'));
    leaving.abort();
    await first;
    await eventually('the next one is asked', () => Promise.resolve(registry.requests.length === 2));
    release();
    const replies = await Promise.all(others);
    expect(replies.map(({ text }) => text)).toEqual(Array(12).fill(manifestOf('one')));
    expect(registry.requests).toHaveLength(2);
  });

  test('is not waited with for a client that does not take it', async () => {
    await start({ PORTCULLIS_TIMEOUTS_IDLE: '1s' });
    registry.put('team/app', 'v1', manifestOf('one', 4_000_000));
    await get('team/app/manifests/v1');
    const socket = connect(front.port, '127.0.0.1');
    socket.on('error', () => undefined).pause();
    const head = `Host: x\r\nAccept: ${imageType}\r\nAuthorization: Basic ${credentials('dana')}\r\n\r\n`;
    socket.write(`GET /v2/team/app/manifests/v1 HTTP/1.1\r\n${head}`.repeat(8));
    await eventually('it is given up', () =>
      Promise.resolve(front.records.some(({ reason, cache }) => reason === 'client_timeout' && cache === 'hit')),
    );
    socket.destroy();
  });

  test('takes no more memory than it may', async () => {
    await start({ PORTCULLIS_CACHE_MEMORY: '256KiB' });
    for (let count = 0; count < 40; count++) {
      registry.put('team/app', `v${count}`, manifestOf(`${count}`, 20_000));
      await get(`team/app/manifests/v${count}`);
    }
    const bytes = await metric(/cache_bytes (\d+)/);
    expect(bytes).toBeGreaterThan(128 * 1024);
    expect(bytes).toBeLessThanOrEqual(256 * 1024);
    expect(await reaching(() => get('team/app/manifests/v39'))).toEqual([]);
    expect(await reaching(() => get('team/app/manifests/v0'))).toHaveLength(1);
  });
});

describe('a change', () => {
  test.each([
    ['a push of the tag', 'manifests/v1', 201],
    ['a push by digest that names the tag', `manifests/${sha256(manifestOf('two'))}?tag=v1`, 201],
  ])('by %s is seen by the next read', async (_what, path, status) => {
    await start();
    registry.put('team/app', 'v1', manifestOf('one'));
    await get('team/app/manifests/v1');
    expect((await push(`team/app/${path}`, manifestOf('two'))).status).toBe(status);
    expect((await get('team/app/manifests/v1')).text).toBe(manifestOf('two'));
  });

  test('is seen also when its answer was lost', async () => {
    await start();
    registry.put('team/app', 'v1', manifestOf('one'));
    await get('team/app/manifests/v1');
    registry.trouble = (line) => {
      if (!line.startsWith('PUT')) return undefined;
      registry.put('team/app', 'v1', manifestOf('two'));
      return 'break';
    };
    expect((await push('team/app/manifests/v1', manifestOf('two'))).status).toBe(502);
    expect((await get('team/app/manifests/v1')).text).toBe(manifestOf('two'));
  });

  test('is seen by reads that began while it was made, and by those after them', async () => {
    await start();
    registry.put('team/app', 'v1', manifestOf('one'));
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    registry.hold = (line) => (line.startsWith('GET') ? held : Promise.resolve());
    const early = get('team/app/manifests/v1');
    await eventually('it is asked', () => Promise.resolve(registry.requests.length === 1));
    await push('team/app/manifests/v1', manifestOf('two'));
    const late = get('team/app/manifests/v1');
    await eventually('it is asked anew', () => Promise.resolve(registry.requests.length === 3));
    release();
    expect((await early).text).toBe(manifestOf('one'));
    expect((await late).text).toBe(manifestOf('two'));
    expect((await get('team/app/manifests/v1')).text).toBe(manifestOf('two'));
  });

  test('while it is made keeps everything out of memory', async () => {
    await start();
    registry.put('team/app', 'v1', manifestOf('one'));
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    registry.hold = (line) => (line.startsWith('PUT') ? held : Promise.resolve());
    const pushing = push('team/app/manifests/v2', manifestOf('two'));
    await eventually('it is pushed', () => Promise.resolve(registry.requests.length === 1));
    expect(
      await reaching(async () => (await get('team/app/manifests/v1'), await get('team/app/manifests/v1'))),
    ).toHaveLength(2);
    expect(await reaching(async () => (await get('other/app/manifests/v1'), await turn()))).toHaveLength(1);
    release();
    await pushing;
  });

  test('that deletes takes the manifest and all of its tags at once, and a blob', async () => {
    await start();
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    registry.put('team/app', 'latest', manifestOf('one'));
    const config = Buffer.from('{"config":true}');
    registry.of('team/app').blobs.set(sha256(config), config);
    const paths = ['manifests/v1', 'manifests/latest', `manifests/${digest}`, `blobs/${sha256(config)}`];
    for (const path of paths) expect((await get(`team/app/${path}`)).status).toBe(200);
    expect((await ask('DELETE', `team/app/blobs/${sha256(config)}`)).status).toBe(202);
    expect((await get(`team/app/blobs/${sha256(config)}`)).status).toBe(404);
    expect((await ask('DELETE', `team/app/manifests/${digest}`)).status).toBe(202);
    for (const path of paths) expect((await get(`team/app/${path}`)).status, path).toBe(404);
  });

  test('behind the back of the gateway is seen after tagTtl for a tag, and after contentTtl by one HEAD for content', async () => {
    await start();
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    const paths = ['team/app/manifests/v1', `team/app/manifests/${digest}`] as const;
    for (const path of paths) await get(path);
    registry.put('team/app', 'v1', manifestOf('two'));
    ahead += 500;
    expect((await get(paths[0])).text).toBe(manifestOf('one'));
    ahead += 5000;
    expect((await get(paths[0])).text).toBe(manifestOf('two'));
    expect(await reaching(() => get(paths[1]))).toEqual([]);
    ahead += 595_000;
    expect(await reaching(() => get(paths[1]))).toEqual([`HEAD /v2/${paths[1]}`]);
    expect(await reaching(() => get(paths[1]))).toEqual([]);
    registry.of('team/app').manifests.delete(digest);
    ahead += 600_000;
    expect((await get(paths[1])).status).toBe(404);
    expect(await recorded(8)).toEqual([undefined, undefined, 'hit', undefined, 'hit', 'confirmed', 'hit', undefined]);
  });

  test('is decided upon by what the registry has, never by what is remembered', async () => {
    await start();
    registry.put('team/fixed', 'v1', manifestOf('one'));
    await get('team/fixed/manifests/v1');
    registry.of('team/fixed').tags.delete('v1');
    expect((await push('team/fixed/manifests/v1', manifestOf('two'))).status).toBe(201);
    await get('team/fixed/manifests/v1');
    registry.put('team/fixed', 'v2', manifestOf('two'));
    expect((await push('team/fixed/manifests/v2', manifestOf('three'))).status).toBe(403);
  });
});

describe('a small blob', () => {
  test('is given from memory where the registry has shown it; a larger one, and a part, never', async () => {
    await start();
    const [small, large] = [Buffer.alloc(65_536, 's'), Buffer.alloc(65_537, 'l')];
    const { blobs } = registry.of('team/app');
    for (const blob of [small, large]) blobs.set(sha256(blob), blob);
    const path = `team/app/blobs/${sha256(small)}`;
    const lines = await reaching(async () => {
      for (let count = 0; count < 3; count++) expect((await get(path)).text).toBe(small.toString());
      expect((await ask('HEAD', path)).headers.get('content-length')).toBe('65536');
    });
    expect(lines).toEqual([`GET /v2/${path}`]);
    expect(await get(path, { range: 'bytes=0-3' })).toMatchObject({ status: 206, text: 'ssss' });
    expect((await get(`other/app/blobs/${sha256(small)}`)).status).toBe(404);
    const other = `team/app/blobs/${sha256(large)}`;
    expect(await reaching(async () => (await get(other), await get(other)))).toHaveLength(2);
    blobs.set(sha256('wrong'), Buffer.from('right'));
    const wrong = `team/app/blobs/${sha256('wrong')}`;
    expect(await reaching(async () => (await get(wrong), await get(wrong)))).toHaveLength(2);
  });

  test('may be a layer where cache.blobs says so', async () => {
    await start({ PORTCULLIS_CACHE_BLOBS: '1MiB' });
    const layers = [1_048_576, 1_048_577].map((size) => Buffer.alloc(size, 'l'));
    const counts = [];
    for (const layer of layers) {
      registry.of('team/app').blobs.set(sha256(layer), layer);
      const path = `team/app/blobs/${sha256(layer)}`;
      counts.push((await reaching(async () => (await get(path), await get(path)))).length);
    }
    expect(counts).toEqual([1, 2]);
  });

  test('is asked for again after contentTtl, and never looked at by HEAD for that', async () => {
    await start();
    const blob = Buffer.from('{}');
    registry.of('team/app').blobs.set(sha256(blob), blob);
    const path = `team/app/blobs/${sha256(blob)}`;
    await get(path);
    ahead += 600_000;
    expect(await reaching(() => get(path))).toEqual([`GET /v2/${path}`]);
  });
});

describe('a registry that does not answer', () => {
  const troubles: readonly (readonly [string, () => Promise<void> | void])[] = [
    ['refuses connections', () => registry.stop()],
    ['answers 502', () => void (registry.trouble = () => 502)],
    ['answers 503', () => void (registry.trouble = () => 503)],
    ['answers 504', () => void (registry.trouble = () => 504)],
    ['times out', () => void (registry.trouble = () => 'hang')],
  ];
  const env = {
    PORTCULLIS_CACHE_STALE_IF_ERROR: '1h',
    PORTCULLIS_TIMEOUTS_CONNECT: '1s',
    PORTCULLIS_TIMEOUTS_RESPONSE: '1s',
    PORTCULLIS_TIMEOUTS_IDLE: '1s',
  };

  test.each(troubles)('and %s is stood in for as long as staleIfError says, and said so', async (_what, begin) => {
    await start(env);
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    const blob = Buffer.from('{}');
    registry.of('team/app').blobs.set(sha256(blob), blob);
    const paths = ['team/app/manifests/v1', `team/app/manifests/${digest}`, `team/app/blobs/${sha256(blob)}`];
    for (const path of paths) await get(path);
    ahead += 1_800_000;
    await begin();
    for (const path of paths) {
      for (const method of ['GET', 'HEAD']) {
        const reply = await ask(method, path);
        expect(reply, `${method} ${path}`).toMatchObject({ status: 200 });
        expect(reply.headers.get('warning')).toBe('110 - "Response is Stale"');
        expect(reply.text === '').toBe(method === 'HEAD');
      }
    }
    expect((await recorded(9)).slice(3)).toEqual(Array(6).fill('stale'));
    expect(front.records.at(-1)).toMatchObject({ decision: 'allow', status: 200 });
    expect((await ask('GET', paths[0] ?? '', {}, undefined, 'tess')).status).toBe(403);
    ahead += 1_800_000;
    for (const path of paths) expect((await get(path)).status, path).toBeGreaterThanOrEqual(502);
  });

  test.each(troubles.slice(0, 2))(
    'and %s is not stood in for by default, nor for what was written to',
    async (_what, begin) => {
      await start();
      registry.put('team/app', 'v1', manifestOf('one'));
      await get('team/app/manifests/v1');
      ahead += 5000;
      await begin();
      expect((await get('team/app/manifests/v1')).status).toBeGreaterThanOrEqual(502);
      await front.close();
      registry.trouble = () => undefined;
      await registry.stop();
      await registry.start();
      await start(env);
      const digest = registry.put('team/app', 'v1', manifestOf('one'));
      for (const path of ['v1', digest]) await get(`team/app/manifests/${path}`);
      await ask('DELETE', `team/app/manifests/${digest}`);
      await begin();
      for (const path of ['v1', digest])
        expect((await get(`team/app/manifests/${path}`)).status).toBeGreaterThanOrEqual(502);
    },
  );
});

describe('turned off', () => {
  test('as a whole by cache.memory: 0', async () => {
    await start({ PORTCULLIS_CACHE_MEMORY: '0' });
    registry.put('team/app', 'v1', manifestOf('one'));
    expect(
      await reaching(async () => (await get('team/app/manifests/v1'), await get('team/app/manifests/v1'))),
    ).toHaveLength(2);
    expect(await metric(/cache_bytes (\d+)/)).toBe(0);
  });

  test('for tags by cache.tagTtl: 0s, for content by cache.contentTtl: 0s', async () => {
    await start({ PORTCULLIS_CACHE_TAG_TTL: '0s', PORTCULLIS_CACHE_CONTENT_TTL: '0s' });
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    for (const path of ['team/app/manifests/v1', `team/app/manifests/${digest}`])
      expect(await reaching(async () => (await get(path), await get(path)))).toHaveLength(2);
  });
});
