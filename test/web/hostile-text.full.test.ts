/** What others wrote, pushed to a real registry as bytes, is text in a real browser: no element, no link, no width of its own. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBrowser } from '../support/browser.ts';
import { digestOf, types } from '../support/content.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { allHostileTexts, brief } from '../support/hostile-texts.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { basic } from '../support/trial.ts';
import { ask } from '../support/visitor.ts';
import { type Reader, expectText, inTurns, knownOf, openReader } from './hostile-reader.ts';

const password = 'right-and-long';
/** Each may turn sixty pages in a minute. */
const readers = Array.from({ length: 8 }, (_, at) => `reader${at}`);
const keepers = ['keeper0', 'keeper1', 'keeper2'];
const plain = 'https://plain.example/';
const repository = 'team/app';
/** What scripts and tables keyed by names stumble over, within what names may be made of. */
const hardNames = [
  'constructor',
  'hasownproperty',
  'null',
  '0',
  '1e999',
  'javascript',
  'script',
  'a--b',
  'a__b',
  'x.y-z',
];
const hardTags = [...hardNames, '__proto__', 'toString', 'NaN', '_', '_..', 'W'.repeat(128), `_${'-'.repeat(127)}`];
const hardRepositories = [...hardNames, 'ui/me', 'v2/token', 'hard/x'.repeat(30), 'y'.repeat(200), 'a/b/c/d/e/f/g/h/i'];
const hardAccounts = [...hardNames.slice(2), 'undefined', 'A.B+C@D-E', 'root@evil.example', 'W'.repeat(128)];
const hardFiles = [
  '"><img src=x onerror=alert(1)>',
  'a\u202eb',
  '<script>',
  "' onclick='alert(1)",
  '&lt;b&gt;',
  '#%00?',
];

describeWithPrograms(['chromium', 'docker-registry'], 'what others wrote, in a browser', () => {
  let registry: RegistryProcess;
  let gateway: GatewayProcess;
  let browser: Browser;
  let reading: readonly Reader[];
  let send: ReturnType<typeof sender>;

  beforeAll(async () => {
    const hash = await quickHash(password);
    const users = ['ada', ...readers, ...keepers].map((name) => `${name}: { password: "${hash}" }`);
    const policy = `
users: { ${users.join(', ')} }
rules:
  - { name: works, subjects: [authenticated], repositories: ["**"], actions: [pull, push] }
  - { name: looks-after, subjects: ["user:ada"], repositories: ["**"], actions: [inspect, administer] }
`;
    [registry, browser] = await Promise.all([startRegistry(), startBrowser()]);
    gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'p.yaml': policy } });
    send = sender(gateway.url);
    await pushAll(send, gateway.url);
    reading = await Promise.all(['ada', ...readers].map((name) => openReader(browser, gateway.url, name, password)));
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await gateway?.stop();
    await registry?.stop();
  });

  test('labels, commands, users, history, types and annotations of two hundred images make nothing but text', async () => {
    const known = knownOf(await reading[1]!.look(tagPage('plain')), await reading[2]!.look(tagPage('first')));
    const seen = new Set<string>();
    await inTurns(allHostileTexts.entries(), reading.slice(1), async ([at, text], reader) => {
      const found = await reader.look(tagPage(`t${at}`));
      expectText(found, known, text);
      if (/^[!-~](?:[ -~]*[!-~])?$/.test(text) && text.length < 256) expect(found.texts, brief(text)).toContain(text);
      seen.add(text);
    });
    expect(seen.size).toBeGreaterThanOrEqual(200);
    const attached = new Set<string>();
    await inTurns(attachedTo.entries(), reading.slice(1), async ([at, texts], reader) => {
      const found = await reader.look(tagPage(`subject${at}`));
      expectText(found, known, `attached to ${at}`);
      for (const text of found.texts) if (texts.includes(text)) attached.add(text);
    });
    expect(attached.size).toBeGreaterThanOrEqual(100);
  }, 300_000);

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

    const finding = allHostileTexts.filter((text) => text.length < 2000).slice(0, 30);
    for (const path of ['/ui/', `/ui/r/${repository}`]) {
      const known = knownOf(
        ...(await Promise.all(['', '?q=t1', '?q=xxx'].map((query, at) => others[at]!.look(path + query)))),
      );
      await inTurns(finding.values(), others, async (text, reader) => {
        expectText(await reader.look(`${path}?${new URLSearchParams({ q: text })}`), known, text);
      });
    }
  }, 300_000);

  test('names that a registry takes make nothing but text', async () => {
    const others = reading.slice(1);
    const known = knownOf(
      ...(await Promise.all(
        ['/ui/', tagPage('plain'), '/ui/r/plain/empty', `/ui/r/${repository}?q=first`].map((path, at) =>
          others[at]!.look(path),
        ),
      )),
    );
    const pages = [
      ...hardTags.flatMap((name) => [[name, tagPage(name)] as const]),
      ...hardTags.slice(0, 4).map((name) => [name, `/ui/r/${repository}?q=${name}`] as const),
      ...hardRepositories.flatMap((name) => [[name, `/ui/r/${name}`] as const, [name, `/ui/?q=${name}`] as const]),
    ];
    await inTurns(pages.values(), others, async ([name, path], reader) => {
      const found = await reader.look(path);
      expectText(found, known, name);
      expect(found.all, path).toContain(name);
    });
  });

  test('what people call their access tokens, and others their accounts, makes nothing but text', async () => {
    const labels = allHostileTexts.filter((text) => text.trim() !== '' && text.length <= 60).slice(0, 60);
    const make = (account: string, label: string): Promise<unknown> =>
      send('POST', '/api/v1/tokens', JSON.stringify({ label, lifetime: '1d' }), 'application/json', account);
    const made = new Set<string>();
    await inTurns(keepers.entries(), keepers, async ([at, account]) => {
      await make(account, 'plain');
      const reader = await openReader(browser, gateway.url, account, password);
      const known = knownOf(await reader.look('/ui/me'));
      for (const label of labels.slice(20 * at, 20 * at + 20))
        await make(account, label).then(
          () => made.add(label),
          (error: Error) => expect(error.message).toContain(': 400 '),
        );
      const found = await reader.look('/ui/me');
      expectText(found, known, `tokens of ${account}`);
      for (const label of made)
        if (/^[!-~]+$/.test(label) && labels.indexOf(label) < 20 * at + 20 && labels.indexOf(label) >= 20 * at)
          expect(found.texts).toContain(label);
    });
    expect(made.size).toBeGreaterThan(30);
    const [ada] = reading;
    const fail = (account: string): Promise<unknown> =>
      ask(gateway.url, '/token', { headers: { authorization: basic(account, 'wrong') } });
    for (let count = 0; count < 22; count++) await fail(`nobody${count}`);
    const known = knownOf(await ada!.look('/ui/activity'), await ada!.look('/ui/limits'));
    for (const account of allHostileTexts.filter((text) => text.length < 200).slice(0, 25)) await fail(account);
    for (const path of ['/ui/activity', '/ui/limits']) expectText(await ada!.look(path), known, path);
  }, 300_000);

  test('names of accounts, groups, rules and policy files, and what is wrong with them, make nothing but text', async () => {
    const [ada] = reading;
    const place = (name: string): string => join(gateway.policiesDir, `${name}.yaml`);
    const reload = (): Promise<unknown> => send('POST', '/api/v1/policy/reload', '{}', 'application/json');
    const access = `/ui/access?repository=${repository}&action=push&as=`;
    await writeFile(place('broken'), 'rules: [{ name: "?" }]\n');
    await reload();
    const known = knownOf(await ada!.look('/ui/policy'), await ada!.look('/ui/accounts'));
    await rm(place('broken'));
    const groups = allHostileTexts
      .filter((text) => text.length < 1000 && !/[^\P{C}\u{e000}]|\p{DI}|[\u2028\u2029]/u.test(text))
      .map((text, at) => [`g${at}`, { description: text }]);
    const users = hardAccounts.map((name) => [name, { groups: groups.slice(0, 3).map(([group]) => group) }]);
    const policy = { users: Object.fromEntries(users), groups: Object.fromEntries(groups), rules: [] as object[] };
    for (const [at, name] of hardFiles.entries()) {
      const rule = {
        name: `${hardNames[at]}`,
        subjects: [`user:${hardAccounts[at]}`],
        repositories: ['**'],
        actions: ['pull'],
      };
      await writeFile(
        place(name),
        JSON.stringify(at === 0 ? { ...policy, rules: [rule] } : { rules: [rule] }, undefined, 1),
      );
    }
    await reload();
    const knownAccess = knownOf(await ada!.look(`${access}user:reader0`), await ada!.look(`${access}user:keeper0`));
    const pages = [
      '/ui/policy',
      ...hardFiles.map((name) => `/ui/policy?file=${encodeURIComponent(`policies/${name}.yaml`)}`),
      '/ui/accounts',
    ];
    for (const path of pages) expectText(await ada!.look(path), known, path);
    for (const name of hardAccounts.slice(0, 8)) {
      const found = await ada!.look(`${access}user:${encodeURIComponent(name)}`);
      expectText(found, new Set([...known, ...knownAccess]), name);
      expect(found.all).toContain(`user:${name}`);
    }
    for (const name of hardFiles)
      await writeFile(
        place(name),
        JSON.stringify({ rules: [{ name: allHostileTexts[3], subjects: [allHostileTexts[0]] }] }),
      );
    await reload();
    const refused = await ada!.look('/ui/policy');
    expectText(refused, known, 'files that are not in force');
    expect(refused.all).toContain('not in force');
  }, 300_000);
});

const tagPage = (tag: string): string => `/ui/r/${repository}?tag=${tag}`;

/** Texts as what is attached to one image calls itself: as many as its page shows. */
const attachedTo = Array.from({ length: Math.ceil(allHostileTexts.length / 20) }, (_, at) =>
  allHostileTexts.slice(20 * at, 20 * at + 20),
);

/** As an account, byte for byte. */
function sender(url: string) {
  return async (method: string, target: string, body = '', type = 'application/octet-stream', account = 'ada') => {
    const authorization = basic(account, password);
    const sent = await ask(url, target, { method, headers: { authorization, 'content-type': type }, body });
    if (sent.status >= 300) throw new Error(`${method} ${target}: ${sent.status} ${sent.body}`);
    return sent;
  };
}

/** An image for each text, with the text in all that an image says of itself; indexes of them, and names. */
async function pushAll(send: ReturnType<typeof sender>, url: string): Promise<void> {
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
  const empty = { mediaType: types.layer, ...(await blob('')) };
  const image = async (tag: string, text: string, subject?: object) => {
    const name = text.length > 256 ? 'long' : text;
    const config = await blob(
      JSON.stringify({
        ...{ architecture: name, os: 'linux', author: name, created: '2026-06-01T00:00:00Z' },
        config: {
          ...{ User: name, Entrypoint: [name], Cmd: ['--', name], ExposedPorts: { [name]: {} } },
          Labels: { [name]: text, 'org.opencontainers.image.source': name },
        },
        history: [{ created_by: text, comment: name }, { created_by: '' }],
        rootfs: { type: 'layers', diff_ids: [] },
      }),
    );
    return manifest(tag, {
      ...{ schemaVersion: 2, mediaType: types.manifest },
      config: { mediaType: types.config, ...config },
      layers: [
        { ...layer, annotations: { [name]: name } },
        { ...empty, mediaType: name },
      ],
      ...(subject && { artifactType: name, subject: { ...subject, mediaType: name } }),
      annotations: { [name]: text, 'org.opencontainers.image.url': name },
    });
  };
  const manifests: object[] = [];
  const first = await image('first', plain);
  const attached = [await image('plain', plain, first)];
  await manifest(first.digest.replace(':', '-'), {
    ...{ schemaVersion: 2, mediaType: types.index },
    manifests: attached,
  });
  const ways = [0, 1, 2, 3, 4, 5, 6, 7];
  await inTurns(attachedTo.entries(), ways, async ([at, texts]) => {
    const subject = await image(`subject${at}`, `${plain}${at}`, first);
    const own: object[] = [];
    for (const [index, text] of texts.entries()) {
      const pushed = await image(`t${20 * at + index}`, text, subject);
      own.push({ ...pushed, artifactType: text, annotations: { [text]: text } });
      manifests.push({ ...pushed, platform: { os: text, architecture: text, variant: text } });
    }
    await manifest(subject.digest.replace(':', '-'), {
      ...{ schemaVersion: 2, mediaType: types.index },
      ...{ manifests: own },
    });
  });
  const nothing = { schemaVersion: 2, mediaType: types.index, manifests: [] };
  for (const tag of hardTags) await manifest(tag, { ...nothing, annotations: { tag } });
  for (const name of ['plain/empty', ...hardRepositories])
    await send('PUT', `/v2/${name}/manifests/v1`, JSON.stringify(nothing), types.index);
  await manifest('all', { ...{ schemaVersion: 2, mediaType: types.index }, ...{ manifests } });
  const two = manifests.slice(0, 5).map((each) => ({ ...each, platform: { os: 'linux', architecture: 'amd64' } }));
  await manifest('two', { ...{ schemaVersion: 2, mediaType: types.index }, ...{ manifests: two } });
}
