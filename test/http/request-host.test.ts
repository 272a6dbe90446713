import { describe, expect, test } from 'vitest';
import { parseHost, publicOrigin } from '../../src/http/front/request-host.ts';

test.each([
  ['Registry.Example.com:5000', { name: 'registry.example.com', port: 5000 }],
  ['[2001:DB8::1]', { name: '[2001:db8::1]', port: undefined }],
  ['a.b.', { name: 'a.b.', port: undefined }],
  ['', undefined],
  ['a@b', undefined],
  ['a/b?', undefined],
  ['a:65536', undefined],
])('the host %j is %j', (text, host) => expect(parseHost(text)).toEqual(host));

describe('the origin that a client sees', () => {
  const own = 'http://127.0.0.1:5050';
  const proxies = ['127.0.0.0/8'];
  const cases: readonly (readonly [
    promise: string,
    publicUrl: string,
    host: string | undefined,
    remote: string | undefined,
    trusted: readonly string[],
    origin: string,
  ])[] = [
    ['follows localhost', own, 'localhost:5050', '127.0.0.1', [], 'http://localhost:5050'],
    ['follows any case of it', own, 'LocalHost:5050', '127.0.0.1', [], 'http://localhost:5050'],
    ['follows [::1]', own, '[::1]:5050', '::1', [], 'http://[::1]:5050'],
    ['follows a mapped peer', own, 'localhost:5050', '::ffff:127.0.0.1', [], 'http://localhost:5050'],
    ['follows 127.0.0.1', 'http://localhost:5050', '127.0.0.1:5050', '127.0.0.1', [], own],
    ['keeps the scheme', 'https://localhost:5050', '127.0.0.1:5050', '127.0.0.1', [], 'https://127.0.0.1:5050'],
    ['knows the usual port', 'http://localhost', '127.0.0.1', '127.0.0.1', [], 'http://127.0.0.1'],
    [
      'knows the usual port when it is written',
      'http://localhost',
      '127.0.0.1:80',
      '127.0.0.1',
      [],
      'http://127.0.0.1',
    ],
    ['stays with another port', own, 'localhost:5051', '127.0.0.1', [], own],
    ['stays without a port', own, 'localhost', '127.0.0.1', [], own],
    ['stays with another name', own, 'evil.test:5050', '127.0.0.1', [], own],
    ['stays with a name below localhost', own, 'a.localhost:5050', '127.0.0.1', [], own],
    ['stays with another loopback address', own, '127.0.0.2:5050', '127.0.0.1', [], own],
    ['stays with what is no host', own, 'localhost:5050@evil.test', '127.0.0.1', [], own],
    ['stays without Host', own, undefined, '127.0.0.1', [], own],
    ['stays for another machine', own, 'localhost:5050', '192.0.2.1', [], own],
    ['stays for a peer nobody knows', own, 'localhost:5050', undefined, [], own],
    ['stays for a trusted proxy', own, 'localhost:5050', '127.0.0.1', proxies, own],
    ['stays for a trusted proxy in mapped form', own, 'localhost:5050', '::ffff:127.0.0.1', proxies, own],
    ['stays at a public name', 'https://r.test', 'localhost', '127.0.0.1', [], 'https://r.test'],
    ['stays at a private address', 'http://10.0.0.1:5050', 'localhost:5050', '127.0.0.1', [], 'http://10.0.0.1:5050'],
    [
      'stays at a name that only looks like it',
      'http://127.evil.test',
      '127.0.0.1',
      '127.0.0.1',
      [],
      'http://127.evil.test',
    ],
  ];
  test.each(cases)('%s', (_promise, publicUrl, host, remoteAddress, trustedProxies, origin) => {
    expect(publicOrigin(publicUrl, { host, remoteAddress, trustedProxies })).toBe(origin);
  });
});
