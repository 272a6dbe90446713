/** A browser's own reading of a page: what it is made of, where it leads, and whether that is what the page wrote. */
import { expect } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { openSheet, overflow } from '../support/browser.ts';
import { brief } from '../support/hostile-texts.ts';

/** What a page is made of, as the browser read it. */
export interface Found {
  /** `name attribute` of everything there is. */
  readonly parts: readonly string[];
  readonly links: readonly string[];
  /** Of what stands apart from the page's own words. */
  readonly texts: readonly string[];
  readonly all: string;
  /** What `window` has beside what the first page left there. */
  readonly globals: readonly string[];
  readonly wider: number;
  readonly heard: readonly string[];
}

export interface Reader {
  readonly look: (path: string) => Promise<Found>;
}

/** Logged in, on a phone. */
export async function openReader(browser: Browser, url: string, name: string, password: string): Promise<Reader> {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const { page, heard } = await openSheet(context);
  await page.goto(`${url}/ui/login`);
  await page.getByLabel('User name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('main').getByRole('button', { name: 'Log in', exact: true }).click();
  await page.waitForURL((at) => at.pathname !== '/ui/login');
  const usual = new Set((await partsOf(page)).globals);
  return {
    async look(path) {
      await page.goto(url + path);
      // The registry of a machine that does much else may take longer than the two seconds of a page.
      for (let again = 0; again < 20 && (await isPending(page)); again++) await page.reload();
      const parts = await partsOf(page);
      const globals = parts.globals.filter((name) => !usual.has(name));
      return { ...parts, globals, wider: await overflow(page), heard: [...heard] };
    },
  };
}

function isPending(page: Page): Promise<boolean> {
  return page.getByText(/The registry (?:has not answered everything yet|does not answer)/).isVisible();
}

function partsOf(page: Page): Promise<Omit<Found, 'wider' | 'heard'>> {
  return page.evaluate(() => {
    const elements = [...document.querySelectorAll('*')];
    const parts = elements.flatMap(({ localName, attributes }) => [
      localName,
      ...[...attributes].map(({ name }) => `${localName} ${name}`),
    ]);
    return {
      parts: [...new Set(parts)],
      links: elements.flatMap((element) =>
        ['href', 'src', 'action', 'formaction'].flatMap((name) => element.getAttribute(name) ?? []),
      ),
      texts: [...document.querySelectorAll('bdi')].map(({ textContent }) => textContent),
      all: document.body.textContent,
      globals: Object.keys(globalThis),
    };
  });
}

/** Everything that some pages are made of. */
export function knownOf(...pages: readonly Found[]): ReadonlySet<string> {
  return new Set(pages.flatMap(({ parts }) => parts));
}

/** Turned round, or drawn as nothing. */
const unseen =
  /[\p{Bidi_Control}\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;

/** Nothing that the page did not write: neither parts nor links, nor what is not seen, nor a width of its own. */
export function expectText(
  { parts, links, all, globals, wider, heard }: Found,
  known: ReadonlySet<string>,
  text: string,
): void {
  const about = brief(text);
  expect(
    parts.filter((part) => !known.has(part)),
    about,
  ).toEqual([]);
  const own = links.filter((link) => !/^(?:\/ui(?:\/|\?|$)|#)/.test(link));
  for (const link of own) expect(link, about).toMatch(/^https:\/\//);
  expect(unseen.exec(all)?.[0].codePointAt(0), about).toBeUndefined();
  expect([wider, heard, globals], about).toEqual([0, [], []]);
}

/** Each entry by whoever is free. */
export async function inTurns<T, W>(
  entries: IterableIterator<T>,
  workers: readonly W[],
  work: (entry: T, worker: W) => Promise<void>,
): Promise<void> {
  await Promise.all(
    workers.map(async (worker) => {
      for (let next = entries.next(); !next.done; next = entries.next()) await work(next.value, worker);
    }),
  );
}
