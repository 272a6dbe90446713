import { expect, test } from 'vitest';
import { createRedisRepositoryMarks } from '../../src/adapters/redis/repository-marks.ts';
import type { RepositoryMarks } from '../../src/ports.ts';
import { eventually } from '../support/eventually.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { connectRedis, openRedis } from '../support/redis-connections.ts';
import { redisForAll } from '../support/redis-for-all.ts';
import { describeRepositoryMarks } from './repository-marks.contract.ts';

const unavailable = { ok: false, reason: 'unavailable' } as const;

describeWithPrograms(['redis-server'], 'marks of repositories on Redis', () => {
  const server = redisForAll();

  const open = async (longestWriteMs = 60_000, commandTimeoutMs = 2000): Promise<RepositoryMarks> =>
    createRedisRepositoryMarks(await connectRedis(server.url, { commandTimeoutMs }), longestWriteMs, 1000);

  describeRepositoryMarks(async () => ({ processes: [await open(), await open()], close: () => Promise.resolve() }));

  test('are asked for once by all who ask in one turn of the event loop', async () => {
    const marks = await open();
    await marks.read('team/app');
    const calls = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await server.admin.info('commandstats'))?.[1] ?? 0);
    const before = await calls();
    const asked = await Promise.all(Array.from({ length: 50 }, async () => marks.read('team/app')));
    expect(new Set(asked).size).toBe(1);
    expect(await calls()).toBe(before + 1);
  });

  test('are one key for each repository, which ends by itself', async () => {
    const marks = await open();
    await marks.read('team/app');
    await marks.around('team/app', async () => {
      const [key = '', ...more] = await server.admin.keys('*');
      expect(more).toEqual([]);
      expect(key).toMatch(/^portcullis:\{mark:[0-9a-f]{32}\}$/);
      expect(await server.admin.pttl(key)).toBeGreaterThan(50_000);
      expect(await server.admin.pttl(key)).toBeLessThanOrEqual(60_000);
    });
    const [key = ''] = await server.admin.keys('*');
    expect(await server.admin.pttl(key)).toBeGreaterThan(3_000_000);
  });

  test('are missing after the death of a writer until its write must have ended, whatever others write', async () => {
    const connection = await connectRedis(server.url);
    const dead = createRedisRepositoryMarks(connection, 1500);
    let began: () => void = () => {};
    const beginning = new Promise<void>((resolve) => (began = resolve));
    void dead.around('team/app', () => {
      began();
      return new Promise(() => {});
    });
    await beginning;
    await connection.close();
    const marks = await open(1500);
    await marks.around('team/app', () => Promise.resolve());
    expect(await marks.read('team/app')).toBeUndefined();
    await eventually('there is a mark again', async () => typeof (await marks.read('team/app')) === 'string');
  });

  test('are new when Redis has lost them, in the middle of a write as well', async () => {
    const marks = await open();
    const before = await marks.read('team/app');
    await server.admin.flushall();
    const after = await marks.read('team/app');
    expect(after).not.toBe(before);
    await marks.around('team/app', async () => {
      await server.admin.flushall();
      expect(await marks.read('team/app')).toEqual(expect.any(String));
    });
    expect(await marks.read('team/app')).not.toBe(after);
  });

  test('whose end could not be told stay missing, and are told of it later', async () => {
    const connection = await connectRedis(server.url);
    let isLost = true;
    const marks = createRedisRepositoryMarks(
      {
        calls() {
          const calls = connection.calls();
          const told = ([, , forMs]: readonly (string | number)[] = []): boolean => forMs === 0;
          return {
            isCut: calls.isCut,
            run: (script, keys, values) =>
              isLost && told(values) ? Promise.resolve(unavailable) : calls.run(script, keys, values),
          };
        },
      },
      60_000,
    );
    await marks.around('team/app', () => Promise.resolve());
    expect(await marks.read('team/app')).toBeUndefined();
    isLost = false;
    await eventually('there is a mark again', async () => typeof (await marks.read('team/app')) === 'string');
  });

  test('cannot be told when Redis is not there, and no task runs without one', async () => {
    const marks = createRedisRepositoryMarks(openRedis('redis://127.0.0.1:1'), 60_000);
    let ran = false;
    expect(await marks.read('team/app')).toEqual(unavailable);
    expect(await marks.around('team/app', () => Promise.resolve((ran = true)))).toEqual(unavailable);
    expect(ran).toBe(false);
  });
});
