/** What the forms of "My account" and of letting a terminal in show, in a real browser: open to everybody, within its window, quiet. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { barriers, openSheet, overflow, startBrowser } from '../support/browser.ts';
import { type PageSite, password, startPageSite } from '../support/page-site.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { logIn, openContext, windows } from './visit.ts';

describeWithPrograms(['chromium', 'docker-registry'], 'what is one’s own, in a browser', () => {
  let site: PageSite;
  let browser: Browser;
  beforeAll(async () => {
    const env = { PORTCULLIS_TRUSTED_PROXIES: '127.0.0.1' };
    [site, browser] = await Promise.all([startPageSite({ isFilled: false, env }), startBrowser()]);
    const authorization = `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`;
    const made = await fetch(`${site.gateway.url}/api/v1/tokens`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({
        label: `<b>\u202ehostile${'x'.repeat(50)}`,
        repositories: [`${'long-name-'.repeat(20)}a/**`],
      }),
    });
    expect(made.status).toBe(200);
    await fetch(`${site.gateway.url}/token?offline_token=true`, {
      headers: { authorization, 'user-agent': `<script>${'agent'.repeat(40)}` },
    });
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
  });

  for (const window of windows)
    test(`${window.name}: a token is made, a terminal let in, and nothing is in anybody’s way`, async () => {
      const { url } = site.gateway;
      const context = await openContext(browser, window);
      try {
        const { page, heard } = await openSheet(context);
        const look = async (what: string): Promise<void> =>
          expect([what, await overflow(page), await barriers(page), heard]).toEqual([what, 0, [], []]);
        const press = async (name: string): Promise<void> => {
          const next = page.waitForEvent('load');
          await page.getByRole('button', { name }).click();
          await next;
        };
        await logIn(page, url, 'dana', '/ui/me');
        await page.getByText('New access token').click();
        await look('my account');
        const repositories = page.getByRole('textbox', { name: 'Repositories' });
        await page.getByLabel('What it is for').fill('Build server <x>');
        await repositories.fill('Sandbox/**');
        await press('Make the token');
        await look('a token that cannot be');
        await repositories.fill('sandbox/**');
        await press('Make the token');
        expect(await page.getByText(/^pct_/).textContent()).toMatch(/^pct_[0-9A-Za-z]{36}$/);
        await look('a token');
        const headers = { 'user-agent': 'portcullis', 'x-forwarded-for': '203.0.113.9' };
        const begun = await fetch(`${url}/device`, { method: 'POST', headers });
        const { user_code: code } = (await begun.json()) as { readonly user_code: string };
        await page.goto(`${url}/ui/device`);
        await look('where the code is typed');
        await page.getByLabel('The code that').fill('BBBB');
        await press('Go on');
        await look('a code that is wrong');
        await page.getByLabel('The code that').fill(code);
        await press('Go on');
        expect(await page.getByText('It is not where you are').count()).toBe(1);
        await look('the terminal');
        await press('Let it in');
        await look('the end');
      } finally {
        await context.close();
      }
    });
});
