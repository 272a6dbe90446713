import { describe, expect, test } from 'vitest';
import { offeredSchemes } from '../../src/distribution/www-authenticate.ts';

const read = (header: string | undefined): unknown =>
  offeredSchemes(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe('a challenge says which logins are offered', () => {
  test.each<[string | undefined, unknown]>([
    [undefined, []],
    ['', []],
    ['Basic realm="basic-realm"', [['basic', { realm: 'basic-realm' }]]],
    ['BASIC REALM="a"', [['basic', { realm: 'a' }]]],
    ['Basic', [['basic', {}]]],
    [
      'Bearer realm="https://auth.test/token",service="registry.test",scope="repository:a/b:pull,push"',
      [['bearer', { realm: 'https://auth.test/token', service: 'registry.test', scope: 'repository:a/b:pull,push' }]],
    ],
    ['Bearer realm="a" service="b"', [['bearer', { realm: 'a', service: 'b' }]]],
    ['Bearer realm = "a" ,  service= b', [['bearer', { realm: 'a', service: 'b' }]]],
    ['Bearer realm=https://auth.test/token', [['bearer', { realm: 'https://auth.test/token' }]]],
    ['Bearer realm="a \\"b\\", Basic realm=c"', [['bearer', { realm: 'a "b", Basic realm=c' }]]],
    [
      'Basic realm="a", Bearer realm="b",service="c"',
      [
        ['basic', { realm: 'a' }],
        ['bearer', { realm: 'b', service: 'c' }],
      ],
    ],
    [
      'Negotiate, Basic realm="a"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'a' }],
      ],
    ],
    [
      'Negotiate dG9rZW4==, , Basic realm="a",',
      [
        ['negotiate', {}],
        ['basic', { realm: 'a' }],
      ],
    ],
  ])('%s', (header, offered) => {
    expect(read(header)).toEqual(offered);
  });

  test.each([
    'Bearer realm="a',
    'Bearer realm="a",realm="b"',
    'Bearer realm="a",REALM="b"',
    '"Bearer"',
    '=',
    `Basic ${'x'.repeat(9000)}`,
  ])('and nothing where it cannot be read, or says one thing twice: %.40s', (header) => {
    expect(read(header)).toEqual([]);
  });

  test('however long it is, reading comes to an end', () => {
    for (const part of [' ', ',', 'a ', 'a=', 'a="', '"\\"', 'Bearer realm="'])
      expect(() => offeredSchemes(part.repeat(8192 / part.length)), part).not.toThrow();
  });
});
