/** Every setting: key, parser, default and sentence. Variables, docs and the JSON Schema come from here. */
import { z } from 'zod';
import { type Parsed, refuse } from '../document/parsed.ts';
import { parseRedisUrl } from '../network/redis-url.ts';
import {
  day,
  duration,
  isNotEmpty,
  listOf,
  minute,
  optional,
  orText,
  orZero,
  path,
  secret,
  setting,
  take,
} from './fields.ts';
import { auditSchema } from './audit.ts';
import { loginsSchema } from './logins-schema.ts';
import { upstreamSchema } from './upstream-schema.ts';
import { parseHostPattern, parseListenAddress, parseNetwork, parseOrigin, parseProxies, parseSize } from './values.ts';

const serviceName = setting((text): Parsed<string> => {
  // Written between quotes in the challenge (RFC 9110 §5.6.4) and compared byte for byte by clients.
  return /^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/.test(text)
    ? { ok: true, value: text }
    : refuse('must be 1 to 255 ASCII characters without spaces, quotes and backslashes');
});

/** What the entries of a map are called: a variable has it in capitals, and nothing in it can be read as a key. */
const entryName = /^[a-z0-9]+$/;

/** The file form of the configuration: every key there is, with the sentence that documents it. Defaults are in load.ts. */
export const configSchema = z.strictObject({
  listen: optional(
    setting(parseListenAddress),
    'Address of the main listener: host:port, :port for every interface, or [IPv6]:port. Default: 0.0.0.0:5050.',
  ),
  publicUrl: optional(
    setting((text) => parseOrigin(text, 'https://registry.example.com')),
    'URL by which clients reach the gateway, without a path; in tokens and challenges. Location headers are relative.',
  ),
  upstream: optional(
    setting((text) => parseOrigin(text, 'http://registry:5000')),
    'URL of the unsecured registry behind the gateway, without a path. Several registries: upstreams.',
  ),
  upstreams: optional(
    z
      .record(
        z.string().regex(entryName, { error: 'the name of a registry has lower-case letters and digits only' }),
        upstreamSchema,
      )
      .refine(isNotEmpty, 'names no registry'),
    'Several registries behind one address, by name; instead of upstream.',
  ),
  enforce: optional(
    z.enum(['proxy', 'token']),
    'Who holds requests to the policy: this gateway in front of the registry (proxy), or the registry by its tokens. Default: proxy.',
  ),
  policies: optional(
    listOf(path, 1),
    'Policy files and directories (flat, *.yaml and *.yml), one or a list. Default: ./policies.',
  ),
  stateDir: optional(
    path,
    'Directory for what the gateway itself writes, such as generated signing keys. Default: ./.portcullis.',
  ),
  redis: optional(
    secret(parseRedisUrl),
    'Redis for sessions and limits (redis://, rediss://, redis+sentinel://, redis+cluster://). Default: this process.',
  ),
  trustedProxies: optional(
    listOf(setting(parseNetwork), 0).transform((all, context): readonly string[] => take(parseProxies(all), context)),
    'Networks of the proxies whose X-Forwarded-For is believed, as addresses or CIDR. Default: none.',
  ),
  tls: optional(
    z.strictObject({
      cert: optional(path, 'PEM file with the certificate chain of the main listener; read again when it changes.'),
      key: optional(path, 'PEM file with the private key of the certificate; read again when it changes.'),
    }),
    'Serve HTTPS on the main listener.',
  ),
  admin: optional(
    z.strictObject({
      listen: optional(
        setting(parseListenAddress),
        'Address of the admin listener (health and metrics); keep it private. Default: 127.0.0.1:5051.',
      ),
    }),
    'The admin listener.',
  ),
  tokens: optional(
    z.strictObject({
      service: optional(
        serviceName,
        'Name of this service in challenges and the audience of its tokens. Default: host and port of publicUrl.',
      ),
      accessTtl: optional(
        duration(minute, day),
        'Lifetime of an access token, from 60s to 1d. Default: 15m, 2m with enforce: token.',
      ),
      refreshTtl: optional(
        duration(minute, 3_650 * day),
        'How long a login session may stay unused before it ends. Default: 90d.',
      ),
      personalMaxTtl: optional(
        duration(minute, 3_650 * day),
        'The longest life of an access token that somebody makes for their own scripts. Default: 90d.',
      ),
      keys: optional(path, 'Directory of private signing keys (PEM or JWK). Default: one is generated in stateDir.'),
    }),
    'Access tokens and login sessions.',
  ),
  page: optional(
    z.strictObject({
      enabled: optional(orText(z.boolean()), 'Serve the page for people under /ui. Default: true.'),
      anonymous: optional(
        z.enum(['auto', 'never']),
        'Who is not logged in sees what anonymous callers may pull (auto), or only the login. Default: auto.',
      ),
      showPushers: optional(
        z.enum(['everyone', 'authenticated', 'nobody']),
        'Who is shown by whom a tag was pushed. Default: authenticated.',
      ),
    }),
    'The page for people, on the main listener.',
  ),
  logins: optional(loginsSchema, 'Where people log in from whom no policy file names.'),
  timeouts: optional(
    z.strictObject({
      connect: optional(duration(1, 5 * minute), 'How long connecting to the upstream may take. Default: 3s.'),
      idle: optional(duration(1, day), 'How long a transfer may stand still before it is aborted. Default: 60s.'),
      response: optional(
        duration(1, day),
        'How long the upstream may take to begin its reply after it has the whole request. Default: 5m.',
      ),
      drain: optional(
        duration(1, day),
        'How long running transfers may continue after a stop was asked for. Default: 15m.',
      ),
      leave: optional(
        duration(0, 10 * minute),
        'How long new requests are taken after a stop was asked for, until load balancers have seen it. Default: 0s.',
      ),
    }),
    'Limits of patience, for the upstream and at shutdown.',
  ),
  redirects: optional(
    z.strictObject({
      mode: optional(
        z.enum(['pass', 'follow']),
        'Redirects to object storage: pass gives them to the client, follow fetches, never http after https. Default: pass.',
      ),
      hosts: optional(
        listOf(setting(parseHostPattern), 1),
        'Hosts that it may lead to, any other is an error: host, host:port or *.suffix. Default: any; follow needs a list.',
      ),
    }),
    'Registries that keep their content in object storage.',
  ),
  cache: optional(
    z.strictObject({
      memory: optional(
        orZero(setting((text) => parseSize(text))),
        'Memory for manifests and small blobs, given to whoever may read them; 0 is off. Default: 64MiB.',
      ),
      blobs: optional(
        orZero(setting((text) => parseSize(text, '8MiB'))),
        'The largest blob that is kept there: configs, and small layers where it is more. At most 8MiB. Default: 64KiB.',
      ),
      tagTtl: optional(
        orZero(duration(0, day)),
        "How long a tag changed behind the gateway's back may lead where it led; 0s is off. Default: 5s.",
      ),
      contentTtl: optional(
        orZero(duration(0, 30 * day)),
        'How long content by digest is given before the registry is asked again; 0s is off. Default: 10m.',
      ),
      staleIfError: optional(
        orZero(duration(0, 30 * day)),
        'How old an answer may be that stands in for a registry that does not answer; 0s is off. Default: 0s.',
      ),
    }),
    'Manifests and small blobs in memory. All gateways that share a Redis need the same.',
  ),
  audit: optional(auditSchema, 'What was decided, in files that can be checked: one a day and gateway.'),
});

/** What one source (file, environment, flags) sets, parsed. */
export type Settings = z.output<typeof configSchema>;

export interface ConfigKey {
  /** Dotted: `tokens.accessTtl`. */
  readonly key: string;
  /** `PORTCULLIS_TOKENS_ACCESS_TTL`. */
  readonly variable: string;
  readonly description: string;
  /** Its value may hold a password: it has a `…_FILE` variable, and must not be printed. */
  readonly secret: boolean;
  /** A comma-separated list in a variable or flag. */
  readonly list: boolean;
}

const secretKey = /^redis$|\.(?:password|clientSecret)$/;
const listKey = /^(?:policies|trustedProxies)$|\.(?:hosts|tokenHosts)$|^logins\.(?:ldap\.url|oidc\.scopes)$/;

/** How documentation calls an entry of a map. */
export const anyName = '<name>';

/** Every key in the order of the schema, with its environment variable; those of maps for each of the names. */
export function configKeys(names: readonly string[] = [anyName]): readonly ConfigKey[] {
  return keysOf(configSchema, [], names);
}

function keysOf(schema: z.ZodObject, parents: readonly string[], names: readonly string[]): readonly ConfigKey[] {
  return Object.entries(schema.shape).flatMap(([name, field]) => {
    const { schema: inner, sentence: description } = settingOf(field);
    const path = [...parents, name];
    if (inner instanceof z.ZodObject) return keysOf(inner, path, names);
    if (inner instanceof z.ZodRecord) {
      const entry = inner.valueType;
      return entry instanceof z.ZodObject ? names.flatMap((each) => keysOf(entry, [...path, each], names)) : [];
    }
    const key = path.join('.');
    return [{ key, variable: variableOf(path), description, secret: secretKey.test(key), list: listKey.test(key) }];
  });
}

/** A setting of the schema without what makes it optional, and its sentence. */
export function settingOf(field: unknown): { readonly schema: unknown; readonly sentence: string } {
  const schema: unknown = field instanceof z.ZodOptional ? field.unwrap() : field;
  return { schema, sentence: schema instanceof z.ZodType ? (schema.description ?? '') : '' };
}

function variableOf(path: readonly string[]): string {
  const words = path.map((name) => name.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase());
  return ['PORTCULLIS', ...words].join('_');
}
