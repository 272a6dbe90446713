/** Query strings, read strictly: a registry written in Go and this gateway must see the same parameters. */

export type Query = ReadonlyMap<string, string>;

export type QueryProblem =
  { readonly reason: 'query_malformed' } | { readonly reason: 'parameter_repeated'; readonly parameter: string };

const printable = /^[\x21-\x7e]*$/;

/**
 * Decodes keys and values, since Go does: `%6dount=` names `mount` too.
 * Refuses `;` (Go drops such pairs, others split at it), broken escapes, control characters,
 * and a parameter given twice unless it is listed in `repeatable` (then the values are joined with a newline).
 */
export function parseQuery(raw: string, repeatable: readonly string[] = []): Query | QueryProblem {
  const query = new Map<string, string>();
  if (raw === '') return query;
  if (!printable.test(raw) || /[;#\\"<>^`{|}]/.test(raw)) return { reason: 'query_malformed' };
  for (const pair of raw.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const key = decode(equals === -1 ? pair : pair.slice(0, equals));
    const value = decode(equals === -1 ? '' : pair.slice(equals + 1));
    if (key === undefined || value === undefined) return { reason: 'query_malformed' };
    const before = query.get(key);
    if (before === undefined) query.set(key, value);
    else if (repeatable.includes(key)) query.set(key, `${before}\n${value}`);
    else return { reason: 'parameter_repeated', parameter: key };
  }
  return query;
}

/** Tells what `parseQuery` gives. */
export function isQuery(value: Query | QueryProblem): value is Query {
  return value instanceof Map;
}

function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '));
    return /[\u0000-\u001f\u007f]/.test(decoded) ? undefined : decoded;
  } catch {
    return undefined;
  }
}
