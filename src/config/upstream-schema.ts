/** What may be said of one registry of several: `upstreams.<name>` in the configuration file. */
import { z } from 'zod';
import { parseRepositoryName } from '../distribution/reference.ts';
import { type Parsed, refuse } from '../document/parsed.ts';
import { day, duration, isNotEmpty, listOf, minute, optional, orText, path, secret, setting } from './fields.ts';
import { parseHostPattern, parseOrigin } from './values.ts';

const credentials = z
  .strictObject({
    username: optional(setting(parseUsername), 'Account at this registry.'),
    password: optional(
      secret(parsePassword),
      'Its password; better in a file of its own, or in the variable. Not on the command line.',
    ),
    passwordFile: optional(path, 'File with its password, one line; read again at each login there.'),
    helper: optional(
      setting(parseHelper),
      'Name of a docker credential helper on PATH, instead of these: ecr-login runs docker-credential-ecr-login.',
    ),
  })
  .refine(isNotEmpty, 'neither names an account nor a helper');

const terms = z.strictObject({
  url: optional(
    setting((text) => parseOrigin(text, 'https://registry.partner.example.com')),
    'URL of this registry, without a path.',
  ),
  prefix: optional(
    setting(parsePrefix),
    'First segments of the names that lead here; the longest that fits wins. Without it: names that no other claims.',
  ),
  remotePrefix: optional(
    setting((text) => parseSegments(text, 'team')),
    'What stands there in place of prefix: partner/app is team/app at the registry. Default: nothing.',
  ),
  access: optional(
    z.enum(['read', 'read-write']),
    'With read, pushes and deletions are refused whatever the policies say. Default: read-write.',
  ),
  library: optional(
    orText(z.boolean()),
    'Whether names of one segment get library/ in front, as at Docker Hub and mirrors of it. Default: false.',
  ),
  ca: optional(
    path,
    'PEM file with authorities of its certificate, besides those that the system trusts; read at the start.',
  ),
  credentials: optional(
    credentials,
    'Who the gateway is there. Default: nobody; tokens that everybody gets are taken.',
  ),
  tokenHosts: optional(
    listOf(setting(parseTokenHost), 1),
    'Hosts besides its own where tokens are asked for, with the credentials. host or host:port. Default: none.',
  ),
  timeouts: optional(
    z.strictObject({
      connect: optional(duration(1, 5 * minute), 'As timeouts.connect, for this registry. Default: that.'),
      idle: optional(duration(1, day), 'As timeouts.idle, for this registry. Default: that.'),
      response: optional(duration(1, day), 'As timeouts.response, for this registry. Default: that.'),
    }),
    'Limits of patience with this registry.',
  ),
  redirects: optional(
    z.strictObject({
      mode: optional(z.enum(['pass', 'follow']), 'As redirects.mode, for this registry. Default: that.'),
      hosts: optional(
        listOf(setting(parseHostPattern), 1),
        'As redirects.hosts, for this registry. Default: those. A list here stands instead of them.',
      ),
    }),
    'Where this registry keeps its content in object storage.',
  ),
});

/** What one source says of a registry; what must be there, and what excludes what, is judged when all sources are one. */
export const upstreamSchema = terms.describe('One registry, by the name that it has in logs and figures.');

export type UpstreamSettings = z.output<typeof upstreamSchema>;

/** Whole segments of a repository name. `example` is what to write instead of what is none. */
function parseSegments(text: string, example: string): Parsed<string> {
  const bare = text.replace(/^\/+|\/+$/g, '');
  if (bare !== text && parseRepositoryName(bare) !== undefined) {
    return refuse('expected segments of a repository name, without a slash at the ends', `write ${bare}`);
  }
  if (parseRepositoryName(text) !== undefined) return { ok: true, value: text };
  return refuse(
    'expected one or more whole segments of a repository name: lower-case letters and digits, with . _ - between them',
    `for example ${example}`,
  );
}

/** The registry API keeps `v2` and what begins with `_` to itself. */
function parsePrefix(text: string): Parsed<string> {
  if (!/^(?:_|v2(?:\/|$))/.test(text)) return parseSegments(text, 'partner');
  return refuse('v2 and names that begin with _ belong to the API of registries', 'for example partner');
}

/** RFC 7617 section 2: a colon ends the name. */
function parseUsername(text: string): Parsed<string> {
  if (text === '') return refuse('the user name is empty');
  return /[:\u0000-\u001f\u007f]/.test(text)
    ? refuse('a user name has no colon and no control characters')
    : { ok: true, value: text };
}

function parsePassword(text: string): Parsed<string> {
  if (text === '') return refuse('the password is empty');
  return /[\u0000-\u001f\u007f]/.test(text)
    ? refuse('a password has no control characters')
    : { ok: true, value: text };
}

/** It becomes the name of a program. */
function parseHelper(text: string): Parsed<string> {
  if (/^[a-z0-9-]+$/.test(text)) return { ok: true, value: text };
  const bare = /^docker-credential-([a-z0-9-]+)$/.exec(text.replace(/^.*\//, ''))?.[1];
  return refuse(
    'expected the name of a credential helper: lower-case letters, digits and -',
    bare === undefined ? 'for example ecr-login, for the program docker-credential-ecr-login' : `write ${bare}`,
  );
}

/** Never a pattern: whoever can take a name below a domain would be sent the password. */
function parseTokenHost(text: string): Parsed<string> {
  const host = parseHostPattern(text);
  if (host.ok && !host.value.startsWith('*.')) return host;
  if (text.startsWith('*.'))
    return refuse('credentials are sent to hosts that are named, not to all below one', 'write each host');
  return refuse(
    'expected host or host:port, without a scheme and a path',
    'for example auth.partner.example.com or auth.partner.example.com:5001',
  );
}
