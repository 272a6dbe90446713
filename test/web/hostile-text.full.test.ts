/** What others wrote, pushed to a real registry as bytes, is text in a real browser: no element, no link, no width of its own. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSheet, overflow, startBrowser } from '../support/browser.ts';
import { digestOf, types } from '../support/content.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { allHostileTexts, brief } from '../support/hostile-texts.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { basic } from '../support/trial.ts';
import { ask } from '../support/visitor.ts';

const password = 'right-and-long';
/** Each may turn sixty pages in a minute. */
const readers = Array.from({ length: 8 }, (_, at) => `reader${at}`);
const plain = 'https://plain.example/';
const repository = 'team/app';

describeWithPrograms(['chromium', 'docker-registry'], 'what others wrote, in a browser', () => {
  let registry: RegistryProcess;
  let gateway: GatewayProcess;
  let browser: Browser;
  let reading: readonly Reader[];

  beforeAll(async () => {
    const hash = await quickHash(password);
    const users = ['ada', ...readers].map((name) => `${name}: { password: "${hash}" }`);
    const policy = `
users: { ${users.join(', ')} }
rules:
  - { name: works, subjects: [authenticated], repositories: ["team/**"], actions: [pull, push] }
  - { name: looks-after, subjects: ["user:ada"], repositories: ["**"], actions: [inspect] }
`;
    [registry, browser] = await Promise.all([startRegistry(), startBrowser()]);
    gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'p.yaml': policy } });
    await pushAll(gateway.url);
    reading = await Promise.all(['ada', ...readers].map((name) => openReader(browser, gateway.url, name)));
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await gateway?.stop();
    await registry?.stop();
  });

  test('labels, commands, users, history and annotations of two hundred images make nothing but text', async () => {
    const known = knownOf(await reading[1]!.look(tagPage('plain')));
    const seen = new Set<string>();
    await inTurns(allHostileTexts.entries(), reading.slice(1), async ([at, text], reader) => {
      const found = await reader.look(tagPage(`t${at}`));
      expectText(found, known, text);
      if (/^[!-~](?:[ -~]*[!-~])?$/.test(text) && text.length < 256) expect(found.texts, brief(text)).toContain(text);
      seen.add(text);
    });
    expect(seen.size).toBeGreaterThanOrEqual(200);
  }, 120_000);

  test('platforms of an index, names of clients and what is looked for do neither', async () => {
    const [ada, ...others] = reading;
    const lastReader = others.at(-1)!;
    const knownIndex = knownOf(await lastReader.look(tagPage('two')));
    expectText(await lastReader.look(tagPage('all')), knownIndex, 'an index of all');

    const knownMe = knownOf(await ada!.look('/ui/me'));
    const knownActivity = knownOf(await ada!.look('/ui/activity'));
    const clients = allHostileTexts
      .filter((text) => /^[!-~\u0080-\u00ff]+$/.test(text) && text.length < 2000)
      .slice(0, 60);
    for (const client of clients)
      await ask(gateway.url, '/token?offline_token=true', {
        headers: { authorization: basic('ada', password), 'user-agent': client },
      });
    expectText(await ada!.look('/ui/me'), knownMe, 'sessions of clients');
    expectText(await ada!.look('/ui/activity'), knownActivity, 'what clients did');

    const finding = allHostileTexts.filter((text) => text.length < 2000).slice(0, 60);
    for (const path of ['/ui/', `/ui/r/${repository}`]) {
      const known = knownOf(
        ...(await Promise.all(['', '?q=t1', '?q=xxx'].map((query, at) => others[at]!.look(path + query)))),
      );
      await inTurns(finding.values(), others, async (text, reader) => {
        expectText(await reader.look(`${path}?${new URLSearchParams({ q: text })}`), known, text);
      });
    }
  }, 120_000);
});

const tagPage = (tag: string): string => `/ui/r/${repository}?tag=${tag}`;

/** What a page is made of, as the browser read it. */
interface Found {
  /** `name attribute` of everything there is. */
  readonly parts: readonly string[];
  readonly links: readonly string[];
  /** Of what stands apart from the page's own words. */
  readonly texts: readonly string[];
  readonly all: string;
  readonly wider: number;
  readonly heard: readonly string[];
}

interface Reader {
  readonly look: (path: string) => Promise<Found>;
}

/** On a phone. */
async function openReader(browser: Browser, url: string, name: string): Promise<Reader> {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const { page, heard } = await openSheet(context);
  await page.goto(`${url}/ui/login`);
  await page.getByLabel('User name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('main').getByRole('button', { name: 'Log in', exact: true }).click();
  await page.waitForURL((at) => at.pathname !== '/ui/login');
  return {
    async look(path) {
      await page.goto(url + path);
      return { ...(await partsOf(page)), wider: await overflow(page), heard: [...heard] };
    },
  };
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
    };
  });
}

function knownOf(...pages: readonly Found[]): ReadonlySet<string> {
  return new Set(pages.flatMap(({ parts }) => parts));
}

/** Turned round, or drawn as nothing. */
const unseen =
  /[\p{Bidi_Control}\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;

function expectText({ parts, links, all, wider, heard }: Found, known: ReadonlySet<string>, text: string): void {
  const about = brief(text);
  expect(
    parts.filter((part) => !known.has(part)),
    about,
  ).toEqual([]);
  const own = links.filter((link) => !/^(?:\/ui(?:\/|\?|$)|#)/.test(link));
  for (const link of own) expect(link, about).toMatch(/^https:\/\//);
  expect(unseen.exec(all)?.[0].codePointAt(0), about).toBeUndefined();
  expect([wider, heard], about).toEqual([0, []]);
}

/** Each entry by whoever is free. */
async function inTurns<T, W>(
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

/** An image for each text, with the text in all that an image says of itself; and indexes of them. */
async function pushAll(url: string): Promise<void> {
  const send = async (method: string, target: string, body = '', type = 'application/octet-stream') => {
    const authorization = basic('ada', password);
    const sent = await ask(url, target, { method, headers: { authorization, 'content-type': type }, body });
    if (sent.status >= 300) throw new Error(`${method} ${target}: ${sent.status} ${sent.body}`);
    return sent;
  };
  const blob = async (content: string) => {
    const bytes = Buffer.from(content);
    const { headers } = await send('POST', `/v2/${repository}/blobs/uploads/`);
    const { pathname, searchParams } = new URL(headers.location ?? '', url);
    searchParams.set('digest', digestOf(bytes));
    await send('PUT', `${pathname}?${searchParams}`, content);
    return { digest: digestOf(bytes), size: bytes.length };
  };
  const manifest = async (tag: string, value: { readonly mediaType: string; readonly [more: string]: unknown }) => {
    const content = JSON.stringify(value);
    await send('PUT', `/v2/${repository}/manifests/${tag}`, content, value.mediaType);
    return { mediaType: value.mediaType, digest: digestOf(Buffer.from(content)), size: Buffer.byteLength(content) };
  };
  const layer = { mediaType: types.layer, ...(await blob('a layer')) };
  const image = async (tag: string, text: string) => {
    const name = text.length > 256 ? 'long' : text;
    const config = await blob(
      JSON.stringify({
        ...{ architecture: name, os: 'linux', author: name, created: '2026-06-01T00:00:00Z' },
        config: {
          ...{ User: name, Entrypoint: [name], Cmd: ['--', name], ExposedPorts: { [name]: {} } },
          Labels: { [name]: text, 'org.opencontainers.image.source': name },
        },
        history: [{ created_by: text, comment: name }],
        rootfs: { type: 'layers', diff_ids: [] },
      }),
    );
    return manifest(tag, {
      ...{ schemaVersion: 2, mediaType: types.manifest },
      config: { mediaType: types.config, ...config },
      layers: [{ ...layer, annotations: { [name]: name } }],
      annotations: { [name]: text, 'org.opencontainers.image.url': name },
    });
  };
  const manifests: object[] = [];
  await image('plain', plain);
  await inTurns(allHostileTexts.entries(), [0, 1, 2, 3, 4, 5, 6, 7], async ([at, text]) => {
    manifests.push({ ...(await image(`t${at}`, text)), platform: { os: text, architecture: text, variant: text } });
  });
  await manifest('all', { ...{ schemaVersion: 2, mediaType: types.index }, ...{ manifests } });
  const two = manifests.slice(0, 5).map((each) => ({ ...each, platform: { os: 'linux', architecture: 'amd64' } }));
  await manifest('two', { ...{ schemaVersion: 2, mediaType: types.index }, ...{ manifests: two } });
}
