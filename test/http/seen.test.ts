/** What the gateway remembers of what the registry confirmed. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createMemoryTagActivity } from '../../src/adapters/memory/tag-activity.ts';
import type { TagActivity, TagHistory } from '../../src/ports.ts';
import { contentWriter, digestOf, types } from '../support/content.ts';
import { type MemoryRegistry, startMemoryRegistry } from '../support/memory-registry.ts';
import { eventually } from '../support/eventually.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { startRegistry } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { type Front, credentials, startFront } from './support/front.ts';

const rules = `rules:
  - { name: all, subjects: ['user:dana'], repositories: ['**'], actions: [pull, push, delete, promote] }
  - { name: read, subjects: ['user:tess'], repositories: ['**'], actions: [pull] }
`;
const manifest = JSON.stringify({ schemaVersion: 2, mediaType: types.manifest, layers: [] });
const digest = digestOf(Buffer.from(manifest));

let front: Front;
let registry: MemoryRegistry | undefined;
afterEach(async () => {
  await registry?.close();
  registry = undefined;
});

async function open(): Promise<MemoryRegistry> {
  registry = await startMemoryRegistry();
  front = await startFront({ rules, upstream: registry.url });
  return registry;
}

function send(method: string, path: string, account = 'dana', body?: string): Promise<Response> {
  const headers = { authorization: `Basic ${credentials(account)}`, 'content-type': types.manifest };
  return fetch(`${front.url}/v2/${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
}
const push = (path: string, account?: string): Promise<Response> => send('PUT', path, account, manifest);

/** What is known when the gateway has ended. */
async function remembered(): Promise<TagActivity> {
  await front.gateway.close();
  const text = await readFile(join(front.stateDir, 'tag-activity.json'), 'utf8').catch(() => undefined);
  const path = join(await makeTempDir('seen'), 'tags.json');
  if (text !== undefined) await writeFile(path, text, { mode: 0o600 });
  await front.close();
  const problems: string[] = [];
  const activity = createMemoryTagActivity({
    file: path,
    clock: Date.now,
    onProblem: ({ message }) => problems.push(message),
  });
  expect(problems).toEqual([]);
  await removeTempDir(dirname(path));
  return activity;
}
const tagsOf = async (activity: TagActivity, repository: string): Promise<readonly string[] | undefined> =>
  (await activity.newest(repository, 100))?.map(({ tag }) => tag).sort();

describe('the gateway remembers', () => {
  test('who wrote a tag, and when', async () => {
    await open();
    const before = Date.now();
    expect((await push('a/b/manifests/1.0')).status).toBe(201);
    const activity = await remembered();
    expect(await activity.newest('a/b', 9)).toEqual([
      { tag: '1.0', digest, by: 'dana', at: expect.any(Number) as number },
    ]);
    const [last] = (await activity.newest('a/b', 9)) ?? [];
    expect(last?.at).toBeGreaterThanOrEqual(before);
    expect(last?.at).toBeLessThanOrEqual(Date.now());
  });

  test('nothing of a push that was refused, here or by the registry, or that it did not answer', async () => {
    const { intercept } = await open();
    expect((await push('a/manifests/refused', 'tess')).status).toBe(403);
    expect((await send('PUT', 'a/manifests/invalid', 'dana', '{"layers":[{"digest":"sha256:0"}]}')).status).toBe(400);
    for (const [tag, status] of [
      ['broken', 500],
      ['moved', 307],
    ] as const) {
      if (registry !== undefined)
        registry.intercept = (_line, _request, response) => {
          response.writeHead(status).end();
          return true;
        };
      expect((await push(`a/manifests/${tag}`)).status).toBeGreaterThanOrEqual(300);
    }
    if (registry !== undefined) registry.intercept = (_line, request) => Boolean(request.socket.destroy());
    expect((await push('a/manifests/cut')).status).toBe(502);
    if (registry !== undefined) registry.intercept = intercept;
    expect(await tagsOf(await remembered(), 'a')).toEqual([]);
  });

  test('when a tag was pulled: by GET, also out of memory, and not by a look, by digest, or where nothing came', async () => {
    await open();
    for (const tag of ['seen', 'looked', 'digest', 'kept']) await push(`a/manifests/${tag}`);
    expect((await send('GET', 'a/manifests/seen', 'tess')).status).toBe(200);
    expect((await send('GET', `a/manifests/${digest}`, 'tess')).status).toBe(200);
    expect((await send('HEAD', 'a/manifests/looked', 'tess')).status).toBe(200);
    expect((await send('GET', 'a/manifests/never', 'tess')).status).toBe(404);
    const activity = await remembered();
    const known =
      (await activity.of('a', ['seen', 'looked', 'digest', 'kept', 'never'])) ?? new Map<string, TagHistory>();
    expect([...known].filter(([, { lastPull }]) => lastPull !== undefined).map(([tag]) => tag)).toEqual(['seen']);
  });

  test('a pull as containerd does it: the tag by HEAD, then its digest by GET of the same account', async () => {
    await open();
    for (const tag of ['pulled', 'looked']) await push(`a/manifests/${tag}`);
    await send('PUT', 'a/manifests/other', 'dana', manifest.replace('}', ' }'));
    expect((await send('HEAD', 'a/manifests/looked', 'dana')).status).toBe(200);
    const looked = await send('HEAD', 'a/manifests/pulled', 'tess');
    expect(looked.headers.get('docker-content-digest')).toBe(digest);
    expect((await send('HEAD', 'a/manifests/other', 'tess')).status).toBe(200);
    expect((await send('GET', `a/manifests/${digest}`, 'tess')).status).toBe(200);
    const known = (await (await remembered()).of('a', ['pulled', 'looked', 'other'])) ?? new Map<string, TagHistory>();
    expect([...known].filter(([, { lastPull }]) => lastPull !== undefined).map(([tag]) => tag)).toEqual(['pulled']);
  });

  test('a pull that memory answered', async () => {
    const { requests } = await open();
    await push('b/manifests/t');
    const tagged = (): Promise<Response> => send('GET', 'b/manifests/t', 'tess');
    await tagged();
    const asked = requests.filter((line) => line.startsWith('GET')).length;
    await (await tagged()).text();
    expect(requests.filter((line) => line.startsWith('GET')).length).toBe(asked);
    const activity = await remembered();
    expect((await activity.of('b', ['t']))?.get('t')?.lastPull).toBeGreaterThan(0);
  });

  test('of a push by digest with tags those that the registry says it set', async () => {
    const { intercept } = await open();
    const path = `a/manifests/${digest}?tag=one&tag=two&tag=three`;
    expect((await push(path)).status).toBe(201);
    expect((await push('quiet/manifests/own')).status).toBe(201);
    if (registry !== undefined)
      registry.intercept = (line, _request, response) => {
        if (!line.startsWith('PUT')) return false;
        response.writeHead(201, { 'docker-content-digest': digest, 'oci-tag': 'one, two' }).end();
        return true;
      };
    expect((await push(path.replace('a/', 'named/'))).status).toBe(201);
    if (registry !== undefined) registry.intercept = intercept;
    const activity = await remembered();
    expect([await tagsOf(activity, 'a'), await tagsOf(activity, 'named')]).toEqual([[], ['one', 'two']]);
  });
});

test('a long list is answered without the registry, until this gateway made a repository or emptied one', async () => {
  let asked = 0;
  const repositories = Array.from({ length: 1500 }, (_, at) => `a/${String(at).padStart(4, '0')}`);
  const seeing = rules.replace('actions: [pull,', 'actions: [catalog, pull,');
  const hold = (line: string): Promise<void> => Promise.resolve(void (asked += line.includes('_catalog') ? 1 : 0));
  front = await startFront({ rules: seeing, repositories, hold });
  /** How often the registry was asked for one list. */
  const list = async (): Promise<number> => {
    const before = asked;
    expect((await send('GET', '_catalog?n=1000&last=a/0010')).status).toBe(200);
    return asked - before;
  };
  expect(await list()).toBeGreaterThan(0);
  await eventually('a walk has ended', async () => (await list()) === 0);
  await push('a/0007/manifests/t');
  expect(await list()).toBe(0);
  await push('b/new/manifests/t');
  expect(await list()).toBeGreaterThan(0);
  await eventually('a walk has ended', async () => (await list()) === 0);
  await send('DELETE', `a/0007/manifests/${digest}`);
  expect(await list()).toBeGreaterThan(0);
  await front.close();
});

describeWithPrograms(['docker-registry'], 'in front of a real registry the gateway remembers', () => {
  test('that tags went, by their names and by their digest, and none that stayed', async () => {
    const behind = await startRegistry();
    front = await startFront({ rules, upstream: behind.url });
    const there = contentWriter(behind.url);
    const image = await there.image('a/b', 'before');
    const content = image.content.toString();
    for (const tag of ['one', 'two', 'three']) await send('PUT', `a/b/manifests/${tag}`, 'dana', content);
    const other = await there.image('a/b', 'x');
    await send('PUT', 'a/b/manifests/other', 'dana', other.content.toString());
    expect((await send('DELETE', `a/b/manifests/${image.digest}`, 'tess')).status).toBe(403);
    // 2.8 cannot delete by tag.
    expect((await send('DELETE', 'a/b/manifests/other')).status).toBeGreaterThanOrEqual(400);
    expect((await send('DELETE', `a/b/manifests/${image.digest}`)).status).toBe(202);
    expect((await send('GET', 'a/b/manifests/two')).status).toBe(404);
    expect(await tagsOf(await remembered(), 'a/b')).toEqual(['other']);
    await behind.stop();
  });

  test('who promoted what', async () => {
    const behind = await startRegistry();
    front = await startFront({ rules, upstream: behind.url });
    const image = await contentWriter(behind.url).image('integration/one', '1.0');
    const asked = await fetch(`${front.url}/api/v1/promotions`, {
      method: 'POST',
      headers: { authorization: `Basic ${credentials('dana')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ source: 'integration/one:1.0', target: 'release/one:v1' }),
    });
    expect(asked.status).toBe(201);
    expect(await (await remembered()).newest('release/one', 9)).toMatchObject([
      { tag: 'v1', digest: image.digest, by: 'dana' },
    ]);
    await behind.stop();
  });

  test('names of repositories: a list shows what was just pushed, after any number of lists', async () => {
    const behind = await startRegistry();
    const seeing = rules.replace('actions: [pull,', 'actions: [catalog, pull,');
    front = await startFront({ rules: seeing, upstream: behind.url });
    const there = contentWriter(behind.url);
    const list = async (): Promise<unknown> => (await send('GET', '_catalog?n=100')).json();
    await there.image('a', 't');
    for (let count = 0; count < 3; count++) expect(await list()).toEqual({ repositories: ['a'] });
    const image = await there.image('b', 't');
    await send('PUT', 'b/manifests/own', 'dana', image.content.toString());
    expect(await list()).toEqual({ repositories: ['a', 'b'] });
    await front.close();
    await behind.stop();
  });
});
