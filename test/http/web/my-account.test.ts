/** What "My account" says of access tokens, by where the account comes from. */
import { renderToString } from 'preact-render-to-string';
import { expect, test } from 'vitest';
import { MyAccountPage } from '../../../src/http/web/pages/my-account.tsx';
import { frameFor } from '../../support/frame.ts';

type Account = Parameters<typeof MyAccountPage>[0]['account'];

function drawn(more: Partial<Account>): string {
  const account = {
    account: 'dana',
    groups: [],
    sessions: [],
    tokens: [],
    limits: [],
    longestSeconds: 86_400,
    ...more,
  };
  return renderToString(MyAccountPage({ account, frame: frameFor('dana') })).replaceAll(/\s+/g, ' ');
}

test('of thousands of logins some are listed, this one first, and how many there are beside them', () => {
  const at = '2026-11-27T12:00:00.000Z';
  const sessions = Array.from({ length: 3000 }, (_, number) => {
    const isThis = number === 2999;
    return { id: `s${number}`, kind: 'login' as const, isThis, created: at, lastUsed: at };
  });
  const html = drawn({ sessions });
  expect(html.length).toBeLessThan(50_000);
  expect(html).toContain('this one');
  expect(html).toContain('and 2,950 more');
});

test.each([undefined, 'htpasswd'])('with a password in a file (%s) they end with a new one', (source) => {
  expect(drawn(source === undefined ? {} : { source })).toContain('All of them end when your password changes.');
});

test('by a provider they count for a while after a login, and have no password to change', () => {
  const html = drawn({ source: 'oidc', recheckSeconds: 86_400 });
  expect(html).toMatch(
    /They stop working (?:24h|1d|24 hours|1 day) after your last login on this page, and go on after/,
  );
  expect(html).not.toContain('password changes');
});

test('of a directory they end with the account, and with its password only where that is known', () => {
  const html = drawn({ source: 'ldap' });
  expect(html).toContain('end with your account in the directory');
  expect(html).toContain('only where the directory tells when it was set');
  expect(html).not.toContain('password changes');
});
