import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { parsePasswordHash } from '../../src/policy/password-hash.ts';

const argon2id = (m: number | string, t: number | string, p: number | string): string =>
  `$argon2id$v=19$m=${m},t=${t},p=${p}$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA`;
const bcrypt = (minor: string, cost: string): string => `$2${minor}$${cost}$${'.'.repeat(53)}`;

describe('a stored password hash', () => {
  test('in argon2id keeps its text and says what it costs', () => {
    expect(parsePasswordHash(argon2id(19_456, 2, 1))).toEqual({
      scheme: 'argon2id',
      text: argon2id(19_456, 2, 1),
      cost: { memoryKib: 19_456, passes: 2, lanes: 1 },
    });
  });

  test.each(['a', 'b', 'y'])('in bcrypt with the prefix $2%s$ becomes one that the library reads', (minor) => {
    expect(parsePasswordHash(bcrypt(minor, '05'))).toEqual({ scheme: 'bcrypt', text: bcrypt('b', '05'), cost: 5 });
  });

  test('is taken at the ends of the bounds', () => {
    for (const text of [argon2id(8192, 1, 1), argon2id(262_144, 10, 16), bcrypt('b', '04'), bcrypt('b', '14')]) {
      expect(parsePasswordHash(text)).toHaveProperty('scheme');
    }
  });

  test.each([
    argon2id(8, 1, 1),
    argon2id(8191, 1, 1),
    argon2id(8192, 1, 1).replace('$AAAAAAAAAAAAAAAAAAAAAA$', '$AAAAAAAAAAA$'),
    argon2id(8192, 1, 1).replace('$AAAAAAAAAAAAAAAAAAAAAA$', `$${'A'.repeat(21)}$`),
    argon2id(262_145, 1, 1),
    argon2id(8192, 11, 1),
    argon2id(8192, 1, 17),
    argon2id('-1', 1, 1),
    argon2id('1e9', 1, 1),
    argon2id('0x10', 1, 1),
    argon2id('99999999999999999999', 1, 1),
    `${argon2id(8192, 1, 1)}\n`,
    ` ${argon2id(8192, 1, 1)}`,
    argon2id(8192, 1, 1).replace('$v=19', ''),
    argon2id(8192, 1, 1).replace(',p=1', ''),
    argon2id(8192, 1, 1).replace('p=1', 'p=1,keyid=x'),
    bcrypt('b', '03'),
    bcrypt('b', '15'),
    bcrypt('b', '99'),
    bcrypt('x', '10'),
    bcrypt('b', '10').slice(0, -1),
    '$apr1$salt$hash',
    '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=',
    '$1$salt$hash',
    '$6$salt$hash',
    'plain',
    '',
  ])('is refused outside of them or in another form: %j', (text) => {
    expect(parsePasswordHash(text)).toHaveProperty('problem');
  });

  test.each([argon2id(8, 1, 1), argon2id(8192, 1, 1).replace('$AAAAAAAAAAAAAAAAAAAAAA$', '$AAAAAAAAAAA$')])(
    'that is quickly guessed says how to make a better one: %j',
    (text) => {
      expect(parsePasswordHash(text)).toEqual({ problem: expect.stringContaining('portcullis hash') });
    },
  );

  test('of any text is either refused in words or bounded in cost', () => {
    const number = fc.nat(10_000_000);
    fc.assert(
      fc.property(number, fc.nat(1000), fc.nat(1000), (m, t, p) => {
        const parsed = parsePasswordHash(argon2id(m, t, p));
        if ('problem' in parsed) return;
        expect(parsed.scheme === 'argon2id' && parsed.cost.memoryKib * parsed.cost.passes <= 2_621_440).toBe(true);
      }),
    );
  });
});
