/** The URL of a server that speaks LDAP. */
import { isIPv6 } from 'node:net';
import { refuse, type Parsed } from '../document/parsed.ts';
import { formatHostPort, isHostname } from './host.ts';

export interface LdapServer {
  /** As messages name it: without what is left out. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte. */
  readonly isTls: boolean;
}

const example = 'for example ldaps://ldap.example.com';

/** `ldaps://host[:port]` or `ldap://host[:port]`: without a base, a filter or a password. */
export function parseLdapUrl(text: string): Parsed<LdapServer> {
  const [, secure, bracketed, plain = '', digits] =
    /^ldap(s?):\/\/(?:\[([^\]/]*)\]|([^:/?#[\]@]*))(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
  if (secure === undefined) return refuse('expected ldaps://host or ldap://host, perhaps with a port', example);
  const host = bracketed ?? plain;
  if (bracketed === undefined ? !isHostname(host) : !isIPv6(host))
    return refuse('the host is not a name or address', example);
  const isTls = secure === 's';
  const standard = isTls ? 636 : 389;
  const port = digits === undefined ? standard : Number(digits);
  if (port < 1 || port > 65_535) return refuse('the port must be from 1 to 65535');
  const shown = formatHostPort(host, port).replace(port === standard ? /:\d+$/ : /$/, '');
  return { ok: true, value: { url: `ldap${secure}://${shown}`, host, port, isTls } };
}
