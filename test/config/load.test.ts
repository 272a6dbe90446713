import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { z } from 'zod';
import { loadConfig, type Config } from '../../src/config/load.ts';
import type { ConfigInput } from '../../src/config/sources.ts';
import { configKeys, configSchema } from '../../src/config/schema.ts';
import { type UpstreamTerms, soleUpstream } from '../../src/config/upstreams.ts';
import type { Problem } from '../../src/document/problem.ts';
import { anyText } from '../support/any-text.ts';
import { sized } from '../support/size.ts';

type Given = Partial<Omit<ConfigInput, 'file'>> & { readonly yaml?: string };

const required = { PORTCULLIS_PUBLIC_URL: 'https://registry.example.com', PORTCULLIS_UPSTREAM: 'http://registry:5000' };

function load(given: Given) {
  const { yaml, ...rest } = given;
  return loadConfig({
    env: {},
    flags: {},
    cwd: '/srv',
    tryMode: false,
    readSecret: (path) => {
      throw new Error(`ENOENT: no such file, open '${path}'`);
    },
    ...rest,
    ...(yaml === undefined ? {} : { file: { path: '/etc/portcullis/portcullis.yaml', text: yaml } }),
  });
}

function configOf(given: Given): Config {
  const loaded = load(given);
  if (!loaded.ok) throw new Error(loaded.problems.map((problem) => problem.message).join('\n'));
  return loaded.config;
}

function problemsOf(given: Given): readonly Problem[] {
  const loaded = load(given);
  return loaded.ok ? [] : loaded.problems;
}

/** What `upstream: URL` stands for. */
function main(url: string): UpstreamTerms {
  return soleUpstream(url, {
    timeouts: { connectMs: 3_000, idleMs: 60_000, responseMs: 300_000 },
    redirects: { mode: 'pass', hosts: [] },
  });
}

const complete = `listen: 0.0.0.0:8443
publicUrl: https://registry.example.com:8443/
upstream: http://registry:5000
policies: [./policies, /etc/more.yaml]
stateDir: state
redis: redis://:hunter2@redis:6379/0
trustedProxies: [10.0.0.0/8, "::1"]
tls: { cert: ./tls.crt, key: ./tls.key }
admin: { listen: ":9000" }
tokens:
  service: registry
  accessTtl: 5m
  refreshTtl: 30d
  personalMaxTtl: 10d
  keys: keys
page: { enabled: false, anonymous: never, showPushers: nobody }
timeouts: { connect: 1s, idle: 2s, response: 3m, drain: 4h, leave: 5s }
redirects: { mode: follow, hosts: [Storage.example.com, '*.s3.example.com:9000'] }
cache: { memory: 1GiB, blobs: 512KiB, tagTtl: 0s, contentTtl: 1h, staleIfError: 1d }
audit: { directory: audit, keep: 10d, chain: false, required: true, stdout: false }
`;

describe('a complete file', () => {
  const config = configOf({ yaml: complete });

  test('sets every key, with units and paths resolved from the directory of the file', () => {
    const { redis, ...others } = config;
    expect(others).toEqual({
      listen: { host: '0.0.0.0', port: 8443 },
      publicUrl: 'https://registry.example.com:8443',
      upstreams: [
        {
          ...main('http://registry:5000'),
          timeouts: { connectMs: 1_000, idleMs: 2_000, responseMs: 180_000 },
          redirects: { mode: 'follow', hosts: ['storage.example.com', '*.s3.example.com:9000'] },
        },
      ],
      policies: ['/etc/portcullis/policies', '/etc/more.yaml'],
      stateDir: '/etc/portcullis/state',
      trustedProxies: ['10.0.0.0/8', '::1/128'],
      tls: { cert: '/etc/portcullis/tls.crt', key: '/etc/portcullis/tls.key' },
      admin: { listen: { host: '', port: 9000 } },
      tokens: {
        service: 'registry',
        accessTtlSeconds: 300,
        refreshTtlSeconds: 2_592_000,
        personalMaxTtlSeconds: 864_000,
        keys: '/etc/portcullis/keys',
      },
      enforce: 'proxy',
      page: { enabled: false, anonymous: 'never', showPushers: 'nobody' },
      logins: { ldap: undefined, oidc: undefined },
      timeouts: { connectMs: 1_000, idleMs: 2_000, responseMs: 180_000, drainMs: 14_400_000, leaveMs: 5_000 },
      redirects: { mode: 'follow', hosts: ['storage.example.com', '*.s3.example.com:9000'] },
      cache: {
        memoryBytes: 1_073_741_824,
        blobBytes: 524_288,
        tagTtlMs: 0,
        contentTtlMs: 3_600_000,
        staleIfErrorMs: 86_400_000,
      },
      audit: {
        directory: '/etc/portcullis/audit',
        keepMs: 864_000_000,
        isChained: false,
        isRequired: true,
        hasStdout: false,
      },
    });
    expect(redis?.reveal()).toBe('redis://:hunter2@redis:6379/0');
  });

  test('does not show its secrets when printed', () => {
    expect(inspect(config, { depth: 9 }) + JSON.stringify(config)).not.toContain('hunter2');
  });
});

describe('defaults', () => {
  test('for production need only publicUrl and upstream', () => {
    expect(configOf({ env: required })).toEqual({
      listen: { host: '0.0.0.0', port: 5050 },
      publicUrl: 'https://registry.example.com',
      upstreams: [main('http://registry:5000')],
      policies: ['/srv/policies'],
      stateDir: '/srv/.portcullis',
      redis: undefined,
      trustedProxies: [],
      admin: { listen: { host: '127.0.0.1', port: 5051 } },
      tokens: {
        service: 'registry.example.com',
        accessTtlSeconds: 900,
        refreshTtlSeconds: 7_776_000,
        personalMaxTtlSeconds: 7_776_000,
      },
      enforce: 'proxy',
      page: { enabled: true, anonymous: 'auto', showPushers: 'authenticated' },
      logins: { ldap: undefined, oidc: undefined },
      timeouts: { connectMs: 3_000, idleMs: 60_000, responseMs: 300_000, drainMs: 900_000, leaveMs: 0 },
      redirects: { mode: 'pass', hosts: [] },
      cache: { memoryBytes: 67_108_864, blobBytes: 65_536, tagTtlMs: 5_000, contentTtlMs: 600_000, staleIfErrorMs: 0 },
      audit: { directory: undefined, keepMs: 7_776_000_000, isChained: true, isRequired: false, hasStdout: true },
    });
  });

  test.each(['memory', 'tagTtl', 'contentTtl', 'staleIfError'])(
    'cache.%s is turned off by 0, with or without its unit',
    (key) => {
      for (const value of ['0', '"0"']) {
        const { cache } = configOf({ env: required, yaml: `cache: { ${key}: ${value} }` });
        expect(Object.entries(cache).find(([name]) => name.startsWith(key))?.[1]).toBe(0);
      }
    },
  );

  test('for try mode need nothing and stay on loopback', () => {
    expect(configOf({ tryMode: true })).toMatchObject({
      listen: { host: '127.0.0.1', port: 5050 },
      publicUrl: 'http://127.0.0.1:5050',
      upstreams: [],
      policies: ['/srv/policies'],
      admin: { listen: { host: '127.0.0.1', port: 5051 } },
      tokens: { service: '127.0.0.1:5050' },
    });
  });

  test('of try mode derive publicUrl from the port and scheme in use', () => {
    expect(configOf({ tryMode: true, flags: { listen: '127.0.0.1:6000' } }).publicUrl).toBe('http://127.0.0.1:6000');
    const tls = { 'tls.cert': 'c', 'tls.key': 'k' };
    expect(configOf({ tryMode: true, flags: tls }).publicUrl).toBe('https://127.0.0.1:5050');
  });

  test('of token mode: tokens are short, and there is no page', () => {
    const config = configOf({ env: { ...required, PORTCULLIS_ENFORCE: 'token' } });
    expect(config.tokens.accessTtlSeconds).toBe(120);
    expect(config.page.enabled).toBe(false);
    const longer = configOf({ env: { ...required, PORTCULLIS_ENFORCE: 'token', PORTCULLIS_TOKENS_ACCESS_TTL: '5m' } });
    expect(longer.tokens.accessTtlSeconds).toBe(300);
  });

  test('name the service after the host and port of publicUrl', () => {
    const env = { ...required, PORTCULLIS_PUBLIC_URL: 'http://registry.lan:8080' };
    expect(configOf({ env }).tokens.service).toBe('registry.lan:8080');
  });

  test.each(['', '# nothing yet\n'])('hold for the empty file %j', (yaml) => {
    expect(configOf({ yaml, env: required }).listen.port).toBe(5050);
  });
});

test.each([
  ['./mine', ['/etc/portcullis/mine']],
  ['[./mine, /other.yaml]', ['/etc/portcullis/mine', '/other.yaml']],
])('policies: %s is one place or several', (text, policies) => {
  expect(configOf({ env: required, yaml: `policies: ${text}` }).policies).toEqual(policies);
});

describe('precedence', () => {
  const yaml = `publicUrl: https://file\nupstream: http://file\ntokens: { accessTtl: 1m, refreshTtl: 1h }\n`;

  test('the environment wins over the file, flags win over both, key by key', () => {
    const config = configOf({
      yaml,
      env: {
        PORTCULLIS_UPSTREAM: 'http://env',
        PORTCULLIS_TOKENS_ACCESS_TTL: '2m',
        PORTCULLIS_PUBLIC_URL: 'https://env',
      },
      flags: { publicUrl: 'https://flag' },
    });
    expect(config.publicUrl).toBe('https://flag');
    expect(config.upstreams).toEqual([main('http://env')]);
    expect(config.tokens).toMatchObject({ accessTtlSeconds: 120, refreshTtlSeconds: 3_600 });
  });

  test('relative paths of variables and flags start at the working directory', () => {
    const config = configOf({
      env: { ...required, PORTCULLIS_POLICIES: 'a, ../b', PORTCULLIS_STATE_DIR: './s' },
      flags: { 'tokens.keys': 'k' },
    });
    expect(config.policies).toEqual(['/srv/a', '/b']);
    expect(config.stateDir).toBe('/srv/s');
    expect(config.tokens.keys).toBe('/srv/k');
  });

  test('an empty list in a variable takes the proxies of the file away', () => {
    const config = configOf({ yaml: `${yaml}trustedProxies: [10.0.0.0/8]\n`, env: { PORTCULLIS_TRUSTED_PROXIES: '' } });
    expect(config.trustedProxies).toEqual([]);
  });
});

describe('every key', () => {
  const keys = configKeys(['cloud']);
  const samples: Readonly<Record<string, string>> = {
    listen: '127.0.0.1:1234',
    publicUrl: 'https://sample',
    upstream: 'http://sample',
    'upstreams.cloud.url': 'https://sample',
    'upstreams.cloud.prefix': 'sample/area',
    'upstreams.cloud.remotePrefix': 'sample',
    'upstreams.cloud.access': 'read',
    'upstreams.cloud.library': 'true',
    'upstreams.cloud.ca': '/sample.pem',
    'upstreams.cloud.credentials.username': 'sample',
    'upstreams.cloud.credentials.password': 'sample',
    'upstreams.cloud.credentials.passwordFile': '/sample',
    'upstreams.cloud.credentials.helper': 'sample',
    'upstreams.cloud.tokenHosts': 'sample,other:8443',
    'upstreams.cloud.timeouts.connect': '9s',
    'upstreams.cloud.timeouts.idle': '9s',
    'upstreams.cloud.timeouts.response': '9s',
    'upstreams.cloud.redirects.mode': 'follow',
    'upstreams.cloud.redirects.hosts': 'sample,*.other',
    enforce: 'token',
    policies: '/sample,/other',
    stateDir: '/sample',
    redis: 'redis://sample',
    trustedProxies: '10.0.0.0/8,::1',
    'tls.cert': '/sample.crt',
    'tls.key': '/sample.key',
    'admin.listen': '127.0.0.1:1235',
    'tokens.service': 'sample',
    'tokens.accessTtl': '1h',
    'tokens.refreshTtl': '1h',
    'tokens.personalMaxTtl': '1h',
    'tokens.keys': '/sample',
    'page.enabled': 'false',
    'page.anonymous': 'never',
    'page.showPushers': 'nobody',
    'logins.htpasswd.file': '/sample',
    'logins.ldap.url': 'ldaps://sample,ldaps://other:6636',
    'logins.ldap.ca': '/sample.pem',
    'logins.ldap.startTls': 'true',
    'logins.ldap.bind.dn': 'cn=sample',
    'logins.ldap.bind.password': 'sample',
    'logins.ldap.bind.passwordFile': '/sample',
    'logins.ldap.users.base': 'ou=sample',
    'logins.ldap.users.filter': '(sample=${account})',
    'logins.ldap.users.name': 'sample',
    'logins.ldap.groups.base': 'ou=sample',
    'logins.ldap.groups.filter': '(sample=${dn})',
    'logins.ldap.groups.name': 'sample',
    'logins.ldap.groups.nested': 'walk',
    'logins.ldap.refresh': '9s',
    'logins.ldap.staleFor': '9s',
    'logins.oidc.issuer': 'https://sample.example.com/realms/a',
    'logins.oidc.clientId': 'sample',
    'logins.oidc.clientSecret': 'sample',
    'logins.oidc.clientSecretFile': '/sample',
    'logins.oidc.name': 'sample',
    'logins.oidc.groups': '/sample/roles',
    'logins.oidc.scopes': 'openid,sample',
    'logins.oidc.ca': '/sample.pem',
    'logins.oidc.recheck': '9m',
    'logins.oidc.label': 'Sample & Co',
    'timeouts.connect': '9s',
    'timeouts.idle': '9s',
    'timeouts.response': '9s',
    'timeouts.drain': '9s',
    'timeouts.leave': '9s',
    'redirects.mode': 'follow',
    'redirects.hosts': 'sample,*.other',
    'cache.memory': '9MiB',
    'cache.blobs': '1MiB',
    'cache.tagTtl': '9s',
    'cache.contentTtl': '9s',
    'cache.staleIfError': '9s',
    'audit.directory': '/sample',
    'audit.keep': '9d',
    'audit.chain': 'false',
    'audit.required': 'true',
    'audit.stdout': 'false',
  };

  const always = { 'tls.cert': '/c', 'tls.key': '/k', 'redirects.hosts': 'x', 'audit.directory': '/a' };
  const needed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    upstreams: { 'upstreams.cloud.url': 'https://base' },
    'logins.ldap': { 'logins.ldap.url': 'ldaps://base', 'logins.ldap.users.base': 'ou=base' },
    'logins.oidc': { 'logins.oidc.issuer': 'https://base', 'logins.oidc.clientId': 'base' },
  };
  const neededBy = (key: string) => Object.entries(needed).find(([section]) => key.startsWith(`${section}.`))?.[1];
  /** What makes sense of a key of an entry. */
  const beside: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'credentials.username': { 'upstreams.cloud.credentials.passwordFile': '/beside' },
    'credentials.password': { 'upstreams.cloud.credentials.username': 'beside' },
    'credentials.passwordFile': { 'upstreams.cloud.credentials.username': 'beside' },
    'logins.ldap.startTls': { 'logins.ldap.url': 'ldap://beside' },
    'logins.ldap.bind.dn': { 'logins.ldap.bind.passwordFile': '/beside' },
    'logins.ldap.bind.password': { 'logins.ldap.bind.dn': 'cn=beside' },
    'logins.ldap.bind.passwordFile': { 'logins.ldap.bind.dn': 'cn=beside' },
    'logins.ldap.groups.filter': { 'logins.ldap.groups.base': 'ou=beside' },
    'logins.ldap.groups.name': { 'logins.ldap.groups.base': 'ou=beside' },
    'logins.ldap.groups.nested': { 'logins.ldap.groups.base': 'ou=beside' },
  };

  test('is known by its dotted name', () => {
    expect(keys.map(({ key }) => key)).toEqual(Object.keys(samples));
  });

  test.each(keys.map((key) => [key.key, key] as const))(
    '%s has a variable, a sentence, and counts from each source',
    (_name, key) => {
      expect(key.variable).toMatch(/^PORTCULLIS(_[A-Z]+)+$/);
      expect(key.description).toMatch(/^[A-Z].{20,}\.$/);
      const base = { tryMode: true, flags: { ...always, ...neededBy(key.key) } };
      const text = samples[key.key] ?? '';
      const plain = JSON.stringify(configOf(base));
      const all = { ...base.flags, ...beside[key.key.replace('upstreams.cloud.', '')] };
      const others = Object.fromEntries(Object.entries(all).filter(([flag]) => flag !== key.key));
      const fromVariable = configOf({ ...base, flags: others, env: { [key.variable]: text } });
      const value = key.list ? text.split(',') : text;
      const yaml = JSON.stringify(key.key.split('.').reduceRight<unknown>((inner, step) => ({ [step]: inner }), value));
      const fromFile = configOf({ ...base, flags: others, yaml });
      expect(JSON.stringify(fromVariable)).not.toBe(plain);
      expect(JSON.stringify(fromFile)).toBe(JSON.stringify(fromVariable));
      // Of a command line everybody on the machine can read it.
      if (key.secret && key.key !== 'redis') return;
      const fromFlag = configOf({ ...base, flags: { ...others, [key.key]: text } });
      expect(JSON.stringify(fromFlag)).toBe(JSON.stringify(fromVariable));
    },
  );

  test.each([
    ['publicUrl', 'PORTCULLIS_PUBLIC_URL'],
    ['tokens.accessTtl', 'PORTCULLIS_TOKENS_ACCESS_TTL'],
    ['redis', 'PORTCULLIS_REDIS'],
  ])('%s has the variable %s', (key, variable) => {
    expect(keys.find((candidate) => candidate.key === key)?.variable).toBe(variable);
  });

  test('is in the JSON Schema, described', () => {
    const schema = JSON.stringify(z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' }));
    for (const { description } of keys) expect(schema).toContain(JSON.stringify(description));
  });
});

describe('what is required', () => {
  test('outside try mode: publicUrl and upstream, each with its variable and an example', () => {
    expect(problemsOf({})).toEqual([
      expect.objectContaining({
        code: 'missing-key',
        message: 'publicUrl is required',
        fix: expect.stringContaining('PORTCULLIS_PUBLIC_URL=https://registry.example.com') as string,
      }),
      expect.objectContaining({
        code: 'missing-key',
        message: 'upstream is required',
        fix: expect.stringContaining('PORTCULLIS_UPSTREAM=http://registry:5000') as string,
      }),
    ]);
  });

  test('a key that is there but wrong is not called missing as well', () => {
    const problems = problemsOf({ yaml: 'publicUrl: nope\nupstream: http://a\n' });
    expect(problems.map(({ code, line }) => [code, line])).toEqual([['invalid-value', 1]]);
  });

  test('the hosts, when redirects are followed', () => {
    const [problem, ...others] = problemsOf({ env: { ...required, PORTCULLIS_REDIRECTS_MODE: 'follow' } });
    expect(problem?.message).toContain('redirects.mode is follow without redirects.hosts');
    expect(problem?.fix).toContain('PORTCULLIS_REDIRECTS_HOSTS=storage.example.com');
    expect(others).toEqual([]);
  });

  test.each([
    ['tls.cert', 'tls.key', 'PORTCULLIS_TLS_KEY'],
    ['tls.key', 'tls.cert', 'PORTCULLIS_TLS_CERT'],
  ])('%s needs %s', (given, missing, variable) => {
    const [problem] = problemsOf({ env: required, flags: { [given]: 'x' } });
    expect(problem?.message).toBe(`${given} is set without ${missing}`);
    expect(problem?.fix).toContain(variable);
  });

  test('certificate and key may come from different sources', () => {
    const config = configOf({ env: { ...required, PORTCULLIS_TLS_CERT: '/c' }, flags: { 'tls.key': '/k' } });
    expect(config.tls).toEqual({ cert: '/c', key: '/k' });
  });
});

describe('problems', () => {
  test('of file, environment and flags come together, each with its place', () => {
    const problems = problemsOf({
      yaml: 'upstream: ftp://a\ntokens:\n  acessTtl: 5m\n  refreshTtl: 5\n',
      env: { PORTCULLIS_LISTEN: '5050', PORTCULLIS_UPSTREM: 'http://a', PORTCULLIS_TOKENS_ACCESS_TTL: '10s' },
      flags: { 'admin.listen': 'x', publicURL: 'https://a', trustedProxies: '10.0.0.0/8,0.0.0.0/0' },
    });
    expect(problems.map(({ file, line, column, message }) => `${file} ${line}:${column} ${message}`)).toEqual([
      '/etc/portcullis/portcullis.yaml 0:0 publicUrl is required',
      '/etc/portcullis/portcullis.yaml 1:11 upstream: expected a URL that starts with http:// or https://',
      '/etc/portcullis/portcullis.yaml 3:3 tokens: unknown key "acessTtl" — did you mean "accessTtl"?',
      '/etc/portcullis/portcullis.yaml 4:15 tokens.refreshTtl: expected a duration with its unit, such as 30s, 15m, 6h or 30d',
      'command line 0:0 --admin.listen: expected host:port, :port or [IPv6]:port',
      'command line 0:0 --trustedProxies (entry 2): this network holds every address, so anybody could claim any address in X-Forwarded-For',
      'command line 0:0 unknown option "--publicURL" — did you mean "--publicUrl"?',
      'environment 0:0 PORTCULLIS_LISTEN: expected host:port, :port or [IPv6]:port',
      'environment 0:0 PORTCULLIS_TOKENS_ACCESS_TTL: must be at least 1m',
      'environment 0:0 unknown variable "PORTCULLIS_UPSTREM" — did you mean "PORTCULLIS_UPSTREAM"?',
    ]);
  });

  test('of broken YAML do not hide those of the environment', () => {
    const problems = problemsOf({ yaml: 'listen: *\n', env: { PORTCULLIS_LISTEN: 'x' } });
    expect(problems.map(({ code }) => code)).toEqual(['yaml-alias', 'invalid-value']);
  });

  test.each([
    ['listen and admin.listen on one port', { listen: '0.0.0.0:5051' }, 'address-clash'],
    ['an empty value', { listen: '' }, 'missing-value'],
    ['an empty entry in a list', { policies: 'a,,b' }, 'invalid-value'],
    ['a service name that would break the challenge', { 'tokens.service': 'a"b' }, 'invalid-value'],
    ['an access token that lives less than 60s', { 'tokens.accessTtl': '59s' }, 'invalid-value'],
    ['a password in an argument', { redis: 'redis://:hunter2@a' }, 'secret-in-argument'],
  ])('%s is one', (_title, flags, code) => {
    const problems = problemsOf({ env: required, flags });
    expect(problems.map((problem) => problem.code)).toEqual([code]);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  test('an empty list of policies in the file is one', () => {
    expect(problemsOf({ env: required, yaml: 'policies: []' }).map(({ message }) => message)).toEqual([
      'policies: must have at least 1 entry',
    ]);
  });

  test('a file that is a list is one', () => {
    expect(problemsOf({ env: required, yaml: '- a' })[0]?.message).toBe('expected a mapping (key: value), got a list');
  });

  test('in try mode a free port needs a publicUrl, since clients are told that one', () => {
    expect(problemsOf({ tryMode: true, flags: { listen: '127.0.0.1:0' } })[0]?.message).toContain('publicUrl');
    expect(load({ tryMode: true, flags: { listen: '127.0.0.1:0', publicUrl: 'http://a' } }).ok).toBe(true);
  });
});

describe('secrets', () => {
  const withRedis = (env: Record<string, string>, readSecret?: (path: string) => string): Given => ({
    env: { ...required, ...env },
    ...(readSecret === undefined ? {} : { readSecret }),
  });

  test.each(['redis://:hunter2@a', 'redis://:hunter2@a\n', 'redis://:hunter2@a\r\n'])(
    'the file with %j holds the URL',
    (content) => {
      const asked: string[] = [];
      const config = configOf(
        withRedis({ PORTCULLIS_REDIS_FILE: 'secrets/redis' }, (path) => {
          asked.push(path);
          return content;
        }),
      );
      expect(config.redis?.reveal()).toBe('redis://:hunter2@a');
      expect(asked).toEqual(['/srv/secrets/redis']);
    },
  );

  test('only one line end is taken off', () => {
    expect(load(withRedis({ PORTCULLIS_REDIS_FILE: 'x' }, () => 'redis://a\n\n')).ok).toBe(false);
  });

  test('a variable and its file together are a problem', () => {
    const given = withRedis({ PORTCULLIS_REDIS: 'redis://a', PORTCULLIS_REDIS_FILE: 'x' }, () => 'redis://b');
    expect(problemsOf(given).map(({ message }) => message)).toEqual([
      'PORTCULLIS_REDIS and PORTCULLIS_REDIS_FILE are both set',
    ]);
  });

  test('a file that cannot be read is a problem with the reason', () => {
    expect(problemsOf(withRedis({ PORTCULLIS_REDIS_FILE: '/run/x' }))[0]?.message).toContain(
      "ENOENT: no such file, open '/run/x'",
    );
  });

  test('a bad URL in the file is a problem that names the file variable and not the URL', () => {
    const problems = problemsOf(withRedis({ PORTCULLIS_REDIS_FILE: 'x' }, () => 'http://:hunter2@a'));
    expect(problems[0]?.message).toMatch(/^PORTCULLIS_REDIS_FILE: /);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  test('only secrets have a file variable', () => {
    expect(problemsOf({ env: { ...required, PORTCULLIS_UPSTREAM_FILE: 'x' } })[0]?.code).toBe('unknown-variable');
  });
});

describe('variables that are not ours to judge', () => {
  test.each([
    ['PORTCULLIS_CONFIG', '/etc/portcullis.yaml'],
    ['PORTCULLIS_TEST_REQUIRE', 'all'],
    ['PORTCULLIS_SERVICE_HOST', '10.96.0.12'],
    ['PORTCULLIS_SERVICE_PORT', '5050'],
    ['PORTCULLIS_SERVICE_PORT_HTTP', '5050'],
    ['PORTCULLIS_PORT', 'tcp://10.96.0.12:5050'],
    ['PORTCULLIS_PORT_5050_TCP', 'tcp://10.96.0.12:5050'],
    ['PORTCULLIS_PORT_5050_TCP_PROTO', 'tcp'],
    ['PORTCULLIS_PORT_5050_TCP_PORT', '5050'],
    ['PORTCULLIS_PORT_5050_TCP_ADDR', '10.96.0.12'],
    ['PORTCULLIS_REDIS_PORT', 'tcp://10.96.0.13:6379'],
    ['HOME', '/root'],
    ['portcullis_listen', 'x'],
  ])('%s=%s is left alone', (variable, value) => {
    expect(load({ env: { ...required, [variable]: value } }).ok).toBe(true);
  });

  test('a variable that is present but undefined counts as absent', () => {
    expect(load({ env: { ...required, PORTCULLIS_LISTEN: undefined, PORTCULLIS_NOPE: undefined } }).ok).toBe(true);
  });

  test.each([
    ['PORTCULLIS_PORT', '8080'],
    ['PORTCULLIS_SERVICE_HOST', 'registry'],
    ['PORTCULLIS_', 'x'],
    ['PORTCULLIS___PROTO__', 'x'],
  ])('%s=%s is a mistake', (variable, value) => {
    expect(problemsOf({ env: { ...required, [variable]: value } })[0]?.code).toBe('unknown-variable');
  });
});

describe('hostile input', () => {
  test('a configuration cut at any byte loads or is refused with problems', () => {
    const bytes = Buffer.from(complete);
    for (let length = 0; length <= bytes.length; length += 1) {
      const loaded = load({ yaml: bytes.subarray(0, length).toString('utf8') });
      expect(loaded.ok || loaded.problems.length > 0).toBe(true);
    }
  });

  test('a configuration with any bytes put in or left out loads or is refused with problems', () => {
    const place = fc.integer({ min: 0, max: complete.length });
    fc.assert(
      fc.property(place, fc.integer({ min: 0, max: 9 }), anyText(5), (at, skip, more) => {
        const loaded = load({ yaml: complete.slice(0, at) + more + complete.slice(at + skip) });
        expect(loaded.ok || loaded.problems.length > 0).toBe(true);
      }),
      { numRuns: sized(500) },
    );
  });

  test('no text of a variable or flag makes loading throw', () => {
    const keys = configKeys();
    fc.assert(
      fc.property(fc.constantFrom(...keys), anyText(30), fc.boolean(), (key, text, asFlag) => {
        load(asFlag ? { flags: { [key.key]: text } } : { env: { [key.variable]: text } });
      }),
      { numRuns: sized(500) },
    );
  });

  test('keys of Object.prototype are refused and change nothing', () => {
    const problems = problemsOf({
      env: required,
      yaml: '__proto__: { tryMode: true }',
      flags: JSON.parse('{"__proto__": "x"}') as Record<string, string>,
    });
    expect(problems.map(({ code }) => code)).toEqual(['bad-key', 'unknown-key']);
    expect(({} as Record<string, unknown>)['tryMode']).toBeUndefined();
  });
});
