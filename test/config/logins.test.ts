/** Directories of people: what a configuration says of them, from every source, and what it must not say. */
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/document/problem.ts';
import { parseLdapUrl } from '../../src/network/ldap-url.ts';

const required = { PORTCULLIS_PUBLIC_URL: 'https://registry.example.com', PORTCULLIS_UPSTREAM: 'http://registry:5000' };

function load(lines: readonly string[], env: Readonly<Record<string, string>> = {}, flags = {}): LoadedConfig {
  const text = lines.length === 0 ? '' : `logins:\n  ldap:\n    ${lines.join('\n    ')}\n`;
  return loadConfig({
    env: { ...required, ...env },
    flags,
    cwd: '/srv',
    tryMode: false,
    readSecret: (path) => `secret of ${path}\n`,
    file: { path: '/etc/p/portcullis.yaml', text },
  });
}

function ldapOf(...given: Parameters<typeof load>) {
  const loaded = load(...given);
  if (!loaded.ok) throw new Error(loaded.problems.map((problem) => formatProblem(problem)).join('\n'));
  return loaded.config.logins.ldap;
}

/** `place code message` of each problem. */
function problemsOf(...given: Parameters<typeof load>): readonly string[] {
  const loaded = load(...given);
  if (loaded.ok) return [];
  return loaded.problems.map(
    ({ file, line, column, code, message }) => `${file.replace('/etc/p/', '')}:${line}:${column} ${code} ${message}`,
  );
}

const least = ['url: ldaps://ldap.example.com', 'users: { base: "ou=people,dc=example,dc=com" }'];

describe('a directory of people', () => {
  test('is none unless it is named', () => {
    expect(ldapOf([])).toBeUndefined();
  });

  test('needs its server and where people are; the rest is as in an OpenLDAP of the book', () => {
    expect(ldapOf(least)).toEqual({
      servers: [{ url: 'ldaps://ldap.example.com', host: 'ldap.example.com', port: 636, isTls: true }],
      ca: undefined,
      startTls: false,
      bind: undefined,
      users: {
        base: 'ou=people,dc=example,dc=com',
        filter: { kind: 'equal', attribute: 'uid', value: [{ of: 'account' }] },
        name: 'uid',
      },
      groups: undefined,
      refreshMs: 300_000,
      staleForMs: 3_600_000,
    });
  });

  test('in full', () => {
    const ldap = ldapOf([
      'url: [ldap://dc1.example.com, "ldap://[::1]:3890"]',
      'ca: ./ca.pem',
      'startTls: true',
      'bind: { dn: "cn=portcullis,dc=example", passwordFile: ./ldap.secret }',
      'users: { base: "dc=example", filter: "(sAMAccountName=${account})", name: sAMAccountName }',
      'groups: { base: "dc=example", nested: ad }',
      'refresh: 1m',
      'staleFor: 0s',
    ]);
    expect(ldap).toMatchObject({
      servers: [
        { url: 'ldap://dc1.example.com', port: 389, isTls: false },
        { url: 'ldap://[::1]:3890', host: '::1' },
      ],
      ca: '/etc/p/ca.pem',
      startTls: true,
      bind: { dn: 'cn=portcullis,dc=example', password: '/etc/p/ldap.secret' },
      users: { name: 'sAMAccountName' },
      groups: {
        base: 'dc=example',
        filter: { kind: 'equal', attribute: 'member', value: [{ of: 'dn' }] },
        name: 'cn',
        nested: 'ad',
      },
      refreshMs: 60_000,
      staleForMs: 0,
    });
  });

  test('variables say more than the file, key by key, and keep the password to themselves', () => {
    const ldap = ldapOf([...least, 'bind: { dn: cn=a }', 'groups: { base: ou=g, name: displayName }'], {
      PORTCULLIS_LOGINS_LDAP_URL: 'ldaps://a,ldaps://b',
      PORTCULLIS_LOGINS_LDAP_BIND_PASSWORD: 'hunter2',
      PORTCULLIS_LOGINS_LDAP_GROUPS_NESTED: 'walk',
    });
    expect(ldap).toMatchObject({ groups: { base: 'ou=g', name: 'displayName', nested: 'walk' } });
    expect(ldap?.servers.map(({ host }) => host)).toEqual(['a', 'b']);
    expect(inspect(ldap, { depth: 9 }) + JSON.stringify(ldap)).not.toContain('hunter2');
    expect(ldap?.bind?.password).toMatchObject({});
    expect(String(ldap?.bind?.password)).toBe('***');
  });

  test('the file with the password is named by its key and its variable alike', () => {
    const env = { PORTCULLIS_LOGINS_LDAP_BIND_PASSWORD_FILE: 'ldap.secret' };
    expect(ldapOf([...least, 'bind: { dn: cn=a }'], env)?.bind).toEqual({ dn: 'cn=a', password: '/srv/ldap.secret' });
  });

  test('ldap:// without TLS is for this machine only', () => {
    for (const host of ['localhost', '127.0.0.1', '127.1.2.3:3890', '[::1]'])
      expect(problemsOf([`url: "ldap://${host}"`, 'users: { base: ou=p }'])).toEqual([]);
    const open = problemsOf(['url: [ldaps://a, ldap://b.example.com, ldap://10.0.0.1]', 'users: { base: ou=p }']);
    expect(open.map((line) => /^portcullis.yaml:3:5 plain-passwords .* has (\S+), on/.exec(line)?.[1])).toEqual([
      'ldap://10.0.0.1',
      'ldap://b.example.com',
    ]);
    expect(problemsOf(['url: ldap://b', 'startTls: true', 'users: { base: ou=p }'])).toEqual([]);
  });

  test.each([
    [['url: ldaps://a'], 'missing-key logins.ldap has no users.base'],
    [['users: { base: ou=p }'], 'missing-key logins.ldap has no url'],
    [['{}'], 'logins.ldap: names no server'],
    [['url: []', 'users: { base: ou=p }'], 'at least 1 entry'],
    [['url: https://a', 'users: { base: ou=p }'], 'expected ldaps://host'],
    [['url: ldaps://dana:secret@a', 'users: { base: ou=p }'], 'expected ldaps://host'],
    [[...least, 'startTls: true'], 'useless-setting logins.ldap.startTls'],
    [['url: ldap://localhost', 'users: { base: ou=p }', 'ca: ./ca.pem'], 'useless-setting logins.ldap.ca'],
    [[...least, 'bind: {}'], 'names no account'],
    [[...least, 'bind: { dn: cn=a }'], 'missing-key logins.ldap.bind.dn is set without a password'],
    [[...least, 'bind: { passwordFile: a }'], 'missing-key logins.ldap.bind.passwordFile is set without a dn'],
    [[...least, 'bind: { dn: cn=a, password: a, passwordFile: a }'], 'set-twice logins.ldap.bind.passwordFile'],
    [[...least, 'bind: { dn: admin, password: a }'], 'expected a distinguished name'],
    [
      ['url: ldaps://a', 'users: { base: ou=p, filter: "(uid=dana)" }'],
      'wrong-filter logins.ldap.users.filter compares nothing',
    ],
    [['url: ldaps://a', 'users: { base: ou=p, filter: "(&(uid=${account})(m=${dn}))" }'], 'yet to be found'],
    [['url: ldaps://a', 'users: { base: ou=p, filter: "uid=${account}" }'], 'begins with "("'],
    [['url: ldaps://a', 'users: { base: ou=p, filter: "(uid=${account}*)" }'], 'as a whole'],
    [['url: ldaps://a', 'users: { base: ou=p, name: "u id" }'], 'name of an attribute'],
    [[...least, 'groups: { name: cn }'], 'missing-key logins.ldap.groups.name is set without groups.base'],
    [[...least, 'groups: { base: ou=g, filter: "(cn=a)" }'], 'everybody would be in all groups'],
    [[...least, 'groups: { base: ou=g, filter: "(memberUid=${account})", nested: walk }'], 'needs ${dn}'],
    [[...least, 'groups: { base: ou=g, nested: yes }'], 'nested'],
    [[...least, 'refresh: 1s'], 'at least 5s'],
    [[...least, 'grups: { base: ou=p }'], 'did you mean "groups"?'],
  ])('%j: %s', (lines, words) => {
    const problems = problemsOf(lines);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(words);
    expect(problems[0]).toMatch(/^portcullis\.yaml:\d+:\d+ /);
  });

  test('a password on the command line is refused, and not repeated', () => {
    const problems = problemsOf([...least, 'bind: { dn: cn=a }'], {}, { 'logins.ldap.bind.password': 'hunter2' });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('secret-in-argument');
    expect(problems[0]).not.toContain('hunter2');
  });
});

describe('the URL of a directory server', () => {
  test.each([
    ['ldaps://ldap.example.com', { host: 'ldap.example.com', port: 636, isTls: true, url: 'ldaps://ldap.example.com' }],
    ['ldap://a:389/', { host: 'a', port: 389, isTls: false, url: 'ldap://a' }],
    ['ldap://10.0.0.1:3890', { host: '10.0.0.1', port: 3890, isTls: false, url: 'ldap://10.0.0.1:3890' }],
    ['ldaps://[2001:db8::1]', { host: '2001:db8::1', port: 636, isTls: true, url: 'ldaps://[2001:db8::1]' }],
  ])('%s', (text, value) => {
    expect(parseLdapUrl(text)).toEqual({ ok: true, value });
  });

  test.each(
    [
      '',
      'ldap',
      'ldap:',
      'ldap://',
      'ldapi:///',
      'http://a',
      'ldap://a b',
      'ldap://a/dc=x',
      'ldap://a?x',
      'ldap://a:0',
    ].concat([
      'ldap://a:99999',
      'ldap://u:p@a',
      'ldap://[a]',
      'ldap://[::1',
      'ldap://1.2.3',
      'ldaps://a\n',
      'LDAP://a#',
    ]),
  )('%j is none', (text) => {
    expect(parseLdapUrl(text).ok).toBe(false);
  });
});
