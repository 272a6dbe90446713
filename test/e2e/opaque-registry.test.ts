/** A registry that goes on in words of its own, behind two gateways that share policies and keys but no Redis. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OpaqueRegistry, digestOf, startOpaqueRegistry } from '../support/registries.ts';
import { quickHash } from '../support/policies.ts';
import { createApi } from '../support/registry-api.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const opened = '/v2/team/app/blobs/uploads/';
const octets = { 'content-type': 'application/octet-stream' };
const password = 'opens only her own';

describe.each(['path', 'query'] as const)('a registry whose uploads go on by their %s', (place) => {
  let registry: OpaqueRegistry;
  let replicas: Replicas;
  beforeAll(async () => {
    registry = await startOpaqueRegistry(names, place);
    const hash = await quickHash(password);
    replicas = await startReplicas({
      upstream: registry.url,
      policies: {
        'p.yaml': `
users: { dana: { password: "${hash}" }, otto: { password: "${hash}" } }
rules:
  - { name: team, subjects: [authenticated], repositories: ["**"], actions: [pull, push, delete, catalog] }
  - { name: no-c, effect: deny, subjects: ["user:otto"], repositories: ["c"], actions: [pull] }
  - { name: no-tag, effect: deny, subjects: [authenticated], repositories: ["team/hides"], tags: ["c"], actions: [pull] }
`,
      },
    });
  });
  afterAll(async () => {
    await replicas?.stop();
    await registry?.close();
  });

  /** In turns: no step comes to the gateway that served the one before. */
  function ask(replica: number, method: string, target: string, body?: string, account = 'dana'): Promise<Response> {
    const { url = '' } = replicas.gateways[replica % 2] ?? {};
    return createApi(url, account, password).request(method, target, body, body === undefined ? {} : octets);
  }
  const next = (reply: Response): string => {
    const location = reply.headers.get('location') ?? '';
    expect(location).toMatch(/^\/v2\/team\/app\/blobs\/uploads\/[A-Za-z0-9._-]+\?_portcullis=[A-Za-z0-9_-]+$/);
    return location;
  };
  const since = (count: number): readonly string[] => registry.requests.slice(count);

  test('takes a blob in steps that reach different gateways', async () => {
    const content = randomBytes(40).toString('hex');
    const start = await ask(0, 'POST', opened);
    const first = await ask(1, 'PATCH', next(start), content.slice(0, 30));
    const second = await ask(0, 'PATCH', next(first), content.slice(30, 50));
    const status = await ask(1, 'GET', next(second));
    const done = await ask(0, 'PUT', `${next(status)}&digest=${digestOf(content)}`, content.slice(50));
    expect([start, first, second, status, done].map((reply) => reply.status)).toEqual([202, 202, 202, 204, 201]);
    expect(status.headers.get('range')).toBe('0-49');
    expect(done.headers.get('location')).toBe(`/v2/team/app/blobs/${digestOf(content)}`);
    expect(registry.blobs.get(digestOf(content))).toBe(content);

    const cancelled = await ask(1, 'DELETE', next(await ask(0, 'POST', opened)));
    expect(cancelled.status).toBe(204);
  });

  test('sees nothing of a ticket that was touched, or of another upload, repository, gateway or account', async () => {
    const location = next(await ask(0, 'POST', opened));
    const other = next(await ask(0, 'POST', opened));
    const [path = '', ticket = ''] = location.split('?_portcullis=');
    const [otherPath = '', otherTicket = ''] = other.split('?_portcullis=');
    const before = registry.requests.length;
    const flip = (at: number): string =>
      `${ticket.slice(0, at)}${ticket[at] === 'A' ? 'B' : 'A'}${ticket.slice(at + 1)}`;
    const strange = [
      ...[0, 1, 20, Math.floor(ticket.length / 2), ticket.length - 3].map(flip),
      ...[1, 2, 4, 30, ticket.length - 1].map((cut) => ticket.slice(0, -cut)),
      ticket.slice(1),
      `${ticket}A`,
      ticket + ticket,
      ticket.toLowerCase(),
      'x',
    ].map((changed) => `${path}?_portcullis=${changed}`);
    const foreign = [
      location.replace('team/app', 'team/hides'),
      // Both stand in the query of one and the same path, unless the gateway names uploads apart.
      `${path}?_portcullis=${otherTicket}`,
      `${otherPath}?_portcullis=${ticket}`,
      `${location}&_portcullis=${ticket}`,
    ];
    for (const target of [...strange, ...foreign])
      for (const method of ['PATCH', 'PUT', 'GET', 'DELETE']) {
        const body = method === 'PATCH' || method === 'PUT' ? 'content' : undefined;
        const full = method === 'PUT' ? `${target}&digest=${digestOf('content')}` : target;
        const { status } = await ask(before, method, full, body);
        expect([method, target, [400, 404].includes(status)]).toEqual([method, target, true]);
      }
    for (const method of ['PATCH', 'GET', 'DELETE'])
      expect((await ask(1, method, location, method === 'PATCH' ? 'x' : undefined, 'otto')).status).toBe(404);
    expect(since(before)).toEqual([]);
    expect((await ask(1, 'PATCH', location, 'content')).status).toBe(202);
  });

  test('gets its own parameters back and none that a client adds', async () => {
    const begun = registry.requests.length;
    const added = 'state=evil&session=evil&mount=evil&_state=evil';
    const start = await ask(0, 'POST', `${opened}?${added}`);
    const first = await ask(1, 'PATCH', `${next(start)}&${added}`, 'con');
    const [path = '', ticket = ''] = next(first).split('?');
    const second = await ask(0, 'PATCH', `${path}?${added}&${ticket}`, 'tent');
    const done = await ask(1, 'PUT', `${next(second)}&${added}&digest=${digestOf('content')}`);
    expect([start, first, second, done].map((reply) => reply.status)).toEqual([202, 202, 202, 201]);
    // Without a ticket, its own words are as good as none.
    const [, own = ''] = /\?(state=.*)&digest/.exec(registry.requests.at(-1) ?? '') ?? [];
    expect(own).toContain('+%2f==&A=b%20&session=');
    await ask(0, 'PATCH', `${next(await ask(0, 'POST', opened)).split('?')[0] ?? ''}?${own}`, 'x');
    const lines = since(begun);
    expect(lines.join('\n')).not.toContain('evil');
    expect(lines.filter((line) => line.includes(own))).toHaveLength(1);
    await ask(0, 'GET', '/v2/team/app/tags/list?n=3&token=evil&page=evil');
    await ask(0, 'GET', '/v2/_catalog?n=3&token=evil&page=evil');
    expect(registry.requests.join('\n')).not.toContain('evil');
  });

  const lists: readonly (readonly [what: string, path: string, account: string, seen: readonly string[]])[] = [
    ['tags', '/v2/team/app/tags/list', 'dana', names],
    ['tags of which one is hidden', '/v2/team/hides/tags/list', 'dana', names.filter((name) => name !== 'c')],
    ['repositories', '/v2/_catalog', 'dana', names],
    ['repositories of which one is hidden', '/v2/_catalog', 'otto', names.filter((name) => name !== 'c')],
    ['referrers', `/v2/team/app/referrers/${digestOf('x')}`, 'dana', names],
  ];
  test.each(lists)('lists %s to the end, pages from different gateways', async (_what, path, account, seen) => {
    for (const size of ['', '?n=1', '?n=2', '?n=3']) {
      const found: string[] = [];
      let target: string | undefined = path + size;
      for (let page = 0; target !== undefined && page < 20; page++) {
        const reply = await ask(page, 'GET', target, undefined, account);
        expect(reply.status).toBe(200);
        found.push(...namesIn((await reply.json()) as Listed, path));
        target = /^<([^>]*)>; rel="next"$/.exec(reply.headers.get('link') ?? '')?.[1];
        expect(target ?? path).toContain(path);
      }
      expect([size, found]).toEqual([size, seen]);
    }
  });

  test.each(lists)('%s: a cursor that was touched, or of another list or reader, is not asked', async (...list) => {
    const [, path, account] = list;
    // The third name is on a page that only the registry can name.
    const page = await ask(0, 'GET', `${path}?n=3`, undefined, account);
    const [, target = ''] = /^<([^>]*)>/.exec(page.headers.get('link') ?? '') ?? [];
    const [, cursor = ''] = /_portcullis=([^&]*)/.exec(target) ?? [];
    expect(cursor).not.toBe('');
    const before = registry.requests.length;
    const [shorter, changed] = [cursor.slice(0, -2), `${cursor.slice(0, -3)}${cursor.endsWith('AAA') ? 'BBB' : 'AAA'}`];
    for (const strange of [shorter, changed, `${cursor}A`])
      expect((await ask(1, 'GET', `${path}?n=3&_portcullis=${strange}`, undefined, account)).status).toBe(400);
    expect((await ask(1, 'GET', target, undefined, account === 'dana' ? 'otto' : 'dana')).status).toBe(400);
    const elsewhere = ['/v2/team/other/tags/list', '/v2/_catalog', `/v2/team/app/referrers/${digestOf('y')}`];
    for (const list of elsewhere.filter((other) => other !== path))
      expect((await ask(1, 'GET', `${list}?n=3&_portcullis=${cursor}`, undefined, account)).status).toBe(400);
    expect(since(before)).toEqual([]);
  });
});

interface Listed {
  readonly repositories?: readonly string[];
  readonly tags?: readonly string[];
  readonly manifests?: readonly { readonly artifactType?: string }[];
}

function namesIn({ repositories = [], tags = [], manifests = [] }: Listed, path: string): readonly string[] {
  if (path.includes('/referrers/')) return manifests.map(({ artifactType = '' }) => artifactType);
  return path.endsWith('/_catalog') ? repositories : tags;
}
