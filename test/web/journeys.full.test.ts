/** What people come for, from the login to the logout: with the keyboard alone, and without JavaScript. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openSheet, startBrowser } from '../support/browser.ts';
import { type PageSite, password, startPageSite } from '../support/page-site.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { openContext, windows } from './visit.ts';

describeWithPrograms(['chromium', 'docker-registry'], 'a developer', () => {
  let site: PageSite;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  beforeAll(async () => {
    [site, browser] = await Promise.all([startPageSite(), startBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
  });

  const open = async (javaScriptEnabled: boolean): Promise<void> => {
    const [window] = windows;
    if (window === undefined) throw new Error('no window');
    context = await openContext(browser, window, { javaScriptEnabled });
    ({ page } = await openSheet(context));
    await page.goto(`${site.gateway.url}/`, { waitUntil: 'load' });
  };

  const has = (tag: string): Promise<boolean> =>
    page.getByRole('rowheader').getByText(tag, { exact: true }).isVisible();
  const session = async (): Promise<number> =>
    (await context.cookies()).filter(({ name }) => name === '__Host-portcullis').length;

  describe('without JavaScript', () => {
    beforeEach(() => open(false));
    afterEach(() => context.close());

    test('logs in, finds a tag, reads the command, asks why not, deletes a tag, and logs out', async () => {
      await page.goto(`${site.gateway.url}/ui/login?next=/ui/r/sandbox/dana/web`);
      await page.getByLabel('User name').fill('dana');
      await page.getByLabel('Password').fill(password);
      await page.getByRole('main').getByRole('button', { name: 'Log in', exact: true }).click();
      expect(new URL(page.url()).pathname).toBe('/ui/r/sandbox/dana/web');
      await page.getByRole('searchbox').fill('wi*');
      await page.getByRole('button', { name: 'Find', exact: true }).click();
      expect([await has('wip'), await has('latest')]).toEqual([true, false]);
      expect(await page.locator('.command code').first().textContent()).toContain(
        `docker pull ${site.host}/sandbox/dana/web`,
      );
      await page.goto(`${site.gateway.url}/ui/access?repository=release/shop/checkout&action=push`);
      expect(await page.getByRole('main').textContent()).toMatch(/may not push/);
      await page.goto(`${site.gateway.url}/ui/delete?repository=sandbox/shop/jobs&tag=0.1.0`);
      expect(await page.getByRole('main').textContent()).toContain('latest');
      await page.getByRole('button', { name: 'Log out' }).click();
      expect(await session()).toBe(0);
    });
  });

  describe('with the keyboard alone', () => {
    beforeEach(() => open(true));
    afterEach(() => context.close());

    /** Tabs on until the focus is on what has this name; every stop on the way can be seen. */
    const tabTo = async (name: string | RegExp, atMost = 60): Promise<void> => {
      const way: string[] = [];
      for (let stop = 0; stop < atMost; stop++) {
        await page.keyboard.press('Tab');
        const { text, isSeen } = await page.evaluate(() => {
          const element = document.activeElement as HTMLElement;
          const label = (element as HTMLInputElement).labels?.[0]?.textContent ?? '';
          const shown = element.getAttribute('aria-label') ?? (label === '' ? (element.textContent ?? '') : label);
          return { text: shown.trim(), isSeen: getComputedStyle(element).outlineStyle !== 'none' };
        });
        way.push(text);
        expect(isSeen, `the focus on "${text}" can be seen`).toBe(true);
        if (typeof name === 'string' ? text === name : name.test(text)) return;
      }
      throw new Error(`no stop is called ${String(name)}: ${way.join(' > ')}`);
    };
    const type = (text: string): Promise<void> => page.keyboard.type(text);
    const enter = async (): Promise<void> => {
      await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    };

    test('logs in, finds a tag, copies the command, asks about access, and logs out', async () => {
      await page.goto(`${site.gateway.url}/ui/login`);
      await tabTo(/^User name/);
      await type('dana');
      await tabTo(/^Password/);
      await type(password);
      await enter();
      await tabTo('integration/shop/checkout');
      await enter();
      expect(new URL(page.url()).pathname).toBe('/ui/r/integration/shop/checkout');
      await tabTo(/^Copy the .*ull command/);
      await page.keyboard.press('Enter');
      await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toMatch(/Copied|Selected/);
      await tabTo(/^Find a tag/);
      await type('build-142');
      await enter();
      expect([await has('build-142'), await has('build-141')]).toEqual([true, false]);
      await page.goto(`${site.gateway.url}/ui/access`);
      await tabTo(/^Repository/);
      await type('release/shop/checkout');
      await enter();
      expect(await page.getByRole('main').textContent()).toContain('release/shop/checkout');
      await tabTo('Log out');
      await enter();
      expect(await session()).toBe(0);
    });
  });
});
