/** Debian's chromium, driven over its own protocol, and what a page may do wrong in it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core';
import { findProgram } from './programs.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Throws where there is none: tests ask for `chromium` as for any program. */
export function startBrowser(): Promise<Browser> {
  const executablePath = findProgram('chromium');
  if (executablePath === undefined) throw new Error('chromium is not on PATH');
  // Root has no sandbox; /dev/shm is small in containers.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}

export interface Sheet {
  readonly page: Page;
  /** Everything that no page of ours may cause: dialogs, console messages, broken rules of the content security policy. */
  readonly heard: readonly string[];
}

/** A new tab. Refusals of pages are expected here and there: the console line of a status is not heard. */
export async function openSheet(context: BrowserContext): Promise<Sheet> {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const heard: string[] = [];
  page.on('console', (message) => {
    if (!/^Failed to load resource: the server responded with a status of/.test(message.text()))
      heard.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => heard.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    heard.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      console.log(`policy violated: ${violatedDirective} ${blockedURI}`),
    );
  });
  return { page, heard };
}

const standards = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What axe-core finds in the page as it is shown now, one line each. */
export async function barriers(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  return page.evaluate(async (runOnly) => {
    interface Found {
      readonly violations: readonly {
        readonly id: string;
        readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary: string }[];
      }[];
    }
    const { axe: checker } = globalThis as unknown as {
      readonly axe: { run(node: Document, options: object): Promise<Found> };
    };
    const { violations } = await checker.run(document, { runOnly });
    return violations.map(({ id, nodes }) => {
      const [first] = nodes;
      return `${id}: ${first?.target.join(' ')} ${first?.failureSummary.replaceAll('\n', ' ')}`;
    });
  }, standards);
}

/** Pixels by which the page is wider than its window. */
export async function overflow(page: Page): Promise<number> {
  // A form that was just sent: the next page may have begun, and be empty yet.
  await page.waitForLoadState();
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/**
 * What cannot be read as the page is shown now: text that its box cuts off, and text over other text. What scrolls may be
 * longer than its box where the keyboard reaches it.
 */
export function unreadable(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    /** For those who hear the page. */
    const isAside = (element: Element | null): boolean =>
      element !== null && (getComputedStyle(element).clipPath !== 'none' || isAside(element.parentElement));
    const pieces: { readonly text: string; readonly box: DOMRect; readonly inside: Element | null }[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const text = node.textContent?.trim() ?? '';
      const element = node.parentElement;
      if (text === '' || element === null || element.closest('.skip, option, script') !== null) continue;
      if (!element.checkVisibility({ visibilityProperty: true })) continue;
      if (isAside(element)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const boxes = [...range.getClientRects()].filter(({ width, height }) => width > 1 && height > 1);
      let cutter: Element | null = element;
      let scroller: Element | null = null;
      for (; cutter !== null && cutter !== document.body; cutter = cutter.parentElement) {
        const { overflowX, overflowY } = getComputedStyle(cutter);
        if (overflowX === 'visible') continue;
        const frame = cutter.getBoundingClientRect();
        const isOut = boxes.some((box) => box.right > frame.right + 1 || box.left < frame.left - 1);
        const isBelow = boxes.some((box) => box.bottom > frame.bottom + 4 && overflowY !== 'visible');
        if (overflowX === 'auto' && (cutter as HTMLElement).tabIndex >= 0) scroller ??= cutter;
        else if (isOut || isBelow) found.push(`cut by ${cutter.className || cutter.tagName}: ${text.slice(0, 60)}`);
      }
      for (const box of boxes) pieces.push({ text, box, inside: scroller });
    }
    const pen = new OffscreenCanvas(1, 1).getContext('2d');
    for (const field of document.querySelectorAll<HTMLInputElement>('input[placeholder]')) {
      const style = getComputedStyle(field);
      if (pen === null || !field.checkVisibility()) continue;
      pen.font = style.font;
      const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      if (pen.measureText(field.placeholder).width > room) found.push(`cut by its field: ${field.placeholder}`);
    }
    pieces.sort((a, b) => a.box.top - b.box.top);
    for (const [at, { text, box, inside }] of pieces.entries())
      for (let next = at + 1; next < pieces.length; next++) {
        const other = pieces[next];
        if (other === undefined || other.box.top > box.bottom) break;
        if (other.inside !== inside) continue;
        const wide = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const high = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (wide > 3 && high > 0.4 * Math.min(box.height, other.box.height))
          found.push(`"${text.slice(0, 40)}" and "${other.text.slice(0, 40)}" are on top of each other`);
      }
    return [...new Set(found)];
  });
}
