import { describe, expect, test } from 'vitest';
import { parseProxies } from '../../src/config/values.ts';
import { publicUrlNotes } from '../../src/config/notes.ts';

describe('networks of proxies that hold every address between them are refused', () => {
  test.each([
    [['0.0.0.0/1', '128.0.0.0/1'], false],
    [['128.0.0.0/1', '10.0.0.0/8', '0.0.0.0/1'], false],
    [['0.0.0.0/2', '64.0.0.0/2', '128.0.0.0/2', '192.0.0.0/2'], false],
    [['0.0.0.0/1', '128.0.0.0/2', '192.0.0.0/3'], false],
    [['::/1', '8000::/1'], false],
    [['2000::/3'], false],
    [['10.0.0.0/8', '2000::/4', '3000::/4'], false],
    [['0.0.0.0/1', '192.0.0.0/2'], true],
    [['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', '::1/128'], true],
    [[], true],
  ])('%j: %s', (networks, ok) => expect(parseProxies(networks).ok).toBe(ok));
});

test.each([
  ['http://10.1.2.3:5050', ['public-url-private', 'public-url-plain']],
  ['https://192.168.1.5', ['public-url-private']],
  ['https://[fd00::1]', ['public-url-private']],
  ['https://0.0.0.0', ['public-url-private']],
  ['http://registry.example.com', ['public-url-plain']],
  ['http://127.evil.test', ['public-url-plain']],
  ['https://registry.example.com', []],
  ['https://203.0.113.7', []],
  ['http://127.0.0.1:5050', []],
  ['http://localhost:5050', []],
  ['http://[::1]:5050', []],
])('a check of publicUrl %s notes %j', (url, codes) => {
  expect(publicUrlNotes(url, 'f').map(({ code }) => code)).toEqual(codes);
});
