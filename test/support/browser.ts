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
export function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
