/** How people come to pages: logged in, in windows of several sizes and colours. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { type Person, password } from '../support/page-site.ts';

export interface Window {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly colorScheme: 'light' | 'dark';
}

export const windows: readonly Window[] = (['light', 'dark'] as const).flatMap((colorScheme) => [
  { name: `1280 pixels, ${colorScheme}`, width: 1280, height: 900, colorScheme },
  { name: `390 pixels, ${colorScheme}`, width: 390, height: 844, colorScheme },
]);

/** A browser of somebody's own: nothing is shared with another. */
export function openContext(
  browser: Browser,
  { width, height, colorScheme }: Window,
  more: Parameters<Browser['newContext']>[0] = {},
): Promise<BrowserContext> {
  return browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce', ...more });
}

/** Through the form, as people do. Ends on the page that was wanted. */
export async function logIn(page: Page, url: string, who: Person, next = '/ui/'): Promise<void> {
  await page.goto(`${url}/ui/login?next=${encodeURIComponent(next)}`);
  await page.getByLabel('User name').fill(who);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('main').getByRole('button', { name: 'Log in', exact: true }).click();
  await page.waitForURL((at) => at.pathname !== '/ui/login');
}

export interface Place {
  readonly title: string;
  /** Nobody: not logged in. */
  readonly as: Person | undefined;
  readonly path: string;
}

const checkout = 'integration/shop/checkout';

/** Every page there is, with something on it. */
export const places: readonly Place[] = [
  { title: 'login', as: undefined, path: '/ui/login' },
  { title: 'repositories', as: 'dana', path: '/ui/' },
  { title: 'a folder', as: 'dana', path: '/ui/?under=sandbox' },
  { title: 'a search without a result', as: 'dana', path: '/ui/?q=nothing-is-called-so' },
  { title: 'a repository', as: 'dana', path: `/ui/r/${checkout}` },
  { title: 'a repository of long names', as: 'dana', path: '/ui/r/sandbox/dana/web' },
  { title: 'a tag', as: 'dana', path: `/ui/r/${checkout}?tag=build-142` },
  { title: 'a tag with hostile labels', as: 'dana', path: '/ui/r/sandbox/dana/hostile?tag=latest' },
  { title: 'a chart', as: 'dana', path: '/ui/r/sandbox/charts/checkout?tag=0.3.1' },
  { title: 'deleting', as: 'dana', path: '/ui/delete?repository=sandbox/dana/web&tag=wip' },
  { title: 'no such repository', as: 'dana', path: '/ui/r/release/secret' },
  { title: 'what one may do', as: 'dana', path: `/ui/access?repository=${checkout}&action=push` },
  { title: 'my account', as: 'dana', path: '/ui/me' },
  {
    title: 'access',
    as: 'ada',
    path: '/ui/access?repository=release/shop/checkout&tag=v1.5.0&as=user:dana&action=push',
  },
  { title: 'activity', as: 'ada', path: '/ui/activity' },
  { title: 'policy', as: 'ada', path: '/ui/policy' },
  { title: 'limits', as: 'ada', path: '/ui/limits' },
  { title: 'accounts', as: 'ada', path: '/ui/accounts' },
  { title: 'health', as: 'ada', path: '/ui/health' },
];
