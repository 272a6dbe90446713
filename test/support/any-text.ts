import fc from 'fast-check';

/**
 * Text of any code points up to so many, half surrogate pairs among them, as long as it may be. fast-check's own unit for
 * that builds a table of all code points, a second of work, wherever it is used.
 */
export function anyText(maxLength: number): fc.Arbitrary<string> {
  const unit = fc.oneof(fc.nat(0x7f), fc.nat(0x10ffff)).map((point) => String.fromCodePoint(point));
  return fc.string({ unit, maxLength, size: 'max' });
}
