/** Where people come from whom no policy file names: what all sources say of it together, judged, with the defaults. */
import { comparedWith, type FilterTemplate, parseFilter } from '../directory/filter.ts';
import type { Problem } from '../document/problem.ts';
import { isLoopback } from '../network/host.ts';
import type { LoginSettings } from './logins-schema.ts';
import { type LoginPage, oidcProblems, oidcTerms } from './oidc.ts';
import type { ReportAt } from './upstream-terms.ts';

type Ldap = NonNullable<LoginSettings['ldap']>;

/** Key by key. */
export function overlayLogins(under: LoginSettings = {}, over: LoginSettings = {}): LoginSettings {
  const ldap = under.ldap && over.ldap && overlayLdap(under.ldap, over.ldap);
  const oidc = under.oidc && over.oidc && { ...under.oidc, ...over.oidc };
  return { ...under, ...over, ...(ldap && { ldap }), ...(oidc && { oidc }) };
}

function overlayLdap(low: Ldap, high: Ldap): Ldap {
  const section = <Key extends 'bind' | 'users' | 'groups'>(key: Key): { readonly [Each in Key]?: Ldap[Key] } =>
    low[key] === undefined && high[key] === undefined
      ? {}
      : ({ [key]: { ...low[key], ...high[key] } } as Pick<Ldap, Key>);
  return { ...low, ...high, ...section('bind'), ...section('users'), ...section('groups') };
}

/** What is missing, and what cannot be true together. */
export function loginProblems({ ldap, oidc }: LoginSettings, page: LoginPage, at: ReportAt): readonly Problem[] {
  const problems = oidc === undefined ? [] : oidcProblems(oidc, page, at);
  return ldap === undefined ? problems : [...problems, ...ldapProblems(ldap, at)];
}

function ldapProblems(ldap: Ldap, at: ReportAt): readonly Problem[] {
  const report: ReportAt = (keys, code, message, fix) =>
    at(
      [...keys, ''].map((key) => (key === '' ? 'logins.ldap' : `logins.ldap.${key}`)),
      code,
      message,
      fix,
    );
  return [...serverProblems(ldap, report), ...bindProblems(ldap, report), ...searchProblems(ldap, report)];
}

function serverProblems({ url, startTls = false, ca }: Ldap, report: ReportAt): readonly Problem[] {
  if (url === undefined)
    return [report([], 'missing-key', 'has no url', 'set logins.ldap.url, for example to ldaps://ldap.example.com')];
  const problems: Problem[] = [];
  const open = startTls ? [] : url.filter(({ isTls, host }) => !isTls && !isLoopback(host));
  for (const { url: name } of open) {
    const message = `has ${name}, on another machine and without TLS: passwords would cross the network in clear`;
    problems.push(report(['url'], 'plain-passwords', message, 'write ldaps://, or set logins.ldap.startTls: true'));
  }
  if (startTls && url.every(({ isTls }) => isTls)) {
    const message = 'is for ldap://, and every server is ldaps://, which is TLS from the first byte';
    problems.push(report(['startTls'], 'useless-setting', message, 'remove it'));
  }
  if (ca !== undefined && !startTls && url.every(({ isTls }) => !isTls)) {
    const message = 'names an authority of certificates, and no server shows one';
    problems.push(report(['ca'], 'useless-setting', message, 'write ldaps://, or remove ca'));
  }
  return problems;
}

function bindProblems({ bind = {} }: Ldap, report: ReportAt): readonly Problem[] {
  const { dn, password, passwordFile } = bind;
  const given = Object.keys(bind).map((key) => `bind.${key}`);
  if (given.length === 0) return [];
  const secrets = [password, passwordFile].filter((each) => each !== undefined).length;
  if (secrets > 1) return [report(['bind.passwordFile'], 'set-twice', 'and password are both set', 'keep one of them')];
  if (dn === undefined) return [report(given, 'missing-key', 'is set without a dn', 'set bind.dn beside it')];
  return secrets === 0
    ? [report(given, 'missing-key', 'is set without a password', 'set bind.passwordFile beside it')]
    : [];
}

function searchProblems({ users, groups }: Ldap, report: ReportAt): readonly Problem[] {
  const problems: Problem[] = [];
  const has = (filter: FilterTemplate | undefined, of: 'account' | 'dn'): boolean =>
    filter !== undefined && comparedWith(filter, of).length > 0;
  const wrongFilter = (key: string, message: string, fix: string): void =>
    void problems.push(report([key], 'wrong-filter', message, fix));
  if (users?.base === undefined) {
    const fix = 'set logins.ldap.users.base, for example to ou=people,dc=example,dc=com';
    problems.push(report([], 'missing-key', 'has no users.base', fix));
  }
  if (users?.filter !== undefined && !has(users.filter, 'account'))
    wrongFilter(
      'users.filter',
      'compares nothing with ${account}: it is the same for everybody',
      'write (uid=${account})',
    );
  if (has(users?.filter, 'dn')) wrongFilter('users.filter', 'has ${dn}, which is yet to be found', 'write ${account}');
  if (groups !== undefined && groups.base === undefined) {
    const keys = Object.keys(groups).map((key) => `groups.${key}`);
    const fix = 'set logins.ldap.groups.base, for example to ou=groups,dc=example,dc=com';
    problems.push(report(keys, 'missing-key', 'is set without groups.base', fix));
  }
  if (groups?.filter === undefined || has(groups.filter, 'dn')) return problems;
  if (!has(groups.filter, 'account'))
    wrongFilter(
      'groups.filter',
      'compares nothing with ${dn} or ${account}: everybody would be in all groups',
      'write (member=${dn})',
    );
  else if (groups.nested === 'ad' || groups.nested === 'walk')
    wrongFilter(
      'groups.nested',
      'needs ${dn} in groups.filter: groups are in groups by it',
      'write (member=${dn}) there',
    );
  return problems;
}

/** Of settings without problems. */
export function loginTerms({ htpasswd, ldap, oidc }: LoginSettings = {}) {
  return {
    htpasswd: htpasswd?.file === undefined ? undefined : { file: htpasswd.file },
    ldap: ldap === undefined ? undefined : ldapTerms(ldap),
    oidc: oidc === undefined ? undefined : oidcTerms(oidc),
  };
}

function ldapTerms({ url, ca, startTls, bind, users, groups, refresh, staleFor }: Ldap) {
  const secret = bind?.passwordFile ?? bind?.password;
  return {
    /** Asked in this order. */
    servers: url ?? [],
    ca,
    startTls: startTls ?? false,
    /** The password, or the file that it is in. undefined: nobody in particular searches. */
    bind: bind?.dn === undefined || secret === undefined ? undefined : { dn: bind.dn, password: secret },
    users: {
      base: users?.base ?? '',
      filter: users?.filter ?? filterOf('(uid=${account})'),
      name: users?.name ?? 'uid',
    },
    /** undefined: nobody has any. */
    groups:
      groups?.base === undefined
        ? undefined
        : {
            base: groups.base,
            filter: groups.filter ?? filterOf('(member=${dn})'),
            name: groups.name ?? 'cn',
            nested: groups.nested ?? ('no' as const),
          },
    refreshMs: 1_000 * (refresh ?? 5 * 60),
    staleForMs: 1_000 * (staleFor ?? 60 * 60),
  };
}

function filterOf(text: string): FilterTemplate {
  const parsed = parseFilter(text);
  if (!parsed.ok) throw new Error(`a filter of the program's own is none: ${parsed.message}`);
  return parsed.value;
}
