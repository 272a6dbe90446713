/** Where the login leads: to pages of ours, whatever a link says. */
import { describe, expect, test } from 'vitest';
import { nextPage } from '../../src/http/web/next-page.ts';

const kept = [
  '/ui/',
  '/ui/me',
  '/ui/r/release/app',
  '/ui/r/release/app?tag=v1.2.3',
  '/ui/access?as=user%3Adana&action=push&repository=release%2Fapp',
  '/ui/?q=a..b',
  '/ui/r/a/b.c/..d?x=../..',
  '/ui/#top',
];
const elsewhere = [
  '',
  '/',
  '/ui',
  'ui/',
  '/v2/',
  '/token',
  '/uix/',
  '//evil.test/ui/',
  '///evil.test',
  '/\\evil.test',
  '\\\\evil.test',
  '/ui/\\evil.test',
  '/ui//evil.test',
  '/ui/r//evil.test',
  '/ui/?next=//evil.test',
  '/ui/..//evil.test',
  '/ui/../v2/x',
  '/ui/..',
  '/ui/.',
  '/ui/r/../../token',
  '/ui/%2e%2e/v2/x',
  '/ui/%2E%2e/%2e%2E/evil',
  '/ui/.%2e/v2',
  'https://evil.test/ui/',
  'https:/ui/',
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)//ui/',
  'data:text/html,x',
  ' /ui/',
  '\t/ui/',
  '/ui/ x',
  '/ui/\tx',
  '/ui/\r\nSet-Cookie: a=b',
  '/ui/\u0000',
  '/ui/\u202eevil',
  '/ui/ü',
  '/\t/evil.test',
  '@evil.test/ui/',
  '/@evil.test',
  '.evil.test/ui/',
  '/UI/',
  '/ui/login',
  '/ui/login?next=/ui/login',
  '/ui/logout',
  '/ui/logout/',
  `/ui/${'x'.repeat(2048)}`,
];

describe('after the login', () => {
  test('a page of ours comes next, as it was written', () => {
    for (const text of kept) expect(nextPage(text)).toBe(text);
  });

  test('nothing else does, and a browser that resolves it stays here', () => {
    expect(elsewhere.length).toBeGreaterThanOrEqual(40);
    for (const text of elsewhere) expect([text, nextPage(text)]).toEqual([text, '/ui/']);
    for (const text of [...kept, ...elsewhere]) {
      const url = new URL(nextPage(text), 'https://registry.test/ui/login');
      expect([url.origin, url.pathname.startsWith('/ui/')]).toEqual(['https://registry.test', true]);
    }
  });
});
