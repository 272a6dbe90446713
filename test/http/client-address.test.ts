import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { clientAddress } from '../../src/http/front/client-address.ts';

const trusted = ['10.0.0.0/8', '2001:db8:1::/48'];

describe('the address of a client', () => {
  const cases: readonly (readonly [
    promise: string,
    remote: string | undefined,
    forwarded: string | readonly string[] | undefined,
    proxies: readonly string[],
    address: string | undefined,
  ])[] = [
    ['is that of the connection', '192.0.2.1', undefined, [], '192.0.2.1'],
    [
      'is that of the connection whatever a client claims, when no proxy is trusted',
      '192.0.2.1',
      '127.0.0.1',
      [],
      '192.0.2.1',
    ],
    ['is that of the connection when it is not a trusted proxy', '192.0.2.1', '127.0.0.1', trusted, '192.0.2.1'],
    ['is what a trusted proxy says', '10.0.0.1', '192.0.2.7', trusted, '192.0.2.7'],
    [
      'is the last entry that is not trusted: what stands before it, the client wrote',
      '10.0.0.1',
      '127.0.0.1, 192.0.2.7',
      trusted,
      '192.0.2.7',
    ],
    [
      'is found through several trusted proxies',
      '10.0.0.1',
      '127.0.0.1, 192.0.2.7, 10.9.9.9, 10.0.0.2',
      trusted,
      '192.0.2.7',
    ],
    ['is found through proxies on both protocols', '2001:db8:1::5', '192.0.2.7, 10.0.0.2', trusted, '192.0.2.7'],
    ['is the first proxy when everything is trusted', '10.0.0.1', '10.0.0.3, 10.0.0.2', trusted, '10.0.0.3'],
    ['is the proxy when it says nothing', '10.0.0.1', undefined, trusted, '10.0.0.1'],
    ['is the proxy when it says nothing readable', '10.0.0.1', '', trusted, '10.0.0.1'],
    [
      'stops at the last sure address before an entry that is none',
      '10.0.0.1',
      '192.0.2.7, unknown, 10.0.0.2',
      trusted,
      '10.0.0.2',
    ],
    ['is read without its port', '10.0.0.1', '192.0.2.7:4711', trusted, '192.0.2.7'],
    ['is read without its port and brackets', '10.0.0.1', '[2001:db8::1]:443', trusted, '2001:db8::1'],
    ['is read without quotes', '10.0.0.1', '"[2001:db8::1]:443"', trusted, '2001:db8::1'],
    [
      'is read behind proxies with ports',
      '10.0.0.1',
      '192.0.2.7:1, [2001:db8:1::5]:2, 10.0.0.2:3',
      trusted,
      '192.0.2.7',
    ],
    ['keeps its zone', '10.0.0.1', '[fe80::1%eth0]:1', trusted, 'fe80::1%eth0'],
    ['keeps an escaped zone as what it is', '10.0.0.1', 'fe80::1%25eth0', trusted, 'fe80::1%eth0'],
    ['has one spelling', '10.0.0.1', '2001:0DB8:0:0::0001', trusted, '2001:db8::1'],
    ['is IPv4 in whatever spelling it is mapped', '10.0.0.1', '[::ffff:c000:207]:80', trusted, '192.0.2.7'],
    ['stops before IPv4 in brackets', '10.0.0.1', '[192.0.2.7]:80', trusted, '10.0.0.1'],
    ['stops before a port that is none', '10.0.0.1', '192.0.2.7:99999', trusted, '10.0.0.1'],
    ['stops before a name with a port', '10.0.0.1', 'localhost:80', trusted, '10.0.0.1'],
    ['stops before the syntax of another header', '10.0.0.1', 'for=192.0.2.7', trusted, '10.0.0.1'],
    ['stops before a zone on IPv4', '10.0.0.1', '192.0.2.7%eth0', trusted, '10.0.0.1'],
    ['stops before an empty entry', '10.0.0.1', '192.0.2.7,,10.0.0.2', trusted, '10.0.0.2'],
    ['stops before an octal spelling', '10.0.0.1', '010.1.1.1', trusted, '10.0.0.1'],
    ['stops before a number', '10.0.0.1', '3232235777', trusted, '10.0.0.1'],
    ['is read without brackets', '10.0.0.1', '[2001:db8::1]', trusted, '2001:db8::1'],
    ['may be IPv6', '10.0.0.1', '2001:db8:2::1', trusted, '2001:db8:2::1'],
    ['is written as IPv4 when it is mapped into IPv6', '::ffff:192.0.2.1', undefined, [], '192.0.2.1'],
    ['is trusted as IPv4 when it is mapped into IPv6', '::ffff:10.0.0.1', '192.0.2.7', trusted, '192.0.2.7'],
    ['is written as IPv4 also inside the header', '10.0.0.1', '::FFFF:192.0.2.7', trusted, '192.0.2.7'],
    ['may stand among spaces', '10.0.0.1', '  192.0.2.7 ,\t10.0.0.2  ', trusted, '192.0.2.7'],
    ['is read over several header lines', '10.0.0.1', ['127.0.0.1', '192.0.2.7, 10.0.0.2'], trusted, '192.0.2.7'],
    ['is unknown when the connection has none', undefined, '192.0.2.7', trusted, undefined],
    ['is unknown when the connection’s is none', 'not-an-address', '192.0.2.7', ['0.0.0.0/1'], undefined],
  ];
  test.each(cases)('%s', (_promise, remote, forwarded, proxies, address) => {
    expect(clientAddress(remote, forwarded, proxies)).toBe(address);
  });

  test('is looked for no further than an entry that cannot be read, which is told', () => {
    const told: string[] = [];
    clientAddress('10.0.0.1', '192.0.2.7, unknown, 10.0.0.2', trusted, (entry) => told.push(entry));
    clientAddress('10.0.0.1', '192.0.2.7:80', trusted, (entry) => told.push(entry));
    clientAddress('10.0.0.1', undefined, trusted, (entry) => told.push(entry));
    clientAddress('192.0.2.1', 'unknown', trusted, (entry) => told.push(entry));
    expect(told).toEqual(['unknown']);
  });

  test('is looked for in a bounded number of entries, however many there are', () => {
    const chain = Array.from({ length: 20_000 }, () => '10.0.0.2').join(',');
    expect(clientAddress('10.0.0.1', `192.0.2.7,${chain}`, trusted)).toBe('10.0.0.2');
    expect(clientAddress('10.0.0.1', `127.0.0.1,${'x'.repeat(60_000)}`, trusted)).toBe('10.0.0.1');
  });

  test('is never what an untrusted client wrote', () => {
    const entry = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('127.0.0.1', '10.0.0.1', '::1', 'unknown', ''));
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 6 }), (entries) => {
        // 192.0.2.1 connects to the proxy 10.0.0.1, which appends what it sees.
        expect(clientAddress('10.0.0.1', [...entries, '192.0.2.1'].join(', '), trusted)).toBe('192.0.2.1');
      }),
    );
  });

  test('is found, or not, for any text: nothing makes it throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (remote, forwarded) => {
        clientAddress(remote, forwarded, trusted);
        clientAddress('10.0.0.1', forwarded, trusted);
      }),
    );
    for (const odd of ['fe80::1%eth0', '::ffff:999.1.1.1', '::ffff:10.0.0.1%x', '1.2.3.4\0']) {
      clientAddress(odd, odd, ['fe80::/10', '::/1']);
    }
  });
});
