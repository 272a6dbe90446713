/** Several registries: what a configuration says of them, from every source, and what it must not say. */
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts';
import { type UpstreamTerms, defaultUpstream } from '../../src/config/upstreams.ts';
import { formatProblem } from '../../src/document/problem.ts';

interface Given {
  readonly yaml?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: Readonly<Record<string, string>>;
}

function load({ yaml, env = {}, flags = {} }: Given): LoadedConfig {
  return loadConfig({
    env: { PORTCULLIS_PUBLIC_URL: 'https://registry.example.com', ...env },
    flags,
    cwd: '/srv',
    tryMode: false,
    readSecret: (path) => {
      throw new Error(`ENOENT: no such file, open '${path}'`);
    },
    file: yaml === undefined ? undefined : { path: '/etc/p/portcullis.yaml', text: yaml },
  });
}

/** By name. */
function termsOf(given: Given): Readonly<Record<string, UpstreamTerms>> {
  const loaded = load(given);
  if (!loaded.ok) throw new Error(loaded.problems.map((problem) => formatProblem(problem)).join('\n'));
  return Object.fromEntries(loaded.config.upstreams.map((terms) => [terms.name, terms]));
}

/** `place code message` of each problem. */
function problemsOf(given: Given): readonly string[] {
  const loaded = load(given);
  if (loaded.ok) return [];
  return loaded.problems.map(
    ({ file, line, column, code, message }) => `${file.replace('/etc/p/', '')}:${line}:${column} ${code} ${message}`,
  );
}

/** A file with these entries. */
const file = (...entries: readonly string[]): Given => ({ yaml: `upstreams:\n  ${entries.join('\n  ')}\n` });

const cloud = 'cloud: { url: https://partner.example.com, prefix: partner';

describe('what an entry says', () => {
  test('in full', () => {
    const { cloud: terms } = termsOf({
      yaml: `timeouts: { connect: 1s, idle: 2s, response: 3s }
redirects: { mode: follow, hosts: [global.example.com] }
upstreams:
  main: { url: http://registry:5000 }
  cloud:
    url: https://Registry.Partner.example.com:443/
    prefix: partner/eu
    remotePrefix: team
    access: read
    ca: ./partner-ca.pem
    credentials: { username: svc, password: hunter2 }
    tokenHosts: [Auth.partner.example.com, auth.other:8443]
    timeouts: { response: 5m }
    redirects: { hosts: [storage.example.com] }
`,
    });
    expect({ ...terms, credentials: undefined }).toEqual({
      name: 'cloud',
      url: 'https://registry.partner.example.com',
      prefix: 'partner/eu',
      remotePrefix: 'team',
      access: 'read',
      library: false,
      ca: '/etc/p/partner-ca.pem',
      credentials: undefined,
      tokenHosts: ['auth.partner.example.com', 'auth.other:8443'],
      timeouts: { connectMs: 1_000, idleMs: 2_000, responseMs: 300_000 },
      redirects: { mode: 'follow', hosts: ['storage.example.com'] },
    });
    const { credentials } = terms ?? {};
    expect(credentials).toMatchObject({ username: 'svc' });
    expect(credentials !== undefined && 'password' in credentials && credentials.password.reveal()).toBe('hunter2');
    expect(inspect(terms, { depth: 9 }) + JSON.stringify(terms)).not.toContain('hunter2');
  });

  test('and what it leaves out', () => {
    expect(termsOf(file('main: { url: http://registry:5000 }'))['main']).toEqual({
      name: 'main',
      url: 'http://registry:5000',
      prefix: '',
      remotePrefix: '',
      access: 'read-write',
      library: false,
      ca: undefined,
      credentials: undefined,
      tokenHosts: [],
      timeouts: { connectMs: 3_000, idleMs: 60_000, responseMs: 300_000 },
      redirects: { mode: 'pass', hosts: [] },
    });
  });

  test('upstream: URL is the same as main without a prefix', () => {
    const { main } = termsOf(file('main: { url: http://registry:5000 }'));
    // But that nobody logs in there.
    expect(termsOf({ yaml: 'upstream: http://registry:5000' })).toEqual({ main: { ...main, tokenHosts: undefined } });
  });

  test.each([
    ['{ username: svc, passwordFile: ./secret }', { username: 'svc', passwordFile: '/etc/p/secret' }],
    ['{ helper: ecr-login }', { helper: 'ecr-login' }],
  ])('credentials: %s', (text, credentials) => {
    expect(termsOf(file(`${cloud}, credentials: ${text} }`))['cloud']?.credentials).toEqual(credentials);
  });

  test('the order is that of the file; none needs to be the default', () => {
    const named = termsOf(file('b: { url: http://b, prefix: b }', 'a: { url: http://a, prefix: a }'));
    expect(Object.keys(named)).toEqual(['b', 'a']);
    expect(defaultUpstream(Object.values(named))).toBeUndefined();
  });

  test('credentials go over http:// to loopback addresses only', () => {
    for (const host of ['127.0.0.1:5000', 'localhost', '[::1]:5000', '127.9.9.9']) {
      expect(problemsOf(file(`a: { url: "http://${host}", credentials: { helper: x } }`))).toEqual([]);
    }
    for (const host of ['registry', '10.0.0.1', 'localhost.example.com', '127.example.com', '[::2]']) {
      expect(problemsOf(file(`a: { url: "http://${host}", credentials: { helper: x } }`))[0]).toContain(
        'plain-credentials upstreams.a.url is http:// on another machine',
      );
    }
  });
});

describe('variables and flags', () => {
  test('make an entry that the file does not have', () => {
    const env = {
      PORTCULLIS_UPSTREAMS_CLOUD2_URL: 'https://partner.example.com',
      PORTCULLIS_UPSTREAMS_CLOUD2_PREFIX: 'partner',
      PORTCULLIS_UPSTREAMS_CLOUD2_LIBRARY: 'true',
      PORTCULLIS_UPSTREAMS_CLOUD2_CREDENTIALS_USERNAME: 'svc',
      PORTCULLIS_UPSTREAMS_CLOUD2_CREDENTIALS_PASSWORD_FILE: 'secrets/partner',
      PORTCULLIS_UPSTREAMS_CLOUD2_TOKEN_HOSTS: 'a.example.com, b.example.com',
    };
    const { main, cloud2 } = termsOf({ ...file('main: { url: http://registry:5000 }'), env });
    expect(main?.prefix).toBe('');
    expect(cloud2).toMatchObject({
      url: 'https://partner.example.com',
      prefix: 'partner',
      library: true,
      credentials: { username: 'svc', passwordFile: '/srv/secrets/partner' },
      tokenHosts: ['a.example.com', 'b.example.com'],
    });
  });

  test('win over the file key by key, flags over both', () => {
    const given = {
      ...file(
        `${cloud}, access: read, credentials: { username: svc, passwordFile: ./secret }, timeouts: { idle: 9s } }`,
      ),
      env: {
        PORTCULLIS_UPSTREAMS_CLOUD_CREDENTIALS_USERNAME: 'other',
        PORTCULLIS_UPSTREAMS_CLOUD_PREFIX: 'environment',
        PORTCULLIS_UPSTREAMS_CLOUD_TIMEOUTS_CONNECT: '8s',
      },
      flags: { 'upstreams.cloud.prefix': 'flag' },
    };
    expect(termsOf(given)['cloud']).toMatchObject({
      url: 'https://partner.example.com',
      prefix: 'flag',
      access: 'read',
      credentials: { username: 'other', passwordFile: '/etc/p/secret' },
      timeouts: { connectMs: 8_000, idleMs: 9_000 },
    });
  });

  test('take a password, which nothing prints', () => {
    const env = {
      PORTCULLIS_UPSTREAMS_CLOUD_CREDENTIALS_USERNAME: 'svc',
      PORTCULLIS_UPSTREAMS_CLOUD_CREDENTIALS_PASSWORD: 'hunter2',
    };
    const { cloud: terms } = termsOf({ ...file(`${cloud} }`), env });
    expect(JSON.stringify(terms)).toContain('"password":"***"');
    expect(
      problemsOf({
        ...file(`${cloud}, credentials: { username: svc } }`),
        flags: { 'upstreams.cloud.credentials.password': 'hunter2' },
      }),
    ).toEqual([
      expect.stringMatching(
        /^command line:0:0 secret-in-argument --upstreams\.cloud\.credentials\.password: (?!.*hunter2)/,
      ),
    ]);
  });

  test.each(['constructor', 'valueof', '0'])('an entry may be called %s', (name) => {
    const env = { [`PORTCULLIS_UPSTREAMS_${name.toUpperCase()}_URL`]: 'http://registry:5000' };
    expect(Object.keys(termsOf({ env }))).toEqual([name]);
    expect('url' in Object).toBe(false);
  });

  test.each([
    ['PORTCULLIS_UPSTREAMS_CLOUD_ULR', 'PORTCULLIS_UPSTREAMS_CLOUD_URL'],
    ['PORTCULLIS_UPSTREAMS_CLOUD_CREDENTIALS_PASWORD_FILE', 'PORTCULLIS_UPSTREAMS_CLOUD_CREDENTIALS_PASSWORD_FILE'],
    ['PORTCULLIS_UPSTREAMS_CLOUD_CREDENTIALS_PASSWORDFILE', 'PORTCULLIS_UPSTREAMS_CLOUD_CREDENTIALS_PASSWORD_FILE'],
    ['PORTCULLIS_UPSTREAMS', 'PORTCULLIS_UPSTREAM'],
  ])('%s is a mistake, and %s was meant', (variable, meant) => {
    expect(problemsOf({ ...file(`${cloud} }`), env: { [variable]: 'x' } })).toEqual([
      `environment:0:0 unknown-variable unknown variable "${variable}" — did you mean "${meant}"?`,
    ]);
  });

  test.each([
    'PORTCULLIS_UPSTREAMS_cloud_URL',
    'PORTCULLIS_UPSTREAMS_MY_CLOUD_URL',
    'PORTCULLIS_UPSTREAMS__URL',
    'PORTCULLIS_UPSTREAMS_CLOUD_URL_FILE',
    'PORTCULLIS_UPSTREAMS_CLOUD_CREDENTIALS_PASSWORD_FILE_FILE',
    'PORTCULLIS_UPSTREAMS_<NAME>_URL',
    'PORTCULLIS_UPSTREAMS_CLOUD_CREDENTIALS_USERNAME_FILE',
  ])('%s is a mistake', (variable) => {
    expect(problemsOf({ ...file(`${cloud} }`), env: { [variable]: 'x' } })[0]).toContain('unknown-variable');
  });

  test('service links of Kubernetes make no entry', () => {
    const env = {
      PORTCULLIS_UPSTREAMS_CLOUD_SERVICE_HOST: '10.0.0.1',
      PORTCULLIS_UPSTREAMS_CLOUD_PORT: 'tcp://10.0.0.1:5000',
    };
    expect(Object.keys(termsOf({ yaml: 'upstream: http://registry:5000', env }))).toEqual(['main']);
  });
});

describe('mistakes, each in its place', () => {
  test.each([
    [
      'both kinds',
      { yaml: 'upstream: http://a\nupstreams:\n  b: { url: http://b }' },
      '1:1 set-twice upstream and upstreams are both set',
    ],
    [
      'both kinds, from two sources',
      { ...file('b: { url: http://b }'), env: { PORTCULLIS_UPSTREAM: 'http://a' } },
      'environment:0:0 set-twice PORTCULLIS_UPSTREAM and upstreams are both set',
    ],
    ['neither', { yaml: 'upstreams: {}' }, '1:12 invalid-value upstreams: names no registry'],
    ['no url', file('a: { prefix: a }'), '2:3 missing-key upstreams.a has no url'],
    [
      'no url, of a variable',
      { env: { PORTCULLIS_UPSTREAMS_A_PREFIX: 'a' } },
      'environment:0:0 missing-key upstreams.a has no url',
    ],
    ['a name in capitals', file('Cloud: { url: http://a }'), '2:3 bad-key upstreams.Cloud: the name of a registry has'],
    ['a name with an underscore', file('my_cloud: { url: http://a }'), '2:3 bad-key upstreams.my_cloud:'],
    ['a name that objects know', { yaml: 'upstreams:\n  __proto__: { url: http://a }' }, 'bad-key'],
    [
      'an unknown key',
      file('a: { url: http://a, prefx: a }'),
      '2:23 unknown-key upstreams.a: unknown key "prefx" — did you mean "prefix"?',
    ],
    [
      'a url with a path',
      file('a: { url: "http://a/v2" }'),
      '2:13 invalid-value upstreams.a.url: this URL may not have a path',
    ],
    [
      'a password in the url',
      file('a: { url: "https://svc:hunter2@a" }'),
      '2:13 invalid-value upstreams.a.url: a user name or password',
    ],
    [
      'two without a prefix',
      file('a: { url: http://a }', 'b: { url: http://b }'),
      '3:3 prefix-clash upstreams.b has no prefix, nor has upstreams.a',
    ],
    [
      'one prefix twice',
      file('a: { url: http://a, prefix: x/y }', 'b: { url: http://b, prefix: x/y }'),
      '3:23 prefix-clash upstreams.b.prefix has the prefix x/y, as has upstreams.a',
    ],
    [
      'one prefix twice, the second by a variable',
      {
        ...file('a: { url: http://a, prefix: x }', 'b: { url: http://b, prefix: y }'),
        env: { PORTCULLIS_UPSTREAMS_B_PREFIX: 'x' },
      },
      'environment:0:0 prefix-clash PORTCULLIS_UPSTREAMS_B_PREFIX has the prefix x, as has upstreams.a',
    ],
    [
      'credentials over http',
      file('a: { url: http://a, credentials: { helper: x } }'),
      '2:8 plain-credentials upstreams.a.url is http://',
    ],
    [
      'neither account nor helper',
      file('a: { url: https://a, credentials: {} }'),
      '2:37 invalid-value upstreams.a.credentials: neither',
    ],
    [
      'an account without a password',
      file('a: { url: https://a, credentials: { username: svc } }'),
      '2:39 missing-key upstreams.a.credentials.username is set without a password',
    ],
    [
      'a password without an account',
      file('a: { url: https://a, credentials: { passwordFile: x } }'),
      '2:39 missing-key upstreams.a.credentials.passwordFile is set without a username',
    ],
    [
      'a password and its file',
      file('a: { url: https://a, credentials: { username: svc, password: hunter2, passwordFile: x } }'),
      '2:73 set-twice upstreams.a.credentials.passwordFile and password are both set',
    ],
    [
      'a password of the file, and a file of a variable',
      {
        ...file('a: { url: https://a, credentials: { username: svc, password: hunter2 } }'),
        env: { PORTCULLIS_UPSTREAMS_A_CREDENTIALS_PASSWORD_FILE: 'x' },
      },
      'environment:0:0 set-twice PORTCULLIS_UPSTREAMS_A_CREDENTIALS_PASSWORD_FILE and password are both set',
    ],
    [
      'an account and a helper',
      file('a: { url: https://a, credentials: { username: svc, helper: x } }'),
      '2:54 set-twice upstreams.a.credentials.helper is set beside username or password',
    ],
    [
      'a password that YAML reads as a number',
      file('a: { url: https://a, credentials: { username: svc, password: 12345678 } }'),
      'credentials.password: expected text: put it in quotes',
    ],
    [
      'a password that is a mapping',
      file('a: { url: https://a, credentials: { username: svc, password: { file: x } } }'),
      'credentials.password: expected text in place of what stands here',
    ],
    [
      'an empty password',
      file('a: { url: https://a, credentials: { username: svc, password: "" } }'),
      'the password is empty',
    ],
    [
      'a user name that Basic cannot carry',
      file('a: { url: https://a, credentials: { username: "a:b", passwordFile: x } }'),
      'a user name has no colon',
    ],
    [
      'a helper that is a path',
      file('a: { url: https://a, credentials: { helper: ../x } }'),
      'expected the name of a credential helper',
    ],
    [
      'a helper that is an option',
      file('a: { url: https://a, credentials: { helper: "x y" } }'),
      'expected the name of a credential helper',
    ],
    [
      'library and remotePrefix',
      file('a: { url: http://a, prefix: a, library: true, remotePrefix: b }'),
      '2:34 settings-clash upstreams.a.library puts library/',
    ],
    [
      'tokenHosts by URL',
      file('a: { url: https://a, tokenHosts: [https://b/token] }'),
      'tokenHosts[0]: expected host or host:port, without a scheme and a path',
    ],
    [
      'tokenHosts by pattern',
      file('a: { url: https://a, credentials: { helper: x }, tokenHosts: ["*.b"] }'),
      'tokenHosts[0]: credentials are sent to hosts that are named',
    ],
    [
      'ca without https',
      file('a: { url: http://a, ca: ./x }'),
      '2:23 useless-setting upstreams.a.ca names an authority',
    ],
    [
      'redirects that are followed anywhere',
      file('a: { url: http://a, redirects: { mode: follow } }'),
      '2:36 missing-key upstreams.a.redirects.mode is follow without hosts',
    ],
    [
      'an access that does not exist',
      file('a: { url: http://a, access: readonly }'),
      'expected one of read, read-write',
    ],
    ['a library that is no yes or no', file('a: { url: http://a, library: maybe }'), 'expected one of true, false'],
  ])('%s', (_what, given: Given, expected) => {
    const problems = problemsOf(given);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(expected);
    expect(problems.join()).not.toMatch(/hunter2|12345678/);
  });

  test.each([
    '/partner',
    'partner/',
    'a//b',
    'A',
    'a/',
    '.a',
    'a/../b',
    'a b',
    '',
    'a/*',
    'ä',
    'v2',
    'v2/a',
    '_a',
    '_catalog',
    `${'a'.repeat(256)}`,
  ])('the prefix %j is none', (prefix) => {
    expect(problemsOf(file(`a: { url: http://a, prefix: ${JSON.stringify(prefix)} }`))[0]).toContain(
      'portcullis.yaml:2:31 invalid-value upstreams.a.prefix: ',
    );
  });

  test.each(['partner', 'a/b/c', 'a.b_c-d', 'v2a', 'a/v2', 'library'])('the prefix %j is one', (prefix) => {
    expect(termsOf(file(`a: { url: http://a, prefix: ${prefix} }`))['a']?.prefix).toBe(prefix);
  });

  test('all of them at once', () => {
    const entries = [
      'a: { prefix: x }',
      'b: { url: http://b, prefix: x, credentials: { username: y } }',
      'c: { url: http://c, ca: ./d }',
    ];
    const { yaml = '' } = file(...entries);
    const problems = problemsOf({ yaml: `listen: 127.0.0.1:5051\n${yaml}` });
    expect(problems.map((problem) => problem.split(' ')[1]).sort()).toEqual([
      'address-clash',
      'missing-key',
      'missing-key',
      'plain-credentials',
      'prefix-clash',
      'useless-setting',
    ]);
  });

  test('those of registries also beside a mistake elsewhere, and none that follows from a mistake', () => {
    const yaml = 'listen: 5\nupstreams:\n  a: { url: http://a, prefix: x }\n  b: { url: http://b, prefix: x }\n';
    expect(problemsOf({ yaml }).map((problem) => problem.split(' ')[1])).toEqual(['invalid-value', 'prefix-clash']);
    expect(problemsOf({ ...file('a: { prefix: x, url: http://a }'), env: { PORTCULLIS_UPSTREAMS_B_URL: '' } })).toEqual(
      ['environment:0:0 missing-value PORTCULLIS_UPSTREAMS_B_URL is empty'],
    );
    expect(problemsOf(file('a: { prefix: x, url: "" }', 'b: { prefix: x, url: http://b }'))).toHaveLength(1);
  });

  test('a mistake elsewhere hides none of an entry that stands alone', () => {
    const problems = problemsOf({ yaml: 'listen: 5\nupstreams:\n  a: { url: ftp://a, prefix: /x }\n' });
    expect(problems).toHaveLength(3);
  });
});

test.each(['password: "a\tb"', 'password:\n        "hunter2\\t"', 'password: >-\n        hunter2\u0001'])(
  'the line of a bad password is shown without it (%j)',
  (line) => {
    const yaml = `upstreams:\n  a:\n    url: https://a\n    credentials:\n      username: svc\n      ${line}\n`;
    const loaded = load({ yaml });
    const shown = loaded.ok ? '' : loaded.problems.map((problem) => formatProblem(problem, yaml)).join('\n');
    expect(shown).toContain('portcullis.yaml:');
    expect(shown).not.toMatch(/hunter2|a\tb/);
  },
);
