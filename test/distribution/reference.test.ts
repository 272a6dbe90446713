import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import {
  isReferrersTag,
  parseDigest,
  parseRepositoryName,
  parseTag,
  parseUploadId,
} from '../../src/distribution/reference.ts';
import { growth } from '../support/cpu-time.ts';
import { anyText } from '../support/any-text.ts';

type Row = readonly [what: string, text: string];

const hex = (length: number): string => '0123456789abcdef'.repeat(8).slice(0, length);

describe('a repository name', () => {
  const valid: readonly Row[] = [
    ['is one lower-case word', 'app'],
    ['has several segments', 'team/app/web'],
    ['is a single character', 'a'],
    ['begins with a digit', '0ad/1'],
    ['separates words by one dot', 'a.b'],
    ['separates words by one underscore', 'a_b'],
    ['separates words by two underscores', 'a__b'],
    ['separates words by any number of dashes', 'a---b'],
    ['spells words of the API itself', 'a/tags/list'],
    ['is 255 characters long', `${'a'.repeat(127)}/${'b'.repeat(127)}`],
  ];
  test.each(valid)('is accepted when it %s', (_what, text) => {
    expect(parseRepositoryName(text)).toBe(text);
  });

  const invalid: readonly Row[] = [
    ['is empty', ''],
    ['has an upper-case letter', 'Team/app'],
    ['begins with a slash', '/app'],
    ['ends with a slash', 'app/'],
    ['has an empty segment', 'a//b'],
    ['has a dot segment', 'a/./b'],
    ['climbs', '../app'],
    ['climbs in the middle', 'a/../b'],
    ['begins a segment with a dot', 'a/.b'],
    ['ends a segment with a dash', 'a-/b'],
    ['begins a segment with an underscore', 'a/_b'],
    ['has two dots in a row', 'a..b'],
    ['has three underscores in a row', 'a___b'],
    ['mixes separators', 'a._b'],
    ['carries a port', 'host:5000/app'],
    ['has a space', 'a b'],
    ['has an escape', 'a%2fb'],
    ['has a letter outside ASCII', 'café'],
    ['has a Kelvin sign that lower-cases to k', '\u212Aey'],
    ['ends with a line feed', 'app\n'],
    ['has a NUL', 'a\0b'],
    ['has a backslash', 'a\\b'],
    ['is 256 characters long', `${'a'.repeat(127)}/${'b'.repeat(128)}`],
  ];
  test.each(invalid)('is refused when it %s', (_what, text) => {
    expect(parseRepositoryName(text)).toBeUndefined();
  });

  test('is judged in linear time, however hostile the text', () => {
    const parse = (pairs: number) => (): void => {
      for (let run = 0; run < 200; run++)
        for (const text of ['a-'.repeat(pairs), 'a_'.repeat(pairs), `${'a.'.repeat(pairs - 1)}!`])
          parseRepositoryName(text);
    };
    // Four times the text; going back to every earlier place would take sixteen times as long.
    expect(growth(parse(31), parse(124), 20)).toBeLessThan(10);
  });
});

describe('a tag', () => {
  const valid: readonly Row[] = [
    ['is a word', 'latest'],
    ['mixes cases, digits, dots, dashes and underscores', 'V1.0_rc-2'],
    ['begins with an underscore', '_x'],
    ['is 128 characters long', 'a'.repeat(128)],
    ['looks like a referrers tag', `sha256-${hex(64)}`],
  ];
  test.each(valid)('is accepted when it %s', (_what, text) => {
    expect(parseTag(text)).toBe(text);
  });

  const invalid: readonly Row[] = [
    ['is empty', ''],
    ['begins with a dot', '.x'],
    ['begins with a dash', '-x'],
    ['is dots only', '..'],
    ['is 129 characters long', 'a'.repeat(129)],
    ['has a slash', 'a/b'],
    ['has a colon', 'a:b'],
    ['has an escape', 'a%2e'],
    ['ends with a line feed', 'a\n'],
    ['has a letter outside ASCII', 'ä'],
  ];
  test.each(invalid)('is refused when it %s', (_what, text) => {
    expect(parseTag(text)).toBeUndefined();
  });
});

describe('a referrers tag', () => {
  const valid: readonly Row[] = [
    ['is a SHA-256 digest with a dash', `sha256-${hex(64)}`],
    ['is what cosign keeps a signature under', `sha256-${hex(64)}.sig`],
    ['is a SHA-512 digest as the specification shortens it', `sha512-${hex(64)}`],
    ['is a whole SHA-512 digest', `sha512-${hex(128)}.att`],
  ];
  test.each(valid)('is recognised when it %s', (_what, text) => {
    expect(isReferrersTag(text)).toBe(true);
  });

  const invalid: readonly Row[] = [
    ['is a word', 'latest'],
    ['is too short to be a digest', `sha256-${hex(63)}`],
    ['is too long to be a digest', `sha256-${hex(65)}`],
    ['has upper-case digits', `sha256-${hex(64).toUpperCase()}`],
    ['begins with something else', `v1-sha256-${hex(64)}`],
    ['goes on after the suffix', `sha256-${hex(64)}.sig.v1`],
    ['names no known algorithm', `md5-${hex(64)}`],
  ];
  test.each(invalid)('is not one when it %s', (_what, text) => {
    expect(isReferrersTag(text)).toBe(false);
  });
});

describe('a digest', () => {
  const valid: readonly Row[] = [
    ['is sha256 with 64 digits', `sha256:${hex(64)}`],
    ['is sha384 with 96 digits', `sha384:${hex(96)}`],
    ['is sha512 with 128 digits', `sha512:${hex(128)}`],
  ];
  test.each(valid)('is accepted when it %s', (_what, text) => {
    expect(parseDigest(text)).toBe(text);
  });

  const invalid: readonly Row[] = [
    ['has upper-case digits: one digest, one spelling', `sha256:${hex(64).toUpperCase()}`],
    ['is one digit short', `sha256:${hex(63)}`],
    ['is one digit long', `sha256:${hex(65)}`],
    ['has the length of another algorithm', `sha512:${hex(64)}`],
    ['has another length than sha384', `sha384:${hex(64)}`],
    ['names an algorithm that is not registered', `md5:${hex(32)}`],
    ['names the algorithm in capitals', `SHA256:${hex(64)}`],
    ['has a letter that is no digit', `sha256:${hex(63)}g`],
    ['has two colons', `sha256::${hex(64)}`],
    ['has no algorithm', hex(64)],
    ['ends with a line feed', `sha256:${hex(64)}\n`],
    ['climbs', `sha256:../../${hex(58)}`],
  ];
  test.each(invalid)('is refused when it %s', (_what, text) => {
    expect(parseDigest(text)).toBeUndefined();
  });
});

describe('an upload id', () => {
  const valid: readonly Row[] = [
    ['is a UUID', '6a2c4e6f-0f0e-4a44-b0a3-3f2d4c5b6a79'],
    ['is base64url with padding', 'YWJj_-4='],
    ['is 128 characters long', 'a'.repeat(128)],
    ['has dots inside', 'a..b'],
  ];
  test.each(valid)('is accepted when it %s', (_what, text) => {
    expect(parseUploadId(text)).toBe(text);
  });

  const invalid: readonly Row[] = [
    ['is empty', ''],
    ['is the same directory', '.'],
    ['is the directory above', '..'],
    ['is 129 characters long', 'a'.repeat(129)],
    ['has a slash', 'a/b'],
    ['has an escape', '%2e%2e'],
    ['ends with a line feed', 'a\n'],
  ];
  test.each(invalid)('is refused when it %s', (_what, text) => {
    expect(parseUploadId(text)).toBeUndefined();
  });
});

test('no parser throws, and none changes the text it accepts', () => {
  fc.assert(
    fc.property(anyText(300), (text) => {
      for (const parse of [parseRepositoryName, parseTag, parseDigest, parseUploadId]) {
        const parsed = parse(text);
        expect(parsed === undefined || parsed === text).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
});
