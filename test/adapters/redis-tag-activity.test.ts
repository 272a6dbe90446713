import { expect, test } from 'vitest';
import { type RedisTagActivityOptions, createRedisTagActivity } from '../../src/adapters/redis/tag-activity.ts';
import type { TagActivity } from '../../src/ports.ts';
import { eventually } from '../support/eventually.ts';
import { connectRedis, openRedis } from '../support/redis-connections.ts';
import { redisForAll } from '../support/redis-for-all.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { describeTagActivity, digest, move, then } from './tag-activity.contract.ts';

describeWithPrograms(['redis-server'], 'tags on Redis', () => {
  const server = redisForAll();

  async function open(options?: RedisTagActivityOptions): Promise<TagActivity> {
    return createRedisTagActivity(await connectRedis(server.url), options);
  }
  const keys = (): Promise<string[]> => server.admin.keys('portcullis:*');

  describeTagActivity(async () => ({ activity: await open(), reopen: () => open() }));

  test('reach other gateways within seconds, under hashed keys that expire', async () => {
    const [a, b] = [await open(), await open()];
    a.noteWritten('release/app', move('1.0', 1, then));
    a.notePulled('release/app', '1.0', then + 5);
    await eventually('B knows', async () => (await b.of('release/app', ['1.0']))?.get('1.0')?.lastPull === then + 5);
    // What is of all repositories lies elsewhere in a cluster, and is written by a command of its own.
    await eventually('all of it is written', async () => (await keys()).length >= 6);
    const all = await keys();
    expect(all.filter((key) => /^portcullis:\{activity:[0-9a-f]{32}\}:(moves|written|pulled)$/.test(key))).toHaveLength(
      3,
    );
    expect(all.filter((key) => /^portcullis:\{activity\}:(heard|written|entries)$/.test(key))).toHaveLength(3);
    expect(all).toHaveLength(6);
    for (const key of all) expect(await server.admin.pttl(key)).toBeGreaterThan(399 * 86_400_000);
    expect(all.join()).not.toContain('release');
  });

  test('are not told with a time that is none', async () => {
    const activity = await open();
    activity.noteWritten('a', move('t', 1, then));
    activity.notePulled('a', 't', then);
    await activity.newest('a', 1);
    const [moves = ''] = (await keys()).filter((key) => key.endsWith(':moves'));
    const [pulled = ''] = (await keys()).filter((key) => key.endsWith(':pulled'));
    await server.admin.hset(moves, 't', `99999999999999999999 ${digest(1)} "dana"`);
    await server.admin.zadd(pulled, 8.9e15, 't');
    expect((await activity.of('a', ['t']))?.get('t')).toBeUndefined();
  });

  test('from a clock that is ahead never lie in the future', async () => {
    const activity = await open();
    activity.noteWritten('a', move('t', 1, Date.now() + 3_600_000));
    activity.notePulled('a', 't', Date.now() + 3_600_000);
    const { moves, lastPull } = (await activity.of('a', ['t']))?.get('t') ?? {};
    for (const at of [moves?.[0]?.at, lastPull]) expect(at).toBeLessThanOrEqual(Date.now() + 1000);
  });

  test('of two gateways that wrote one tag the later move is the last, whoever is told first', async () => {
    const [a, b] = [await open(), await open()];
    b.noteWritten('a', move('t', 2, then + 10));
    await b.close();
    a.noteWritten('a', move('t', 1, then));
    a.noteDeleted('a', { tag: 't' }, then + 5);
    expect((await a.of('a', ['t']))?.get('t')?.moves).toEqual([move('t', 2, then + 10), move('t', 1, then)]);
  });

  test('the repository of which nothing was heard for longest leaves whole', async () => {
    const activity = await open({ maxTags: 4, maxRepositories: 10 });
    for (const [at, name] of ['a', 'b'].entries())
      for (const tag of ['1', '2']) activity.noteWritten(name, move(tag, 1, then + at));
    expect((await activity.lastWrites(['a', 'b']))?.size).toBe(2);
    activity.notePulled('a', '1', then + 5);
    expect([...((await activity.lastWrites(['a', 'b'])) ?? [])].map(([name]) => name)).toEqual(['a']);
    expect(await activity.newest('b', 9)).toEqual([]);
    expect((await keys()).filter((key) => key.startsWith('portcullis:{activity:'))).toHaveLength(3);
    const few = await open({ maxRepositories: 2 });
    for (const [at, name] of ['x', 'y', 'z'].entries()) few.noteWritten(name, move('t', 1, then + 10 + at));
    expect([...((await few.lastWrites(['a', 'x', 'y', 'z'])) ?? [])].map(([name]) => name)).toEqual(['y', 'z']);
  });

  test('a repository without a tag is not in the index', async () => {
    const activity = await open();
    activity.noteWritten('a', move('t', 1, then));
    expect((await activity.lastWrites(['a']))?.size).toBe(1);
    activity.noteDeleted('a', { digest: digest(1) }, then + 1);
    expect((await activity.lastWrites(['a']))?.size).toBe(0);
    expect(await server.admin.hgetall('portcullis:{activity}:entries')).toEqual({ all: '0' });
  });

  test('cost nobody anything while Redis is away, and nothing is known then', async () => {
    const activity = createRedisTagActivity(openRedis('redis://127.0.0.1:1'));
    for (let number = 0; number < 20_000; number++) activity.noteWritten('a', move(`t${number}`, 1, then));
    expect(await activity.of('a', ['t1'])).toBeUndefined();
    expect(await activity.newest('a', 9)).toBeUndefined();
    expect(await activity.lastWrites(['a'])).toBeUndefined();
    await activity.close();
  });

  test('what was noted while Redis was away for a moment arrives when it is back', async () => {
    const connection = await connectRedis(server.url);
    let isAway = true;
    const calls = connection.calls();
    const activity = createRedisTagActivity({
      calls: () => ({
        ...calls,
        run: (...asked) => (isAway ? Promise.resolve({ ok: false, reason: 'unavailable' }) : calls.run(...asked)),
      }),
    });
    activity.noteWritten('a', move('t', 1, then));
    expect(await activity.newest('a', 9)).toBeUndefined();
    isAway = false;
    expect(await activity.newest('a', 9)).toEqual([move('t', 1, then)]);
  });
});
