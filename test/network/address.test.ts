import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress, networkStart, parseAddress } from '../../src/network/address.ts';

const spelled = (text: string): string | undefined => {
  const address = parseAddress(text);
  return address && formatAddress(address);
};

describe('an address', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['1::', '1::'],
    ['2001:db8::192.0.2.33', '2001:db8::c000:221'],
    ['::ffff:192.0.2.33', '192.0.2.33'],
    ['::FFFF:c000:0221', '192.0.2.33'],
    ['::192.0.2.33', '::c000:221'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
  ])('%s is spelled %s', (text, one) => {
    expect(spelled(text)).toBe(one);
  });

  test.each([
    '',
    'x',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '[::1]',
    '::1/64',
    ':::',
    '1:2:3:4:5:6:7',
    'localhost',
    ' ::1',
  ])('%j is none', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test('of either family is the same after it was spelled, and so is its number', () => {
    const addresses = fc.oneof(
      fc.ipV4(),
      fc.ipV6().filter((text) => isIP(text) === 6),
    );
    fc.assert(
      fc.property(addresses, (text) => {
        const address = parseAddress(text);
        expect(address).toBeDefined();
        if (address === undefined) return;
        expect(isIP(formatAddress(address))).toBe(address.family);
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
    );
  });
});

test.each([
  ['2001:db8:1:2:3::4', 64, '2001:db8:1:2::'],
  ['2001:db8:1:2:3::4', 48, '2001:db8:1::'],
  ['fe80::1%eth0', 64, 'fe80::'],
  ['203.0.113.7', 24, '203.0.113.0'],
  ['203.0.113.7', 32, '203.0.113.7'],
  ['203.0.113.7', 0, '0.0.0.0'],
])('the network of %s with %i bits begins with %s', (text, bits, start) => {
  const address = parseAddress(text);
  expect(address && formatAddress(networkStart(address, bits))).toBe(start);
});
