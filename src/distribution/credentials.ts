/** The Authorization request header: RFC 7617 (Basic) and RFC 6750 section 2.1 (Bearer). */

export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly account: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'malformed' };

/** Bytes of a password; longer ones are refused before any hashing. */
export const maxPasswordLength = 1024;

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const token68 = /^[A-Za-z0-9._~+/-]+=*$/;

/**
 * Malformed credentials are never taken for missing ones: whoever sends something must not be served as anonymous.
 * An empty header, `Basic` alone and `Basic Og==` (an empty name and password) count as none: clients without credentials
 * send them.
 */
export function parseAuthorization(header: string | undefined): Credentials {
  if (header === undefined || /^\s*(?:basic\s*)?$/i.test(header)) return { kind: 'none' };
  const match = /^([A-Za-z]+) +([^ ]+)$/.exec(header.trim());
  const [, scheme = '', value = ''] = match ?? [];
  switch (scheme.toLowerCase()) {
    case 'basic':
      return parseBasic(value);
    case 'bearer':
      return token68.test(value) ? { kind: 'bearer', token: value } : { kind: 'malformed' };
    default:
      return { kind: 'malformed' };
  }
}

function parseBasic(value: string): Credentials {
  if (!base64.test(value)) return { kind: 'malformed' };
  const bytes = Buffer.from(value, 'base64');
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return { kind: 'malformed' };
  }
  const colon = text.indexOf(':');
  if (colon === -1) return { kind: 'malformed' };
  if (text === ':') return { kind: 'none' };
  return { kind: 'basic', account: text.slice(0, colon), password: text.slice(colon + 1) };
}
