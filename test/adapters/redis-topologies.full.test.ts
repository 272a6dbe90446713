/** The same promises where Redis is more than one server, or speaks TLS. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nameKey, sessionsKey } from '../../src/adapters/redis/keys.ts';
import { createRedisRepositoryMarks } from '../../src/adapters/redis/repository-marks.ts';
import { createRedisRobotUses } from '../../src/adapters/redis/robot-uses.ts';
import { createRedisSessionStore } from '../../src/adapters/redis/session-store.ts';
import { createRedisTagActivity } from '../../src/adapters/redis/tag-activity.ts';
import { createRedisTagLocks } from '../../src/adapters/redis/tag-locks.ts';
import type { SessionStore } from '../../src/ports.ts';
import { eventually } from '../support/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { waited } from '../support/loop-time.ts';
import { connectRedis, isConnected, openRedis } from '../support/redis-connections.ts';
import { describeWithPrograms } from '../support/programs.ts';
import {
  startRedisCluster,
  startRedisSentinels,
  startRedisServer,
  startTlsRedis,
  type RedisCluster,
  type RedisSentinels,
} from '../support/redis.ts';
import { describeRepositoryMarks } from './repository-marks.contract.ts';
import type { TagActivity } from '../../src/ports.ts';
import { describeTagActivity } from './tag-activity.contract.ts';
import { describeRobotUses } from './robot-uses.contract.ts';
import { describeSessionStore, hashOf, now, sessionOf, week } from './session-store.contract.ts';
import { createGate, describeTagLocks } from './tag-locks.contract.ts';

const revocationMemorySeconds = 900;
const use = { now, address: undefined, userAgent: undefined };

describeWithPrograms(['redis-server'], 'a cluster of three', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.stop());
  afterEach(() => cluster.flush());

  const openStore = async (): Promise<SessionStore> =>
    createRedisSessionStore(await connectRedis(cluster.url), { revocationMemorySeconds });

  describe('keeps sessions', () => {
    describeSessionStore(async () => {
      const store = await openStore();
      return {
        store,
        elapse: async (ms) => {
          const until = performance.now() + ms;
          await eventually('time has passed', () => performance.now() > until);
        },
        // The nodes run on this machine.
        time: () => Promise.resolve(Date.now()),
        reopen: openStore,
        close: () => store.close(),
      };
    });
  });

  describe('keeps tags apart', () => {
    describeTagLocks(async () => ({
      processes: [
        createRedisTagLocks(await connectRedis(cluster.url)),
        createRedisTagLocks(await connectRedis(cluster.url)),
      ],
      close: () => Promise.resolve(),
    }));
  });

  describe('marks repositories', () => {
    const open = async () => createRedisRepositoryMarks(await connectRedis(cluster.url), 60_000, 1000);
    describeRepositoryMarks(async () => ({ processes: [await open(), await open()], close: () => Promise.resolve() }));
  });

  describe('remembers robots’ uses', () => {
    const openUses = async (): Promise<ReturnType<typeof createRedisRobotUses>> =>
      createRedisRobotUses(await connectRedis(cluster.url));
    describeRobotUses(async () => ({ uses: await openUses(), reopen: openUses }));
  });

  describe('remembers tags', () => {
    const openTags = async (): Promise<TagActivity> => createRedisTagActivity(await connectRedis(cluster.url));
    describeTagActivity(async () => ({ activity: await openTags(), reopen: openTags }));
  });

  test('spreads repositories over its nodes and keeps all sessions on one', async () => {
    const connection = await connectRedis(cluster.url);
    const store = createRedisSessionStore(connection, { revocationMemorySeconds });
    const locks = createRedisTagLocks(connection);
    for (let number = 0; number < 20; number += 1)
      await store.open(hashOf(`${number}`), sessionOf(`account-${number}`), week);
    const sizes = await Promise.all(cluster.nodes.map(({ admin }) => admin.dbsize()));
    expect(sizes.filter((size) => size > 0)).toHaveLength(1);
    const repositories = Array.from({ length: 30 }, (_, number) => `team/app-${number}`);
    const everyone = createGate();
    let inside = 0;
    const outcomes = await Promise.all(
      repositories.map((repository) =>
        locks.withTags(repository, ['v1', 'v2'], 5000, async () => {
          inside += 1;
          if (inside === repositories.length) everyone.open();
          await everyone.opened;
          return Promise.all(cluster.nodes.map(({ admin }) => admin.dbsize()));
        }),
      ),
    );
    for (const outcome of outcomes) expect(outcome.ok && outcome.value.every((size) => size > 0)).toBe(true);
    await store.close();
  });

  test('is asked for replicas at the node that has what was written', async () => {
    const connection = await connectRedis(cluster.url);
    const store = createRedisSessionStore(connection, { revocationMemorySeconds });
    await store.open(hashOf('a'), sessionOf('dana'), week);
    expect(
      await Promise.all([connection.waitForReplica(sessionsKey, 20), connection.waitForReplica(sessionsKey, 20)]),
    ).toEqual([false, false]);
    const stats = await Promise.all(
      cluster.nodes.map(async ({ admin }) => ({
        hasSession: (await admin.dbsize()) > 0,
        wasAsked: (await admin.info('commandstats')).includes('cmdstat_wait:'),
      })),
    );
    for (const { hasSession, wasAsked } of stats) expect(wasAsked).toBe(hasSession);
    await store.close();
  });

  test('tells every gateway of a revocation within a moment', async () => {
    const [a, b] = [await openStore(), await openStore()];
    await eventually('both listen', async () => {
      const counts = await Promise.all(
        cluster.nodes.map(async ({ admin }) => {
          const reply: unknown = await admin.call('PUBSUB', 'NUMSUB', 'portcullis:{sessions}:revocations');
          return Array.isArray(reply) ? Number(reply[1]) : 0;
        }),
      );
      return counts.reduce((sum, count) => sum + count, 0) === 2;
    });
    await a.revoke({ id: 'gone' }, now);
    await eventually('B knows', () => b.isRevoked('gone'), 1000);
    await Promise.all([a.close(), b.close()]);
  });
});

describeWithPrograms(['redis-server'], 'a cluster whose node fails', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.stop());

  test('answers unavailable in time while the sessions’ node is away, and is well within 5 seconds of its return', async () => {
    const connection = openRedis(cluster.url);
    expect(await isConnected(connection, 5000)).toBe(true);
    const store = createRedisSessionStore(connection, { revocationMemorySeconds });
    await store.open(hashOf('a'), sessionOf('dana'), week);
    const sizes = await Promise.all(cluster.nodes.map(({ admin }) => admin.dbsize()));
    const node = cluster.nodes[sizes.findIndex((size) => size > 0)];
    if (node === undefined) throw new Error('no node has the session');
    await node.pause();
    for (let call = 0; call < 30; call += 1) {
      const { value, ms } = await waited(() => store.use(hashOf('a'), use, week));
      expect(value).toEqual({ ok: false, reason: 'unavailable' });
      expect(ms).toBeLessThan(800);
    }
    expect(store.health().ok).toBe(false);
    node.resume();
    await eventually('the session is found', async () => (await store.use(hashOf('a'), use, week)).ok, 5000);
    await store.close();
  });
});

describeWithPrograms(['redis-server'], 'a primary that sentinels watch', () => {
  let proxy: FaultProxy;
  let sentinels: RedisSentinels;
  beforeAll(async () => {
    sentinels = await startRedisSentinels(async (port) => {
      proxy = await startFaultProxy(port);
      return proxy.port;
    });
  });
  afterAll(async () => {
    await sentinels.stop();
    await proxy.close();
  });

  test('fails over and loses its last writes: what was revoked is revoked again within 5 seconds of the promotion', async () => {
    const a = createRedisSessionStore(await connectRedis(sentinels.url), { revocationMemorySeconds });
    const [revoked, live] = [sessionOf('dana'), sessionOf('rita')];
    await a.open(hashOf('revoked'), revoked, week);
    await a.open(hashOf('live'), live, week);
    const token = `portcullis:{sessions}:token:${hashOf('revoked')}`;
    await eventually('the replica has the session', async () => (await sentinels.replica.admin.exists(token)) === 1);
    await eventually('the store knows of the replica', async () => {
      // With a replica that answers, a revocation is confirmed by it before the call returns.
      await a.open(hashOf('probe'), sessionOf('probe'), week);
      await a.revoke({ tokenHash: hashOf('probe') }, now);
      return (await waits()) > 0;
    });

    // Only the replication: clients and sentinels still reach the primary.
    proxy.freeze((link) => link.begin().includes('PSYNC'));
    const { value, ms } = await waited(() => a.revoke({ tokenHash: hashOf('revoked') }, now));
    expect(value).toEqual({ ok: true, ended: [revoked] });
    expect(ms).toBeLessThan(1000);
    expect(await sentinels.replica.admin.exists(token)).toBe(1);
    expect(await isRecorded(revoked.id)).toBe(false);
    await sentinels.primary.kill();
    proxy.cut();

    await eventually(
      'the replica is promoted',
      async () => (await sentinels.replica.admin.role())[0] === 'master',
      20_000,
    );
    await eventually(
      'the new primary has the revocation and not the session',
      async () => (await sentinels.replica.admin.exists(token)) === 0 && (await isRecorded(revoked.id)),
      5000,
    );
    const b = createRedisSessionStore(await connectRedis(sentinels.url), { revocationMemorySeconds });
    await eventually('a gateway that knew nothing knows it', () => b.isRevoked(revoked.id));
    for (const store of [a, b]) {
      expect(await store.use(hashOf('revoked'), use, week)).toEqual({ ok: false, reason: 'unknown' });
      expect(await store.use(hashOf('live'), use, week)).toMatchObject({ ok: true, session: { id: live.id } });
    }
    await Promise.all([a.close(), b.close()]);
  });

  async function waits(): Promise<number> {
    return Number(/cmdstat_wait:calls=(\d+)/.exec(await sentinels.primary.admin.info('commandstats'))?.[1] ?? 0);
  }

  async function isRecorded(id: string): Promise<boolean> {
    return (await sentinels.replica.admin.zscore('portcullis:{sessions}:revoked', nameKey(id))) !== null;
  }
});

describeWithPrograms(['redis-server', 'openssl'], 'TLS', () => {
  test('is spoken with a server whose certificate is believed, and with no other', async () => {
    const server = await startTlsRedis();
    try {
      const store = createRedisSessionStore(await connectRedis(server.url, { ca: server.ca }), {
        revocationMemorySeconds,
      });
      expect(await store.open(hashOf('a'), sessionOf('dana'), week)).toEqual({ ok: true });
      expect(await store.use(hashOf('a'), use, week)).toMatchObject({ ok: true });
      await store.close();

      const distrusting = openRedis(server.url);
      await eventually('it says why', () => /certificate/.test(distrusting.health().detail));
      expect(distrusting.isReady()).toBe(false);
    } finally {
      await server.stop();
    }
  });
});

describeWithPrograms(['redis-server'], 'a password', () => {
  test('opens the connection; a wrong one never does, and is not repeated', async () => {
    const server = await startRedisServer({ password: 'right' });
    try {
      await connectRedis(server.url);
      const wrong = openRedis(`redis://:hunter2@127.0.0.1:${server.port}/0`);
      await eventually('it says why', () => wrong.health().detail.includes('WRONGPASS'));
      expect(wrong.isReady()).toBe(false);
      expect(wrong.health().detail).not.toContain('hunter2');
    } finally {
      await server.stop();
    }
  });
});
