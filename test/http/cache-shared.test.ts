/** What memory answers where several gateways share a Redis, and while that Redis is away. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { HistoryRegistry, imageType, manifestOf } from '../support/history-registry.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RedisServer, startRedisServer } from '../support/redis.ts';
import { type Front, credentials, startFront } from './support/front.ts';

const rules = `rules:
  - { name: team, subjects: [group:devs], repositories: ['team/**'], actions: [pull, push, delete] }
`;

describeWithPrograms(['redis-server'], 'gateways that share a Redis', () => {
  let redis: RedisServer;
  let registry: HistoryRegistry;
  const fronts: Front[] = [];
  beforeAll(async () => {
    redis = await startRedisServer();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    registry = new HistoryRegistry();
    await registry.start();
  });
  afterEach(async () => {
    for (const front of fronts.splice(0)) await front.close();
    await registry.stop();
  });

  async function start(env: Readonly<Record<string, string>> = {}): Promise<Front> {
    const front = await startFront({ rules, upstream: registry.url, env: { PORTCULLIS_REDIS: redis.url, ...env } });
    fronts.push(front);
    await eventually(
      'Redis is connected',
      async () => (await ready(front)).includes('store') && !(await ready(front)).includes('degraded'),
    );
    return front;
  }

  const ready = async (front: Front): Promise<string> => (await fetch(`${front.adminUrl}/readyz?verbose`)).text();

  async function ask(front: Front, method: string, reference: string, text?: string) {
    const reply = await fetch(`${front.url}/v2/team/app/manifests/${reference}`, {
      method,
      headers: { authorization: `Basic ${credentials('dana')}`, accept: imageType, 'content-type': imageType },
      ...(text === undefined ? {} : { body: text }),
    });
    return { status: reply.status, text: await reply.text(), headers: reply.headers };
  }

  /** Until nothing reaches the registry any more. */
  async function warm(front: Front, ...references: readonly string[]): Promise<void> {
    for (const reference of references)
      await eventually(`${reference} is in memory`, async () => {
        const before = registry.requests.length;
        await ask(front, 'GET', reference);
        return registry.requests.length === before;
      });
  }

  test('see a push and a deletion through another at the next read', async () => {
    const [one, two] = [await start(), await start()];
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    await warm(one, 'v1', digest);
    await warm(two, 'v1', digest);
    for (const name of ['two', 'three']) {
      expect((await ask(one, 'PUT', 'v1', manifestOf(name))).status).toBe(201);
      expect((await ask(two, 'GET', 'v1')).text).toBe(manifestOf(name));
    }
    await warm(two, 'v1', digest);
    expect((await ask(one, 'DELETE', digest)).status).toBe(202);
    expect((await ask(two, 'GET', digest)).status).toBe(404);
  });

  test('answer nothing from memory while Redis cannot be read, and write nothing that others would not learn of', async () => {
    const front = await start();
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    await warm(front, 'v1', digest);
    await redis.kill();
    try {
      for (const reference of ['v1', digest]) {
        const before = registry.requests.length;
        expect(await ask(front, 'GET', reference)).toMatchObject({ status: 200, text: manifestOf('one') });
        expect(registry.requests).toHaveLength(before + 1);
      }
      const refused = [await ask(front, 'PUT', 'v1', manifestOf('two')), await ask(front, 'DELETE', digest)];
      expect(refused.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual(
        Array(2).fill([503, '3']),
      );
      expect(registry.of('team/app').tags.get('v1')).toBe(digest);
    } finally {
      await redis.restart();
    }
    await eventually('Redis is connected', async () => !(await ready(front)).includes('degraded'));
    // It came back empty: what it was asked of before is not believed.
    registry.put('team/app', 'v1', manifestOf('two'));
    expect((await ask(front, 'GET', 'v1')).text).toBe(manifestOf('two'));
  });

  test('answer under staleIfError also without Redis, but never what was deleted through them', async () => {
    const front = await start({ PORTCULLIS_CACHE_STALE_IF_ERROR: '1h' });
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    const other = registry.put('team/app', 'v2', manifestOf('two'));
    await warm(front, 'v1', digest, 'v2', other);
    await ask(front, 'DELETE', other);
    await warm(front, 'v1', digest);
    await redis.kill();
    registry.trouble = () => 503;
    try {
      for (const reference of ['v1', digest]) {
        const reply = await ask(front, 'GET', reference);
        expect(reply).toMatchObject({ status: 200, text: manifestOf('one') });
        expect(reply.headers.get('warning')).toContain('110');
      }
      for (const reference of ['v2', other]) expect((await ask(front, 'GET', reference)).status).toBe(503);
    } finally {
      await redis.restart();
    }
  });

  test('answer under staleIfError nothing that was deleted through another, nor what was read meanwhile', async () => {
    const [one, two] = [await start(), await start({ PORTCULLIS_CACHE_STALE_IF_ERROR: '1h' })];
    const digest = registry.put('team/app', 'v1', manifestOf('one'));
    await warm(two, 'v1', digest);
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    registry.hold = (line) => (line.startsWith('GET') ? held : Promise.resolve());
    const other = registry.put('team/app', 'v2', manifestOf('two'));
    const before = registry.requests.length;
    const reading = ask(two, 'GET', other);
    await eventually('it is read', () => Promise.resolve(registry.requests.length > before));
    for (const each of [digest, other]) expect((await ask(one, 'DELETE', each)).status).toBe(202);
    release();
    expect((await reading).text).toBe(manifestOf('two'));
    registry.trouble = () => 503;
    for (const reference of ['v1', digest, other]) expect((await ask(two, 'GET', reference)).status).toBe(503);
    await redis.kill();
    try {
      expect((await ask(two, 'GET', other)).status).toBe(503);
    } finally {
      await redis.restart();
    }
  });
});
