/** What may be said of an OpenID Connect provider: `logins.oidc` in the configuration file. */
import { z } from 'zod';
import { type Parsed, refuse } from '../document/parsed.ts';
import { isLoopback } from '../network/host.ts';
import { claimNameProblem } from '../policy/claims.ts';
import { day, duration, isNotEmpty, listOf, minute, optional, path, secret, setting } from './fields.ts';

const claim = setting((text): Parsed<string> => {
  const problem = claimNameProblem(text);
  return problem === undefined ? { ok: true, value: text } : refuse(`this is no name of a claim: ${problem}`);
});

export const oidcSchema = z
  .strictObject({
    issuer: optional(
      setting(parseIssuer),
      'The provider, as it calls itself (issuer in its .well-known/openid-configuration). http:// on this machine only.',
    ),
    clientId: optional(setting(parseWord), 'What the provider calls this gateway.'),
    clientSecret: optional(
      secret(parseSecret),
      'What the gateway proves that with; better in a file of its own, or in the variable. Not on the command line.',
    ),
    clientSecretFile: optional(
      path,
      'File with it, one line; read again at each login. Without either: a client that has none.',
    ),
    name: optional(
      claim,
      'Claim that is the name of somebody here; what begins with / is a JSON Pointer. Default: preferred_username.',
    ),
    groups: optional(claim, 'Claim with their groups, as in from: ["oidc:NAME"]. Default: groups.'),
    scopes: optional(
      listOf(setting(parseWord), 1),
      'What is asked for; openid must be among it. Default: openid, profile, groups.',
    ),
    ca: optional(path, 'PEM file with the authority of its certificate. Default: those that the system trusts.'),
    recheck: optional(
      duration(minute, 30 * day),
      'What somebody holds stops working so long after their last login by the browser, and goes on after the next. Default: 24h.',
    ),
    label: optional(setting(parseLabel), 'What the login calls the provider: "Log in with …". Default: its host.'),
  })
  .refine(isNotEmpty, 'names no provider');

export type OidcSettings = z.output<typeof oidcSchema>;

/** Kept as it is written: tokens are compared with it byte for byte (OpenID Connect Core, section 3.1.3.7). */
function parseIssuer(text: string): Parsed<string> {
  const example = 'for example https://login.example.com';
  if (!/^https?:\/\/[^/?#]/.test(text)) return refuse('expected an https:// URL', example);
  if (/[^\x21-\x7e]|["<>\\^`{|}]/.test(text)) return refuse('this URL has a character that URLs have not', example);
  if (/[?#]/.test(text))
    return refuse('an issuer has no query and no fragment', 'remove everything from the ? or # on');
  if (!URL.canParse(text)) return refuse('this is not a valid URL', example);
  const { protocol, hostname, username, password, pathname } = new URL(text);
  if (username !== '' || password !== '') return refuse('an issuer has no user name and no password', example);
  if (pathname.includes('/.well-known/'))
    return refuse('this is the address of its description', 'leave out everything from /.well-known on');
  if (protocol === 'http:' && !isLoopback(hostname))
    return refuse('tokens would cross the network in clear', `write https://, as in ${example.slice(12)}`);
  return { ok: true, value: text };
}

function parseWord(text: string): Parsed<string> {
  return /^[\x21-\x7e]{1,255}$/.test(text)
    ? { ok: true, value: text }
    : refuse('must be 1 to 255 ASCII characters without spaces');
}

function parseSecret(text: string): Parsed<string> {
  return /^[^\u0000\r\n]{1,1024}$/.test(text)
    ? { ok: true, value: text }
    : refuse('the secret is not one line of text');
}

function parseLabel(text: string): Parsed<string> {
  return /^(?=.*\S)[^\p{C}]{1,60}$/u.test(text)
    ? { ok: true, value: text }
    : refuse('must be 1 to 60 characters of visible text');
}
