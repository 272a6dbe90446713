/** What "My account" says of access tokens, by where the account comes from. */
import { renderToString } from 'preact-render-to-string';
import { expect, test } from 'vitest';
import { MyAccountPage } from '../../../src/http/web/pages/my-account.tsx';
import { frameFor } from '../../support/frame.ts';

function drawn(more: { readonly source?: string; readonly recheckSeconds?: number }): string {
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
