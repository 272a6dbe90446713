/**
 * Photographs of pages. What differs from one run to the next (times, the port) is written over; where more than half a
 * percent of the pixels differ from the photograph that was kept, a person looks at both. Fonts are those of the machine, so
 * this is no test of CI's.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSheet, startBrowser } from '../support/browser.ts';
import { type PageSite, type Person, startPageSite } from '../support/page-site.ts';
import { logIn, openContext, places, windows } from './visit.ts';

const kept = new URL('shots', import.meta.url).pathname;
/** Everything that is new, to be looked at. */
const fresh = process.env['SHOTS_DIR'] ?? '/tmp/portcullis-shots';
const isKeeping = process.env['SHOTS'] === 'keep';
/** With `SHOTS=all` every page is photographed in every window, and nothing is compared. */
const isAll = process.env['SHOTS'] === 'all';
const twelve = [
  'login',
  'repositories',
  'a repository',
  'a repository of long names',
  'a tag',
  'deleting',
  'my account',
  'access',
  'activity',
  'policy',
  'accounts',
  'health',
];

let site: PageSite;
let browser: Browser;
const contexts = new Map<string, BrowserContext>();
beforeAll(async () => {
  mkdirSync(fresh, { recursive: true });
  mkdirSync(kept, { recursive: true });
  [site, browser] = await Promise.all([startPageSite(), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await site?.stop();
});

const shown = places.filter(({ title }) => isAll || twelve.includes(title));
// Each of the twelve in one light and one dark window.
for (const [at, window] of [...windows.entries()].filter(([at]) => isAll || at === 0 || at === 3))
  describe(window.name, () => {
    for (const { title, as, path } of shown) {
      test(title, async () => {
        const { page } = await openSheet(await contextOf(at, as));
        await page.goto(`${site.gateway.url}${path}`);
        if (!isAll) await settle(page, site);
        const photograph = await page.screenshot({ fullPage: isAll });
        const name = `${title.replaceAll(' ', '-')}-${window.width}-${window.colorScheme}.png`;
        writeFileSync(join(fresh, name), photograph);
        if (isKeeping) writeFileSync(join(kept, name), photograph);
        else if (!isAll)
          expect(await difference(page, readFileSync(join(kept, name)), photograph), name).toBeLessThan(0.005);
        await page.close();
      });
    }
  });

async function contextOf(at: number, as: Person | undefined): Promise<BrowserContext> {
  const key = `${at} ${as ?? ''}`;
  const known = contexts.get(key);
  if (known !== undefined) return known;
  const [window] = windows.slice(at);
  if (window === undefined) throw new Error(key);
  const context = await openContext(browser, window);
  contexts.set(key, context);
  if (as === undefined) return context;
  const { page } = await openSheet(context);
  await logIn(page, site.gateway.url, as);
  await page.close();
  return context;
}

/** Times, the address and the folder of the policies are those of no run. */
function settle(page: Page, { host, gateway }: PageSite): Promise<void> {
  return page.evaluate(
    ([address = '', folder = '']) => {
      for (const time of document.querySelectorAll('time')) time.textContent = '5 minutes ago';
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node !== null; node = walker.nextNode())
        node.textContent = (node.textContent ?? '')
          .replaceAll(address, 'registry.example.com')
          .replaceAll(folder, 'policies');
    },
    [host, gateway.policiesDir],
  );
}

/** The part of the pixels that differ. */
function difference(page: Page, before: Buffer, after: Buffer): Promise<number> {
  return page
    .context()
    .newPage()
    .then(async (table) => {
      const pixels = table.evaluate(
        async ([left, right]) => {
          const read = async (data: string): Promise<ImageData> => {
            const image = new Image();
            image.src = `data:image/png;base64,${data}`;
            await image.decode();
            const canvas = new OffscreenCanvas(image.width, image.height);
            const context = canvas.getContext('2d');
            if (context === null) throw new Error('no canvas');
            context.drawImage(image, 0, 0);
            return context.getImageData(0, 0, image.width, image.height);
          };
          const [a, b] = [await read(left ?? ''), await read(right ?? '')];
          if (a.width !== b.width || a.height !== b.height) return 1;
          let differing = 0;
          for (let at = 0; at < a.data.length; at += 4)
            if ([0, 1, 2].some((part) => Math.abs((a.data[at + part] ?? 0) - (b.data[at + part] ?? 0)) > 8))
              differing++;
          return (4 * differing) / a.data.length;
        },
        [before, after].map((photograph) => photograph.toString('base64')),
      );
      return pixels.finally(() => table.close());
    });
}
