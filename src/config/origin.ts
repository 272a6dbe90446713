/** URLs in the configuration that name an origin. */
import { refuse, type Parsed } from '../document/parsed.ts';

// The URL parser drops tabs and line ends and turns backslashes into slashes; what a person sees must be what is used.
const ambiguous = /[^\x21-\x7e]|["<>\\^`{|}]/;

/** An http or https origin in canonical form, without a slash at the end. Anything beyond scheme, host and port is refused. */
export function parseOrigin(text: string, example: string): Parsed<string> {
  if (!/^https?:\/\/[^/]/i.test(text))
    return refuse('expected a URL that starts with http:// or https://', `for example ${example}`);
  if (ambiguous.test(text))
    return refuse('a URL may only contain ASCII letters, digits and URL punctuation', `for example ${example}`);
  if (text.includes('@'))
    return refuse('a user name or password in this URL is not supported', `for example ${example}`);
  if (text.includes('?')) return refuse('this URL may not have a query', 'remove everything from the ? on');
  if (text.includes('#')) return refuse('this URL may not have a fragment', 'remove everything from the # on');
  if (!/^[a-z]+:\/\/[^/]+\/?$/i.test(text)) return refuse('this URL may not have a path', `for example ${example}`);
  if (!URL.canParse(text)) return refuse('this is not a valid URL', `for example ${example}`);
  const url = new URL(text);
  if (url.port === '0') return refuse('the port must be from 1 to 65535');
  return { ok: true, value: url.origin };
}
