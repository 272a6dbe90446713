import { basic } from '../../support/gateway.ts';

/**
 * The classes of bad input as bytes, one line each. Every row is sent to the gateway in this process in front of a backend
 * that writes down every byte (requests.test.ts), and to the built program in front of a real registry whose access log
 * says what arrived (built-program.test.ts). Whoever knows another class adds its line here.
 */

export interface RawRequest {
  /** What is promised about the bytes. */
  readonly title: string;
  /** `{head}` is Host, User-Agent and a good token as header lines, `{token}` the bare token. Latin-1. */
  readonly bytes: string;
  /** Statuses of the final replies, in order; 0 is an end without any. */
  readonly status: number | readonly number[];
  /** The request lines that the registry receives, byte for byte. */
  readonly reaches: readonly string[];
  /** Content of the last of them. */
  readonly content?: string;
  /** Headers of the last of them; undefined for one that must not be there. */
  readonly carries?: Readonly<Record<string, string | undefined>>;
}

const digest = `sha256:${'a'.repeat(64)}`;
const manifest = '/v2/mine/app/manifests/v1';
const uploads = '/v2/mine/app/blobs/uploads/';
const session = `${uploads}0d0e0f`;
const forwardedManifest = [`GET ${manifest} HTTP/1.1`];
const plainUpload = [`POST ${uploads} HTTP/1.1`];
/** What an attacker wants the registry to execute, or the gateway to execute behind its own back. */
const hidden = `GET /v2/mine/app/manifests/hidden HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\nAuthorization: Basic ${basic}\r\n\r\n`;
const inChunks = (content: string): string => `${content.length.toString(16)}\r\n${content}\r\n0\r\n\r\n`;
const junk = (lines: number): string => Array.from({ length: lines }, (_, at) => `x-${at}: y\r\n`).join('');

/** A GET of a manifest, with header lines added or with another target. */
const get = (lines: string, target = manifest): string => `GET ${target} HTTP/1.1\r\n{head}${lines}\r\n`;
const post = (query: string, lines = 'Content-Length: 0\r\n', content = ''): string =>
  `POST ${uploads}${query} HTTP/1.1\r\n{head}${lines}\r\n${content}`;
const patch = (lines: string, content: string, target = session): string =>
  `PATCH ${target} HTTP/1.1\r\n{head}${lines}\r\n${content}`;
const form = (type: string, content: string, method = 'POST', target = uploads): string =>
  `${method} ${target} HTTP/1.1\r\n{head}Content-Type: ${type}\r\nContent-Length: ${content.length}\r\n\r\n${content}`;

const base64 = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

/** Paths that another parser could read as a route that was not judged. */
const target = (text: string, status: number, title = `the target ${text.slice(0, 60)} is refused`): RawRequest => ({
  title,
  bytes: get('', text),
  status,
  reaches: [],
});

const repeated = (name: string, first: string, second: string): RawRequest => ({
  title: `a repeated ${name} header is refused, and nothing behind it on the connection is read`,
  bytes: `PATCH ${session} HTTP/1.1\r\n${name === 'Host' ? '' : 'Host: registry.test\r\n'}${
    name === 'Authorization' ? '' : 'Authorization: Bearer {token}\r\n'
  }User-Agent: hostile\r\n${name}: ${first}\r\n${name}: ${second}\r\n\r\n${hidden}`,
  status: 400,
  reaches: [],
});

const dropped = (title: string, lines: string): RawRequest => ({
  title: `${title} stays in the gateway`,
  bytes: get(lines),
  status: 200,
  reaches: forwardedManifest,
});

export const rawRequests: readonly RawRequest[] = [
  // --- framing: two requests in one, or half of one -----------------------------------------------------------------
  ...['DELETE', 'GET', 'HEAD', 'OPTIONS'].map((method) => ({
    title: `a chunked ${method} never carries a second request (CVE-2026-29057)`,
    bytes: `${method} ${manifest} HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n${inChunks(hidden)}`,
    status: 400,
    reaches: [],
  })),
  ...['DELETE', 'GET', 'HEAD', 'OPTIONS'].map((method) => ({
    title: `a ${method} with Content-Length never carries a second request`,
    bytes: `${method} ${manifest} HTTP/1.1\r\n{head}Content-Length: ${hidden.length}\r\n\r\n${hidden}`,
    status: 400,
    reaches: [],
  })),
  ...['GET', 'HEAD', 'DELETE'].flatMap((method) =>
    [`Content-Length: ${hidden.length}`, 'Transfer-Encoding: chunked'].map((framing) => ({
      title: `2,000 header lines do not hide ${framing.split(':', 1)[0]} of a ${method} (CVE-2026-58044)`,
      bytes: `${method} ${manifest} HTTP/1.1\r\n{head}${junk(2000)}${framing}\r\n\r\n${hidden}`,
      status: 431,
      reaches: [],
    })),
  ),
  { title: 'a hundred header lines are served', bytes: get(junk(97)), status: 200, reaches: forwardedManifest },
  { title: 'one header line more is refused', bytes: get(junk(98)), status: 431, reaches: [] },
  {
    title: 'Content-Length with Transfer-Encoding is refused',
    bytes: patch('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${hidden}`),
    status: 400,
    reaches: [],
  },
  {
    title: 'Transfer-Encoding before Content-Length is refused',
    bytes: patch('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', `0\r\n\r\n${hidden}`),
    status: 400,
    reaches: [],
  },
  ...['gzip, chunked', 'chunked, identity', 'identity', 'xchunked', 'chunked, chunked', '"chunked"', ''].map(
    (encoding) => ({
      title: `the transfer encoding "${encoding}" is refused`,
      bytes: patch(`Transfer-Encoding: ${encoding}\r\n`, `0\r\n\r\n${hidden}`),
      status: 400,
      reaches: [],
    }),
  ),
  {
    title: 'chunks in HTTP/1.0, where they do not exist, are refused (RFC 9112 section 6.1)',
    bytes: `PATCH ${session} HTTP/1.0\r\n{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    status: 400,
    reaches: [],
  },
  {
    title: 'a chunked upload arrives in chunks',
    bytes: patch('Transfer-Encoding: chunked\r\n', inChunks('layer')),
    status: 200,
    reaches: [`PATCH ${session} HTTP/1.1`],
    content: 'layer',
  },
  {
    title: 'chunk extensions end at the gateway',
    bytes: patch('Transfer-Encoding: chunked\r\n', '5;x="\r;y\r\nlayer\r\n0\r\n\r\n'.replace('"\r', 'a')),
    status: 200,
    reaches: [`PATCH ${session} HTTP/1.1`],
    content: 'layer',
  },
  {
    title: 'trailers end at the gateway',
    bytes: patch(
      'Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n',
      '5\r\nlayer\r\n0\r\nAuthorization: x\r\n\r\n',
    ),
    status: 200,
    reaches: [`PATCH ${session} HTTP/1.1`],
    content: 'layer',
  },
  ...['fffffffffffffffff', '0x5', '-5', '+5', '5 5', ''].map((size) => ({
    title: `the chunk size "${size}" is refused`,
    bytes: post('', 'Transfer-Encoding: chunked\r\n', `${size}\r\nlayer\r\n0\r\n\r\n${hidden}`),
    status: 400,
    reaches: [],
  })),
  ...['+5', '5 ,5', '5, 5', '0x5', '-1', '5a', '99999999999999999999'].map((length) => ({
    title: `the content length "${length}" is refused`,
    bytes: patch(`Content-Length: ${length}\r\n`, `layer${hidden}`),
    status: 400,
    reaches: [],
  })),
  {
    title: 'a GET with a content length and no content is refused at once (CVE-2024-28869)',
    bytes: get('Content-Length: 10\r\n'),
    status: 400,
    reaches: [],
  },
  {
    title: 'Trailer without Transfer-Encoding is an ordinary request (it ended the process of two proxy libraries)',
    bytes: get('Trailer: X\r\n'),
    status: 200,
    reaches: forwardedManifest,
  },
  repeated('Host', 'registry.test', 'evil.test'),
  repeated('Authorization', 'Bearer {token}', 'Basic AAAA'),
  repeated('Content-Length', '0', '0'),
  repeated('Content-Type', 'application/octet-stream', 'application/x-www-form-urlencoded'),
  repeated('Content-Range', '0-4', '0-5'),
  repeated('Range', 'bytes=0-1', 'bytes=5-9'),
  repeated('Transfer-Encoding', 'chunked', 'chunked'),
  repeated('Expect', '100-continue', '100-continue'),
  {
    title: 'a request without Host is refused',
    bytes: `GET ${manifest} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n`,
    status: 400,
    reaches: [],
  },
  {
    title: 'a folded header line is refused',
    bytes: get('Content-Type: text/plain,\r\n application/x-www-form-urlencoded\r\n'),
    status: 400,
    reaches: [],
  },
  {
    title: 'bare line feeds are refused',
    bytes: `GET ${manifest} HTTP/1.1\n{head}\n\n${hidden}`,
    status: 400,
    reaches: [],
  },
  { title: 'a bare carriage return is refused', bytes: get('X: a\rContent-Length: 5\r\n'), status: 400, reaches: [] },
  { title: 'a space before the colon is refused', bytes: get('Content-Length : 5\r\n'), status: 400, reaches: [] },
  { title: 'a header name with a space is refused', bytes: get('X Y: 5\r\n'), status: 400, reaches: [] },
  { title: 'a header line without a colon is refused', bytes: get('no colon\r\n'), status: 400, reaches: [] },
  { title: 'NUL in a header is refused (CVE-2019-9900)', bytes: get('X: a\0b\r\n'), status: 400, reaches: [] },
  {
    title: 'a header block that ends in CR CR X is refused (CVE-2025-23167)',
    bytes: `GET ${manifest} HTTP/1.1\r\n{head}\r\rX${hidden}`,
    status: 400,
    reaches: [],
  },
  {
    title: 'bytes above 0x7f in header values are served',
    bytes: get('X: \x80\xff\r\nIf-None-Match: "\xe9"\r\n').replace('{head}', '{head}X-Agent: \xff\r\n'),
    status: 200,
    reaches: forwardedManifest,
  },
  {
    title: 'bytes above 0x7f in Authorization are no credentials',
    bytes: `GET ${manifest} HTTP/1.1\r\nHost: r\r\nUser-Agent: \x80\xff\r\nAuthorization: Bearer \xff\x80\r\n\r\n`,
    status: 401,
    reaches: [],
  },
  {
    title: 'a __proto__ header is a header (CVE-2026-21710)',
    bytes: get('__proto__: x\r\nconstructor: y\r\n'),
    status: 200,
    reaches: forwardedManifest,
  },
  { title: 'headers of 70 KiB are refused', bytes: get(`X: ${'a'.repeat(70_000)}\r\n`), status: 431, reaches: [] },
  {
    title: 'a token among 40 KiB of headers is served',
    bytes: get(`Cookie: ${'a'.repeat(40_000)}\r\n`),
    status: 200,
    reaches: forwardedManifest,
  },

  // --- connection and version ---------------------------------------------------------------------------------------
  {
    title: 'pipelined requests are judged one by one',
    bytes: get('') + get('', '/v2/secret/app/manifests/v1') + `GET ${manifest} HTTP/1.1\r\nHost: r\r\n\r\n` + get(''),
    status: [200, 403, 401, 200],
    reaches: [...forwardedManifest, ...forwardedManifest],
  },
  {
    title: 'a request that can be read, with garbage behind it, is cut rather than mixed up',
    bytes: get('', '/v2/') + `${get('', '/v2/')}garbage\r\n\r\n`,
    status: [],
    reaches: [],
  },
  {
    title: 'a request that was refused at once has its answer, whatever garbage is behind it',
    bytes: `${get('', '/nowhere')}garbage\r\n\r\n`,
    status: 404,
    reaches: [],
  },
  {
    title: 'an HTTP/1.0 request is served',
    bytes: `GET ${manifest} HTTP/1.0\r\n{head}\r\n`,
    status: 200,
    reaches: forwardedManifest,
  },
  {
    title: 'an HTTP/1.0 request for a kept connection is served',
    bytes: `GET ${manifest} HTTP/1.0\r\n{head}Connection: keep-alive\r\n\r\n`,
    status: 200,
    reaches: forwardedManifest,
  },
  ...[
    ['HTTP/2.0', 505],
    ['HTTP/0.9', 505],
    ['HTTP/1.2', 400],
    ['HTTP/3.0', 400],
    ['http/1.1', 400],
    ['HTTP/11', 400],
  ].map(([version = '', status = 0]) => ({
    title: `the version ${version} is refused`,
    bytes: `GET ${manifest} ${version}\r\n{head}\r\n${hidden}`,
    status: Number(status),
    reaches: [],
  })),
  {
    title: 'the HTTP/2 preface is refused',
    bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    status: 400,
    reaches: [],
  },
  {
    title: 'an upgrade to WebSocket is ignored, and what follows is another request',
    bytes: get('Connection: Upgrade\r\nUpgrade: websocket\r\n') + get(''),
    status: [200, 200],
    reaches: [`GET ${manifest} HTTP/1.1`, `GET ${manifest} HTTP/1.1`],
  },
  {
    title: 'an upgrade to h2c is ignored, and what follows is another request',
    bytes: get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n') + get(''),
    status: [200, 200],
    reaches: [`GET ${manifest} HTTP/1.1`, `GET ${manifest} HTTP/1.1`],
  },
  {
    title: 'Upgrade without Connection is ignored',
    bytes: get('Upgrade: h2c\r\n'),
    status: 200,
    reaches: [`GET ${manifest} HTTP/1.1`],
  },
  {
    title: 'CONNECT is refused',
    bytes: get('', 'r:5000').replace('GET', 'CONNECT') + hidden,
    status: 405,
    reaches: [],
  },
  ...['TRACE', 'OPTIONS', 'PROPFIND', 'PURGE', 'M-SEARCH', 'LINK'].map((method) => ({
    title: `${method} is refused`,
    bytes: get('').replace('GET', method),
    status: 405,
    reaches: [],
  })),
  ...['FOO', 'get', 'GETT'].map((method) => ({
    title: `the method ${method} is refused`,
    bytes: get('').replace('GET', method),
    status: 400,
    reaches: [],
  })),
  {
    title: 'Expect with anything but 100-continue is refused, and nothing behind it is read',
    bytes: patch('Expect: 200-ok\r\nContent-Length: 5\r\n', `layer${hidden}`),
    status: 417,
    reaches: [],
  },
  {
    title: 'a list of expectations is refused',
    bytes: patch('Expect: 100-continue, x\r\nContent-Length: 5\r\n', 'layer'),
    status: 417,
    reaches: [],
  },
  {
    title: 'Expect: 100-continue never reaches the registry, and Authorization stays here with it',
    bytes: patch('Expect: 100-continue\r\nContent-Length: 5\r\n', 'layer'),
    status: 200,
    reaches: [`PATCH ${session} HTTP/1.1`],
    content: 'layer',
  },
  {
    title: 'Expect: 100-continue does not help who may not push',
    bytes: patch('Expect: 100-continue\r\nContent-Length: 5\r\n', 'layer', '/v2/secret/app/blobs/uploads/0d0e0f'),
    status: 403,
    reaches: [],
  },

  // --- the target ---------------------------------------------------------------------------------------------------
  target('http://registry.test/v2/mine/app/manifests/v1', 404),
  target('http://evil.test/v2/mine/app/manifests/v1', 404),
  target('http://[::1/v2/mine/app/manifests/v1', 404),
  target('registry.test:5000', 400),
  target('*', 404),
  target('?/v2/mine/app/manifests/v1', 400),
  target('//v2/mine/app/manifests/v1', 404),
  target('//evil.test/v2/mine/app/manifests/v1', 404),
  target('/V2/mine/app/manifests/v1', 404),
  target('/v2', 200, 'the target /v2 is answered by the gateway'),
  target('/v2/', 200, 'the target /v2/ is answered by the gateway'),
  target('/v2?/mine/app/manifests/v1', 200, 'a query on /v2 changes nothing'),
  target('/v20/mine/app/manifests/v1', 404),
  target('/v2;/mine/app/manifests/v1', 404),
  target('/v2\\mine\\app\\manifests\\v1', 404),
  target('/%76%32/mine/app/manifests/v1', 404),
  target('/./v2/mine/app/manifests/v1', 404),
  target('/v2/../v2/mine/app/manifests/v1', 400),
  target('/v2//mine/app/manifests/v1', 400),
  target('/v2/mine//app/manifests/v1', 400),
  target('/v2/mine/app/manifests//v1', 400),
  target('/v2/mine/app/manifests/v1/', 400),
  target('/v2/mine/app/manifests/', 400),
  target('/v2/mine/app/../../secret/app/manifests/v1', 400),
  target('/v2/mine/app/./manifests/v1', 400),
  target('/v2/mine/%2e%2e/secret/app/manifests/v1', 400),
  target('/v2/mine/app%2f..%2f..%2fsecret/app/manifests/v1', 400),
  target('/v2/%2F%2F..%2F..%2Fetc%2Fpasswd', 400),
  target('/v2/mine/..\\..\\secret/app/manifests/v1', 400),
  target('/v2\\..\\secret/app/manifests/v1', 404),
  target('/v2/secret%2fapp/manifests/v1', 400),
  target('/v2/%73ecret/app/manifests/v1', 400),
  target('/v2/mine/%61pp/manifests/v1', 400),
  target('/v2/mine/app/%6danifests/v1', 400),
  target('/v2/mine/app/manifests/%761', 400),
  target('/v2/%5fcatalog', 400),
  target('/v2/_catalog/../secret/app/manifests/v1', 400),
  target('/v2/_catalog/', 400),
  target('/v2//_catalog', 400),
  target('/v2/_catalog?n=1&n=2', 400),
  target('/v2/_catalog?n=-1', 400),
  target('/v2/_catalog?_portcullis=../../secret', 400),
  target('/v2/mine/app/tags/list/', 400),
  target('/v2/mine/app/tags/listx', 404),
  target(`/v2/${'a-'.repeat(3000)}/manifests/v1`, 400, 'a name that a backtracking pattern would chew on is refused'),
  target('/v2/mine/app%00/manifests/v1', 400),
  target('/v2/mine/app\0/manifests/v1', 400),
  target('/v2/mine/app;x/manifests/v1', 400),
  target('/v2/mine/app/manifests/v1;x', 400),
  target('/v2/mine/app/tags/list#/../../secret', 400),
  target('/v2/mine/app/manifests/v1#?x', 400),
  target('/v2/mine/app/manifests/v1%23', 400),
  target('/v2/mine/app/manifests/\xe9', 400),
  target('/v2/mine/app/manifests/v1%', 400),
  target('/v2/mine/app/manifests/%zz', 400),
  target('/v2/Mine/app/manifests/v1', 400),
  target('/v2/mine/APP/manifests/v1', 400),
  target('/v2/mine:5000/app/manifests/v1', 400),
  target('/v2/__proto__/manifests/v1', 400),
  target(`/v2/mine/app/blobs/${digest.toUpperCase()}`, 400),
  target(`/v2/mine/app/blobs/sha256:${'A'.repeat(64)}`, 400),
  target(`/v2/mine/app/blobs/sha256%253a${'a'.repeat(64)}`, 400),
  target('/v2/mine/app/blobs/uploads/..', 400),
  target('/v2/mine/app/blobs/uploads/%2e%2e', 400),
  target('/v2/mine/app/blobs/uploads//', 400),
  target(`/v2/mine/app/manifests/${'v'.repeat(9000)}`, 400, 'a target of 9 KiB is refused'),
  target(`/v2/${'a/'.repeat(40_000)}manifests/v1`, 431, 'a target of 80 KiB is refused'),
  ...[
    '/metrics',
    '/readyz',
    '/debug/pprof/',
    '/zot/auth/login',
    '/v2/_zot/ext/search',
    '/_zot/ext/search',
    '/TOKEN',
    '/token/',
    '/token%2f..',
    '/.well-known/jwks.json/',
    '/api/',
    '/%2F%2F..%2F..%2Fetc%2Fpasswd',
    '/v1/search?q=x',
    '/extensions/v2/mine/app/signatures/sha256:0',
  ].map((path) => target(path, 404)),
  {
    title: 'a tag called list below a repository called tags is a manifest of that repository',
    bytes: get('', '/v2/mine/tags/list/manifests/x'),
    status: 200,
    reaches: ['GET /v2/mine/tags/list/manifests/x HTTP/1.1'],
  },
  {
    title: 'the escaped colon of a digest is the only escape that passes',
    bytes: get('', `/v2/mine/app/blobs/sha256%3A${'a'.repeat(64)}`),
    status: 200,
    reaches: [`GET /v2/mine/app/blobs/${digest} HTTP/1.1`],
  },
  ...['?x=/healthz', '?/../../secret', '?%00', '?a=1&a=2', '?'].map((query) => ({
    title: `the query ${query} of a manifest neither helps nor passes`,
    bytes: get('', manifest + query),
    status: 200,
    reaches: forwardedManifest,
  })),
  {
    title: 'a health check query does not open what is closed (CVE-2025-54576)',
    bytes: get('', '/v2/secret/app/tags/list?x=/healthz'),
    status: 403,
    reaches: [],
  },
  {
    title: 'a health check agent does not open what is closed (CVE-2026-34457)',
    bytes: `GET ${manifest} HTTP/1.1\r\nHost: r\r\nUser-Agent: kube-probe/1.30\r\n\r\n`,
    status: 401,
    reaches: [],
  },

  {
    title: 'the agent of another health check does not either',
    bytes: `GET ${manifest} HTTP/1.1\r\nHost: r\r\nUser-Agent: GoogleHC/1.0\r\n\r\n`,
    status: 401,
    reaches: [],
  },
  {
    title: 'a malformed target is refused before anybody is asked who they are',
    bytes: 'GET /v2/mine/../secret/manifests/v1 HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\n\r\n',
    status: 400,
    reaches: [],
  },
  {
    title: 'a malformed name is a matter for those who logged in',
    bytes: 'GET /v2/Mine/app/manifests/v1 HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\n\r\n',
    status: 401,
    reaches: [],
  },
  target(`${manifest}?x=${'a'.repeat(9000)}`, 400, 'a query of 9 KiB is refused'),

  // --- query parameters ---------------------------------------------------------------------------------------------
  {
    title: 'a page asks for no more than a registry should answer (CVE-2023-2253)',
    bytes: get('', '/v2/mine/app/tags/list?n=999999&last=v1&x=y'),
    status: 200,
    reaches: ['GET /v2/mine/app/tags/list?n=1000&last=v1 HTTP/1.1'],
  },
  ...['n=-1', 'n=00', 'n=1e3', 'n=0x10', 'n=1&n=2', 'n=%31&%6e=2', 'n=1;last=v'].map((query) =>
    target(`/v2/mine/app/tags/list?${query}`, 400),
  ),
  {
    title: 'a mount from a readable repository is forwarded, rebuilt',
    bytes: post(`?mount=${digest}&from=mine/other&x=y`),
    status: 200,
    reaches: [`POST ${uploads}?mount=sha256%3A${'a'.repeat(64)}&from=mine%2Fother HTTP/1.1`],
  },
  {
    title: 'an escaped parameter name is the same parameter',
    bytes: post(`?%6dount=${digest}&%66rom=mine/other`),
    status: 200,
    reaches: [`POST ${uploads}?mount=sha256%3A${'a'.repeat(64)}&from=mine%2Fother HTTP/1.1`],
  },
  {
    title: 'a mount that names this registry as its origin is the same mount',
    bytes: post(`?mount=${digest}&from=mine/other&origin=registry.test`),
    status: 200,
    reaches: [`POST ${uploads}?mount=sha256%3A${'a'.repeat(64)}&from=mine%2Fother HTTP/1.1`],
  },
  {
    title: 'a mount that becomes an ordinary upload keeps the rest of what was asked',
    bytes: post(`?mount=${digest}&from=secret/app&digest-algorithm=sha512`),
    status: 200,
    reaches: [`POST ${uploads}?digest-algorithm=sha512 HTTP/1.1`],
  },
  ...['Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'Expect: 100-continue\r\nContent-Length: 5\r\n'].map(
    (framing) => ({
      title: `the body of an upload that is only opened stays in the gateway: ${JSON.stringify(framing)}`,
      bytes: post('', framing, framing.includes('chunked') ? inChunks('mount') : 'mount'),
      status: 200,
      reaches: plainUpload,
      content: '',
      carries: { 'content-length': '0', 'transfer-encoding': undefined },
    }),
  ),
  {
    title: 'the content of an upload in one request arrives',
    bytes: post(`?digest=${digest}`, 'Content-Length: 5\r\n', 'layer'),
    status: 200,
    reaches: [`POST ${uploads}?digest=sha256%3A${'a'.repeat(64)} HTTP/1.1`],
    content: 'layer',
  },
  ...[
    [`?mount=${digest}&from=secret/app`, 'a mount from a repository that is closed to the caller'],
    [`?%6dount=${digest}&from=secret/app`, 'the same with an escaped name'],
    [`?mount=${digest}&from=secret%2fapp`, 'the same with an escaped slash'],
    [`?mount=${digest}`, 'a mount without a source'],
    [`?mount=${digest}&from=`, 'a mount from nowhere'],
    [`?mount=${digest}&from=../secret/app`, 'a mount from a path'],
    [`?mount=${digest}&from=Secret/App`, 'a mount from a name in capitals'],
    [`?mount=${digest}&origin=evil.test&from=secret/app`, 'a mount from another registry'],
    [`?mount=${digest}&origin=evil.test&from=mine/other`, 'a mount from a namesake in another registry'],
    ['?from=secret/app', 'a source without a mount'],
    ['?_state=x&x=y', 'a parameter without meaning here'],
  ].map(([query = '', title = '']) => ({
    title: `${title} becomes an ordinary upload`,
    bytes: post(query),
    status: 200,
    reaches: plainUpload,
  })),
  ...[
    `?mount=${digest}&mount=${digest}&from=mine/other`,
    `?mount=${digest}&from=mine/other&from=secret/app`,
    `?mount=${digest}&from=mine/other&%66rom=secret/app`,
    `?digest=${digest}&digest=${digest}`,
    `?mount=${digest};from=secret/app`,
    `?mount=${digest}&from=mine/other%00`,
    `?mount=${digest}&from=mine/other%0d%0aX: y`,
    '?%zz=1',
    '?x=\xff',
    '?x={y}',
  ].map((query) => ({ title: `an upload with ${query} is refused`, bytes: post(query), status: 400, reaches: [] })),
  {
    title: 'a POST without any framing arrives with a length, not in chunks',
    bytes: post('', ''),
    status: 200,
    reaches: plainUpload,
    carries: { 'content-length': '0', 'transfer-encoding': undefined },
  },
  {
    title: 'so does the end of an upload',
    bytes: `PUT ${session}?digest=${digest} HTTP/1.1\r\n{head}\r\n`,
    status: 200,
    reaches: [`PUT ${session}?digest=sha256%3A${'a'.repeat(64)} HTTP/1.1`],
    carries: { 'content-length': '0', 'transfer-encoding': undefined },
  },
  {
    title: 'the content type of a GET of an upload stays in the gateway',
    bytes: get('Content-Type: text/plain\r\n', session),
    status: 200,
    reaches: [`GET ${session} HTTP/1.1`],
    carries: { 'content-type': undefined },
  },
  {
    title: 'a GET arrives without a length',
    bytes: get('Content-Length: 0\r\n'),
    status: 200,
    reaches: forwardedManifest,
    carries: { 'content-length': undefined, 'transfer-encoding': undefined },
  },
  {
    title: 'what the registry needs of the headers arrives as it came',
    bytes: patch('Content-Range: 0-4\r\nContent-Length: 5\r\n', 'layer'),
    status: 200,
    reaches: [`PATCH ${session} HTTP/1.1`],
    content: 'layer',
    carries: { 'content-range': '0-4', 'content-length': '5', 'user-agent': 'hostile' },
  },
  {
    title: 'a range and its conditions arrive as they came',
    bytes: get('Range: bytes=5-\r\nIf-Range: "x"\r\nIf-None-Match: "y"\r\nAccept: a/b\r\nAccept: c/d\r\n'),
    status: 200,
    reaches: forwardedManifest,
    carries: { range: 'bytes=5-', 'if-range': '"x"', 'if-none-match': '"y"', accept: 'a/b, c/d' },
  },
  {
    title: 'parameters of a registry that a client makes up are not forwarded',
    bytes: patch('Content-Length: 5\r\n', 'layer', `${session}?_state=ab-_c%3D%3d%26&%5fstate2=y&session=z`),
    status: 200,
    reaches: [`PATCH ${session} HTTP/1.1`],
    content: 'layer',
  },
  {
    title: 'a ticket that was not given out opens no upload',
    bytes: patch('Content-Length: 5\r\n', 'layer', `${session}?_portcullis=1700000000.x`),
    status: 404,
    reaches: [],
  },
  ...['?_state=a&_state=b', '?_state=a&%5fstate=b', '?_state=%00'].map((query) => ({
    title: `an upload session with ${query} is refused`,
    bytes: `PUT ${session}${query} HTTP/1.1\r\n{head}Content-Length: 0\r\n\r\n`,
    status: 400,
    reaches: [],
  })),

  // --- form bodies: in them distribution looks for parameters that were not judged -------------------------------------
  ...[
    'application/x-www-form-urlencoded',
    'application/x-www-form-urlencoded; charset=utf-8',
    'APPLICATION/X-WWW-Form-UrlEncoded',
    ' \tapplication/x-www-form-urlencoded',
    'application/x-www-form-urlencoded;',
    'multipart/form-data; boundary=b',
    'Multipart/Form-Data; boundary=b',
    'multipart/mixed; boundary=b',
  ].flatMap((type) => [
    {
      title: `a POST of ${JSON.stringify(type)} to an upload is refused`,
      bytes: form(type, `mount=${digest}&from=secret/app`),
      status: 415,
      reaches: [],
    },
    {
      title: `a PUT of ${JSON.stringify(type)} to an upload is refused`,
      bytes: form(type, `digest=${digest}`, 'PUT', session),
      status: 415,
      reaches: [],
    },
  ]),
  {
    title: 'a form for a manifest is refused',
    bytes: form('application/x-www-form-urlencoded', 'tag=v9', 'PUT', manifest),
    status: 415,
    reaches: [],
  },
  ...['text/plain, application/x-www-form-urlencoded', 'x; application/x-www-form-urlencoded', ''].map((type) => ({
    title: `the content type ${JSON.stringify(type)} of an upload becomes application/octet-stream`,
    bytes: form(type, 'mount=x', 'PATCH', session),
    status: 200,
    reaches: [`PATCH ${session} HTTP/1.1`],
    content: 'mount=x',
  })),

  {
    title: 'a manifest of 5 MiB is refused unread (CVE-2017-11468)',
    bytes: `PUT ${manifest} HTTP/1.1\r\n{head}Content-Length: 5242880\r\n\r\n`,
    status: 413,
    reaches: [],
  },
  {
    title: 'a body does not open what its target closes, whatever its length (CVE-2024-41110)',
    bytes: `PUT /v2/secret/app/manifests/v1 HTTP/1.1\r\n{head}Content-Length: 0\r\n\r\n`,
    status: 403,
    reaches: [],
  },
  {
    title: 'a form of 100 KiB for a token is refused',
    bytes: `POST /token HTTP/1.1\r\nHost: r\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 102400\r\n\r\n${'a'.repeat(102_400)}`,
    status: 400,
    reaches: [],
  },

  // --- credentials ----------------------------------------------------------------------------------------------------
  ...[
    ['two in one line', 'Bearer {token}, Bearer {token}'],
    ['of two schemes in one line', `Bearer {token} Basic ${basic}`],
    ['of no scheme', '{token}'],
    ['of an unknown scheme', 'Digest username="dana"'],
    ['with nothing behind the scheme', 'Bearer'],
    ['with a part too many', 'Bearer {token}.x'],
    ['with a name of many at signs (CVE-2026-40574)', base64('dana@evil.test@registry.test:correct horse')],
    ['with a name of Object.prototype', base64('constructor:correct horse')],
    ['with NUL behind the password', base64('dana:correct horse\0tail')],
    ['with a password of 2 KiB', base64(`dana:${'a'.repeat(2048)}`)],
    ['with the name in capitals', base64('DANA:correct horse')],
    ['with the user first and a right password behind', base64('dana:wrong:correct horse')],
  ].map(([what = '', authorization = '']) => ({
    title: `credentials ${what} are none`,
    bytes: `GET ${manifest} HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\nAuthorization: ${authorization}\r\n\r\n`,
    status: 401,
    reaches: [],
  })),
  ...['access_token={token}', 'token={token}', 'Authorization=Bearer%20{token}'].map((query) => ({
    title: `the query ${query.slice(0, 13)} carries no credentials`,
    bytes: `GET ${manifest}?${query} HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\n\r\n`,
    status: 401,
    reaches: [],
  })),

  // --- headers that speak about the connection or in somebody's name --------------------------------------------------
  dropped('X-HTTP-Method-Override', 'X-HTTP-Method-Override: DELETE\r\nX-Method-Override: DELETE\r\n'),
  dropped(
    'another path in a header',
    'X-Forwarded-Uri: /v2/\r\nX-Original-URL: /v2/secret\r\nX-Rewrite-URL: /v2/secret\r\nX-Forwarded-Prefix: /x\r\n',
  ),
  dropped('a forwarding claim', 'X-Forwarded-Host: evil\r\nForwarded: host=evil\r\nX-Forwarded-Proto: gopher\r\n'),
  dropped('an address', 'X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nTrue-Client-IP: 127.0.0.1\r\n'),
  dropped('an address that is none', 'X-Forwarded-For: <script>, 999.1.1.1:99, ::1\r\n'),
  dropped('an identity', 'X_Forwarded_User: root\r\nX-Forwarded-User: root\r\nX-Remote-User: root\r\n'),
  dropped('a cookie', 'Cookie: session=1\r\nCookie2: x\r\n'),
  dropped('Proxy-Authorization', 'Proxy-Authorization: Basic AAAA\r\nProxy-Connection: keep-alive\r\n'),
  dropped('TE', 'TE: trailers\r\nConnection: TE\r\n'),
  dropped('Keep-Alive', 'Keep-Alive: timeout=99\r\nConnection: Keep-Alive, X-Foo\r\nX-Foo: 1\r\n'),
  dropped('Accept-Encoding', 'Accept-Encoding: gzip\r\n'),
  dropped('Connection: close', 'Connection: close\r\n'),
  ...['authorization', 'Authorization', 'close, Host, Range'].map((named) => ({
    title: `Connection: ${named} does not take that header from the gateway`,
    bytes: get(`Connection: ${named}\r\n`),
    status: 200,
    reaches: forwardedManifest,
  })),
  {
    title: 'Connection: authorization does not make a stranger of nobody (CVE-2024-45410)',
    bytes: `GET ${manifest} HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\nConnection: authorization\r\n\r\n`,
    status: 401,
    reaches: [],
  },
];

/** The bytes of a row. */
export const fill = (bytes: string, token: string): string =>
  bytes
    .replaceAll('{head}', 'Host: registry.test\r\nUser-Agent: hostile\r\nAuthorization: Bearer {token}\r\n')
    .replaceAll('{token}', token);

/** What a token must carry for the rows. */
export const scopes = [
  'repository:mine/app:pull,push,delete',
  'repository:mine/other:pull',
  'repository:mine/tags/list:pull',
] as const;
