/** What may be said of where people come from whom no policy file names: `logins` in the configuration file. */
import { z } from 'zod';
import { parseFilter } from '../directory/filter.ts';
import { type Parsed, refuse } from '../document/parsed.ts';
import { parseLdapUrl } from '../network/ldap-url.ts';
import { oidcSchema } from './oidc-schema.ts';
import { day, duration, isNotEmpty, listOf, optional, orText, path, secret, setting } from './fields.ts';

const filter = setting(parseFilter);
const name = setting(parseAttribute);
const base = setting(parseName);

const ldap = z
  .strictObject({
    url: optional(
      listOf(setting(parseLdapUrl), 1),
      'Servers, asked in this order: ldaps://host[:port], or ldap:// with startTls or on this machine. 3s each, 10s in all.',
    ),
    ca: optional(path, 'PEM file with the authority of their certificates. Default: those that the system trusts.'),
    startTls: optional(orText(z.boolean()), 'Whether ldap:// connections are encrypted by StartTLS. Default: false.'),
    bind: optional(
      z
        .strictObject({
          dn: optional(setting(parseName), 'Distinguished name of the account that searches.'),
          password: optional(
            secret(parsePassword),
            'Its password; better in a file of its own, or in the variable. Not on the command line.',
          ),
          passwordFile: optional(path, 'File with its password, one line; read again at each connection.'),
        })
        .refine(isNotEmpty, 'names no account'),
      'Who searches. Default: nobody in particular.',
    ),
    users: optional(
      z.strictObject({
        base: optional(base, 'Distinguished name below which people are.'),
        filter: optional(
          filter,
          'Which of them is meant; ${account} is the name that is logged in with. Default: (uid=${account}).',
        ),
        name: optional(name, 'Attribute that is their name here. Default: uid; Active Directory: sAMAccountName.'),
      }),
      'People.',
    ),
    groups: optional(
      z
        .strictObject({
          base: optional(base, 'Distinguished name below which groups are.'),
          filter: optional(
            filter,
            'Which of them somebody is in; ${dn} is their entry, ${account} their name. Default: (member=${dn}).',
          ),
          name: optional(name, 'Attribute that is the name of a group, as in from: ["ldap:NAME"]. Default: cn.'),
          nested: optional(
            z.enum(['no', 'ad', 'walk']),
            'Groups in groups: no; ad, where Active Directory resolves them; walk, five deep. Default: no.',
          ),
        })
        .refine(isNotEmpty, 'names no base'),
      'Groups. Default: none; what a person may do then depends on the name alone.',
    ),
    refresh: optional(
      duration(5, day),
      'A session asks again whether its person is there, and in which groups, after so long. Default: 5m.',
    ),
    staleFor: optional(
      duration(0, 30 * day),
      'How long beyond that sessions go on by what was last known while no server answers. Default: 1h.',
    ),
  })
  .refine(isNotEmpty, 'names no server');

const htpasswd = z
  .strictObject({
    file: optional(
      path,
      'File of lines NAME:HASH with bcrypt hashes, as htpasswd -B writes it; followed while it changes.',
    ),
  })
  .refine(isNotEmpty, 'names no file');

export const loginsSchema = z.strictObject({
  htpasswd: optional(htpasswd, 'A file of passwords, as many registries and web servers have it.'),
  ldap: optional(ldap, 'An LDAP directory, such as OpenLDAP, 389 or Active Directory.'),
  oidc: optional(oidcSchema, 'An OpenID Connect provider, by which people log in to the page.'),
});

/** What one source says. */
export type LoginSettings = z.output<typeof loginsSchema>;

function parseName(text: string): Parsed<string> {
  if (!/^[^=]+=/.test(text)) return refuse('expected a distinguished name', 'for example ou=people,dc=example,dc=com');
  return /[\u0000-\u001f]/.test(text) ? refuse('the name contains a control character') : { ok: true, value: text };
}

function parseAttribute(text: string): Parsed<string> {
  return /^(?:[a-z][a-z0-9-]*|\d+(?:\.\d+)+)$/i.test(text)
    ? { ok: true, value: text }
    : refuse('expected the name of an attribute', 'for example uid');
}

function parsePassword(text: string): Parsed<string> {
  return /[\u0000\r\n]/.test(text) ? refuse('the password is more than one line') : { ok: true, value: text };
}
