/** Pages as they are heard: by the accessibility tree that chromium gives to screen readers. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSheet, startBrowser } from '../support/browser.ts';
import { type PageSite, type Person, password, startPageSite } from '../support/page-site.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { logIn, openContext, places, windows } from './visit.ts';

const [desktop] = windows;
if (desktop === undefined) throw new Error('no windows');

interface Heard {
  readonly depth: number;
  readonly role: string;
  readonly name: string;
  readonly level: number | undefined;
  readonly url: string | undefined;
}

/** The tree as lines, one for each role. */
async function hear(page: Page): Promise<readonly Heard[]> {
  const lines = (await page.locator('html').ariaSnapshot()).split('\n');
  return lines.flatMap((line, at) => {
    const [, indent = '', role = '', rest = ''] = /^( *)- '?([a-z]+)\b(.*)$/.exec(line) ?? [];
    if (role === '' || role === 'text') return [];
    const [, name = ''] = /^ "((?:[^"\\]|\\.)*)"/.exec(rest) ?? [];
    const [, level] = /\[level=(\d)\]/.exec(rest) ?? [];
    const [, url] = /^ *- \/url: (.*)$/.exec(lines[at + 1] ?? '') ?? [];
    return [{ depth: indent.length / 2, role, name, level: level === undefined ? undefined : Number(level), url }];
  });
}

const fields = new Set(['textbox', 'searchbox', 'combobox', 'checkbox', 'link', 'button', 'table', 'region', 'img']);

/** What a listener would stumble over. */
function confusions(heard: readonly Heard[]): readonly string[] {
  const count = (role: string): number => heard.filter((each) => each.role === role).length;
  const levels = heard.flatMap(({ level }) => (level === undefined ? [] : [level]));
  const navigations = heard.filter(({ role }) => role === 'navigation').map(({ name }) => name);
  const columns = heard.filter(({ role, name }) => role === 'columnheader' && name === '').length;
  const elsewhere = heard.filter(({ role, url }, at) => role === 'link' && url !== undefined && !isInCell(heard, at));
  const meant = new Map<string, Set<string>>();
  for (const { name, url = '' } of elsewhere) meant.set(name, (meant.get(name) ?? new Set()).add(url));
  return [
    ...['banner', 'main', 'contentinfo'].filter((role) => count(role) !== 1).map((role) => `${count(role)} ${role}`),
    ...(levels.filter((level) => level === 1).length === 1 ? [] : ['not one heading of the page']),
    ...levels.filter((level, at) => level > (levels[at - 1] ?? 0) + 1).map((level) => `a heading skips to ${level}`),
    ...(new Set(navigations).size === navigations.length ? [] : ['two navigations of one name']),
    ...(columns > 0 ? [`${columns} columns without a heading`] : []),
    ...heard.filter(({ role, name }) => fields.has(role) && name === '').map(({ role }) => `a ${role} without a name`),
    ...[...meant].filter(([, urls]) => urls.size > 1).map(([name]) => `"${name}" leads to several places`),
    ...heard.filter(({ role }, at) => role === 'list' && (heard[at + 1]?.depth ?? 0) === 0).map(() => 'an empty list'),
  ];
}

/** In a table the row and the column say what it is about. */
function isInCell(heard: readonly Heard[], at: number): boolean {
  let depth = heard[at]?.depth ?? 0;
  for (let above = at; above >= 0; above--) {
    const one = heard[above];
    if (one === undefined || one.depth >= depth) continue;
    if (one.role === 'cell' || one.role === 'rowheader') return true;
    depth = one.depth;
  }
  return false;
}

/** What a listener goes along to learn what is on a page. */
function outline(heard: readonly Heard[]): readonly string[] {
  const shown = new Set(['navigation', 'search', 'heading', 'region', 'table', 'columnheader']);
  return heard
    .filter(({ role }) => shown.has(role))
    .map(({ role, name, level }) => [role, level, name].filter((each) => each !== undefined && each !== '').join(' '));
}

const columns = (...names: readonly string[]): readonly string[] => names.map((name) => `columnheader ${name}`);
const outlines: Readonly<Record<string, readonly string[]>> = {
  repositories: [
    ...['heading 1 Repositories', 'heading 2 All 10', 'search', 'table Repositories'],
    ...columns('Repository', 'Last push', 'You may'),
  ],
  'a repository': [
    ...['navigation Path', 'heading 1 integration/shop/checkout', 'region What you may do here', 'region Commands'],
    ...['heading 2 Tags 5', 'search', 'table Tags of integration/shop/checkout'],
    ...columns('Tag', 'Digest', 'Size', 'Platforms', 'Pushed', 'Last pull'),
  ],
  'a tag': [
    ...['navigation Path', 'heading 1 integration/shop/checkout:build-142', 'region Commands'],
    ...['heading 2 Platforms 2', 'table Platforms', ...columns('Platform', 'Digest', 'Size', 'Created')],
    ...['heading 2 Attached, not verified', 'heading 2 History of build-142'],
  ],
  access: [
    ...['heading 1 Who can do what', 'region user \\"dana\\" may not push release/shop/checkout:v1.5.0'],
    ...[
      'heading 2 user \\"dana\\" may not push release/shop/checkout:v1.5.0',
      'heading 2 release/shop/checkout:v1.5.0',
    ],
    ...['region release/shop/checkout:v1.5.0', 'table release/shop/checkout:v1.5.0'],
    ...columns('Who', 'pull', 'create', 'overwrite', 'delete', 'promote', 'catalog', 'inspect', 'administer'),
    ...['heading 2 Refused here in the last minute', 'heading 2 Rules that speak of this repository'],
  ],
  accounts: [
    ...['heading 1 Accounts', 'heading 2 All 7', 'search', 'region Accounts', 'table Accounts'],
    ...columns('Account', 'Groups', 'Logs in by', 'Last use', 'Sessions', 'Secrets'),
  ],
};

describeWithPrograms(['chromium', 'docker-registry'], 'a page that is heard', () => {
  let site: PageSite;
  let browser: Browser;
  const contexts = new Map<Person | undefined, BrowserContext>();
  beforeAll(async () => {
    [site, browser] = await Promise.all([startPageSite(), startBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
  });

  const open = async (path: string, as: Person | undefined): Promise<Page> => {
    const known = contexts.get(as);
    const context = known ?? (await openContext(browser, desktop));
    contexts.set(as, context);
    const { page } = await openSheet(context);
    if (known === undefined && as !== undefined) await logIn(page, site.gateway.url, as);
    await page.goto(`${site.gateway.url}${path}`);
    return page;
  };

  test.each(places)('$title: has its landmarks, its headings in order, and a name for everything', async (place) => {
    const page = await open(place.path, place.as);
    const heard = await hear(page);
    expect(confusions(heard)).toEqual([]);
    const expected = outlines[place.title];
    const settled = outline(heard).map((line) => line.replace(/in the last \d+ minutes$/, 'in the last minute'));
    if (expected !== undefined) expect(settled).toEqual(['navigation Main', ...expected]);
    await page.close();
  });

  test('a command that was copied is said to be', async () => {
    const page = await open('/ui/r/integration/shop/checkout', 'dana');
    await page.getByRole('button', { name: 'Copy the Pull command' }).click();
    await expect
      .poll(() => page.getByRole('status').allTextContents())
      .toContainEqual(expect.stringMatching(/^(Copied|Selected)$/));
    await page.close();
  });

  describe('activity that comes while somebody listens', () => {
    test('reads as it does after a reload', async () => {
      const page = await open('/ui/activity?repository=sandbox/dana/web', 'ada');
      const ask = (tag: string): Promise<Response> =>
        fetch(`${site.gateway.url}/v2/sandbox/dana/web/manifests/${tag}`, {
          headers: {
            authorization: `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`,
            accept: 'application/vnd.docker.distribution.manifest.v2+json',
            'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0 Safari/537.36',
          },
        });
      expect((await ask('wip')).status).toBe(200);
      const rows = page.getByRole('row').filter({ hasText: 'pull sandbox/dana/web:wip' }).filter({ hasText: 'Chrome' });
      const cells = async (): Promise<readonly string[]> =>
        (await rows.first().getByRole('cell').allTextContents()).slice(1);
      await rows.first().waitFor();
      const live = await cells();
      await page.reload();
      expect(live).toEqual(await cells());
      expect(live).toContainEqual('127.0.0.1Chrome on Linux');
      await page.close();
    });
  });
});
