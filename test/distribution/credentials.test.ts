import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { type Credentials, parseAuthorization } from '../../src/distribution/credentials.ts';
import { errorBody } from '../../src/distribution/error-codes.ts';
import { formatChallenge } from '../../src/distribution/challenge.ts';

const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');
const basic = (account: string, password: string): Credentials => ({ kind: 'basic', account, password });
const malformed: Credentials = { kind: 'malformed' };

describe('an Authorization header', () => {
  const cases: readonly (readonly [promise: string, header: string | undefined, credentials: Credentials])[] = [
    ['that is absent means no credentials', undefined, { kind: 'none' }],
    ['Basic gives name and password', `Basic ${base64('dana:secret')}`, basic('dana', 'secret')],
    ['splits at the first colon: a password may hold more', `Basic ${base64('dana:a:b:')}`, basic('dana', 'a:b:')],
    ['takes UTF-8 in the password', `Basic ${base64('dana:pä\u{1F511}')}`, basic('dana', 'pä\u{1F511}')],
    ['keeps a byte order mark as part of the name', `Basic ${base64('\ufeffdana:x')}`, basic('\ufeffdana', 'x')],
    ['keeps an empty password', `Basic ${base64('dana:')}`, basic('dana', '')],
    ['keeps an empty name with a password (identity tokens)', `Basic ${base64(':token')}`, basic('', 'token')],
    ['with an empty name and password means no credentials (conformance clients)', 'Basic Og==', { kind: 'none' }],
    ['does not care about the case of the scheme', `bAsIc ${base64('a:b')}`, basic('a', 'b')],
    ['may have several spaces after the scheme and around', `  Basic    ${base64('a:b')}  `, basic('a', 'b')],
    ['may leave out the padding', `Basic ${base64('a:bc').replace(/=+$/, '')}`, basic('a', 'bc')],
    ['Bearer gives the token as it is', 'Bearer abc.def-_~+/.ghi==', { kind: 'bearer', token: 'abc.def-_~+/.ghi==' }],
    ['does not care about the case of Bearer', 'bearer x', { kind: 'bearer', token: 'x' }],
    ['that is empty means no credentials', '', { kind: 'none' }],
    ['of spaces means no credentials', '  ', { kind: 'none' }],
    ['with a scheme alone is malformed', 'Bearer', malformed],
    ['with Basic and nothing means no credentials', 'Basic   ', { kind: 'none' }],
    ['with Basic alone means no credentials', 'Basic', { kind: 'none' }],
    ['with Bearer and nothing is malformed', 'Bearer  ', malformed],
    ['with an unknown scheme is malformed', 'Digest username="a"', malformed],
    ['with two credentials in one line is malformed', `Bearer a, Basic ${base64('a:b')}`, malformed],
    ['with more after the credentials is malformed', `Basic ${base64('a:b')} x`, malformed],
    ['with a tab for a space is malformed', `Basic\t${base64('a:b')}`, malformed],
    ['with no space is malformed', `Basic${base64('a:b')}`, malformed],
    ['with base64url in Basic is malformed', 'Basic YT_-Yg==', malformed],
    ['with something that is no base64 is malformed', 'Basic !!!!', malformed],
    ['with a padding in the middle is malformed', 'Basic YTpi==YQ', malformed],
    ['with no colon inside is malformed', `Basic ${base64('dana')}`, malformed],
    ['with nothing inside is malformed', 'Basic ====', malformed],
    ['that is not UTF-8 inside is malformed', `Basic ${base64(Buffer.from([0x61, 0x3a, 0xff, 0xfe]))}`, malformed],
    ['with an overlong UTF-8 colon is malformed', `Basic ${base64(Buffer.from([0x61, 0xc0, 0xba, 0x62]))}`, malformed],
    ['with a comma in a bearer token is malformed', 'Bearer a,b', malformed],
    ['with a quote in a bearer token is malformed', 'Bearer "a"', malformed],
    ['with padding before the end of a bearer token is malformed', 'Bearer a=b', malformed],
    ['with bytes outside ASCII is malformed', 'Bearer \u00ff\u00fe', malformed],
  ];
  test.each(cases)('%s', (_promise, header, credentials) => {
    expect(parseAuthorization(header)).toEqual(credentials);
  });

  test('is never taken for missing credentials when it says anything but an empty name and password', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60, size: 'max' }), (text) => {
        fc.pre(!/^(?:basic *(?:og={0,2})?)?$/i.test(text.trim()));
        expect(parseAuthorization(text).kind).not.toBe('none');
      }),
      { numRuns: 300 },
    );
  });

  test('gives back every name and password that a client can write', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40, size: 'max' });
    fc.assert(
      fc.property(
        text.filter((name) => !name.includes(':')),
        text,
        (account, password) => {
          fc.pre(account !== '' || password !== '');
          expect(parseAuthorization(`Basic ${base64(`${account}:${password}`)}`)).toEqual(basic(account, password));
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a challenge', () => {
  const front = { realm: 'https://registry.example.com/token', service: 'registry.example.com' };

  test('names realm and service, quoted, in lower case', () => {
    expect(formatChallenge({ ...front, access: [] })).toBe(
      'Bearer realm="https://registry.example.com/token",service="registry.example.com"',
    );
  });

  test('names every scope needed and the error', () => {
    const access = [
      { type: 'repository', name: 'a/b', actions: ['push', 'pull'] },
      { type: 'repository', name: 'c', actions: ['pull'] },
    ] as const;
    expect(formatChallenge({ ...front, access, error: 'insufficient_scope' })).toBe(
      'Bearer realm="https://registry.example.com/token",service="registry.example.com",' +
        'scope="repository:a/b:pull,push repository:c:pull",error="insufficient_scope"',
    );
  });

  test('leaves out what is empty: docker stops reading at the first empty value', () => {
    expect(formatChallenge({ realm: 'https://r/token', service: '', access: [] })).toBe(
      'Bearer realm="https://r/token"',
    );
  });

  test('cannot be broken out of by a quote or backslash', () => {
    const text = formatChallenge({ realm: 'https://r/"x\\', service: 's', access: [] });
    expect(text).toBe('Bearer realm="https://r/x",service="s"');
  });
});

describe('an error body', () => {
  test('is the OCI envelope with code and message', () => {
    expect(JSON.parse(errorBody('DENIED', 'no'))).toEqual({ errors: [{ code: 'DENIED', message: 'no' }] });
  });

  test('carries a detail only when there is one', () => {
    expect(JSON.parse(errorBody('UNAUTHORIZED', 'x', [1]))).toEqual({
      errors: [{ code: 'UNAUTHORIZED', message: 'x', detail: [1] }],
    });
  });
});
