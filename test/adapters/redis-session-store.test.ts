import { describe, expect, test } from 'vitest';
import { createRedisConnection } from '../../src/adapters/redis/connection.ts';
import { createRedisSessionStore } from '../../src/adapters/redis/session-store.ts';
import type { SessionStore } from '../../src/ports.ts';
import { eventually } from '../support/eventually.ts';
import { waited } from '../support/loop-time.ts';
import { isConnected, openRedis } from '../support/redis-connections.ts';
import { redisForAll } from '../support/redis-for-all.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { describeSessionStore, hashOf, now, sessionOf, week } from './session-store.contract.ts';

const revocationMemorySeconds = 900;

describeWithPrograms(['redis-server'], 'the session store on Redis', () => {
  const server = redisForAll();

  async function open(url = server.url, memorySeconds = revocationMemorySeconds): Promise<SessionStore> {
    const connection = openRedis(url, { commandTimeoutMs: 4000 });
    const store = createRedisSessionStore(connection, { revocationMemorySeconds: memorySeconds });
    expect(await isConnected(connection, 5000)).toBe(true);
    return store;
  }

  async function serverTimeMs(): Promise<number> {
    const [seconds = 0, micros = 0] = await server.admin.time();
    return Number(seconds) * 1000 + Number(micros) / 1000;
  }

  async function listeners(): Promise<number> {
    const reply: unknown = await server.admin.call('PUBSUB', 'NUMSUB', 'portcullis:{sessions}:revocations');
    return Array.isArray(reply) ? Number(reply[1]) : 0;
  }

  describeSessionStore(async () => {
    const store = await open();
    return {
      store,
      elapse: async (ms) => {
        const until = (await serverTimeMs()) + ms;
        await eventually('time has passed', async () => (await serverTimeMs()) > until);
      },
      time: serverTimeMs,
      reopen: () => open(),
      close: () => store.close(),
    };
  });

  test('keeps nothing that lives forever', async () => {
    const store = await open();
    await store.open(hashOf('a'), sessionOf('dana'), week);
    await store.open(hashOf('b'), sessionOf('rita'), 60);
    await store.revoke({ tokenHash: hashOf('b') }, now);
    await store.use(hashOf('a'), { now, address: undefined, userAgent: undefined }, week);
    const keys = await server.admin.keys('*');
    expect(keys.length).toBeGreaterThanOrEqual(4);
    for (const key of keys) {
      expect(key).toMatch(/^portcullis:\{sessions\}:(?:all|revoked|(?:token|id|account):[0-9a-f]+)$/);
      expect(await server.admin.pttl(key)).toBeGreaterThan(0);
    }
  });

  test.each([
    ['created', 'x'],
    ['created', ''],
    ['created', '99999999999999999999'],
    ['lastUsed', '{"a":1e300}'],
    ['lastUsed', '-1'],
    ['expires', 'never'],
    ['expires', 'Infinity'],
    ['reach', '{"repositories":"sandbox/**"}'],
    ['reach', '{"actions":{"0":"pull"}}'],
    ['reach', '5'],
    ['reach', 'null'],
    ['reach', '[]'],
    ['reach', 'pull'],
  ])('lets nobody in by a session whose %s says %j, and lists the others', async (field, text) => {
    const store = await open();
    await store.open(hashOf('a'), { ...sessionOf('dana'), kind: 'web', expires: Date.now() + 60_000 }, week);
    await store.open(hashOf('b'), sessionOf('rita'), week);
    await server.admin.hset(`portcullis:{sessions}:token:${hashOf('a')}`, field, text);
    expect((await store.find(hashOf('a'))).ok).toBe(false);
    expect(await store.list(undefined, now)).toMatchObject({ ok: true, sessions: [{ account: 'rita' }] });
    await store.close();
  });

  test('lets an index live as long as its longest session', async () => {
    const store = await open();
    await store.open(hashOf('long'), sessionOf('dana'), week);
    await store.open(hashOf('short'), sessionOf('dana'), 60);
    expect(await server.admin.ttl('portcullis:{sessions}:all')).toBeGreaterThan(week - 60);
  });

  test('forgets sessions that ended from its indexes', async () => {
    const store = await open();
    await store.open(hashOf('short'), sessionOf('dana'), 0.05);
    await eventually(
      'it ended',
      async () => (await server.admin.exists(`portcullis:{sessions}:token:${hashOf('short')}`)) === 0,
    );
    await store.open(hashOf('next'), sessionOf('dana'), week);
    expect(await server.admin.zrange('portcullis:{sessions}:all', '0', '-1')).toEqual([hashOf('next')]);
  });

  test('does not care what the gateway’s clock says', async () => {
    const store = await open();
    const year = 365 * 24 * 3600 * 1000;
    for (const jump of [-50 * year, 50 * year]) {
      await store.open(hashOf('a'), sessionOf('dana', { created: now + jump, lastUsed: now + jump }), week);
      const use = { now: now + jump, address: undefined, userAgent: undefined };
      expect(await store.use(hashOf('a'), use, week)).toMatchObject({ ok: true });
      expect(await store.list('dana', now + jump)).toMatchObject({ ok: true, sessions: [{ account: 'dana' }] });
      expect(await server.admin.ttl(`portcullis:{sessions}:token:${hashOf('a')}`)).toBeGreaterThan(week - 60);
    }
    await store.revoke({ account: 'dana' }, now - 50 * year);
    expect(await server.admin.ttl('portcullis:{sessions}:revoked')).toBeGreaterThan(revocationMemorySeconds - 60);
  });

  test('lists 10,000 sessions, the most recently used', async () => {
    const store = await open();
    const total = 10_050;
    for (let begin = 0; begin < total; begin += 150)
      await Promise.all(
        Array.from({ length: 150 }, (_, index) => {
          const number = begin + index;
          return store.open(hashOf(`${number}`), sessionOf('dana', { id: `${number}`, lastUsed: now + number }), week);
        }),
      );
    const outcome = await store.list(undefined, now);
    const sessions = outcome.ok ? outcome.sessions : [];
    expect(sessions).toHaveLength(10_000);
    expect(sessions[0]?.id).toBe(`${total - 1}`);
    const ended = await store.revoke({ account: 'dana' }, now);
    expect(ended.ok && ended.ended.length).toBe(total);
    expect(await store.list(undefined, now)).toEqual({ ok: true, sessions: [] });
  });

  test('runs its scripts again after the server forgot them', async () => {
    const store = await open();
    await store.open(hashOf('a'), sessionOf('dana'), week);
    await server.admin.script('FLUSH');
    expect(await store.use(hashOf('a'), { now, address: undefined, userAgent: undefined }, week)).toMatchObject({
      ok: true,
    });
  });

  test('answers unavailable, never unknown, when a key is not what it wrote', async () => {
    const store = await open();
    await server.admin.set(`portcullis:{sessions}:token:${hashOf('a')}`, 'something else');
    expect(await store.use(hashOf('a'), { now, address: undefined, userAgent: undefined }, week)).toEqual({
      ok: false,
      reason: 'unavailable',
    });
  });

  describe('two gateways on one Redis', () => {
    test('know of each other’s revocations within a moment', async () => {
      const [a, b] = [await open(), await open()];
      await eventually('both listen', async () => (await listeners()) === 2);
      const session = sessionOf('dana');
      await a.open(hashOf('a'), session, week);
      expect(await b.use(hashOf('a'), { now, address: undefined, userAgent: undefined }, week)).toMatchObject({
        ok: true,
      });
      await a.revoke({ account: 'dana' }, now);
      // Sooner than anyone compares with the store.
      await eventually('B knows', () => b.isRevoked(session.id), 1000);
    });

    test('know them within 5 seconds when no message ever arrives', async () => {
      // An account of Redis without rights to any channel: neither publishing nor subscribing works.
      await server.admin.call(
        'ACL',
        'SETUSER',
        'quiet',
        'reset',
        'on',
        '>secret',
        '~portcullis:*',
        '+@all',
        'resetchannels',
      );
      const url = `redis://quiet:secret@127.0.0.1:${server.port}/0`;
      const [a, b] = [await open(url), await open(url)];
      const session = sessionOf('dana');
      await a.open(hashOf('a'), session, week);
      expect(await a.revoke({ tokenHash: hashOf('a') }, now)).toMatchObject({ ok: true, ended: [{ id: session.id }] });
      await eventually('B knows', () => b.isRevoked(session.id), 5000);
    });

    test('hear of revocations again after the connection of the channel was killed', async () => {
      const [a, b] = [await open(), await open()];
      await eventually('both listen', async () => (await listeners()) === 2);
      await server.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await eventually('both listen again', async () => (await listeners()) === 2);
      await a.revoke({ id: 'gone' }, now);
      await eventually('B knows', () => b.isRevoked('gone'), 5000);
    });

    test('forget a revocation when its time is over', async () => {
      const [a, b] = [await open(server.url, 0.5), await open(server.url, 0.5)];
      await eventually('both listen', async () => (await listeners()) === 2);
      await a.revoke({ id: 'gone' }, now);
      await eventually('B knows', () => b.isRevoked('gone'));
      await eventually('both forgot', () => !a.isRevoked('gone') && !b.isRevoked('gone'));
      await eventually(
        'the store forgot',
        async () => (await server.admin.exists('portcullis:{sessions}:revoked')) === 0,
      );
    });

    test('tell a Redis that lost everything which accounts have ended, and so do gateways that only heard of it', async () => {
      const [a, b] = [await open(), await open()];
      a.endAccount('dana', now);
      await eventually('B knows', () => b.endedBefore('dana') === now, 5000);
      await a.close();
      await server.admin.flushall();
      const c = await open();
      await eventually('C knows', () => c.endedBefore('dana') === now, 5000);
      c.endAccount('dana', now + 7000);
      await eventually('B knows the later one', () => b.endedBefore('dana') === now + 7000, 5000);
      expect(await server.admin.pttl('portcullis:{sessions}:ended')).toBeGreaterThan(0);
    });

    test('tell a Redis that lost its last writes what is revoked, and the session that came back ends again', async () => {
      const a = await open();
      const session = sessionOf('dana');
      await a.open(hashOf('a'), session, week);
      const keys = await server.admin.keys('*');
      const before = await Promise.all(keys.map((key) => server.admin.dumpBuffer(key)));
      await a.revoke({ tokenHash: hashOf('a') }, now);
      // What a replica that lagged behind looks like when it is promoted.
      await server.admin.flushall();
      for (const [index, key] of keys.entries()) await server.admin.restore(key, 3_600_000, before[index] ?? '');
      const b = await open();
      await eventually('B knows', () => b.isRevoked(session.id), 5000);
      expect(await b.use(hashOf('a'), { now, address: undefined, userAgent: undefined }, week)).toEqual({
        ok: false,
        reason: 'unknown',
      });
      expect(await server.admin.exists(`portcullis:{sessions}:token:${hashOf('a')}`)).toBe(0);
      expect(await a.list(undefined, now)).toEqual({ ok: true, sessions: [] });
    });

    test('refuse a session that the store knows to be revoked, even when it is there', async () => {
      const [a, b] = [await open(), await open()];
      await a.revoke({ id: 'gone' }, now);
      await b.open(hashOf('a'), sessionOf('dana', { id: 'gone' }), week);
      expect(await b.use(hashOf('a'), { now, address: undefined, userAgent: undefined }, week)).toEqual({
        ok: false,
        reason: 'unknown',
      });
      expect(await b.list(undefined, now)).toEqual({ ok: true, sessions: [] });
    });
  });
});

describe('a connection to Redis', () => {
  test('refuses what is no Redis URL without repeating it', () => {
    expect(() => createRedisConnection('http://user:hunter2@redis')).toThrow(/^(?!.*hunter2).*not a Redis URL/);
  });

  test('says that it is not connected, and why, and answers unavailable at once', async () => {
    const connection = createRedisConnection('redis://127.0.0.1:1/0');
    const store = createRedisSessionStore(connection, { revocationMemorySeconds });
    const { value, ms } = await waited(() => store.open(hashOf('a'), sessionOf('dana'), week));
    expect(value).toEqual({ ok: false, reason: 'unavailable' });
    // Less than a call that waits for an answer may take.
    expect(ms).toBeLessThan(250);
    await eventually('it says why', () => store.health().detail.includes('ECONNREFUSED'));
    expect(store.health().ok).toBe(false);
    await store.close();
    await connection.close();
  });
});
