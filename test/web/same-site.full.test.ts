/** What a page on another port of the same host can do with somebody's cookie: nothing. Cookies do not know ports. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSheet, startBrowser } from '../support/browser.ts';
import { type PageSite, startPageSite } from '../support/page-site.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { logIn, openContext, windows } from './visit.ts';

describeWithPrograms(['chromium', 'docker-registry'], 'a page of somebody else', () => {
  let site: PageSite;
  let browser: Browser;
  let attacker: Server;
  let target = '';
  beforeAll(async () => {
    [site, browser] = await Promise.all([startPageSite({ isFilled: false }), startBrowser()]);
    attacker = createServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html');
      response.end(
        `<form method=post action="${target}"><input name=csrf value=guess></form><script>document.forms[0].submit()</script>`,
      );
    });
    await new Promise<void>((resolve) => attacker.listen(0, '127.0.0.1', resolve));
  });
  afterAll(async () => {
    await browser?.close();
    attacker?.close();
    await site?.stop();
  });

  test.each(['127.0.0.1', 'localhost'])('on %s ends no session', async (host) => {
    const [window] = windows;
    if (window === undefined) throw new Error('no window');
    const context = await openContext(browser, window);
    const { page } = await openSheet(context);
    await logIn(page, site.gateway.url, 'dana');
    target = `${site.gateway.url}/ui/logout`;
    const { port } = attacker.address() as AddressInfo;
    const refused = page.waitForResponse((reply) => reply.url() === target);
    await page.goto(`http://${host}:${port}/`).catch(() => undefined);
    expect((await refused).status()).toBe(403);
    await page.goto(`${site.gateway.url}/ui/me`);
    await expect(page.getByText('dana').first().isVisible()).resolves.toBe(true);
    expect(new URL(page.url()).pathname).toBe('/ui/me');
    await context.close();
  });
});
