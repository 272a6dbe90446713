/** Claims of a token, and the patterns by which a policy names them. */

/** Characters of a pattern, and of a name. */
export const maxClaimLength = 512;

/** Why this cannot be the name of a claim; undefined when it can. What begins with `/` is a JSON Pointer (RFC 6901). */
export function claimNameProblem(name: string): string | undefined {
  if (name === '' || name.length > maxClaimLength) return `expected 1 to ${maxClaimLength} characters`;
  if (!name.startsWith('/') || !/~(?![01])/.test(name)) return undefined;
  return 'in a JSON Pointer (it begins with /) ~ is written ~0, and / within a name ~1';
}

/** The value that a claim's name leads to; undefined where there is none. Nothing inherited is found. */
export function claimOf(claims: object, name: string): unknown {
  if (!name.startsWith('/')) return own(claims, name);
  const steps = name.slice(1).split('/');
  return steps.reduce<unknown>((value, step) => own(value, step.replaceAll('~1', '/').replaceAll('~0', '~')), claims);
}

function own(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  if (Array.isArray(value) && !/^(?:0|[1-9]\d{0,5})$/.test(key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

/**
 * A claim as texts, of which one must match: entries of a list, numbers and booleans as they are written. None for anything
 * else, and for a number that was too large to be read exactly: it would stand for its neighbours.
 */
export function textsOf(claim: unknown): readonly string[] {
  return (Array.isArray(claim) ? (claim as readonly unknown[]) : [claim]).flatMap((value) => {
    if (typeof value === 'string') return [value];
    if (typeof value === 'boolean') return [String(value)];
    return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER ? [String(value)] : [];
  });
}

/**
 * Whether all of `text` is what the pattern says: `*` stands for any characters but `/` and `:`, `**` for any. Takes time in
 * proportion to the product of both lengths, whatever they hold.
 */
export function matchesClaim(pattern: string, text: string): boolean {
  const parts = (pattern.match(/\*\*+|\*|[^*]/gsu) ?? []).map((part) => (part.startsWith('**') ? '**' : part));
  /** Whether the first so many parts match what was read; written over with every character. */
  const reached = new Uint8Array(parts.length + 1);
  reached[0] = 1;
  skipStars(parts, reached);
  for (const character of text) {
    const isEdge = character === '/' || character === ':';
    // From behind: each reads what its neighbour was before this character.
    for (let at = parts.length; at > 0; at--) {
      const part = parts[at - 1];
      if (part === character && part !== '*') reached[at] = reached[at - 1] ?? 0;
      else if (part !== '**' && (part !== '*' || isEdge)) reached[at] = 0;
    }
    reached[0] = 0;
    if (!skipStars(parts, reached)) return false;
  }
  return reached[parts.length] === 1;
}

/** A star may stand for nothing. Whether anything is reached at all. */
function skipStars(parts: readonly string[], reached: Uint8Array): boolean {
  let some = reached[0] ?? 0;
  for (let at = 1; at < reached.length; at++) {
    const part = parts[at - 1];
    if (reached[at - 1] === 1 && (part === '*' || part === '**')) reached[at] = 1;
    some |= reached[at] ?? 0;
  }
  return some === 1;
}
