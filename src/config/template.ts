/** A configuration file to start from: every setting with its sentence, those that need no decision commented out. */
import { z } from 'zod';
import { anyName, configSchema, settingOf } from './schema.ts';

/** What stands behind each key; every key of the schema has one. */
const examples: Readonly<Record<string, string>> = {
  listen: '0.0.0.0:5050',
  publicUrl: 'https://registry.example.com',
  upstream: 'http://127.0.0.1:5000',
  'upstreams.<name>.url': 'https://registry.partner.example.com',
  'upstreams.<name>.prefix': 'partner',
  'upstreams.<name>.remotePrefix': 'team',
  'upstreams.<name>.access': 'read-write',
  'upstreams.<name>.library': 'false',
  'upstreams.<name>.ca': './partner-ca.pem',
  'upstreams.<name>.credentials.username': 'svc',
  'upstreams.<name>.credentials.password': 'never in a repository',
  'upstreams.<name>.credentials.passwordFile': './partner.secret',
  'upstreams.<name>.credentials.helper': 'ecr-login',
  'upstreams.<name>.tokenHosts': '[auth.partner.example.com]',
  'upstreams.<name>.timeouts.connect': '3s',
  'upstreams.<name>.timeouts.idle': '60s',
  'upstreams.<name>.timeouts.response': '5m',
  'upstreams.<name>.redirects.mode': 'pass',
  'upstreams.<name>.redirects.hosts': '[storage.partner.example.com]',
  enforce: 'proxy',
  policies: './policies',
  stateDir: './.portcullis',
  redis: 'redis://127.0.0.1:6379/0',
  trustedProxies: '[10.0.0.0/8]',
  'tls.cert': './tls.crt',
  'tls.key': './tls.key',
  'admin.listen': '127.0.0.1:5051',
  'tokens.service': 'registry.example.com',
  'tokens.accessTtl': '15m',
  'tokens.refreshTtl': '90d',
  'tokens.personalMaxTtl': '90d',
  'tokens.keys': './keys',
  'page.enabled': 'true',
  'page.anonymous': 'auto',
  'page.showPushers': 'authenticated',
  'logins.htpasswd.file': './htpasswd',
  'logins.ldap.url': '[ldaps://ldap.example.com]',
  'logins.ldap.ca': './ldap-ca.pem',
  'logins.ldap.startTls': 'false',
  'logins.ldap.bind.dn': 'cn=portcullis,ou=services,dc=example,dc=com',
  'logins.ldap.bind.password': 'never in a repository',
  'logins.ldap.bind.passwordFile': './ldap.secret',
  'logins.ldap.users.base': 'ou=people,dc=example,dc=com',
  'logins.ldap.users.filter': '(uid=${account})',
  'logins.ldap.users.name': 'uid',
  'logins.ldap.groups.base': 'ou=groups,dc=example,dc=com',
  'logins.ldap.groups.filter': '(member=${dn})',
  'logins.ldap.groups.name': 'cn',
  'logins.ldap.groups.nested': 'no',
  'logins.ldap.refresh': '5m',
  'logins.ldap.staleFor': '1h',
  'logins.oidc.issuer': 'https://login.example.com',
  'logins.oidc.clientId': 'portcullis',
  'logins.oidc.clientSecret': 'never in a repository',
  'logins.oidc.clientSecretFile': './oidc.secret',
  'logins.oidc.name': 'preferred_username',
  'logins.oidc.groups': 'groups',
  'logins.oidc.scopes': '[openid, profile, groups]',
  'logins.oidc.ca': './oidc-ca.pem',
  'logins.oidc.recheck': '24h',
  'logins.oidc.label': 'Example',
  'timeouts.connect': '3s',
  'timeouts.idle': '60s',
  'timeouts.response': '5m',
  'timeouts.drain': '15m',
  'timeouts.leave': '0s',
  'redirects.mode': 'pass',
  'redirects.hosts': '[storage.example.com, "*.s3.example.com"]',
  'cache.memory': '64MiB',
  'cache.blobs': '64KiB',
  'cache.tagTtl': '5s',
  'cache.contentTtl': '10m',
  'cache.staleIfError': '0s',
  'audit.directory': './audit',
  'audit.keep': '90d',
  'audit.chain': 'true',
  'audit.required': 'false',
  'audit.stdout': 'true',
};

/** Set from the start: required, or files that `portcullis init` writes next to the configuration. */
const active: ReadonlySet<string> = new Set(['publicUrl', 'upstream', 'policies', 'tokens', 'tokens.keys']);

const required: ReadonlySet<string> = new Set(['publicUrl', 'upstream']);

/** Excluded by another that the example has. */
const instead: ReadonlySet<string> = new Set([
  'upstreams.<name>.credentials.password',
  'upstreams.<name>.credentials.helper',
  'logins.ldap.bind.password',
  'logins.oidc.clientSecret',
]);

/** What the entry of a map is called in the example. */
const exampleName = 'partner';

const head = `# yaml-language-server: $schema=./schema/config.schema.json
#
# Portcullis, the front door of an unsecured container registry.
#
# Settings with "#" directly before them are off; remove the "#" to use them. Each also has an environment variable:
# tokens.accessTtl is PORTCULLIS_TOKENS_ACCESS_TTL. Relative paths start at this file. Check it with: portcullis check
`;

const lineWidth = 118;

/** The text of a portcullis.yaml that `loadConfig` takes as it is. */
export function configTemplate(): string {
  const parts = Object.entries(configSchema.shape).map(([name, field]: [string, unknown]) => partOf(name, field));
  return [head, ...parts].join('\n');
}

function partOf(name: string, field: unknown): string {
  const about = comment((required.has(name) ? 'Required. ' : '') + settingOf(field).sentence, '');
  const children = childrenOf(field);
  if (children === undefined || active.has(name)) return about + linesOf([name], field, '');
  // One "#" is enough to turn a whole section off.
  return about + linesOf([name], field, '').replace(/^(?=.)/gm, '#');
}

/** A setting, or a section with all that it holds, without the sentence in front. */
function linesOf(path: readonly string[], field: unknown, indent: string): string {
  const key = path.join('.');
  const label = path.at(-1) === anyName ? exampleName : path.at(-1);
  const children = childrenOf(field);
  if (children === undefined) return `${indent}${markOf(key, path)}${label}: ${examples[key] ?? ''}\n`;
  const lines = children.map(
    ([child, each]) =>
      comment(settingOf(each).sentence, `${indent}  `) + linesOf([...path, child], each, `${indent}  `),
  );
  return `${indent}${label}:\n${lines.join('')}`;
}

/** Undefined for a single setting. */
function childrenOf(field: unknown): readonly (readonly [string, unknown])[] | undefined {
  const { schema } = settingOf(field);
  if (schema instanceof z.ZodObject) return Object.entries<unknown>(schema.shape);
  return schema instanceof z.ZodRecord ? [[anyName, schema.valueType]] : undefined;
}

/** What turns a single setting off, where not its section is. */
function markOf(key: string, [section = '', ...rest]: readonly string[]): string {
  if (instead.has(key)) return '# ';
  return active.has(key) || (rest.length > 0 && !active.has(section)) ? '' : '#';
}

function comment(text: string, indent: string): string {
  if (text === '') return '';
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && indent.length + 3 + last.length + word.length <= lineWidth)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => `${indent}# ${line}\n`).join('');
}
