/** A provider of logins by the browser: what all sources say of it together, judged, with the defaults. */
import type { Problem } from '../document/problem.ts';
import { isLoopback } from '../network/host.ts';
import type { OidcSettings } from './oidc-schema.ts';
import type { ReportAt } from './upstream-terms.ts';

/** What a login by the browser needs of the rest. */
export interface LoginPage {
  /** undefined: a loopback address. */
  readonly publicUrl: string | undefined;
  readonly isEnabled: boolean;
}

/** What is missing, and what cannot be true together. */
export function oidcProblems(oidc: OidcSettings, page: LoginPage, at: ReportAt): readonly Problem[] {
  const problems: Problem[] = [];
  const report = (key: string, code: string, message: string, fix: string): void =>
    void problems.push(at([key === '' ? 'logins.oidc' : `logins.oidc.${key}`, 'logins.oidc'], code, message, fix));
  const { issuer, clientId, clientSecret, clientSecretFile, scopes, ca } = oidc;
  if (issuer === undefined)
    report('', 'missing-key', 'has no issuer', 'set logins.oidc.issuer, for example to https://login.example.com');
  if (clientId === undefined)
    report('', 'missing-key', 'has no clientId', 'set logins.oidc.clientId to what the provider calls this gateway');
  if (clientSecret !== undefined && clientSecretFile !== undefined)
    report('clientSecretFile', 'set-twice', 'and clientSecret are both set', 'keep one of them');
  if (scopes?.includes('openid') === false)
    report('scopes', 'missing-scope', 'has no openid, without which a provider says nothing of who logs in', 'add it');
  if (ca !== undefined && issuer?.startsWith('http://') === true)
    report('ca', 'useless-setting', 'names an authority of certificates, and the provider shows none', 'remove it');
  if (!page.isEnabled)
    report('', 'useless-setting', 'is for the page, and page.enabled is false', 'remove it, or enable the page');
  else if (page.publicUrl !== undefined && isPlain(page.publicUrl)) {
    const message = `is for the page, on which nobody can log in at ${page.publicUrl}: cookies would cross the network in clear`;
    report('', 'plain-passwords', message, 'serve https, and set publicUrl to it');
  }
  return problems;
}

function isPlain(publicUrl: string): boolean {
  const { protocol, hostname } = new URL(publicUrl);
  return protocol === 'http:' && !isLoopback(hostname);
}

/** Of settings without problems. */
export function oidcTerms(oidc: OidcSettings) {
  const { issuer = '', clientId = '', clientSecret, clientSecretFile, name, groups, scopes, ca, recheck, label } = oidc;
  return {
    issuer,
    clientId,
    /** The secret, or the file that it is in. undefined: a client that has none. */
    clientSecret: clientSecretFile ?? clientSecret,
    /** Claims. */
    name: name ?? 'preferred_username',
    groups: groups ?? 'groups',
    scopes: scopes ?? ['openid', 'profile', 'groups'],
    ca,
    recheckMs: 1_000 * (recheck ?? 86_400),
    /** For people. */
    label: label ?? hostOf(issuer),
  };
}

function hostOf(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).host : issuer;
}
