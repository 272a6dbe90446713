import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Config } from '../../src/config/load.ts';
import { redirectProblem } from '../../src/http/backend/redirects.ts';
import { type RawRegistry, type StandIn, startRawRegistry, startStandIn } from '../support/stand-in.ts';
import { type RawClient, type Reply, headerOf, openClient } from '../hostile/support/client.ts';
import { type TestGateway, basic, startTestGateway } from '../support/gateway.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const blob = `/v2/mine/app/blobs/${digest}`;
const secret = 'X-Amz-Signature=s3cr3t';

/** Object storage: writes down what is asked and answers from a script. */
let storage: StandIn;
let asked: IncomingMessage[] = [];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const content: typeof answer = (_request, response) =>
  void response
    .writeHead(200, { 'content-length': 5, etag: '"x"', server: 'AmazonS3', 'set-cookie': 'a=b', 'x-amz-id-2': 'z' })
    .end('layer');
let host: string;
let backend: RawRegistry;
let gateways: TestGateway[] = [];
beforeAll(async () => {
  storage = await startStandIn((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  ({ host } = storage);
});
afterAll(() => storage.close());
beforeEach(async () => {
  asked = [];
  answer = content;
  backend = await startRawRegistry();
});
afterEach(async () => {
  for (const gateway of gateways) {
    expect(await gateway.inFlight()).toBe(0);
    expect(gateway.errors).toEqual([]);
    await gateway.close();
  }
  gateways = [];
  await backend.until(() => backend.openSockets() === 0, 'no connection to the registry was left');
  await backend.close();
});

async function gatewayWith(
  redirects: Partial<Config['redirects']>,
  timeouts: Partial<Config['timeouts']> = {},
): Promise<TestGateway> {
  const rules = { mode: 'follow', hosts: [host], ...redirects } as const;
  const gateway = await startTestGateway(backend.url, timeouts, rules);
  gateways.push(gateway);
  return gateway;
}

/** The registry points there. */
function pointTo(location: string, status = 307, named = digest): void {
  const name = named === '' ? '' : `Docker-Content-Digest: ${named}\r\n`;
  const lines = `Location: ${location}\r\n${name}`;
  backend.answer({
    onRequest: (_request, socket) =>
      void socket.write(`HTTP/1.1 ${status} X\r\n${lines}Content-Type: text/html\r\nContent-Length: 4\r\n\r\n<a>x`),
  });
}

const head = (line: string, lines = ''): string =>
  `${line} HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\nAuthorization: Basic ${basic}\r\n${lines}\r\n`;

async function ask(gateway: TestGateway, line = `GET ${blob}`, lines = ''): Promise<Reply | undefined> {
  const client = await openClient(gateway.port, new Set(line.startsWith('HEAD') ? [0] : []));
  client.send(head(line, lines));
  await client.until(() => client.ended() !== undefined || client.replies()[0]?.complete === true, 'a reply');
  expect(client.received().toString()).not.toContain('s3cr3t');
  client.abort();
  return client.replies()[0];
}

describe('following a redirect of a blob', () => {
  test('gives the client the content, as if it came from the registry, and the log its source', async () => {
    const gateway = await gatewayWith({});
    pointTo(`http://${host}/bucket/data?${secret}`);
    const reply = await ask(gateway);
    expect([reply?.status, reply?.body.toString()]).toEqual([200, 'layer']);
    const names = reply?.headers.map(([name]) => name.toLowerCase()).sort();
    expect(names).toEqual([
      ...['connection', 'content-length', 'content-security-policy', 'date', 'docker-content-digest'],
      ...['docker-distribution-api-version', 'etag', 'keep-alive', 'x-content-type-options', 'x-request-id'],
    ]);
    expect(headerOf(reply, 'docker-content-digest')).toBe(digest);
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([`GET /bucket/data?${secret}`]);
    expect(gateway.records.at(-1)).toMatchObject({ status: 200, bytes: 5, digest, detail: `from ${host}` });
    expect(JSON.stringify(gateway.records)).not.toContain('s3cr3t');
    await backend.until(() => backend.openSockets() === 0, 'the registry was let go, whatever its redirect says');
  });

  test('asks the storage for the same part under the same conditions, and shows it no credentials', async () => {
    const gateway = await gatewayWith({});
    pointTo(`http://${host}/b`);
    answer = (_request, response) =>
      void response.writeHead(206, { 'content-range': 'bytes 1-2/5', 'content-length': 2 }).end('ay');
    const conditions = 'Range: bytes=1-2\r\nIf-Range: "x"\r\nIf-None-Match: "y"\r\nAccept: */*\r\n';
    const reply = await ask(
      gateway,
      `GET ${blob}`,
      `${conditions}Cookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\nX-Y: z\r\n`,
    );
    expect([reply?.status, reply?.body.toString()]).toEqual([206, 'ay']);
    expect(headerOf(reply, 'content-range')).toBe('bytes 1-2/5');
    expect(asked[0]?.headers).toEqual({
      host,
      range: 'bytes=1-2',
      'if-range': '"x"',
      'if-none-match': '"y"',
      accept: '*/*',
      'user-agent': 'x',
      connection: 'close',
    });
  });

  test('answers HEAD with the length and without content', async () => {
    const gateway = await gatewayWith({});
    pointTo(`http://${host}/b`);
    const reply = await ask(gateway, `HEAD ${blob}`);
    expect([reply?.status, headerOf(reply, 'content-length'), asked[0]?.method]).toEqual([200, '5', 'HEAD']);
  });

  test('goes on from one listed host to another, at most three times', async () => {
    const gateway = await gatewayWith({});
    pointTo(`http://${host}/0`);
    answer = (request, response) => {
      const hop = Number(request.url?.slice(1));
      if (hop < 2) response.writeHead(302, { location: `/${hop + 1}` }).end();
      else content(request, response);
    };
    expect((await ask(gateway))?.body.toString()).toBe('layer');
    expect(asked.map(({ url }) => url)).toEqual(['/0', '/1', '/2']);
    answer = (_request, response) => void response.writeHead(302, { location: '/again' }).end();
    asked = [];
    expect((await ask(gateway))?.status).toBe(502);
    expect(asked).toHaveLength(3);
  });

  const refused: readonly (readonly [what: string, location: () => string, detail: () => string])[] = [
    ['a host that is not listed', () => `http://localhost:1/b?${secret}`, () => 'localhost:1, which redirects.hosts'],
    ['a listed host at another port', () => 'http://127.0.0.1/b', () => '127.0.0.1, which redirects.hosts'],
    ['cloud metadata', () => 'http://169.254.169.254/latest', () => '169.254.169.254, which redirects.hosts'],
    ['a listed host as somebody’s name', () => `http://${host}@evil.test/b`, () => 'leads elsewhere'],
    ['a path of the registry that is not of its API', () => `${backend.url}/debug/pprof`, () => 'leads elsewhere'],
  ];
  test.each(refused)('%s is a 502, is not asked, and the log says why', async (_what, location, detail) => {
    const gateway = await gatewayWith({});
    pointTo(location());
    expect((await ask(gateway))?.status).toBe(502);
    expect(asked).toEqual([]);
    expect(gateway.records.at(-1)).toMatchObject({
      reason: 'upstream_broken',
      detail: expect.stringContaining(detail()),
    });
    expect(JSON.stringify(gateway.records)).not.toContain('s3cr3t');
  });

  test.each(['http://localhost:1/b', 'BACK'])('nor does a redirect of the storage lead anywhere: %s', async (where) => {
    const gateway = await gatewayWith({ hosts: [host, `127.0.0.1:${backend.port}`] });
    const location = where === 'BACK' ? `${backend.url}/v2/mine/secret/blobs/x` : where;
    pointTo(`http://${host}/b`);
    answer = (_request, response) => void response.writeHead(307, { location }).end();
    const before = backend.requests().length;
    expect((await ask(gateway))?.status).toBe(502);
    expect(backend.requests().length).toBe(before + 1);
  });

  test.each([401, 403, 404, 500, 503])('a %i of the storage is a 502 without a word of it', async (status) => {
    const gateway = await gatewayWith({});
    pointTo(`http://${host}/b`);
    answer = (_request, response) => void response.writeHead(status).end('<Error>bucket-name</Error>');
    const reply = await ask(gateway);
    expect(reply?.status).toBe(502);
    expect(reply?.body.toString()).not.toContain('bucket-name');
    expect(gateway.records.at(-1)?.detail).toBe(`${host}: the storage answers ${status}`);
  });

  test('content whose transfer is encoded is a 502: whoever takes it for the blob would store something else', async () => {
    const gateway = await gatewayWith({});
    pointTo(`http://${host}/b`);
    answer = ({ socket }) =>
      void socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n');
    expect((await ask(gateway))?.status).toBe(502);
    expect(gateway.records.at(-1)?.detail).toBe(`${host}: the transfer is encoded`);
  });

  test('only reads are fetched: the redirect of anything else is a 502', async () => {
    const gateway = await gatewayWith({});
    pointTo(`http://${host}/b`);
    for (const line of ['DELETE /v2/mine/app/manifests/v1', `DELETE ${blob}`, 'POST /v2/mine/app/blobs/uploads/'])
      expect((await ask(gateway, line))?.status).toBe(502);
    expect(asked).toEqual([]);
  });

  test.each([412, 416])('a %i of the storage is told in the words of the API, not in its own', async (status) => {
    const gateway = await gatewayWith({});
    pointTo(`http://${host}/b`);
    answer = (_request, response) =>
      void response.writeHead(status, { 'content-type': 'application/xml' }).end('<Error>bucket-name</Error>');
    const reply = await ask(gateway, `GET ${blob}`, 'Range: bytes=9-\r\nIf-Match: "x"\r\n');
    expect([reply?.status, headerOf(reply, 'content-type')]).toEqual([status, 'application/json']);
    expect(reply?.body.toString()).toMatch(/^\{"errors":\[\{"code":"[A-Z_]+"/);
    expect(reply?.body.toString()).not.toContain('bucket-name');
    const head = await ask(gateway, `HEAD ${blob}`, 'If-Match: "x"\r\n');
    expect([head?.status, headerOf(head, 'content-type')]).toEqual([status, 'application/json']);
  });

  test('a storage that is down is a 502, and one that breaks off shows', async () => {
    const gateway = await gatewayWith({ hosts: [host, '127.0.0.1:1'] });
    pointTo('http://127.0.0.1:1/b');
    expect((await ask(gateway))?.status).toBe(502);
    expect(gateway.records.at(-1)?.reason).toBe('upstream_unreachable');
    pointTo(`http://${host}/b`);
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('part', () => response.destroy());
    };
    const reply = await ask(gateway);
    expect([reply?.status, reply?.complete]).toEqual([200, false]);
  });

  test('one that stalls is ended by the idle limit, before its answer and in the middle of it', async () => {
    const gateway = await gatewayWith({}, { idleMs: 300, responseMs: 300 });
    pointTo(`http://${host}/b`);
    answer = () => {};
    expect((await ask(gateway))?.status).toBe(504);
    answer = (_request, response) => void response.writeHead(200, { 'content-length': 100 }).write('part');
    const reply = await ask(gateway);
    expect([reply?.status, reply?.complete]).toEqual([200, false]);
    storage.drop();
  });

  test('a client that leaves takes the connection to the storage with it', async () => {
    const gateway = await gatewayWith({});
    pointTo(`http://${host}/b`);
    let closed: Promise<unknown> | undefined;
    answer = (request, response) => {
      closed = once(request.socket, 'close');
      response.writeHead(200, { 'content-length': 100 }).write('part');
    };
    const client: RawClient = await openClient(gateway.port);
    client.send(head(`GET ${blob}`));
    await client.until(() => client.received().toString().endsWith('part'), 'content');
    client.abort();
    await closed;
  });

  test('a slow reader holds the storage back', async () => {
    const gateway = await gatewayWith({}, { idleMs: 60_000, responseMs: 60_000 });
    pointTo(`http://${host}/b`);
    const part = Buffer.alloc(1_048_576);
    let sent = 0;
    let stuck: () => void = () => {};
    const full = new Promise<void>((resolve) => (stuck = resolve));
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': 256 * part.length });
      let waiting: NodeJS.Timeout | undefined;
      const pump = (): void => {
        clearTimeout(waiting);
        while (sent < 256) {
          sent++;
          if (!response.write(part)) break;
        }
        // A tenth of a second without room: nobody reads.
        waiting = setTimeout(stuck, 100);
      };
      response.on('drain', pump);
      response.on('error', () => {});
      pump();
    };
    const client = await openClient(gateway.port);
    client.socket.pause();
    client.send(head(`GET ${blob}`));
    await full;
    expect(sent).toBeLessThan(64);
    client.abort();
  });
});

describe('following a redirect of a manifest or list', () => {
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: type, layers: [] });
  const name = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
  const byTag = 'GET /v2/mine/app/manifests/v1';
  const byDigest = `GET /v2/mine/app/manifests/${name}`;
  const tags = 'GET /v2/mine/app/tags/list';
  const referrers = `GET /v2/mine/app/referrers/${name}`;
  const stores =
    (body: string, headers: Readonly<Record<string, string>> = {}, status = 200): typeof answer =>
    (request, response) =>
      void response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body);
  const point = (named?: string): void => pointTo(`http://${host}/m?${secret}`, 307, named ?? '');

  test.each([
    [byTag, undefined],
    [byTag, name],
    [byDigest, undefined],
    // What was asked for says more than what comes.
    [byDigest, digest],
  ])('%s gives the manifest under its digest and type (the registry names %s)', async (line, named) => {
    const gateway = await gatewayWith({});
    point(named);
    answer = stores(manifest, { 'content-type': 'binary/octet-stream', 'docker-content-digest': digest });
    const reply = await ask(gateway, line, 'Range: bytes=1-2\r\nAccept: x/y\r\n');
    expect([reply?.status, reply?.body.toString()]).toEqual([200, manifest]);
    expect([headerOf(reply, 'docker-content-digest'), headerOf(reply, 'content-type')]).toEqual([name, type]);
    expect([asked[0]?.headers.range, asked[0]?.headers.accept]).toEqual([undefined, 'x/y']);
    expect(gateway.records.at(-1)).toMatchObject({ digest: name, detail: `from ${host}` });
  });

  test('a manifest that has another digest than was asked for, or than the registry named, is a 502', async () => {
    const gateway = await gatewayWith({});
    answer = stores(`${manifest} `, { 'content-type': type });
    for (const [line, named] of [
      [byDigest, undefined],
      [byTag, name],
    ] as const) {
      point(named);
      expect((await ask(gateway, line))?.status).toBe(502);
      expect(gateway.records.at(-1)?.detail).toBe(`${host}: the content has another digest`);
    }
  });

  const unusable: readonly (readonly [line: string, what: string, answers: typeof answer])[] = [
    [byTag, 'of no known kind', stores('{"layers":[]}')],
    [byTag, 'that is a page', stores('<html>log in</html>', { 'content-type': 'text/html' })],
    [byTag, 'that is encoded', stores(manifest, { 'content-encoding': 'gzip' })],
    [byTag, 'of 5 MB', stores('x'.repeat(5_000_000), { 'content-type': type })],
    [byDigest, 'in part', stores(manifest, { 'content-type': type }, 206)],
    [byDigest, 'that is not there', stores('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', {}, 404)],
    [tags, 'that is a page', stores('<html>log in</html>')],
    [tags, 'of another kind', stores('{"repositories":[]}')],
    [tags, 'that is not there', stores('{"errors":[{"code":"NAME_UNKNOWN"}]}', {}, 404)],
    [tags, 'that goes on elsewhere', stores('{"tags":[]}', { link: '<http://evil.test/t?p=2>; rel="next"' })],
    [referrers, 'of another kind', stores('{"tags":[]}')],
    [referrers, 'that is not there', stores('', {}, 404)],
  ];
  test.each(unusable)('%s %s is a 502', async (line, _what, answers) => {
    const gateway = await gatewayWith({});
    point();
    answer = answers;
    expect((await ask(gateway, line))?.status).toBe(502);
    expect(gateway.records.at(-1)?.reason).toBe('upstream_broken');
  });

  test('lists are given with their types, and where they go on at the registry', async () => {
    const gateway = await gatewayWith({});
    point();
    answer = stores('{"name":"mine/app","tags":["v1"]}', { link: '</v2/mine/app/tags/list?last=v1>; rel="next"' });
    const list = await ask(gateway, tags);
    expect([list?.status, list?.body.toString()]).toEqual([200, '{"name":"mine/app","tags":["v1"]}']);
    expect(headerOf(list, 'content-type')).toBe('application/json');
    expect(headerOf(list, 'link')).toBe('</v2/mine/app/tags/list?last=v1>; rel="next"');
    expect(headerOf(list, 'docker-content-digest')).toBeUndefined();
    answer = stores('{"manifests":[]}', { 'oci-filters-applied': 'artifactType' });
    const index = await ask(gateway, referrers);
    expect([index?.status, index?.body.toString()]).toEqual([200, '{"manifests":[]}']);
    expect(headerOf(index, 'content-type')).toBe('application/vnd.oci.image.index.v1+json');
    expect(headerOf(index, 'oci-filters-applied')).toBe('artifactType');
  });

  test('HEAD and conditions are answered without content', async () => {
    const gateway = await gatewayWith({});
    point();
    answer = stores('', { 'content-type': type, 'content-length': String(manifest.length) });
    const head = await ask(gateway, byDigest.replace('GET', 'HEAD'));
    expect([head?.status, headerOf(head, 'content-length')]).toEqual([200, String(manifest.length)]);
    expect(headerOf(head, 'docker-content-digest')).toBe(name);
    answer = stores('', { etag: '"x"' }, 304);
    expect((await ask(gateway, byTag, 'If-None-Match: "x"\r\n'))?.status).toBe(304);
  });

  test.each([byTag, byDigest, tags, referrers])('%s is not fetched from a host that is not listed', async (line) => {
    const gateway = await gatewayWith({ hosts: ['s3.test'] });
    point();
    expect((await ask(gateway, line))?.status).toBe(502);
    expect(asked).toEqual([]);
  });
});

describe('passing a redirect on', () => {
  test('leads to listed hosts only, and says in the log which one was not', async () => {
    const gateway = await gatewayWith({ mode: 'pass', hosts: ['*.storage.test', host] });
    for (const location of [`https://eu.storage.test/b?${secret.replace('s3cr3t', 'x')}`, `http://${host}/b`]) {
      pointTo(location);
      const reply = await ask(gateway);
      expect([reply?.status, headerOf(reply, 'location')]).toEqual([307, location]);
    }
    pointTo(`https://storage.test.evil.test/b?${secret}`);
    expect((await ask(gateway))?.status).toBe(502);
    expect(gateway.records.at(-1)?.detail).toBe(
      'a redirect leads to storage.test.evil.test, which redirects.hosts does not list',
    );
    expect(asked).toEqual([]);
  });

  test('a second Location does not slip through behind the first', async () => {
    const gateway = await gatewayWith({ mode: 'pass', hosts: ['good.test'] });
    pointTo('https://good.test/b\r\nLocation: https://evil.test/b');
    expect((await ask(gateway))?.status).toBe(502);
  });
});

describe('a listed host', () => {
  const upstream = new URL('http://registry:5000');
  const cases: readonly (readonly [url: string, entry: string, isListed: boolean])[] = [
    ['https://s3.test/b', 's3.test', true],
    ['http://s3.test/b', 's3.test', true],
    ['https://s3.test:443/b', 's3.test', true],
    ['https://s3.test:8443/b', 's3.test', false],
    ['https://s3.test:8443/b', 's3.test:8443', true],
    ['https://s3.test/b', 's3.test:443', true],
    ['http://s3.test/b', 's3.test:443', false],
    ['https://S3.TEST/b', 's3.test', true],
    ['https://s3.test./b', 's3.test', false],
    ['https://a.s3.test/b', 's3.test', false],
    ['https://a.s3.test/b', '*.s3.test', true],
    ['https://a.b.s3.test/b', '*.s3.test', true],
    ['https://s3.test/b', '*.s3.test', false],
    ['https://evils3.test/b', '*.s3.test', false],
    ['https://a.s3.test:9/b', '*.s3.test:9', true],
    ['http://[::1]:9000/b', '[::1]:9000', true],
    ['http://[0:0::1]/b', '[::1]', true],
    ['http://2130706433/b', '127.0.0.1', true],
    ['ftp://s3.test/b', 's3.test', false],
    ['http://registry:5000/b', 'registry:5000', false],
  ];
  test.each(cases)('%s by %s: %s', (url, entry, isListed) => {
    const problem = redirectProblem(new URL(url), upstream, upstream, { mode: 'follow', hosts: [entry] });
    expect(problem === undefined).toBe(isListed);
  });

  test('is needed to follow, not to pass', () => {
    const url = new URL('https://s3.test/b');
    expect(redirectProblem(url, upstream, upstream, { mode: 'follow', hosts: [] })).toContain('s3.test');
    expect(redirectProblem(url, upstream, upstream, { mode: 'pass', hosts: [] })).toBeUndefined();
  });
});

describe('a redirect that is followed never steps down from https', () => {
  const registries = { http: new URL('http://registry:5000'), https: new URL('https://registry:5000') };
  test.each([
    ['https', 'https', 'http', false],
    ['http', 'https', 'http', false],
    ['http', 'http', 'http', true],
    ['http', 'http', 'https', true],
    ['https', 'https', 'https', true],
  ] as const)('a registry by %s, a redirect by %s, leading to %s: followed %s', (registry, from, to, isFollowed) => {
    const [url, before] = [new URL(`${to}://s3.test/b`), new URL(`${from}://front.test/b`)];
    const rules = { hosts: ['s3.test'] };
    const problem = redirectProblem(url, before, registries[registry], { mode: 'follow', ...rules });
    expect(problem).toEqual(isFollowed ? undefined : expect.stringContaining('from https to http, to s3.test'));
    expect(redirectProblem(url, before, registries[registry], { mode: 'pass', ...rules })).toBeUndefined();
  });
});
