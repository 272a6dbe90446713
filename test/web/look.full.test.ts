/** Every page in a real browser: open to everybody, within its window, in the colours of the system, and quiet. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Browser, BrowserContext } from 'playwright-core';
import { barriers, openSheet, overflow, startBrowser } from '../support/browser.ts';
import { type PageSite, password, startPageSite } from '../support/page-site.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { logIn, openContext, places, windows } from './visit.ts';

describeWithPrograms(['chromium', 'docker-registry'], 'in a browser', () => {
  let site: PageSite;
  let empty: PageSite;
  let browser: Browser;
  beforeAll(async () => {
    [site, empty, browser] = await Promise.all([startPageSite(), startPageSite({ isFilled: false }), startBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
    await empty?.stop();
  });

  for (const window of windows)
    describe(window.name, () => {
      const contexts = new Map<string, BrowserContext>();
      const contextOf = async (where: PageSite, as: (typeof places)[number]['as']): Promise<BrowserContext> => {
        const key = `${where.host} ${as ?? ''}`;
        const known = contexts.get(key);
        if (known !== undefined) return known;
        const context = await openContext(browser, window);
        contexts.set(key, context);
        if (as !== undefined) {
          const { page } = await openSheet(context);
          await logIn(page, where.gateway.url, as);
          await page.close();
        }
        return context;
      };
      afterAll(async () => {
        for (const context of contexts.values()) await context.close();
      });

      const look = async (
        where: PageSite,
        { as, path }: Pick<(typeof places)[number], 'as' | 'path'>,
      ): Promise<void> => {
        const { page, heard } = await openSheet(await contextOf(where, as));
        try {
          await page.goto(`${where.gateway.url}${path}`);
          expect(await overflow(page)).toBe(0);
          expect(await barriers(page)).toEqual([]);
          expect(heard).toEqual([]);
        } finally {
          await page.close();
        }
      };

      for (const place of places)
        test(`${place.title}: no barrier, no sideways scroll, nothing heard`, () => look(site, place));

      const quiet = places.filter(({ path }) => !/hostile|tag=|web$/.test(path));
      for (const place of quiet) test(`${place.title}, with an empty registry: the same`, () => look(empty, place));
    });

  describe('in unusual windows', () => {
    const [plain] = windows;
    const check = async (title: string, more: Parameters<Browser['newContext']>[0]): Promise<void> => {
      if (plain === undefined) throw new Error(title);
      for (const as of ['dana', 'ada'] as const) {
        const context = await openContext(browser, plain, more);
        try {
          const { page } = await openSheet(context);
          await logIn(page, site.gateway.url, as);
          for (const { path } of places.filter((place) => place.as === as)) {
            await page.goto(`${site.gateway.url}${path}`);
            expect(await overflow(page), path).toBe(0);
          }
        } finally {
          await context.close();
        }
      }
    };
    test(
      '320 pixels wide: nothing scrolls sideways',
      () => check('narrow', { viewport: { width: 320, height: 640 } }),
      60_000,
    );
    test(
      'magnified twice: nothing scrolls sideways',
      () => check('large', { viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 }),
      60_000,
    );
    test('320 pixels wide, with the longest name of a tag: nothing scrolls sideways', async () => {
      const tag = 'x'.repeat(128);
      const dockerImage = 'application/vnd.docker.distribution.manifest.v2+json';
      const authorization = `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`;
      const manifestAt = (name: string): string => `${site.gateway.url}/v2/sandbox/dana/web/manifests/${name}`;
      const read = await fetch(manifestAt('wip'), { headers: { authorization, accept: dockerImage } });
      const headers = { authorization, 'content-type': dockerImage };
      const written = await fetch(manifestAt(tag), { method: 'PUT', headers, body: await read.text() });
      expect(written.status).toBe(201);
      const context = await openContext(browser, { name: '', width: 320, height: 640, colorScheme: 'light' });
      const { page } = await openSheet(context);
      await logIn(page, site.gateway.url, 'dana');
      for (const path of ['/ui/r/sandbox/dana/web', `/ui/r/sandbox/dana/web?tag=${tag}`]) {
        await page.goto(`${site.gateway.url}${path}`);
        expect(await overflow(page), path).toBe(0);
      }
      await context.close();
    });
    test('with forced colours: nothing scrolls sideways', () => check('forced', { forcedColors: 'active' }), 60_000);
  });
});
