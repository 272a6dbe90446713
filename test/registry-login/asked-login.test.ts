/** Where a password may go: to the registry itself and to token servers that are listed, over TLS or on this machine. */
import { describe, expect, test } from 'vitest';
import { askedLogin } from '../../src/registry-login/asked-login.ts';

const place = {
  origin: new URL('https://registry.test:5000'),
  tokenHosts: ['auth.test', '[2001:db8::1]:8443'],
  hasCredentials: true,
};
const bearer = (realm: string): string => `Bearer realm="${realm}",service="registry.test"`;

describe('a token is asked for at', () => {
  test.each([
    ['https://registry.test:5000/token', 'https://registry.test:5000/token'],
    ['HTTPS://REGISTRY.test:5000/token', 'https://registry.test:5000/token'],
    ['https://auth.test/token?a=b', 'https://auth.test/token?a=b'],
    ['https://auth.test:443/token#x', 'https://auth.test/token'],
    ['https://Auth.Test/', 'https://auth.test/'],
    ['https://[2001:0DB8:0::0001]:8443/token', 'https://[2001:db8::1]:8443/token'],
    // What it is asked for is not for the registry to say.
    ['https://auth.test/token?scope=repository:other:push&service=other&account=root', 'https://auth.test/token'],
  ])('%s', (realm, url) => {
    const asked = askedLogin(bearer(realm), place);
    expect(asked).toMatchObject({ kind: 'bearer', service: 'registry.test' });
    expect(asked.kind === 'bearer' && asked.realm.href).toBe(url);
  });
});

describe('a token is not asked for at', () => {
  test.each([
    'https://evil.test/token',
    'https://registry.test/token',
    'https://registry.test:5001/token',
    'https://registry.test.:5000/token',
    'https://auth.test./token',
    'https://auth.test:8443/token',
    'https://auth.test.evil.test/token',
    'https://evil.test/auth.test',
    'https://auth.test@evil.test/token',
    'https://auth.test:443@evil.test/token',
    'https://user:password@auth.test/token',
    'https://user@registry.test:5000/token',
    'https://evil.test\\\\@auth.test/token',
    'https://xauth.test/token',
    'https://auth\u3002test.evil.test/token',
    'http://registry.test:5000/token',
    'http://auth.test/token',
    'http://auth.test:443/token',
    'https://[2001:db8::1]/token',
    'https://[2001:db8::2]:8443/token',
    'https://[::ffff:127.0.0.1]/token',
    'http://127.0.0.1/token',
    'http://localhost/token',
    'ftp://auth.test/token',
    'file:///etc/passwd',
    '//auth.test/token',
    '/token',
    'auth.test',
    '',
    'https://',
    'https://auth.test:99999/',
  ])('%s', (realm) => {
    expect(askedLogin(bearer(realm), place)).toMatchObject({ kind: 'unusable' });
  });

  test('a place without TLS, unless it is this machine', () => {
    const at = (origin: string, realm: string, tokenHosts: readonly string[] = []): string =>
      askedLogin(bearer(realm), { ...place, origin: new URL(origin), tokenHosts }).kind;
    expect(at('http://registry.test', 'http://registry.test/token')).toBe('unusable');
    expect(at('http://registry.test', 'https://auth.test/token', ['auth.test'])).toBe('unusable');
    expect(at('http://127.0.0.1:5000', 'http://127.0.0.1:5000/token')).toBe('bearer');
    expect(at('http://localhost:5000', 'http://localhost:5000/token')).toBe('bearer');
    expect(at('http://[::1]:5000', 'http://[0:0:0:0:0:0:0:1]:5000/token')).toBe('bearer');
    expect(at('http://localhost.:5000', 'http://localhost.:5000/token')).toBe('unusable');
    expect(at('http://127.evil.test:5000', 'http://127.evil.test:5000/token')).toBe('unusable');
    // Another port is another program.
    expect(at('http://127.0.0.1:5000', 'http://127.0.0.1:5001/token')).toBe('unusable');
    expect(at('http://127.0.0.1:5000', 'http://127.0.0.1:5001/token', ['127.0.0.1:5001'])).toBe('bearer');
    expect(at('https://registry.test', 'http://127.0.0.1:5001/token', ['127.0.0.1:5001'])).toBe('bearer');
  });
});

test.each(['auth.test/x', '*.test', '*', 'auth.test@', 'a@auth.test', '', 'https://auth.test'])(
  'an entry of tokenHosts that is no host lists nothing: %s',
  (entry) => {
    expect(askedLogin(bearer('https://auth.test/token'), { ...place, tokenHosts: [entry] }).kind).toBe('unusable');
  },
);

describe('of several offers', () => {
  const kindOf = (header: string | undefined, hasCredentials = true): string =>
    askedLogin(header, { ...place, hasCredentials }).kind;

  test('a token is taken before a password, and a password before a token from elsewhere', () => {
    expect(kindOf('Basic realm="x", Bearer realm="https://auth.test/t"')).toBe('bearer');
    expect(kindOf('Basic realm="x", Bearer realm="https://evil.test/t"')).toBe('basic');
    expect(kindOf('Bearer realm="https://evil.test/t", Bearer realm="https://auth.test/t"')).toBe('bearer');
  });

  test('none is taken that is unknown or unreadable, and no password where there is none', () => {
    expect(kindOf('Negotiate')).toBe('unusable');
    expect(kindOf(undefined)).toBe('unusable');
    expect(kindOf('Bearer realm="')).toBe('unusable');
    expect(kindOf('Basic realm="x"', false)).toBe('unusable');
    expect(kindOf('Bearer realm="https://auth.test/t"', false)).toBe('bearer');
  });
});

test('says for operators what to do, and nothing of what stands behind the host', () => {
  const asked = askedLogin(bearer('https://evil.test/secret?password=hunter2'), place);
  expect(asked).toMatchObject({ detail: expect.stringContaining('list it in tokenHosts') as unknown });
  expect(JSON.stringify(asked)).not.toContain('hunter2');
});
