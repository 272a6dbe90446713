/** Access tokens of people with the clients that they are for: the built program twice, on one real Redis. */
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientKinds } from '../support/clients.ts';
import { eventually } from '../support/eventually.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import type { RedisProcess } from '../support/registry.ts';
import { type Site, startSite } from '../support/replicas.ts';

const password = `long-and-${randomBytes(6).toString('hex')}`;
const policy = `
users: { dana: { password: "${await quickHash(password)}" } }
rules:
  - { name: dev, subjects: [user:dana], repositories: ["sandbox/**", "other/**"], actions: [pull, push, delete, promote, catalog] }
`;

const basic = (secret: string, account = 'dana') => `Basic ${Buffer.from(`${account}:${secret}`).toString('base64')}`;

interface Made {
  readonly secret: string;
  readonly token: { readonly id: string };
}

async function make(url: string, terms: object): Promise<Made> {
  const reply = await fetch(`${url}/api/v1/tokens`, {
    method: 'POST',
    headers: { authorization: basic(password), 'content-type': 'application/json' },
    body: JSON.stringify({ label: 'test', ...terms }),
  });
  expect(reply.status).toBe(200);
  return (await reply.json()) as Made;
}

/**
 * How often the store was asked about a session while `work` ran. All commands would tell how long it took as well:
 * gateways ask for themselves every second.
 */
async function questionsAboutSessions({ url }: RedisProcess, work: () => Promise<void>): Promise<number> {
  const client = new Redis(url);
  const monitor = await client.monitor();
  let questions = 0;
  const ended = new Promise<void>((resolve) => {
    monitor.on('monitor', (_time: string, args: string[]) => {
      if (args.some((arg) => arg.includes('{sessions}:token:'))) questions++;
      if (args.includes('the end')) resolve();
    });
  });
  await work();
  await client.echo('the end');
  await ended;
  monitor.disconnect();
  client.disconnect();
  return questions;
}

async function status(url: string, authorization: string, init: RequestInit = {}): Promise<number> {
  const reply = await fetch(url, {
    ...init,
    headers: { accept: 'application/vnd.oci.image.manifest.v1+json', ...init.headers, authorization },
  });
  await reply.arrayBuffer();
  return reply.status;
}

for (const kind of clientKinds.filter(({ name }) => ['docker', 'podman', 'skopeo'].includes(name))) {
  describeWithPrograms([...kind.needs, 'docker-registry', 'redis-server'], `${kind.name} over two gateways`, () => {
    let site: Site;
    beforeAll(async () => {
      site = await startSite(policy);
    });
    afterAll(() => site?.stop());

    test("docker login with a token of one's own, push, revoke", async () => {
      const { host } = new URL(site.url);
      const running = await kind.start(host);
      const session = await running.open();
      try {
        const made = await make(site.url, { repositories: ['sandbox/**'], actions: ['pull', 'push'] });
        const wrong = await session.login({ account: 'otto', password: made.secret });
        expect(wrong.succeeded).toBe(false);
        const login = await session.login({ account: 'dana', password: made.secret });
        expect(login.succeeded, login.text).toBe(true);
        const pushed = await session.push(`${host}/sandbox/app:1`);
        expect(pushed.succeeded, pushed.text).toBe(true);
        const beyond = await session.push(`${host}/other/app:1`);
        expect(beyond.succeeded).toBe(false);
        expect(beyond.text).toContain('its token was not made for it');
        expect(await status(`${site.url}/api/v1/tokens/${made.token.id}`, basic(password), { method: 'DELETE' })).toBe(
          200,
        );
        await eventually(
          'both replicas refuse it',
          async () => {
            const all = site.gateways.map(({ url }) => status(`${url}/v2/`, basic(made.secret)));
            return (await Promise.all(all)).every((one) => one === 401);
          },
          5000,
        );
        const refused = await session.push(`${host}/sandbox/app:2`);
        expect(refused.succeeded).toBe(false);
      } finally {
        await session.end();
        await running.stop();
      }
    });
  });
}

describeWithPrograms(['docker-registry', 'redis-server'], 'a client that sends Basic on every request, as Jib', () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite(policy);
  });
  afterAll(() => site?.stop());

  const content = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json' }),
  );

  async function blob(repository: string, secret: string, text: string): Promise<{ digest: string; status: number }> {
    const { createHash } = await import('node:crypto');
    const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
    const begun = await fetch(`${site.url}/v2/${repository}/blobs/uploads/`, {
      method: 'POST',
      headers: { authorization: basic(secret) },
    });
    await begun.arrayBuffer();
    if (begun.status !== 202) return { digest, status: begun.status };
    const location = new URL(begun.headers.get('location') ?? '', site.url);
    location.searchParams.set('digest', digest);
    return { digest, status: await status(location.href, basic(secret), { method: 'PUT', body: text }) };
  }

  test('pushes, and with a narrow token reaches nothing more by any route', async () => {
    const wide = await make(site.url, {});
    const { digest, status: put } = await blob('other/app', wide.secret, '{}');
    expect(put).toBe(201);
    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 };
    const manifest = JSON.stringify({ ...(JSON.parse(content.toString()) as object), config, layers: [] });
    const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
    const putManifest = (repository: string, tag: string, secret: string) =>
      status(`${site.url}/v2/${repository}/manifests/${tag}`, basic(secret), {
        method: 'PUT',
        headers,
        body: manifest,
      });
    expect(await putManifest('other/app', '1', wide.secret)).toBe(201);

    const narrow = (await make(site.url, { repositories: ['sandbox/**'], actions: ['pull', 'create', 'catalog'] }))
      .secret;
    expect((await blob('sandbox/app', narrow, '{}')).status).toBe(201);
    expect(await putManifest('sandbox/app', '1', narrow)).toBe(201);
    const second = manifest.replace('"layers":[]', '"layers":[],"annotations":{"a":"b"}');
    const move = { method: 'PUT', headers, body: second };
    for (const authorization of [basic(narrow), `Bearer ${await issued(narrow, 'repository:sandbox/app:pull,push')}`]) {
      expect(await status(`${site.url}/v2/sandbox/app/manifests/1`, authorization, move)).toBe(403);
      expect(await status(`${site.url}/v2/sandbox/app/manifests/1`, authorization)).toBe(200);
      expect(await status(`${site.url}/v2/sandbox/app/manifests/1`, authorization, { method: 'DELETE' })).toBe(403);
    }
    const wideScope = await issued(narrow, 'repository:other/app:pull,push,delete,promote registry:catalog:*');
    for (const authorization of [basic(narrow), `Bearer ${wideScope}`]) {
      for (const path of [`manifests/1`, `blobs/${digest}`, `tags/list`, `referrers/${digest}`])
        expect([path, await status(`${site.url}/v2/other/app/${path}`, authorization)]).toEqual([path, 403]);
      const listed = await fetch(`${site.url}/v2/_catalog`, { headers: { authorization } });
      expect(await listed.json()).toEqual({ repositories: ['sandbox/app'] });
    }
    const mount = `${site.url}/v2/sandbox/mounted/blobs/uploads/?mount=${digest}&from=other/app`;
    expect(await status(mount, basic(narrow), { method: 'POST' })).toBe(202);
    const promoted = await fetch(`${site.url}/api/v1/promotions`, {
      method: 'POST',
      headers: { authorization: basic(narrow), 'content-type': 'application/json' },
      body: JSON.stringify({ source: 'other/app:1', target: 'sandbox/app:2' }),
    });
    expect([403, 404]).toContain(promoted.status);
    const toOther = await fetch(`${site.url}/api/v1/promotions`, {
      method: 'POST',
      headers: { authorization: basic(narrow), 'content-type': 'application/json' },
      body: JSON.stringify({ source: 'sandbox/app:1', target: 'other/app:2' }),
    });
    expect([403, 404]).toContain(toOther.status);
  });

  async function issued(secret: string, scopes: string): Promise<string> {
    const query = new URLSearchParams({ scope: scopes, offline_token: 'true' });
    const reply = await fetch(`${site.url}/token?${query.toString()}`, {
      headers: { authorization: basic(secret) },
    });
    const body = (await reply.json()) as { token: string; refresh_token?: string };
    expect(body.refresh_token).toBeUndefined();
    return body.token;
  }

  test('costs the store nothing while it is remembered, and is 503 when nobody can tell', async () => {
    const { secret } = await make(site.url, {});
    const [gateway] = site.gateways;
    const url = `${gateway?.url}/v2/`;
    expect(await status(url, basic(secret))).toBe(200);
    const questions = await questionsAboutSessions(site.redis, async () => {
      for (let time = 0; time < 200; time++) expect(await status(url, basic(secret))).toBe(200);
    });
    expect(questions).toBeLessThan(20);
    await site.redis.stop();
    expect(await status(url, basic(secret))).toBe(200);
    expect(await status(url, basic('pct_000000000000000000000000000000000000'))).toBe(401);
    const other = site.gateways[1];
    await eventually(
      'the other replica says that nobody can tell',
      async () => (await status(`${other?.url}/v2/`, basic(secret))) === 503,
    );
  });
});
