import { expect, test } from 'vitest';
import { createRedisTagLocks, type RedisTagLocksOptions } from '../../src/adapters/redis/tag-locks.ts';
import type { TagLocks } from '../../src/ports.ts';
import { eventually } from '../support/eventually.ts';
import { waited } from '../support/loop-time.ts';
import { connectRedis, openRedis } from '../support/redis-connections.ts';
import { redisForAll } from '../support/redis-for-all.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { createGate, describeTagLocks } from './tag-locks.contract.ts';

describeWithPrograms(['redis-server'], 'tag locks on Redis', () => {
  const server = redisForAll();

  const open = async (options?: RedisTagLocksOptions): Promise<TagLocks> =>
    createRedisTagLocks(await connectRedis(server.url), options);

  describeTagLocks(async () => ({ processes: [await open(), await open()], close: () => Promise.resolve() }));

  test('leave nothing behind when their task is done, and a lease while it runs', async () => {
    const locks = await open();
    await locks.withTags('team/app', ['v1', 'v2'], 1000, async () => {
      const keys = await server.admin.keys('*');
      expect(keys).toHaveLength(2);
      for (const key of keys) {
        expect(key).toMatch(/^portcullis:\{tags:[0-9a-f]{32}\}:[0-9a-f]{32}$/);
        expect(await server.admin.pttl(key)).toBeGreaterThan(10_000);
      }
    });
    await eventually('the keys are gone', async () => (await server.admin.dbsize()) === 0);
  });

  test('are kept longer than one lease while the task runs', async () => {
    const lost: string[] = [];
    const locks = await open({ leaseMs: 1000, onLost: (repository) => lost.push(repository) });
    const other = await open({ leaseMs: 1000 });
    await locks.withTags('team/app', ['v1'], 1000, async () => {
      expect(await other.withTags('team/app', ['v1'], 1500, () => Promise.resolve())).toEqual({
        ok: false,
        reason: 'busy',
      });
    });
    expect(lost).toEqual([]);
  });

  test('of a process that died are free after one lease', async () => {
    const connection = await connectRedis(server.url);
    const dead = createRedisTagLocks(connection, { leaseMs: 500 });
    const gate = createGate();
    const holding = createGate();
    const forgotten = dead.withTags('team/app', ['v1'], 1000, () => {
      holding.open();
      return gate.opened;
    });
    await holding.opened;
    await connection.close();
    const locks = await open();
    expect(await locks.withTags('team/app', ['v1'], 5000, () => Promise.resolve(1))).toEqual({ ok: true, value: 1 });
    gate.open();
    await forgotten;
  });

  test('that Redis lost are reported, and not taken from whoever has them now', async () => {
    const lost: string[] = [];
    const locks = await open({ leaseMs: 500, onLost: (repository, tags) => lost.push(`${repository}:${tags.join()}`) });
    const other = await open();
    await locks.withTags('team/app', ['v1'], 1000, async () => {
      await server.admin.flushall();
      const gate = createGate();
      const second = other.withTags('team/app', ['v1'], 1000, () => gate.opened);
      await eventually('the loss is noticed', () => lost.length > 0);
      expect(await server.admin.dbsize()).toBe(1);
      gate.open();
      await second;
    });
    expect(lost).toEqual(['team/app:v1']);
  });

  test('do not ask Redis for those who wait in the same process', async () => {
    const locks = await open();
    const gate = createGate();
    const holding = createGate();
    const first = locks.withTags('team/app', ['v1'], 5000, () => {
      holding.open();
      return gate.opened;
    });
    await holding.opened;
    const calls = async (): Promise<number> =>
      Number(/cmdstat_eval(?:sha)?:calls=(\d+)/.exec(await server.admin.info('commandstats'))?.[1] ?? 0);
    const before = await calls();
    const waiting = Array.from({ length: 50 }, () => locks.withTags('team/app', ['v1'], 200, () => Promise.resolve()));
    expect((await Promise.all(waiting)).every(({ ok }) => !ok)).toBe(true);
    expect(await calls()).toBe(before);
    gate.open();
    await first;
  });

  test('are unavailable, at once, when Redis is not there, and the task does not run', async () => {
    const connection = openRedis('redis://127.0.0.1:1');
    let ran = false;
    const locks = createRedisTagLocks(connection);
    const { value, ms } = await waited(() =>
      locks.withTags('team/app', ['v1'], 5000, () => Promise.resolve((ran = true))),
    );
    expect(value).toEqual({ ok: false, reason: 'unavailable' });
    expect(ran).toBe(false);
    expect(ms).toBeLessThan(800);
  });
});
