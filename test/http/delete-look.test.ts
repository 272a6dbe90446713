/** Deleting where the registry cannot take away one tag alone: every tag is looked at, for somebody who waits for it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf, types } from '../support/content.ts';
import { eventually } from '../support/eventually.ts';
import { quickHash } from '../support/policies.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { Visitor, ask } from '../support/visitor.ts';
import { type Front, credentials, passwordOf, startFront } from './support/front.ts';

const rules = `rules:
  - { name: all, subjects: [authenticated], repositories: ['**'], actions: [pull, delete] }
  - { name: keeps, effect: deny, subjects: [everyone], repositories: ['**'], tags: ['v*'], actions: [delete] }
`;
const manifest = JSON.stringify({ schemaVersion: 2, mediaType: types.manifest, layers: [] });
const digest = digestOf(Buffer.from(manifest));
const other = digestOf(Buffer.from('other'));
const tags = Array.from({ length: 120 }, (_, at) => `t${at}`);

let registry: StandIn;
let front: Front;

/** A repository of one test: requests for it that reached the registry, and how long one of a tag takes. */
interface Desk {
  readonly name: string;
  asked: string[];
  tagMs: number;
}
const desks = new Map<string, Desk>();
/** Milliseconds for a tag, while nobody is to see all of them. */
const slowMs = 150;
/** Each is looked at by an account of the same name. */
const names = ['api', 'page', 'form', 'several'];
const deskOf = (name: string): Desk => {
  const desk = { name, asked: [], tagMs: slowMs };
  desks.set(name, desk);
  return desk;
};

/** As distribution 2.8: no deletion by tag. */
function answer({ method = '', url = '' }: IncomingMessage, response: ServerResponse): void {
  const [, , repository = '', ...rest] = url.split('/');
  const desk = desks.get(repository);
  if (desk === undefined) return void response.end('{}');
  desk.asked.push(`${method} ${url}`);
  const name = rest.at(-1) ?? '';
  if (rest[0] === 'tags') return void response.end(JSON.stringify({ name: repository, tags: ['wip', ...tags] }));
  if (method === 'DELETE') return void response.writeHead(name.startsWith('sha256:') ? 202 : 405).end();
  const isTag = /^t\d/.test(name);
  const headers = { 'content-type': types.manifest, 'docker-content-digest': isTag ? other : digest };
  const end = (): void => void response.writeHead(200, headers).end(method === 'HEAD' ? undefined : manifest);
  setTimeout(end, isTag ? desk.tagMs : 0);
}

beforeAll(async () => {
  registry = await startStandIn(answer);
  const users = names.map(async (name) => `${name}: { password: '${await quickHash(passwordOf(name))}' }`);
  const text = `users: { ${(await Promise.all(users)).join(', ')} }\n${rules}`;
  front = await startFront({ rules: text, upstream: registry.url });
});
afterAll(async () => {
  await front.close();
  await registry.close();
  expect(front.errors).toEqual([]);
});

const placeOf = ({ name }: Desk): string => `repository=${name}&tag=wip`;
const heads = ({ asked }: Desk): number => asked.filter((line) => line.startsWith('HEAD')).length;
const basic = (account: string) => ({ authorization: `Basic ${credentials(account)}` });
const look = (desk: Desk, account = desk.name) =>
  ask(front.url, `/api/v1/delete?${placeOf(desk)}`, { headers: basic(account) });
const visitorOf = async ({ name }: Desk): Promise<Visitor> => {
  const visitor = new Visitor(front.url);
  await visitor.logIn(name, passwordOf(name));
  return visitor;
};

/** Sends a request, and goes away once the registry is asked about tags for it. */
async function leave(desk: Desk, path: string, init: RequestInit): Promise<void> {
  const before = heads(desk);
  const going = new AbortController();
  const sent = fetch(`${front.url}${path}`, { ...init, signal: going.signal, redirect: 'manual' });
  await eventually('tags are looked at', () => heads(desk) > before + 4);
  going.abort();
  await sent.catch(() => undefined);
}

/** Nothing more is asked: what was under way has been answered, and then some. */
async function endsSoon(desk: Desk): Promise<void> {
  let before = -1;
  await eventually('nothing more is asked', async () => {
    before = desk.asked.length;
    await new Promise((resolve) => setTimeout(resolve, 2 * desk.tagMs));
    return desk.asked.length === before;
  });
  expect(desk.asked.length).toBeLessThan(tags.length / 2);
}

/** What is written down of a request that its client left. */
async function expectGone(account: string, route: 'api' | 'ui'): Promise<void> {
  const isIt = (record: (typeof front.records)[number]): boolean =>
    record.account === account && record.route === route && record.decision !== 'allow';
  await eventually('it is written down', () => front.records.some(isIt));
  expect(front.records.find(isIt)).toMatchObject({ decision: 'error', reason: 'client_gone' });
}

const json = { 'content-type': 'application/json' };
const deletion = ({ name }: Desk, more: object): RequestInit => ({
  method: 'POST',
  headers: { ...basic(name), ...json },
  body: JSON.stringify({ repository: name, tag: 'wip', confirm: 'wip', digest, ...more }),
});

describe.concurrent('looking through the tags of a repository', () => {
  test('ends with the client that asks the API what a deletion would take', async () => {
    const desk = deskOf('api');
    await leave(desk, `/api/v1/delete?${placeOf(desk)}`, { headers: basic('api') });
    await endsSoon(desk);
    await expectGone('api', 'api');
  });

  test('ends with the client that asks the page for it, and asked anew the page has an answer', async () => {
    const desk = deskOf('page');
    const visitor = await visitorOf(desk);
    await leave(desk, `/ui/delete?${placeOf(desk)}`, { headers: { cookie: visitor.cookie } });
    await endsSoon(desk);
    await expectGone('page', 'ui');
    desk.tagMs = 0;
    expect((await visitor.get(`/ui/delete?${placeOf(desk)}`)).body).toContain('To delete it, type');
  });

  test('ends with the client that wants it deleted, and then nothing is', async () => {
    const desk = deskOf('form');
    desk.tagMs = 0;
    const { list } = JSON.parse((await look(desk)).body) as { readonly list: string };
    [desk.asked, desk.tagMs] = [[], slowMs];
    await leave(desk, '/api/v1/delete', deletion(desk, { list }));
    await endsSoon(desk);
    await expectGone('form', 'api');
    const deletions = (): readonly string[] => desk.asked.filter((line) => line.startsWith('DELETE'));
    expect(deletions()).toEqual(['DELETE /v2/form/manifests/wip']);
    // It is still there to be deleted.
    desk.tagMs = 0;
    expect((await fetch(`${front.url}/api/v1/delete`, deletion(desk, { list }))).status).toBe(200);
    expect(deletions()).toContain(`DELETE /v2/form/manifests/${digest}`);
  });

  test('is done once at a time for an account, by whatever way; others look as well', async () => {
    const desk = deskOf('several');
    const visitor = await visitorOf(desk);
    const going = new AbortController();
    const headers = basic('several');
    const first = fetch(`${front.url}/api/v1/delete?${placeOf(desk)}`, { headers, signal: going.signal });
    await eventually('tags are looked at', () => heads(desk) > 4);
    const [byApi, byPage, byForm] = await Promise.all([
      look(desk),
      visitor.get(`/ui/delete?${placeOf(desk)}`),
      fetch(`${front.url}/api/v1/delete`, deletion(desk, { list: '' })),
    ]);
    expect([byApi.status, byPage.status, byForm.status]).toEqual([503, 503, 503]);
    expect(JSON.parse(byApi.body)).toMatchObject({ type: 'busy', status: 503 });
    expect(Number(byApi.headers['retry-after'])).toBeGreaterThan(0);
    expect(byPage.body).toContain('for another deletion');
    const before = heads(desk);
    await leave(desk, `/api/v1/delete?${placeOf(desk)}`, { headers: basic('tess') });
    expect(heads(desk)).toBeGreaterThan(before);
    going.abort();
    await first.catch(() => undefined);
    desk.tagMs = 0;
    expect((await look(desk)).status).toBe(200);
  });
});
