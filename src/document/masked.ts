/**
 * Lines of policy files as people may see them: values of `password` and `sha256` masked whole, also in comments, on the
 * lines below their key, and wherever else something looks like a hash or a secret. In doubt more is masked than need be.
 */

const mask = '********';

/** A key whose value is secret, however it is quoted, misspelt or commented out. */
const secretKey = /(?<![\w-])["']?(?:pa?s+w\w*|pwd|passwd|sha-?256|secret)["']?\s*:(?=\s|$|["'$|>&!])/gi;
const explicitKey = /^\s*(?:#\s*)?\?\s*["']?(?:pa?s+w\w*|pwd|passwd|sha-?256|secret)["']?\s*$/i;
/** Hashes of argon2, bcrypt and crypt, secrets of ours, 40 hexadecimal digits and more, credentials in URLs. */
const looksSecret: readonly RegExp[] = [
  /\$(?:argon2\w*|2[abxy]?|[156]|apr1|scrypt)\$[^\s"']*/g,
  /\bpct_\w+/g,
  /\b[0-9a-f]{40,}\b/gi,
  /(?<=:\/\/)[^\s/@]+(?=@)/g,
];

/** One for each line of the text. */
export function maskedLines(text: string): readonly string[] {
  /** Deeper lines than this belong to a secret value. */
  let below: number | undefined;
  /** A quote that a secret value began with and has not ended yet. */
  let quote: string | undefined;
  let isExplicit = false;
  return text.split(/\r\n|\r|\n/).map((line) => {
    if (quote !== undefined) {
      const end = endOfQuoted(line, 0, quote);
      if (end === undefined) return masking(line);
      quote = undefined;
      below = undefined;
      return `${mask}${maskLine(line.slice(end)).line}`;
    }
    const indent = indentOf(line);
    if (below !== undefined && (line.trim() === '' || indent > below)) return masking(line);
    below = undefined;
    if (isExplicit) {
      isExplicit = false;
      below = indent;
      return masking(line);
    }
    if (explicitKey.test(line)) {
      isExplicit = true;
      return line;
    }
    const masked = maskLine(line);
    quote = masked.open;
    if (masked.isSecret) below = indent;
    return masked.line;
  });
}

/** Of what is no comment: a value goes on where a line is deeper. A comment's is what is behind `#`. */
function indentOf(line: string): number {
  const [start = ''] = /^\s*(?:#\s*)?(?:-\s+)*/.exec(line) ?? [];
  return start.length;
}

function masking(line: string): string {
  return line.trim() === '' ? line : line.replace(/\S.*/, mask);
}

interface Masked {
  readonly line: string;
  /** A secret key stands in it. */
  readonly isSecret: boolean;
  /** The quote of a value that goes on. */
  readonly open: string | undefined;
}

function maskLine(line: string): Masked {
  let out = '';
  let rest = 0;
  let open: string | undefined;
  const keys = [...line.matchAll(secretKey)];
  for (const key of keys) {
    const begin = key.index + key[0].length;
    if (key.index < rest) continue;
    const value = /^\s*/.exec(line.slice(begin))?.[0].length ?? 0;
    const start = begin + value;
    const sign = line[start];
    out += line.slice(rest, start);
    if (start >= line.length) {
      rest = start;
    } else if (sign === '"' || sign === "'") {
      const end = endOfQuoted(line, start + 1, sign);
      if (end === undefined) open = sign;
      rest = end ?? line.length;
      out += mask;
    } else {
      rest = endOfPlain(line, start);
      out += mask;
    }
    if (open !== undefined) break;
  }
  const whole = out + line.slice(rest);
  return {
    line: looksSecret.reduce((shown, part) => shown.replace(part, mask), whole),
    isSecret: keys.length > 0,
    open,
  };
}

/** Behind the closing quote; undefined where the line has none. */
function endOfQuoted(line: string, from: number, quote: string): number | undefined {
  for (let at = from; at < line.length; at++) {
    if (quote === '"' && line[at] === '\\') at++;
    else if (line[at] === quote) {
      if (quote === "'" && line[at + 1] === "'") at++;
      else return at + 1;
    }
  }
  return undefined;
}

/** Before the next key of a map in one line, or its end. */
function endOfPlain(line: string, from: number): number {
  const found = /,\s*["']?[A-Za-z]\w*["']?\s*:|\s*}/.exec(line.slice(from));
  return found === null ? line.length : from + found.index;
}
