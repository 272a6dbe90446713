import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { guardRegistryBody, guardRequest } from '../../src/http/front/guard.ts';

/**
 * The guard alone, without the parser in front of it: Node refuses some of this itself, unless it is started with
 * `--insecure-http-parser` or one day thinks otherwise.
 */
function message(method: string, lines: readonly string[], httpVersion = '1.1'): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.method = method;
  request.httpVersion = httpVersion;
  for (const line of lines) {
    const [name = '', value = ''] = line.split(': ');
    request.rawHeaders.push(name, value);
    // The first of two, as for most headers; the guard must not need the second.
    request.headers[name.toLowerCase()] ??= value;
  }
  return request;
}

describe('a request is refused by its head alone', () => {
  const cases: readonly (readonly [reason: string | undefined, method: string, lines: readonly string[]])[] = [
    [undefined, 'GET', ['Host: r']],
    [undefined, 'PATCH', ['Host: r', 'Transfer-Encoding: Chunked']],
    [undefined, 'PUT', ['Host: r', 'Content-Length: 5', 'Expect: 100-Continue']],
    [undefined, 'DELETE', ['Host: r', 'Content-Length: 0']],
    [undefined, 'GET', ['Host: r', 'Accept: a/b', 'Accept: c/d']],
    ['header_repeated', 'GET', ['Host: r', 'host: r']],
    ['header_repeated', 'GET', ['Authorization: a', 'AUTHORIZATION: a']],
    ['header_repeated', 'PUT', ['Content-Length: 0', 'Content-Length: 0']],
    ['header_repeated', 'PUT', ['Content-Type: a/b', 'Content-Type: a/b']],
    ['header_repeated', 'PATCH', ['Content-Range: 0-1', 'Content-Range: 0-1']],
    ['header_repeated', 'GET', ['Range: bytes=0-1', 'Range: bytes=0-1']],
    ['header_repeated', 'PATCH', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
    ['header_repeated', 'PUT', ['Expect: 100-continue', 'Expect: 100-continue']],
    ['expectation_unknown', 'PUT', ['Expect: x']],
    ['encoding_unsupported', 'PATCH', ['Transfer-Encoding: gzip, chunked']],
    ['encoding_unsupported', 'PATCH', ['Transfer-Encoding: ']],
    ['framing_ambiguous', 'PATCH', ['Transfer-Encoding: chunked', 'Content-Length: 5']],
    ['framing_ambiguous', 'PATCH', ['Content-Length: 0', 'Transfer-Encoding: chunked']],
    ...['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'].flatMap(
      (method): (readonly [string, string, readonly string[]])[] => [
        ['body_unexpected', method, ['Content-Length: 5']],
        ['body_unexpected', method, ['Transfer-Encoding: chunked']],
      ],
    ),
    [undefined, 'GET', ['Host: r', 'Upgrade: h2c', 'Connection: upgrade']],
    ['host_missing', 'GET', ['Accept: a/b']],
    ...[
      '',
      'a@b',
      'a/b?',
      'a b',
      'a:b',
      'a:99999',
      '[::1',
      '[a]',
      '::1',
      'a..b',
      '.',
      'a,b',
      '*',
      'ä.test',
      'a#b',
      'a%2eb',
    ].map((host): [string, string, readonly string[]] => ['host_invalid', 'GET', [`Host: ${host}`]]),
    ...[
      'r',
      'R.example.com.',
      'my_registry:5000',
      'r:',
      '127.0.0.1:5050',
      '[::1]',
      '[2001:db8::1]:443',
      '123456789012',
    ].map((host): [undefined, string, readonly string[]] => [undefined, 'GET', [`Host: ${host}`]]),
    ['headers_too_many', 'GET', ['Host: r', ...Array.from({ length: 100 }, (_, at) => `x-${at}: y`)]],
    [undefined, 'GET', ['Host: r', ...Array.from({ length: 99 }, (_, at) => `x-${at}: y`)]],
  ];
  test.each(cases)('%s: %s %j', (reason, method, lines) => {
    const problem = guardRequest(message(method, lines));
    expect(problem?.reason).toBe(reason);
    if (problem !== undefined) expect(problem.answer.headers?.['Connection']).toBe('close');
  });

  test.each(['0.9', '1.2', '2.0', ''])('version_unsupported: HTTP/%s', (version) => {
    expect(guardRequest(message('GET', ['Host: r'], version))?.reason).toBe('version_unsupported');
  });
});

describe('a registry request has no form body', () => {
  test.each([
    'application/x-www-form-urlencoded',
    ' APPLICATION/x-www-form-urlencoded; charset=utf-8',
    '\tMultipart/mixed; boundary=b',
    'multipart/form-data',
  ])('%j is refused', async (type) => {
    const lines = [`Content-Type: ${type}`, 'Content-Length: 5'];
    expect((await guardRegistryBody(message('POST', lines)))?.reason).toBe('form_refused');
  });

  test.each(['application/octet-stream', 'application/vnd.oci.image.manifest.v1+json', ''])(
    '%j is not',
    async (type) => {
      expect(await guardRegistryBody(message('PUT', [`Content-Type: ${type}`, 'Content-Length: 5']))).toBeUndefined();
    },
  );
});
