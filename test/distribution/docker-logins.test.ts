import { describe, expect, test } from 'vitest';
import { dockerLoginsFor } from '../../src/distribution/docker-logins.ts';

const basic = (text: string) => ({ auth: Buffer.from(text).toString('base64') });
const rita = { kind: 'password', account: 'rita', password: 'secret' };

function kept(auths: unknown, host: string, isTls = true) {
  return dockerLoginsFor({ auths }, host, isTls).kept;
}

describe('a login in the file itself', () => {
  test.each([
    ['registry.example.com', 'registry.example.com', true],
    ['https://registry.example.com', 'registry.example.com', true],
    ['https://registry.example.com/v2/', 'registry.example.com', true],
    ['registry.example.com:443', 'registry.example.com', true],
    ['registry.example.com', 'registry.example.com:443', true],
    ['Registry.Example.com', 'registry.example.com', true],
    ['http://registry.internal:80', 'registry.internal', false],
    ['127.0.0.1:5050', '127.0.0.1:5050', false],
    ['http://127.0.0.1:5050/', '127.0.0.1:5050', false],
  ])('under %s is that of %s (TLS: %s)', (key, host, isTls) => {
    expect(kept({ [key]: basic('rita:secret') }, host, isTls)).toEqual(rita);
  });

  test.each([
    ['registry.example.com:5050', 'registry.example.com', true],
    ['registry.example.com', 'registry.example.com:5050', true],
    ['registry.example.com:80', 'registry.example.com', true],
    ['example.com', 'registry.example.com', true],
    ['registry.example.com.evil.org', 'registry.example.com', true],
    ['https://evil.org/registry.example.com', 'registry.example.com', true],
  ])('under %s is not that of %s: it would go to somebody else', (key, host, isTls) => {
    expect(kept({ [key]: basic('rita:secret') }, host, isTls)).toBeUndefined();
  });

  test('the key that is written as the host goes before one that only means it', () => {
    const auths = {
      'https://registry.example.com/v1/': basic('old:login'),
      'registry.example.com': basic('rita:secret'),
    };
    expect(kept(auths, 'registry.example.com')).toEqual(rita);
  });

  test('a password may hold colons, and be followed by NUL as old clients wrote it', () => {
    const login = { kind: 'password', account: 'rita', password: 'a:b:c' };
    expect(kept({ h: basic('rita:a:b:c\0\0') }, 'h')).toEqual(login);
    expect(kept({ h: { username: 'rita', password: 'a:b:c' } }, 'h')).toEqual(login);
  });

  test('an identity token goes before the name that stands beside it', () => {
    const token = { kind: 'identity-token', token: 'pct_r_1' };
    expect(kept({ h: { ...basic('rita:'), identitytoken: 'pct_r_1' } }, 'h')).toEqual(token);
    expect(kept({ h: basic('<token>:pct_r_1') }, 'h')).toEqual(token);
  });

  test.each([
    {},
    null,
    'x',
    [],
    { auths: [] },
    { auths: { h: null } },
    { auths: { h: { auth: 5 } } },
    { auths: { h: {} } },
  ])('there is none in %j', (config) => {
    expect(dockerLoginsFor(config, 'h', true)).toEqual({ helper: undefined, kept: undefined });
  });

  test('there is none without a name or a password', () => {
    for (const text of ['', ':', ':secret', 'rita:', 'rita'])
      expect(kept({ h: basic(text) }, 'h'), text).toBeUndefined();
  });
});

describe('the helper that keeps the login', () => {
  test('is that of the host, else that of all', () => {
    const config = { credHelpers: { 'registry.example.com': 'pass' }, credsStore: 'desktop' };
    expect(dockerLoginsFor(config, 'registry.example.com', true).helper?.name).toBe('pass');
    expect(dockerLoginsFor(config, 'registry.example.com:443', true).helper?.name).toBe('pass');
    expect(dockerLoginsFor(config, 'other.example.com', true).helper?.name).toBe('desktop');
    expect(dockerLoginsFor({ credsStore: '' }, 'h', true).helper).toBeUndefined();
  });

  test('is asked for the host as it is named first', () => {
    expect(dockerLoginsFor({ credsStore: 'x' }, 'r.example.com', true).helper?.servers).toEqual([
      'r.example.com',
      'r.example.com:443',
      'https://r.example.com',
    ]);
    expect(dockerLoginsFor({ credsStore: 'x' }, '127.0.0.1:5050', false).helper?.servers).toEqual([
      '127.0.0.1:5050',
      'https://127.0.0.1:5050',
    ]);
  });
});
