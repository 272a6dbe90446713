import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type RawRegistry, ok, startRawRegistry } from '../support/stand-in.ts';
import { type RawClient, type Reply, converse, headerOf, openClient } from './support/client.ts';
import { type TestGateway, basic, startTestGateway } from '../support/gateway.ts';

interface Row {
  /** What is promised about the registry's bytes. */
  readonly title: string;
  /** Method and target; default: a GET of a manifest. */
  readonly asks?: string;
  /** The registry's bytes, Latin-1. `{self}` is its own host and port. */
  readonly reply: string;
  /** How the registry goes on: it ends the connection, resets it, or stays silent. Default: it ends it. */
  readonly then?: 'end' | 'reset' | 'silence';
  readonly status: number;
  /** Content that the client gets; with `cut` the part before the loss. */
  readonly body?: string;
  /** The code of an error in words of the gateway's own. */
  readonly code?: string;
  /** The client must see that something is missing. */
  readonly cut?: true;
  readonly shows?: Readonly<Record<string, string | readonly string[]>>;
  readonly hides?: readonly string[];
}

const digest = `sha256:${'a'.repeat(64)}`;
const uploads = '/v2/mine/app/blobs/uploads/';
const blob = `GET /v2/mine/app/blobs/${digest}`;
const manifest = 'GET /v2/mine/app/manifests/v1';
const push = `POST ${uploads}`;
const chunk = `PATCH ${uploads}1`;
const good = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

const envelope = '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"v1"}}]}';
const manyErrors = `{"errors":[${Array.from({ length: 1800 }, () => `{"code":"MANIFEST_BLOB_UNKNOWN","detail":"${digest}"}`).join()}]}`;

/** How a registry, or a proxy in front of it, says no in other words than those of the API. */
const strangeErrors: readonly (readonly [what: string, lines: string, body: string, then?: Row['then']])[] = [
  ['in plain words', 'Content-Type: text/plain\r\nContent-Length: 19\r\n', '404 page not found\n'],
  ['with a page', 'Content-Type: text/html\r\nEtag: "x"\r\nContent-Length: 13\r\n', '<h1>evil</h1>'],
  ['with a page that calls itself JSON', 'Content-Type: application/json\r\nContent-Length: 13\r\n', '<h1>evil</h1>'],
  ['with nothing', 'Content-Length: 0\r\n', ''],
  ['with nothing and no length', 'Connection: close\r\n', ''],
  ['in chunks', 'Transfer-Encoding: chunked\r\n', '4\r\nevil\r\n0\r\n\r\n'],
  ['with other JSON', 'Content-Type: application/json\r\nContent-Length: 16\r\n', '{"error":"evil"}'],
  ['with no errors', 'Content-Type: application/json\r\nContent-Length: 13\r\n', '{"errors":[]}'],
  ['with errors of no code', 'Content-Length: 29\r\n', '{"errors":[{"message":"x"}]} '],
  ['encoded', 'Content-Encoding: gzip\r\nContent-Length: 4\r\n', '\x1f\x8b\x00\xff'],
  ['with 300 KB', 'Content-Length: 300000\r\n', 'evil '.repeat(60_000)],
  ['with half of what it said', 'Content-Length: 100\r\n', 'evil'],
  ['and a reset', 'Content-Length: 100\r\n', 'evil', 'reset'],
  ['and silence', 'Content-Length: 100\r\n', 'evil', 'silence'],
];

/** What cannot be passed on is a 502 without anything of it. */
const broken = (title: string, reply: string, more: Partial<Row> = {}): Row => ({
  title: `${title} is a 502`,
  reply,
  status: 502,
  // It can be reached; only who cannot be is worth another try.
  hides: ['retry-after'],
  ...more,
});

const location = (asks: string, status: number, value: string, shown: string | undefined): Row => ({
  title: `Location ${value} on the ${status} of a ${asks.split(' ', 1)[0]} ${
    shown === undefined ? 'is a 502' : shown === value ? 'passes' : `becomes ${shown}`
  }`,
  asks,
  reply: `HTTP/1.1 ${status} X\r\nLocation: ${value}\r\nContent-Length: 0\r\n\r\n`,
  status: shown === undefined ? 502 : status,
  ...(shown === undefined ? { hides: ['location'] } : { shows: { location: shown } }),
});

const link = (value: string, shown: string | undefined): Row => ({
  title: `Link ${value} ${shown === undefined ? 'is left out' : `becomes ${shown}`}`,
  asks: 'GET /v2/mine/app/tags/list',
  reply: `HTTP/1.1 200 OK\r\nLink: ${value}\r\nContent-Length: 2\r\n\r\n{}`,
  status: 200,
  body: '{}',
  ...(shown === undefined ? { hides: ['link'] } : { shows: { link: shown } }),
});

const rows: readonly Row[] = [
  // --- what is no HTTP, or HTTP that two readers understand differently ----------------------------------------------
  broken('nothing at all', ''),
  broken('a reset instead of an answer', '', { then: 'reset' }),
  broken('half a status line', 'HTTP/1.1 20'),
  broken('half a header block', 'HTTP/1.1 200 OK\r\nContent-Le'),
  broken('another protocol', 'SSH-2.0-OpenSSH_9.9\r\n'),
  broken('bytes', '\x16\x03\x01\x00\xff\x00\x01'),
  broken('bare line feeds', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'),
  broken('a bare carriage return', 'HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok'),
  broken('a control character in a header', 'HTTP/1.1 200 OK\r\nDocker-Content-Digest: a\x01b\r\n\r\n'),
  broken('NUL in a header', 'HTTP/1.1 200 OK\r\nEtag: a\0b\r\nContent-Length: 2\r\n\r\nok'),
  broken('a folded header', 'HTTP/1.1 200 OK\r\nEtag: a\r\n b\r\nContent-Length: 2\r\n\r\nok'),
  broken('length with chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
  broken('two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk'),
  broken('a length in hexadecimal', 'HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok'),
  broken(
    'an encoding of the transfer',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  ),
  broken('an unknown encoding of the transfer', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok'),
  broken('20 KB of header', `HTTP/1.1 200 OK\r\nEtag: ${'a'.repeat(20_000)}\r\nContent-Length: 0\r\n\r\n`),
  broken('100 KB of header', `HTTP/1.1 200 OK\r\n${`X: ${'a'.repeat(994)}\r\n`.repeat(100)}Content-Length: 0\r\n\r\n`),
  broken('the status 099', 'HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n'),
  broken('the status 600', 'HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n'),
  broken('the status 999', 'HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n'),
  broken('the status 1000', 'HTTP/1.1 1000 X\r\nContent-Length: 0\r\n\r\n'),
  broken('the interim status 199 and an end', 'HTTP/1.1 199 X\r\n\r\n'),
  broken('an unexpected 101', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello', {
    then: 'silence',
  }),
  broken('a 101 without a protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'),
  {
    title: 'control characters in the status text stay behind',
    reply: 'HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok',
    status: 200,
    body: 'ok',
  },
  {
    title: 'bytes above 0x7f in the status text stay behind',
    reply: 'HTTP/1.1 200 \xff\xfe\r\nContent-Length: 2\r\n\r\nok',
    status: 200,
    body: 'ok',
  },
  {
    title: 'interim replies before the answer are skipped',
    reply: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </evil>\r\n\r\nHTTP/1.1 199 X\r\n\r\n${good}`,
    status: 200,
    body: 'ok',
    hides: ['link'],
  },
  {
    title: 'an answer of HTTP/1.0 that ends with its connection is passed on',
    reply: 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold content',
    status: 200,
    body: 'old content',
  },
  {
    title: 'a length on a 204 does not take the next answer for content',
    asks: `GET ${uploads}1`,
    reply: 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nRange: 0-4\r\n\r\n',
    status: 204,
    hides: ['content-length'],
    shows: { range: '0-4' },
  },
  {
    title: 'the length of a HEAD is passed on without content',
    asks: 'HEAD /v2/mine/app/manifests/v1',
    reply: 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n',
    status: 200,
    shows: { 'content-length': '1234' },
  },
  {
    title: 'a 304 is passed on without content',
    reply: 'HTTP/1.1 304 Not Modified\r\nEtag: "x"\r\n\r\n',
    status: 304,
    shows: { etag: '"x"' },
  },
  {
    title: 'an error of the registry is passed on as it is',
    reply: `HTTP/1.1 404 Not Found\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${envelope.length}\r\n\r\n${envelope}`,
    status: 404,
    body: envelope,
    shows: { 'content-type': 'application/json; charset=utf-8' },
  },
  {
    title: 'an error of the registry under another type is passed on under its own',
    reply: `HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: ${envelope.length}\r\n\r\n${envelope}`,
    status: 404,
    body: envelope,
    shows: { 'content-type': 'application/json' },
  },
  {
    title: 'so is one of 200 KB, in chunks, and one that ends with its connection',
    asks: `PUT /v2/mine/app/manifests/v1`,
    reply: `HTTP/1.0 400 Bad Request\r\n\r\n${manyErrors}`,
    status: 400,
    body: manyErrors,
    shows: { 'content-type': 'application/json' },
  },
  ...(
    [
      [manifest, 404, 'MANIFEST_UNKNOWN'],
      [blob, 404, 'BLOB_UNKNOWN'],
      [push, 404, 'NAME_UNKNOWN'],
      [chunk, 404, 'BLOB_UPLOAD_UNKNOWN'],
      [chunk, 416, 'RANGE_INVALID'],
      [blob, 416, 'RANGE_INVALID'],
      [push, 413, 'SIZE_INVALID'],
      [chunk, 429, 'TOOMANYREQUESTS'],
      [`PUT ${uploads}1?digest=${digest}`, 400, 'UNSUPPORTED'],
      ['PUT /v2/mine/app/manifests/v1', 400, 'MANIFEST_INVALID'],
      ['DELETE /v2/mine/app/manifests/v1', 405, 'UNSUPPORTED'],
      [`DELETE /v2/mine/app/manifests/${digest}`, 404, 'MANIFEST_UNKNOWN'],
      [`DELETE /v2/mine/app/blobs/${digest}`, 501, 'UNSUPPORTED'],
      ['GET /v2/mine/app/tags/list', 404, 'NAME_UNKNOWN'],
      // A client that read of an unknown name would not look for the referrers tag.
      [`GET /v2/mine/app/referrers/${digest}`, 404, 'UNSUPPORTED'],
      [manifest, 400, 'UNSUPPORTED'],
      [manifest, 451, 'UNSUPPORTED'],
      [manifest, 500, 'UNKNOWN'],
      [chunk, 507, 'UNKNOWN'],
      [manifest, 502, 'UNAVAILABLE'],
      [blob, 503, 'UNAVAILABLE'],
      [manifest, 599, 'UNKNOWN'],
    ] as const
  ).flatMap(([asks, status, code]): readonly Row[] =>
    strangeErrors
      .filter(([, , , then]) => then !== 'silence' || status === 416)
      .map(([what, lines, body, then]) => ({
        title: `the ${status} of ${asks.slice(0, 40)} ${what} is a ${status} in the form of the API`,
        asks,
        reply: `HTTP/1.1 ${status} X\r\nRetry-After: 7\r\nWarning: 299 - "w"\r\nServer: nginx\r\n${lines}\r\n${body}`,
        ...(then === undefined ? {} : { then }),
        status,
        code,
        shows: { 'retry-after': '7', warning: '299 - "w"', 'content-type': 'application/json' },
        hides: ['server', 'content-encoding', 'etag'],
      })),
  ),
  ...[404, 405, 500, 503].map((status) => ({
    title: `a ${status} of a HEAD has no content`,
    asks: 'HEAD /v2/mine/app/manifests/v1',
    reply: `HTTP/1.1 ${status} X\r\nRetry-After: 7\r\nContent-Type: text/html\r\nContent-Length: 512\r\n\r\n`,
    status,
    body: '',
    shows: { 'retry-after': '7', 'content-type': 'application/json' },
    hides: ['content-length', 'transfer-encoding'],
  })),
  {
    title: 'a 404 of a HEAD in the form of the API keeps its length',
    asks: 'HEAD /v2/mine/app/manifests/v1',
    reply: 'HTTP/1.1 404 X\r\nContent-Type: application/json\r\nContent-Length: 157\r\n\r\n',
    status: 404,
    shows: { 'content-length': '157' },
  },
  {
    title: 'the page of a redirect is no error',
    asks: blob,
    reply:
      'HTTP/1.1 307 X\r\nLocation: https://storage.test/b\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<a>x',
    status: 307,
    body: '<a>x',
    shows: { 'content-type': 'text/html', location: 'https://storage.test/b' },
  },

  // --- a body that ends too early ---------------------------------------------------------------------------------
  ...(['end', 'reset'] as const).flatMap((then): readonly Row[] => [
    {
      title: `content shorter than its length shows as a loss (${then})`,
      reply: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart',
      then,
      status: 200,
      cut: true,
    },
    {
      title: `a length and no content shows as a loss (${then})`,
      reply: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n',
      then,
      status: 200,
      cut: true,
    },
    { title: `a lost last chunk shows (${then})`, reply: `${chunked}4\r\npart\r\n`, then, status: 200, cut: true },
    { title: `half a chunk shows as a loss (${then})`, reply: `${chunked}ff\r\npart`, then, status: 200, cut: true },
    { title: `chunks that never come show (${then})`, reply: chunked, then, status: 200, cut: true },
  ]),
  { title: 'a broken chunk size shows as a loss', reply: `${chunked}4\r\npart\r\nzz\r\n`, status: 200, cut: true },
  {
    title: 'a body that stalls is cut',
    reply: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart',
    then: 'silence',
    status: 200,
    body: 'part',
    cut: true,
  },
  {
    title: 'chunks that stall are cut',
    reply: `${chunked}4\r\npart\r\n`,
    then: 'silence',
    status: 200,
    body: 'part',
    cut: true,
  },
  { title: 'a registry that never answers is a 504', reply: '', then: 'silence', status: 504 },
  { title: 'a header block that stalls is a 504', reply: 'HTTP/1.1 200 OK\r\n', then: 'silence', status: 504 },
  { title: 'the status 199 for ever is a 504', reply: 'HTTP/1.1 199 X\r\n\r\n', then: 'silence', status: 504 },

  // --- what a registry says about other places ------------------------------------------------------------------------
  // Its query is for the registry alone.
  location(push, 202, '/v2/mine/app/blobs/uploads/1?_state=a-_%3D', '/v2/mine/app/blobs/uploads/1'),
  location(push, 202, 'http://{self}/v2/mine/app/blobs/uploads/1?state=x=', '/v2/mine/app/blobs/uploads/1'),
  location(push, 202, 'https://{self}/v2/mine/app/blobs/uploads/1', '/v2/mine/app/blobs/uploads/1'),
  location(push, 201, 'http://{self}/v2/mine/app/blobs/x', '/v2/mine/app/blobs/x'),
  location(chunk, 202, 'http://{self}/v2/mine/app/blobs/uploads/2', '/v2/mine/app/blobs/uploads/2'),
  location(chunk, 416, 'http://{self}/v2/mine/app/blobs/uploads/2', '/v2/mine/app/blobs/uploads/2'),
  location(`GET ${uploads}1`, 204, 'http://{self}/v2/mine/app/blobs/uploads/2', '/v2/mine/app/blobs/uploads/2'),
  // A registry whose `http.host` is what clients call the gateway.
  location(push, 202, 'http://registry.test/v2/mine/app/blobs/uploads/1?_state=x=', '/v2/mine/app/blobs/uploads/1'),
  // Another repository, another route, what is no upload, and what might be one to one parser only.
  ...['/v2/mine/other/blobs/uploads/1', '/v2/mine/app/blobs/uploads', '/v2/mine/app/blobs/uploads/'].flatMap((path) =>
    [push, chunk].map((asks) => location(asks, 202, path, undefined)),
  ),
  ...['1/../../x', '..', '1%2f..', '%2e%2E', '1/manifests/v1', '1%00', '%252e'].map((id) =>
    location(push, 202, `/v2/mine/app/blobs/uploads/${id}?state=x`, undefined),
  ),
  location(push, 202, `/v2/mine/app/blobs/uploads/1?state=${'x'.repeat(4096)}`, undefined),
  location(push, 202, '/v2/mine/app/manifests/v1', undefined),
  location(push, 202, 'https://Registry.test/v2/mine/app/blobs/uploads/1', '/v2/mine/app/blobs/uploads/1'),
  location(push, 201, 'http://registry.test:80/v2/mine/app/blobs/x', '/v2/mine/app/blobs/x'),
  location(push, 202, 'http://registry.test:81/v2/mine/app/blobs/uploads/1', undefined),
  location(push, 202, 'http://registry.test.evil.test/v2/mine/app/blobs/uploads/1', undefined),
  location(push, 202, 'http://registry.test@evil.test/v2/mine/app/blobs/uploads/1', undefined),
  location(push, 202, 'http://registry.test/elsewhere', undefined),
  ...[201, 202].map((status) => location(push, status, 'http://evil.test/v2/mine/app/blobs/uploads/1', undefined)),
  location(push, 202, '//evil.test/v2/x', undefined),
  location(push, 202, '/\\evil.test/v2/x', undefined),
  location(push, 202, 'http://{self}@evil.test/v2/x', undefined),
  location(push, 202, 'http://{self}.evil.test/v2/x', undefined),
  location(push, 202, 'javascript:alert(1)', undefined),
  location(push, 202, '/elsewhere', undefined),
  location(push, 202, '/v2/mine/app/blobs/uploads/1#x', undefined),
  location(push, 202, '/v2/mine\\app/blobs/uploads/1', undefined),
  location(push, 202, '1', undefined),
  location(push, 307, 'http://evil.test/v2/mine/app/blobs/uploads/', undefined),
  location(blob, 307, 'https://storage.test/b?signature=x%2F', 'https://storage.test/b?signature=x%2F'),
  location(blob, 307, 'http://{self}/v2/mine/app/blobs/x', '/v2/mine/app/blobs/x'),
  location(blob, 307, 'http://{self}/storage/b', undefined),
  location(blob, 307, 'ftp://storage.test/b', undefined),
  location(blob, 307, 'https://storage.test:99999/b', undefined),
  location(blob, 307, 'https://[::1/b', undefined),
  location(blob, 307, '//storage.test/b', undefined),
  location(blob, 200, 'https://storage.test/b', undefined),
  location(manifest, 307, 'https://storage.test/m?signature=x%2F', 'https://storage.test/m?signature=x%2F'),
  location('GET /v2/mine/app/tags/list', 307, 'https://storage.test/t', 'https://storage.test/t'),
  location(`PUT /v2/mine/app/manifests/v1`, 307, 'https://storage.test/m', undefined),
  location(`DELETE /v2/mine/app/manifests/v1`, 307, 'https://storage.test/m', undefined),
  location(manifest, 301, '/v2/mine/other/manifests/v1', '/v2/mine/other/manifests/v1'),
  link('</v2/mine/app/tags/list?last=v1&n=1>; rel="next"', '</v2/mine/app/tags/list?last=v1&n=1>; rel="next"'),
  link('<http://{self}/v2/mine/app/tags/list?last=v1>; rel="next"', '</v2/mine/app/tags/list?last=v1>; rel="next"'),
  link(
    '<http://registry.test/v2/mine/app/tags/list?last=v1>; rel="next"',
    '</v2/mine/app/tags/list?last=v1>; rel="next"',
  ),
  // A list that goes on where nobody may follow would pass for a whole one.
  ...[
    'http://evil.test/v2/mine/app/tags/list?last=v1',
    '//evil.test/v2/',
    '/v2/mine/other/tags/list?last=v1',
    '/v2/mine/app/manifests/v1',
    '/v2/mine/app/tags/list',
  ].map((target) =>
    broken(
      `a list that goes on at ${target}`,
      `HTTP/1.1 200 OK\r\nLink: <${target}>; rel="next"\r\nContent-Length: 2\r\n\r\n{}`,
      { asks: 'GET /v2/mine/app/tags/list', hides: ['link'] },
    ),
  ),
  link('</v2/mine/app/tags/list>; rel="stylesheet"', undefined),
  ...[401, 403].map((status) =>
    broken(
      `a ${status} with a challenge of its own`,
      `HTTP/1.1 ${status} X\r\nWWW-Authenticate: Bearer realm="http://evil.test/token"\r\nContent-Length: 0\r\n\r\n`,
      { hides: ['www-authenticate'] },
    ),
  ),
  {
    title: 'a challenge on a good answer stays behind',
    reply: 'HTTP/1.1 200 OK\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 2\r\n\r\nok',
    status: 200,
    body: 'ok',
    hides: ['www-authenticate'],
  },

  // --- headers --------------------------------------------------------------------------------------------------------
  {
    title: 'headers about the registry, the connection and cookies stay behind',
    reply:
      'HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nServer: nginx\r\nX-Powered-By: x\r\nConnection: X-Internal\r\nX-Internal: 1\r\n' +
      'Keep-Alive: timeout=99\r\nProxy-Authenticate: Basic\r\nTrailer: X\r\nUpgrade: h2c\r\nAlt-Svc: h2=":1"\r\n' +
      'Access-Control-Allow-Origin: *\r\nStrict-Transport-Security: max-age=1\r\nVia: x\r\nRefresh: 0; url=//evil\r\n' +
      'X_Under: 1\r\n__proto__: x\r\nContent-Length: 2\r\n\r\nok',
    status: 200,
    body: 'ok',
    hides: [
      'set-cookie',
      'server',
      'x-powered-by',
      'x-internal',
      'proxy-authenticate',
      'trailer',
      'upgrade',
      'alt-svc',
      'access-control-allow-origin',
      'strict-transport-security',
      'via',
      'refresh',
      'x_under',
      '__proto__',
    ],
  },
  {
    title: 'headers that clients of registries read are passed on',
    reply:
      `HTTP/1.1 200 OK\r\nDocker-Content-Digest: ${digest}\r\nContent-Type: application/x\r\nEtag: "${digest}"\r\n` +
      'OCI-Subject: sha256:b\r\nRetry-After: 3\r\nAccept-Ranges: bytes\r\nContent-Length: 2\r\n\r\nok',
    status: 200,
    body: 'ok',
    shows: {
      'docker-content-digest': digest,
      'content-type': 'application/x',
      etag: `"${digest}"`,
      'oci-subject': 'sha256:b',
      'retry-after': '3',
      'accept-ranges': 'bytes',
      'docker-distribution-api-version': 'registry/2.0',
    },
  },
  {
    title: 'repeated warnings stay apart',
    reply: 'HTTP/1.1 200 OK\r\nWarning: 299 - "a, b"\r\nWarning: 299 - "c"\r\nContent-Length: 2\r\n\r\nok',
    status: 200,
    shows: { warning: ['299 - "a, b"', '299 - "c"'] },
  },
  {
    title: 'encoded content is neither decoded nor relabelled',
    reply: 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 6\r\n\r\n\x1f\x8b\x00\xff\r\n',
    status: 200,
    body: '\x1f\x8b\x00\xff\r\n',
    shows: { 'content-encoding': 'gzip, gzip' },
  },
  {
    title: 'a part is passed on as a part',
    asks: blob,
    reply: 'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-6/9\r\nContent-Length: 2\r\n\r\nok',
    status: 206,
    body: 'ok',
    shows: { 'content-range': 'bytes 5-6/9' },
  },
];

let backend: RawRegistry;
let gateway: TestGateway;

beforeAll(async () => {
  backend = await startRawRegistry();
  gateway = await startTestGateway(backend.url);
});

afterAll(async () => {
  await gateway.close();
  await backend.close();
});

/** Process alive, next request served with its own content, nothing left open. */
afterEach(async () => {
  backend.answer({ onRequest: ok });
  const [next] = await converse(gateway.port, request(manifest, 'Connection: close\r\n'));
  expect(next?.status).toBe(200);
  expect(next?.body.toString()).toBe('ok');
  await backend.until(() => backend.openSockets() === 0, 'no connection was left');
  expect(await gateway.inFlight()).toBe(0);
  expect(gateway.errors).toEqual([]);
});

const request = (asks: string, lines = ''): string => {
  const body = asks.startsWith('P') ? 'Content-Length: 5\r\n' : '';
  const head = `${asks} HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\nAuthorization: Basic ${basic}\r\n${body}${lines}\r\n`;
  return body === '' ? head : `${head}layer`;
};

/** Sends one request and waits for its whole reply, or the end of the connection. */
async function ask(asks: string): Promise<{ readonly client: RawClient; readonly reply: Reply | undefined }> {
  const client = await openClient(gateway.port, new Set(asks.startsWith('HEAD ') ? [0] : []));
  client.send(request(asks));
  await client.until(() => client.ended() !== undefined || client.replies()[0]?.complete === true, 'a reply');
  return { client, reply: client.replies()[0] };
}

function finish(socket: Socket, then: Row['then'] = 'end'): void {
  if (then === 'end') socket.end();
  else if (then === 'reset') socket.resetAndDestroy();
}

describe('replies', () => {
  for (const { title, asks = manifest, reply, then, status, body, code, cut, shows = {}, hides = [] } of rows) {
    test(title.replaceAll('{self}', 'the-registry:5000'), async () => {
      const self = `127.0.0.1:${backend.port}`;
      backend.answer({
        onRequest(_request, socket) {
          const bytes = Buffer.from(reply.replaceAll('{self}', self), 'latin1');
          if (bytes.length === 0) finish(socket, then);
          else socket.write(bytes, () => setImmediate(() => finish(socket, then)));
        },
      });
      const { client, reply: seen } = await ask(asks);
      client.abort();
      if (seen === undefined || seen.status === 0) {
        // The loss may overtake the headers: an end without any answer is plain enough.
        expect(cut).toBe(true);
        return;
      }
      expect(seen.status).toBe(status);
      expect(seen.complete).toBe(cut !== true);
      if (body !== undefined) expect(seen.body.toString('latin1')).toBe(body);
      for (const [name, value] of Object.entries(shows)) {
        const found = seen.headers.filter(([candidate]) => candidate.toLowerCase() === name);
        // The gateway may add a parameter of its own to a path of its own.
        const values = found.map(([, text]) => text.replace(/[?&]_portcullis=[^&]*$/, ''));
        expect(values, name).toEqual(typeof value === 'string' ? [value] : value);
      }
      for (const name of hides) expect(headerOf(seen, name), name).toBeUndefined();
      const everything = client.received().toString('latin1');
      expect(everything).not.toContain(self);
      expect(everything).not.toContain('evil');
      const isOurs = asks.startsWith('HEAD ') ? false : code !== undefined || status === 502 || status === 504;
      if (isOurs) {
        expect(JSON.parse(seen.body.toString())).toMatchObject({ errors: [{ code: code ?? 'UNAVAILABLE' }] });
        expect(headerOf(seen, 'content-type')).toBe('application/json');
      }
      expect(headerOf(seen, 'server')).toBeUndefined();
      expect(['keep-alive', 'close', undefined]).toContain(headerOf(seen, 'connection'));
    });
  }

  test('the headers of a reply do not wait for its content', async () => {
    let registry: Socket | undefined;
    backend.answer({
      onRequest(_request, socket) {
        registry = socket;
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n');
      },
    });
    const client = await openClient(gateway.port);
    client.send(request(manifest));
    await client.until(() => client.replies()[0]?.status === 200, 'headers');
    expect(client.replies()[0]?.complete).toBe(false);
    registry?.end('ok');
    await client.until(() => client.replies()[0]?.complete === true, 'a reply');
    client.abort();
  });

  test('what the registry said instead is in the log, in short', async () => {
    const page = `404 page\r\n\tnot\0 found \xff${'x'.repeat(500)}`;
    const reply = `HTTP/1.1 404 X\r\nContent-Length: ${page.length}\r\n\r\n${page}`;
    backend.answer({ onRequest: (_request, socket) => socket.end(Buffer.from(reply, 'latin1')) });
    (await ask(manifest)).client.abort();
    const { status, detail } = gateway.records.at(-1) ?? {};
    expect([status, detail?.slice(0, 42)]).toEqual([404, 'the registry said: 404 page not found xxxx']);
    expect(detail?.length).toBeLessThan(230);
  });

  test('a registry that speaks unasked on a kept connection loses it (CVE-2026-48931)', async () => {
    let registry: Socket | undefined;
    backend.answer({
      onRequest(_request, socket) {
        registry = socket;
        socket.write(good);
      },
    });
    const first = await ask(manifest);
    expect(first.reply?.body.toString()).toBe('ok');
    first.client.abort();
    expect(backend.openSockets()).toBe(1);
    registry?.write(good.replace('ok', 'no'));
    await backend.until(() => backend.openSockets() === 0, 'the connection was given up');
    const second = await ask(manifest);
    expect(second.reply?.body.toString()).toBe('ok');
    second.client.abort();
    registry?.destroy();
  });

  test('an answer in one packet with the poison behind it is taken alone', async () => {
    backend.answer({ onRequest: (_request, socket) => void socket.write(good + good.replace('ok', 'no')) });
    for (let again = 0; again < 4; again++) {
      const { client, reply } = await ask(manifest);
      expect(reply?.body.toString()).toBe('ok');
      client.abort();
    }
  });

  test('a client of HTTP/1.0 sees a loss as well, although nothing frames its content', async () => {
    let registry: Socket | undefined;
    backend.answer({
      onRequest(_request, socket) {
        registry = socket;
        socket.write(`${chunked}4\r\npart\r\n`);
      },
    });
    const client = await openClient(gateway.port);
    client.send(`${manifest} HTTP/1.0\r\nUser-Agent: x\r\nAuthorization: Basic ${basic}\r\n\r\n`);
    await client.until(() => client.received().toString().endsWith('part'), 'content');
    expect(client.received().toString()).not.toContain('chunked');
    registry?.end();
    await client.until(() => client.ended() !== undefined, 'the end');
    expect(client.ended()).toBe('reset');
  });

  test('a reset of an answer that would end with its connection shows as a loss', async () => {
    let registry: Socket | undefined;
    backend.answer({
      onRequest(_request, socket) {
        registry = socket;
        socket.write('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\npart');
      },
    });
    const client = await openClient(gateway.port);
    client.send(request(manifest));
    await client.until(() => client.replies()[0]?.body.toString() === 'part', 'content');
    registry?.resetAndDestroy();
    await client.until(() => client.ended() !== undefined, 'the end');
    expect(client.replies()[0]?.complete).toBe(false);
  });

  for (const status of [413, 507]) {
    test(`a ${status} reaches a client that is still uploading`, async () => {
      backend.answer({
        onHead: (_request, socket) =>
          void socket.end(`HTTP/1.1 ${status} X\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfull`),
      });
      const client = await openClient(gateway.port);
      client.send(
        `${chunk} HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\nAuthorization: Basic ${basic}\r\nContent-Length: 50000000\r\n\r\n`,
      );
      const part = Buffer.alloc(65_536);
      const pump = (): void => {
        while (client.socket.writable && client.socket.write(part));
      };
      client.socket.on('drain', pump);
      pump();
      await client.until(() => client.replies()[0]?.complete === true, 'a reply');
      client.abort();
      expect(client.replies()[0]?.status).toBe(status);
      const code = status === 413 ? 'SIZE_INVALID' : 'UNKNOWN';
      expect(JSON.parse(client.replies()[0]?.body.toString() ?? '')).toMatchObject({ errors: [{ code }] });
      expect(headerOf(client.replies()[0], 'connection')).toBe('close');
    });
  }

  /** Goes on writing after the answer, as a client that looks at it only then: a write that fails would hide it. */
  async function uploadBlindly(asks: string): Promise<Reply | undefined> {
    const client = await openClient(gateway.port);
    const part = Buffer.alloc(65_536);
    client.send(
      `${asks} HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\nAuthorization: Basic ${basic}\r\nContent-Length: ${8 * part.length}\r\n\r\n`,
    );
    client.send(part);
    await client.until(() => client.replies()[0]?.complete === true, 'a reply');
    for (let count = 1; count < 8; count++) {
      // In one process the other side acts only between turns of the event loop.
      await new Promise(setImmediate);
      await new Promise<void>((resolve, reject) =>
        client.socket.write(part, (error) => (error ? reject(error) : resolve())),
      );
    }
    await client.until(() => client.ended() !== undefined, 'the end');
    expect(client.ended()).toBe('orderly');
    return client.replies()[0];
  }

  test('a refusal waits for a client that writes everything before it reads', async () => {
    expect((await uploadBlindly(chunk.replace('mine', 'secret')))?.status).toBe(403);
  });

  test('so does the refusal of a registry that stays connected', async () => {
    backend.answer({
      onHead: (_request, socket) => void socket.write('HTTP/1.1 401 X\r\nContent-Length: 99\r\n\r\npart'),
    });
    expect((await uploadBlindly(chunk))?.status).toBe(502);
  });

  test('so does an early answer of the registry', async () => {
    backend.answer({
      onHead: (_request, socket) => void socket.write('HTTP/1.1 413 X\r\nContent-Length: 4\r\n\r\nfull'),
    });
    expect((await uploadBlindly(chunk))?.status).toBe(413);
  });
});
