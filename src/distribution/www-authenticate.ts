/** What a server offers with a 401: RFC 9110 section 11.6.1, in one header or several that were joined. */

export interface OfferedScheme {
  /** Lower case. */
  readonly scheme: string;
  /** By names in lower case; none where the scheme brings a bare value (`Negotiate …`). */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Characters of a header that are read. */
const maxHeader = 8192;

const nextScheme = /[\s,]*([!#$%&'*+.^`|~\w-]+)(?=[\s,]|$)/y;
const bareValue = /\s+[A-Za-z0-9._~+/-]+=*\s*(?=,|$)/y;
// Not only tokens without quotes: some write URLs so.
const nextParameter = /[\s,]*([!#$%&'*+.^`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/y;

/** In their order; empty where any of it cannot be read, or says one thing twice. */
export function offeredSchemes(header: string | undefined): readonly OfferedScheme[] {
  const text = (header ?? '').trim();
  if (text.length > maxHeader) return [];
  const offered: OfferedScheme[] = [];
  for (let at = 0; at < text.length;) {
    const found = readAt(nextScheme, text, at);
    if (found === undefined) return [];
    at = readAt(bareValue, text, found.end)?.end ?? found.end;
    const parameters = new Map<string, string>();
    for (let pair = readAt(nextParameter, text, at); pair !== undefined; pair = readAt(nextParameter, text, at)) {
      const [, name = '', quoted, plain = ''] = pair.match;
      if (parameters.has(name.toLowerCase())) return [];
      parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain);
      at = pair.end;
    }
    offered.push({ scheme: (found.match[1] ?? '').toLowerCase(), parameters });
    if (/^[\s,]*$/.test(text.slice(at))) break;
  }
  return offered;
}

function readAt(
  pattern: RegExp,
  text: string,
  at: number,
): { readonly match: RegExpExecArray; readonly end: number } | undefined {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  return match === null ? undefined : { match, end: pattern.lastIndex };
}
