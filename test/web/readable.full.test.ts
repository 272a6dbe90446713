/** Pages as people have them who read larger text, paper, or nothing that moves. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSheet, overflow, startBrowser, unreadable } from '../support/browser.ts';
import { type PageSite, type Person, startPageSite } from '../support/page-site.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { logIn, openContext, places, windows } from './visit.ts';

const [desktop, phone] = windows;
if (desktop === undefined || phone === undefined) throw new Error('no windows');

/** The ways to text of twice the size; none of them makes the window's pixels larger. */
const larger: Readonly<
  Record<string, { before?: (page: Page) => Promise<void>; after?: (page: Page) => Promise<void> }>
> = {
  'a font of 32 pixels in the settings of the browser': {
    before: async (page) => {
      const session = await page.context().newCDPSession(page);
      await session.send('Page.setFontSizes', { fontSizes: { standard: 32, fixed: 26 } });
    },
  },
  'a style sheet of one’s own, with 200 %': {
    after: (page) => page.evaluate(() => void (document.documentElement.style.fontSize = '200%')),
  },
  'text zoomed alone, while lengths stay': {
    after: (page) =>
      page.evaluate(() => {
        const all = [...document.querySelectorAll<HTMLElement>('body, body *')].map(
          (element) => [element, parseFloat(getComputedStyle(element).fontSize)] as const,
        );
        for (const [element, pixels] of all) element.style.fontSize = `${2 * pixels}px`;
      }),
  },
};

describeWithPrograms(['chromium', 'docker-registry'], 'every page', () => {
  let site: PageSite;
  let browser: Browser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([startPageSite(), startBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
  });

  /** In a tab of its own for each place; logged in once for each person. */
  const visit = async (
    more: Parameters<Browser['newContext']>[0],
    look: (page: Page, title: string) => Promise<void>,
    before: (page: Page) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> => {
    const people: readonly (Person | undefined)[] = [undefined, 'dana', 'ada'];
    for (const as of people) {
      const context: BrowserContext = await openContext(browser, desktop, more);
      try {
        const { page: first } = await openSheet(context);
        if (as !== undefined) await logIn(first, site.gateway.url, as);
        for (const { title, path } of places.filter((place) => place.as === as)) {
          const { page } = await openSheet(context);
          await before(page);
          await page.goto(`${site.gateway.url}${path}`);
          await look(page, title);
          await page.close();
        }
      } finally {
        await context.close();
      }
    }
  };

  describe.each([desktop, phone])('at $width pixels', ({ width, height }) => {
    const viewport = { width, height };

    test.each(Object.entries(larger))(
      'with %s: nothing is cut, nothing lies on something else, nothing scrolls sideways',
      async (_way, { before, after }) => {
        const look = async (page: Page, title: string): Promise<void> => {
          await after?.(page);
          expect([title, await overflow(page), await unreadable(page)]).toEqual([title, 0, []]);
        };
        await visit({ viewport }, look, before);
      },
    );

    test('with text as it is: the same', async () => {
      await visit({ viewport }, async (page, title) => {
        expect([title, await overflow(page), await unreadable(page)]).toEqual([title, 0, []]);
      });
    });
  });

  test.each([768, 1024])('at %d pixels fits its window', async (width) => {
    await visit({ viewport: { width, height: 800 } }, async (page, title) => {
      expect([title, await overflow(page), await unreadable(page)]).toEqual([title, 0, []]);
    });
  });

  test('on paper is black on white whatever the theme, whole, and without what is there to be clicked', async () => {
    // The room that A4 leaves between its margins.
    const viewport = { width: 680, height: 1000 };
    await visit({ viewport, colorScheme: 'dark' }, async (page, title) => {
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      const paper = await page.evaluate(() => {
        const shown = (selector: string): readonly string[] =>
          [...document.querySelectorAll(selector)]
            .filter((each) => each.checkVisibility())
            .map((each) => each.outerHTML);
        const { color } = getComputedStyle(document.body);
        const { backgroundColor } = getComputedStyle(document.documentElement);
        const boxes = [...document.querySelectorAll('main *')].filter((each) => each.checkVisibility());
        return {
          ...{ color, backgroundColor, clicked: shown('nav[aria-label=Main], .skip, button, .button, summary + form') },
          heads: [...document.querySelectorAll('thead')].map((each) => getComputedStyle(each).display),
          scrolls: boxes
            .filter((each) => /auto|scroll/.test(getComputedStyle(each).overflowX))
            .map(({ tagName }) => tagName),
          underlined: [...document.querySelectorAll('main a')].filter(
            (each) => getComputedStyle(each).textDecorationLine !== 'none',
          ).length,
        };
      });
      expect([title, paper]).toEqual([
        title,
        {
          ...{ color: 'rgb(0, 0, 0)', backgroundColor: 'rgb(255, 255, 255)', clicked: [] },
          ...{ heads: paper.heads.map(() => 'table-header-group'), scrolls: [], underlined: 0 },
        },
      ]);
      expect([title, await overflow(page), await unreadable(page)]).toEqual([title, 0, []]);
      const pdf = (await page.pdf({ format: 'A4' })).toString('latin1');
      expect(pdf.startsWith('%PDF-')).toBe(true);
    });
  });

  test('does not move where nothing shall move', async () => {
    await visit({ reducedMotion: 'reduce' }, async (page, title) => {
      const moving = await page.evaluate(() => [
        ...document.getAnimations().map(() => 'an animation'),
        ...[...document.querySelectorAll('*')]
          .map((each) => getComputedStyle(each))
          .filter(
            ({ transitionDuration, animationName, scrollBehavior }) =>
              !/^0s(?:, 0s)*$/.test(transitionDuration) || animationName !== 'none' || scrollBehavior !== 'auto',
          )
          .map(() => 'a transition'),
      ]);
      expect([title, moving]).toEqual([title, []]);
    });
  });
});
