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
  const parts = pattern.match(/\*\*+|\*|[^*]/gsu) ?? [];
  /** Whether the first so many parts match what was read. */
  let reached = parts.map(() => false);
  const follow = (from: readonly boolean[], begins: boolean): boolean[] => {
    const next = [begins, ...from];
    parts.forEach((part, index) => {
      if (part.startsWith('*') && next[index] === true) next[index + 1] = true;
    });
    return next;
  };
  reached = follow(reached, true);
  for (const character of text) {
    const stepped = parts.map((part, index) => {
      if (!part.startsWith('*')) return reached[index] === true && part === character;
      return reached[index + 1] === true && (part !== '*' || (character !== '/' && character !== ':'));
    });
    reached = follow(stepped, false);
    if (!reached.includes(true)) return false;
  }
  return reached[parts.length] === true;
}
