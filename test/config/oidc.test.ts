/** A provider of logins by the browser: what a configuration says of it, from every source, and what it must not say. */
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/document/problem.ts';

const required = { PORTCULLIS_PUBLIC_URL: 'https://registry.example.com', PORTCULLIS_UPSTREAM: 'http://registry:5000' };

function load(lines: readonly string[], env: Readonly<Record<string, string>> = {}, more = '') {
  const text = `${lines.length === 0 ? '' : `logins:\n  oidc:\n    ${lines.join('\n    ')}\n`}${more}`;
  return loadConfig({
    env: { ...required, ...env },
    flags: {},
    cwd: '/srv',
    tryMode: false,
    readSecret: (path) => `secret of ${path}\n`,
    file: { path: '/etc/p/portcullis.yaml', text },
  });
}

function oidcOf(...given: Parameters<typeof load>) {
  const loaded = load(...given);
  if (!loaded.ok) throw new Error(loaded.problems.map((problem) => formatProblem(problem)).join('\n'));
  return loaded.config.logins.oidc;
}

/** `line:column code message` of each problem. */
function problemsOf(...given: Parameters<typeof load>): readonly string[] {
  const loaded = load(...given);
  return loaded.ok
    ? []
    : loaded.problems.map(({ line, column, code, message }) => `${line}:${column} ${code} ${message}`);
}

const least = ['issuer: https://login.example.com', 'clientId: portcullis'];

describe('a provider of logins', () => {
  test('is none unless it is named', () => {
    expect(oidcOf([])).toBeUndefined();
  });

  test('needs its address and what it calls the gateway; the rest is what most have', () => {
    expect(oidcOf(least)).toEqual({
      issuer: 'https://login.example.com',
      clientId: 'portcullis',
      clientSecret: undefined,
      name: 'preferred_username',
      groups: 'groups',
      scopes: ['openid', 'profile', 'groups'],
      ca: undefined,
      recheckMs: 86_400_000,
      label: 'login.example.com',
    });
  });

  test('in full', () => {
    const oidc = oidcOf([
      'issuer: https://sso.example.com:8443/realms/one/',
      'clientId: portcullis',
      'clientSecretFile: ./oidc.secret',
      'name: upn',
      'groups: /realm_access/roles',
      'scopes: [openid, email]',
      'ca: ca.pem',
      'recheck: 30d',
      'label: Example & Söhne',
    ]);
    expect(oidc).toEqual({
      issuer: 'https://sso.example.com:8443/realms/one/',
      clientId: 'portcullis',
      clientSecret: '/etc/p/oidc.secret',
      name: 'upn',
      groups: '/realm_access/roles',
      scopes: ['openid', 'email'],
      ca: '/etc/p/ca.pem',
      recheckMs: 30 * 86_400_000,
      label: 'Example & Söhne',
    });
  });

  test('variables say more than the file, key by key, and the secret is shown to nobody', () => {
    const env = {
      PORTCULLIS_LOGINS_OIDC_CLIENT_SECRET: 'hunter2',
      PORTCULLIS_LOGINS_OIDC_SCOPES: 'openid,email',
      PORTCULLIS_LOGINS_OIDC_RECHECK: '8h',
    };
    const oidc = oidcOf(least, env);
    expect(oidc).toMatchObject({ clientId: 'portcullis', scopes: ['openid', 'email'], recheckMs: 8 * 3_600_000 });
    expect(inspect(oidc, { depth: 9 }) + JSON.stringify(oidc)).not.toContain('hunter2');
    expect(oidcOf(least, { PORTCULLIS_LOGINS_OIDC_CLIENT_SECRET_FILE: 'oidc.secret' })?.clientSecret).toBe(
      '/srv/oidc.secret',
    );
  });

  test('a directory beside it is kept', () => {
    const env = {
      PORTCULLIS_LOGINS_LDAP_URL: 'ldaps://ldap.example.com',
      PORTCULLIS_LOGINS_LDAP_USERS_BASE: 'ou=people',
      PORTCULLIS_LOGINS_OIDC_LABEL: 'Example',
    };
    const loaded = load(least, env);
    expect(loaded.ok && loaded.config.logins).toMatchObject({
      ldap: { users: { base: 'ou=people' } },
      oidc: { label: 'Example', clientId: 'portcullis' },
    });
  });

  test.each([
    ['no issuer', ['clientId: a'], '2:3 missing-key logins.oidc has no issuer'],
    ['no client', ['issuer: https://a'], '2:3 missing-key logins.oidc has no clientId'],
    ['nothing', ['{}'], 'names no provider'],
    ['http to another machine', ['issuer: http://login.example.com', 'clientId: a'], 'in clear'],
    ['no URL', ['issuer: login.example.com', 'clientId: a'], 'expected an https:// URL'],
    ['a query', ['issuer: "https://a/?b"', 'clientId: a'], 'no query and no fragment'],
    ['a password', ['issuer: https://a:b@c', 'clientId: a'], 'no user name and no password'],
    ['the description', ['issuer: https://a/.well-known/openid-configuration', 'clientId: a'], 'of its description'],
    ['a scheme of scripts', ['issuer: "javascript:alert(1)"', 'clientId: a'], 'expected an https:// URL'],
    ['two secrets', [...least, 'clientSecret: a', 'clientSecretFile: b'], 'and clientSecret are both set'],
    ['a secret of two lines', [...least, 'clientSecret: "a\\nb"'], 'the secret is not one line of text'],
    ['scopes without openid', [...least, 'scopes: [profile]'], 'has no openid'],
    ['a scope with a space', [...least, 'scopes: ["openid profile"]'], 'without spaces'],
    ['recheck too long', [...least, 'recheck: 31d'], 'must be at most 30d'],
    ['recheck too short', [...least, 'recheck: 59s'], 'must be at least 1m'],
    ['a broken pointer', [...least, 'groups: /a~b'], 'this is no name of a claim'],
    ['an invisible label', [...least, 'label: "a\\u202eb"'], 'invisible character'],
    ['a useless authority', ['issuer: http://localhost:1', 'clientId: a', 'ca: ca.pem'], 'shows none'],
  ])('%s is a problem at its place', (_, lines, expected) => {
    const [first = '', ...others] = problemsOf(lines);
    expect(first).toContain(expected);
    expect(others).toEqual([]);
    expect(first).not.toContain('0:0');
  });

  test('http is for a provider on this machine', () => {
    for (const host of ['localhost:8080', '127.0.0.1', '[::1]:1'])
      expect(problemsOf([`issuer: "http://${host}"`, 'clientId: a'])).toEqual([]);
  });

  test('is of no use without a page on which people can log in', () => {
    expect(problemsOf(least, {}, 'page: { enabled: false }\n')).toEqual([
      '2:3 useless-setting logins.oidc is for the page, and page.enabled is false',
    ]);
    expect(problemsOf(least, { PORTCULLIS_PUBLIC_URL: 'http://registry.example.com' })[0]).toContain(
      'on which nobody can log in at http://registry.example.com',
    );
    expect(problemsOf(least, { PORTCULLIS_PUBLIC_URL: 'http://localhost:5050' })).toEqual([]);
  });
});
