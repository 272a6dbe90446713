import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import {
  parseDuration,
  parseHostPattern,
  parseListenAddress,
  parseNetwork,
  parseOrigin,
  parseSize,
} from '../../src/config/values.ts';
import { Secret } from '../../src/secret.ts';
import { formatHostPort } from '../../src/network/host.ts';
import { parseRedisUrl } from '../../src/network/redis-url.ts';

const bounds = { minSeconds: 1, maxSeconds: 86_400 * 365 };

describe('durations', () => {
  test.each([
    ['1s', 1],
    ['30s', 30],
    ['15m', 900],
    ['6h', 21_600],
    ['30d', 2_592_000],
  ])('%s is %i seconds', (text, seconds) => {
    expect(parseDuration(text, bounds)).toEqual({ ok: true, value: seconds });
  });

  test.each([
    '',
    '0s',
    '15',
    '1.5h',
    '-1s',
    '+1s',
    '1w',
    '1 m',
    ' 1m',
    '1m ',
    '1h30m',
    '1M',
    '1ms',
    '366d',
    '9999999999s',
    '1m\n',
  ])('%j is refused', (text) => {
    expect(parseDuration(text, bounds).ok).toBe(false);
  });

  test('a number without a unit is answered with one', () => {
    expect(parseDuration('900', bounds)).toMatchObject({ fix: 'write 900s for seconds' });
  });

  test('a bound is named in the shortest unit', () => {
    expect(parseDuration('59s', { minSeconds: 60, maxSeconds: 120 })).toMatchObject({ message: 'must be at least 1m' });
  });
});

describe('sizes', () => {
  test.each([
    ['0', 0],
    ['512KiB', 524_288],
    ['64MiB', 67_108_864],
    ['1GiB', 1_073_741_824],
  ])('%s are %i bytes', (text, value) => {
    expect(parseSize(text)).toEqual({ ok: true, value });
  });

  test.each(['', '64', '64 MiB', '64MB', '64mib', '-1MiB', '1.5GiB', '65GiB', '1TiB', '9999999999KiB', '1MiB\n'])(
    '%j is refused',
    (text) => {
      expect(parseSize(text).ok).toBe(false);
    },
  );

  test('what was probably meant is named', () => {
    expect(parseSize('64M')).toMatchObject({ fix: 'write 64MiB' });
    expect(parseSize('64')).toMatchObject({ fix: 'write 64MiB for mebibytes' });
  });
});

describe('listen addresses', () => {
  test.each([
    ['127.0.0.1:5050', { host: '127.0.0.1', port: 5050 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['my_container.lan:80', { host: 'my_container.lan', port: 80 }],
    [':5050', { host: '', port: 5050 }],
    ['[::1]:5050', { host: '::1', port: 5050 }],
    ['[::]:65535', { host: '::', port: 65_535 }],
  ])('%s is understood', (text, value) => {
    expect(parseListenAddress(text)).toEqual({ ok: true, value });
  });

  test.each([
    '',
    ':',
    '5050',
    'localhost',
    '::1',
    '::1:5050',
    '[::1]',
    '[]:1',
    '[127.0.0.1]:1',
    '1.2.3:80',
    '256.1.1.1:80',
    'a:65536',
    'a:-1',
    'a:1:2',
    'http://a:1',
    'a b:1',
    'a:1 ',
    '-a:1',
    'a..b:1',
    '*:80',
  ])('%j is refused', (text) => {
    expect(parseListenAddress(text).ok).toBe(false);
  });

  test('a port alone is answered with the form it lacks', () => {
    expect(parseListenAddress('5050')).toMatchObject({ fix: 'write :5050 for every interface, or 127.0.0.1:5050' });
    expect(parseListenAddress('::1')).toMatchObject({ fix: 'write [::1]:5050' });
  });

  test('an IPv6 host is written in brackets', () => {
    expect(formatHostPort('::1', 1)).toBe('[::1]:1');
    expect(formatHostPort('a', 1)).toBe('a:1');
  });
});

describe('hosts that a redirect may name', () => {
  test.each([
    ['Storage.example.com', 'storage.example.com'],
    ['minio:9000', 'minio:9000'],
    ['*.S3.example.com', '*.s3.example.com'],
    ['*.s3.example.com:08443', '*.s3.example.com:8443'],
    ['10.0.0.7', '10.0.0.7'],
    ['[0:0::1]:9000', '[::1]:9000'],
  ])('%s is %s', (text, value) => {
    expect(parseHostPattern(text)).toEqual({ ok: true, value });
  });

  test.each([
    '',
    '*',
    '*.',
    '*.*.a',
    'a*.b',
    'https://storage.example.com',
    'storage.example.com/bucket',
    'user@storage.example.com',
    'storage.example.com:',
    'storage.example.com:0',
    'storage.example.com:65536',
    '*.10.0.0.7',
    '*.[::1]',
    '::1',
    'a b',
    '.example.com',
  ])('%j is refused', (text) => {
    expect(parseHostPattern(text).ok).toBe(false);
  });
});

describe('networks', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['192.168.1.7', '192.168.1.7/32'],
    ['0.0.0.0/1', '0.0.0.0/1'],
    ['::1', '::1/128'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['2001:db8:0:0::/64', '2001:db8::/64'],
    ['64:ff9b::192.0.2.1/128', '64:ff9b::c000:201/128'],
    ['1:2:3:4:5:6:7:8/128', '1:2:3:4:5:6:7:8/128'],
  ])('%s is the network %s', (text, network) => {
    expect(parseNetwork(text)).toEqual({ ok: true, value: network });
  });

  test.each([
    '',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '010.0.0.0/8',
    '10.0.0.0/08.0',
    '::/129',
    'fe80::1%eth0/64',
    '::ffff:10.0.0.0/104',
    '0:0:0:0:0:ffff:a00:0/104',
    'private',
    '10.0.0.0 /8',
    '*',
  ])('%j is refused', (text) => {
    expect(parseNetwork(text).ok).toBe(false);
  });

  test.each(['0.0.0.0/0', '::/0', '10.0.0.0/0'])('%s is refused because it would believe everybody', (text) => {
    expect(parseNetwork(text)).toMatchObject({
      ok: false,
      message: expect.stringContaining('X-Forwarded-For') as string,
    });
  });

  test.each([
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['2001:db8::1/64', '2001:db8::/64'],
    ['1.1.1.1/31', '1.1.1.0/31'],
  ])('%s has host bits and is answered with %s', (text, network) => {
    expect(parseNetwork(text)).toMatchObject({ ok: false, fix: `write ${network}` });
  });
});

describe('origins', () => {
  test.each([
    ['https://registry.example.com', 'https://registry.example.com'],
    ['https://registry.example.com/', 'https://registry.example.com'],
    ['HTTP://Registry.Example.com:8080', 'http://registry.example.com:8080'],
    ['https://a:443', 'https://a'],
    ['http://[::1]:5000', 'http://[::1]:5000'],
  ])('%s is %s', (text, origin) => {
    expect(parseOrigin(text, 'http://example')).toEqual({ ok: true, value: origin });
  });

  test.each([
    '',
    'registry.example.com',
    'ftp://a',
    '//a',
    'http:/a',
    'http:///a',
    'http:a',
    'https://',
    'https://a/b',
    'https://a//',
    'https://a/?',
    'https://a?',
    'https://a?x=1',
    'https://a#',
    'https://user@a',
    'https://user:pw@a',
    'https://@a',
    'https://a\\b',
    'https://a/\t',
    'https://a\n',
    ' https://a',
    'https://a b',
    'https://ä.example',
    'https://a:0',
    'https://a:99999',
    'https://a:b',
    'https://a"b',
    'https://[::1',
  ])('%j is refused', (text) => {
    expect(parseOrigin(text, 'http://example').ok).toBe(false);
  });
});

describe('Redis URLs', () => {
  const local = { host: 'localhost', port: 6379 };

  test.each([
    ['redis://localhost', { kind: 'single', tls: false, hosts: [local], database: 0 }],
    ['redis://localhost/', { kind: 'single', tls: false, hosts: [local], database: 0 }],
    ['rediss://[::1]:7000/3', { kind: 'single', tls: true, hosts: [{ host: '::1', port: 7000 }], database: 3 }],
    ['redis://:p%40ss@localhost/1', { kind: 'single', tls: false, hosts: [local], password: 'p@ss', database: 1 }],
    [
      'redis://me:p@ss@localhost',
      { kind: 'single', tls: false, hosts: [local], username: 'me', password: 'p@ss', database: 0 },
    ],
    [
      'redis+sentinel://:pw@a:1,b/mymaster/2',
      {
        kind: 'sentinel',
        tls: false,
        hosts: [
          { host: 'a', port: 1 },
          { host: 'b', port: 26_379 },
        ],
        password: 'pw',
        masterName: 'mymaster',
        database: 2,
      },
    ],
    [
      'rediss+sentinel://a/m',
      { kind: 'sentinel', tls: true, hosts: [{ host: 'a', port: 26_379 }], masterName: 'm', database: 0 },
    ],
    [
      'redis+cluster://a,b:1',
      {
        kind: 'cluster',
        tls: false,
        hosts: [
          { host: 'a', port: 6379 },
          { host: 'b', port: 1 },
        ],
        database: 0,
      },
    ],
    ['rediss+cluster://a/0', { kind: 'cluster', tls: true, hosts: [{ host: 'a', port: 6379 }], database: 0 }],
  ])('%s is understood', (text, value) => {
    expect(parseRedisUrl(text)).toEqual({ ok: true, value });
  });

  test.each([
    '',
    'localhost',
    'localhost:6379',
    'redis:localhost',
    'http://localhost',
    'redis+tls://a',
    'redis://',
    'redis://a,b',
    'redis://a:0',
    'redis://a:70000',
    'redis://a/x',
    'redis://a/0/1',
    'redis://a?x=1',
    'redis://a#x',
    'redis://me@a',
    'redis://:%zz@a',
    'redis+sentinel://a',
    'redis+sentinel://a/',
    'redis+sentinel:///m',
    'redis+cluster://a/1',
    'redis+cluster://a,',
    'redis://a b',
    'redis://a\n',
  ])('%j is refused', (text) => {
    expect(parseRedisUrl(text).ok).toBe(false);
  });

  test.each([
    'redis://me:hunter2@',
    'redis://me:hunter2%@a',
    'redis://:hunter2@a,b',
    'x://:hunter2@a',
    'redis://:hunter2@a?b',
    'redis://:hunter2/x@a',
  ])('the refusal of %j does not repeat the password', (text) => {
    expect(JSON.stringify(parseRedisUrl(text))).not.toContain('hunter2');
  });
});

describe('a secret', () => {
  const secret = new Secret('hunter2');

  test.each([
    ['as text', String(secret)],
    ['in a template', `${secret.toString()}`],
    ['as JSON', JSON.stringify({ secret })],
    ['in a debug print', inspect({ secret }, { depth: 9, showHidden: true })],
    ['copied into an object', JSON.stringify({ ...secret })],
  ])('never shows itself %s', (_title, shown) => {
    expect(shown).not.toContain('hunter2');
  });

  test('prints as ***', () => {
    expect(inspect(secret)).toBe('***');
    expect(String(secret)).toBe('***');
  });

  test('is revealed on request', () => {
    expect(secret.reveal()).toBe('hunter2');
  });
});
