/** Deleting where the registry cannot take away one tag alone: every tag is looked at, for somebody who waits for it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf, types } from '../support/content.ts';
import { eventually } from '../support/eventually.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { Visitor, ask } from '../support/visitor.ts';
import { type Front, credentials, passwordOf, startFront } from './support/front.ts';

const rules = `rules:
  - { name: all, subjects: ['user:dana', 'user:tess'], repositories: ['**'], actions: [pull, delete] }
  - { name: keeps, effect: deny, subjects: [everyone], repositories: ['**'], tags: ['v*'], actions: [delete] }
`;
const manifest = JSON.stringify({ schemaVersion: 2, mediaType: types.manifest, layers: [] });
const digest = digestOf(Buffer.from(manifest));
const other = digestOf(Buffer.from('other'));

let registry: StandIn;
let front: Front;
/** Requests that reached the registry, and how long it takes for one of a tag. */
let asked: string[];
let tagMs: number;
let tags: readonly string[];

/** As distribution 2.8: no deletion by tag. */
function answer({ method = '', url = '' }: IncomingMessage, response: ServerResponse): void {
  if (url === '/v2/') return void response.end('{}');
  asked.push(`${method} ${url}`);
  const name = url.split('/').at(-1) ?? '';
  if (url.includes('/tags/list')) return void response.end(JSON.stringify({ name: 'app', tags: ['wip', ...tags] }));
  if (method === 'DELETE') return void response.writeHead(name.startsWith('sha256:') ? 202 : 405).end();
  const headers = { 'content-type': types.manifest, 'docker-content-digest': tags.includes(name) ? other : digest };
  const end = (): void => void response.writeHead(200, headers).end(method === 'HEAD' ? undefined : manifest);
  setTimeout(end, tags.includes(name) ? tagMs : 0);
}

beforeEach(async () => {
  [asked, tagMs, tags] = [[], 50, Array.from({ length: 400 }, (_, at) => `t${at}`)];
  registry = await startStandIn(answer);
  front = await startFront({ rules, upstream: registry.url });
});
afterEach(async () => {
  await front.close();
  await registry.close();
  expect(front.errors).toEqual([]);
});

const place = 'repository=app&tag=wip';
const heads = (): number => asked.filter((line) => line.startsWith('HEAD')).length;
const basic = (account: string) => ({ authorization: `Basic ${credentials(account)}` });
const look = (account = 'dana') => ask(front.url, `/api/v1/delete?${place}`, { headers: basic(account) });

/** Sends a request, and goes away once the registry is asked about tags for it. */
async function leave(path: string, init: RequestInit): Promise<void> {
  const before = heads();
  const going = new AbortController();
  const sent = fetch(`${front.url}${path}`, { ...init, signal: going.signal, redirect: 'manual' });
  await eventually('tags are looked at', () => heads() > before + 8);
  going.abort();
  await sent.catch(() => undefined);
}

/** Nothing more is asked: what was under way has been answered, and then some. */
async function endsSoon(): Promise<void> {
  let before = -1;
  await eventually('nothing more is asked', async () => {
    before = asked.length;
    await new Promise((resolve) => setTimeout(resolve, 3 * tagMs));
    return asked.length === before;
  });
  expect(asked.length).toBeLessThan(tags.length / 2);
}

const json = { 'content-type': 'application/json' };
const deletion = (more: object): RequestInit => ({
  method: 'POST',
  headers: { ...basic('dana'), ...json },
  body: JSON.stringify({ repository: 'app', tag: 'wip', confirm: 'wip', digest, ...more }),
});

describe('looking through the tags of a repository ends with the client', () => {
  test('that asks the API what a deletion would take', async () => {
    await leave(`/api/v1/delete?${place}`, { headers: basic('dana') });
    await endsSoon();
    const written = front.records.find(({ route }) => route === 'api');
    expect(written).toMatchObject({ decision: 'error', reason: 'client_gone', account: 'dana' });
  });

  test('that asks the page for it, and asked anew the page has an answer', async () => {
    const dana = new Visitor(front.url);
    await dana.logIn('dana', passwordOf('dana'));
    await leave(`/ui/delete?${place}`, { headers: { cookie: dana.cookie } });
    await endsSoon();
    tagMs = 0;
    expect((await dana.get(`/ui/delete?${place}`)).body).toContain('To delete it, type');
  });

  test('that wants it deleted, and then nothing is', async () => {
    tagMs = 0;
    const { list } = JSON.parse((await look()).body) as { readonly list: string };
    [asked, tagMs] = [[], 50];
    await leave('/api/v1/delete', deletion({ list }));
    await endsSoon();
    expect(asked.filter((line) => line.startsWith('DELETE'))).toEqual(['DELETE /v2/app/manifests/wip']);
    // It is still there to be deleted.
    tagMs = 0;
    expect((await fetch(`${front.url}/api/v1/delete`, deletion({ list }))).status).toBe(200);
    expect(asked).toContain(`DELETE /v2/app/manifests/${digest}`);
  });
});

test('an account looks at one deletion at a time, by whatever way; others look as well', async () => {
  const going = new AbortController();
  const first = fetch(`${front.url}/api/v1/delete?${place}`, { headers: basic('dana'), signal: going.signal });
  const dana = new Visitor(front.url);
  await dana.logIn('dana', passwordOf('dana'));
  await eventually('tags are looked at', () => heads() > 8);
  const [byApi, byPage, byForm] = await Promise.all([
    look(),
    dana.get(`/ui/delete?${place}`),
    fetch(`${front.url}/api/v1/delete`, deletion({ list: '' })),
  ]);
  expect([byApi.status, byPage.status, byForm.status]).toEqual([503, 503, 503]);
  expect(JSON.parse(byApi.body)).toMatchObject({ type: 'busy', status: 503 });
  expect(Number(byApi.headers['retry-after'])).toBeGreaterThan(0);
  expect(byPage.body).toContain('for another deletion');
  const before = heads();
  await leave(`/api/v1/delete?${place}`, { headers: basic('tess') });
  expect(heads()).toBeGreaterThan(before);
  going.abort();
  await first.catch(() => undefined);
  tagMs = 0;
  expect((await look()).status).toBe(200);
});
