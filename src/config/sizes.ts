/** Sizes in settings. */
import { refuse, type Parsed } from '../document/parsed.ts';

const unitBytes: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** `512KiB`, `64MiB`, `1GiB` as bytes; `0` needs no unit. At most 64 GiB. */
export function parseSize(text: string): Parsed<number> {
  if (text === '0') return { ok: true, value: 0 };
  const [, count, unit] = /^(\d{1,9})([KMG]iB)$/.exec(text) ?? [];
  const bytesInUnit = unit === undefined ? undefined : unitBytes[unit];
  if (count === undefined || bytesInUnit === undefined) {
    const [, number, letter] = /^(\d{1,9}) ?(?:([kmg])i?b?)?$/i.exec(text) ?? [];
    const meant = letter === undefined ? `${number}MiB for mebibytes` : `${number}${letter.toUpperCase()}iB`;
    const fix = `write ${number === undefined ? 'for example 512KiB, 64MiB or 1GiB' : meant}`;
    return refuse('expected a size: a whole number and one of KiB, MiB, GiB', fix);
  }
  const bytes = Number(count) * bytesInUnit;
  return bytes > 64 * 1024 ** 3 ? refuse('must be at most 64GiB') : { ok: true, value: bytes };
}
