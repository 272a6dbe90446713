/** Budgets on a real Redis: the promises of every store, several gateways, and what happens when Redis fails. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Answer, RedisCalls } from '../../src/adapters/redis/connection.ts';
import { type Gateways, followGateways } from '../../src/adapters/redis/gateways.ts';
import { budgetKey } from '../../src/adapters/redis/keys.ts';
import { raiseBudgets } from '../../src/adapters/redis/limit-scripts.ts';
import { createRedisRateLimiter } from '../../src/adapters/redis/rate-limiter.ts';
import { eventually } from '../support/eventually.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { waited } from '../support/loop-time.ts';
import { withoutScript } from '../support/lost-script.ts';
import { connectRedis } from '../support/redis-connections.ts';
import { redisForAll } from '../support/redis-for-all.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RedisCluster, type RedisServer, startRedisCluster, startRedisServer } from '../support/redis.ts';
import { admittedOf, budgetOf, describeRateLimiter } from './rate-limiter.contract.ts';

const limiterOn = async (
  url: string,
  gateways = 1,
  commandTimeoutMs = 2000,
): Promise<ReturnType<typeof createRedisRateLimiter>> =>
  createRedisRateLimiter(await connectRedis(url, { commandTimeoutMs }), () => gateways);

/** Moves every stored instant into the past, which to the script is the same as waiting. */
const shift = `
for _, key in ipairs(redis.call('KEYS', 'portcullis:{limits}:budget:*')) do
  local fullAt = redis.call('GET', key) - ARGV[1] * 1000000
  redis.call('SET', key, string.format('%.0f', fullAt), 'KEEPTTL')
end
for _, member in ipairs(redis.call('ZRANGE', 'portcullis:{limits}:owing', 0, -1)) do
  redis.call('ZINCRBY', 'portcullis:{limits}:owing', -ARGV[1] * 1000000, member)
end`;

describeWithPrograms(['redis-server'], 'budgets on Redis', () => {
  const server = redisForAll();

  describeRateLimiter(async () => ({
    limiter: await limiterOn(server.url),
    elapse: async (seconds) => void (await server.admin.eval(shift, 0, seconds)),
    kept: async () => (await server.admin.keys('portcullis:{limits}:budget:*')).length,
    clear: async () => void (await server.admin.flushall()),
    close: () => Promise.resolve(),
  }));

  test('are one for all gateways: exactly the burst is let through, whoever asks', async () => {
    const limiters = await Promise.all([limiterOn(server.url, 3), limiterOn(server.url, 3), limiterOn(server.url, 3)]);
    const budget = budgetOf('dana', 3600, 137);
    const admitted = await Promise.all(limiters.map((limiter) => admittedOf(limiter, 300, budget)));
    expect(admitted.reduce((sum, count) => sum + count, 0)).toBe(137);
  });

  test('lie under hashed keys of one length that all expire, and cost one command a request', async () => {
    const limiter = await limiterOn(server.url);
    await limiter.charge([budgetOf('x'.repeat(5000), 60, 3), budgetOf('\r\nSET a b', 60, 3)]);
    await server.admin.config('RESETSTAT');
    for (let n = 0; n < 10; n++) await limiter.charge([budgetOf('dana', 60, 3), budgetOf('app', 60, 30)]);
    const stats = await server.admin.info('commandstats');
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBe(10);
    const keys = await server.admin.keys('*');
    for (const key of keys) {
      expect(key).toMatch(/^portcullis:\{limits\}:(budget:[0-9a-f]{32}|owing)$/);
      expect(await server.admin.pttl(key)).toBeGreaterThan(0);
    }
    expect(keys.length).toBeGreaterThanOrEqual(4);
  });

  test('are bounded in what is listed', async () => {
    const limiter = await limiterOn(server.url);
    for (let n = 0; n < 1300; n++) await limiter.charge([budgetOf(`user-${n}`, 3600, 1)]);
    const listed = await limiter.owing();
    expect(listed.ok && listed.owing.length).toBe(1000);
    expect(await server.admin.zcard('portcullis:{limits}:owing')).toBe(1000);
  });

  test('leave the list of who owes much when they owe nothing, and last as long as the longest on it', async () => {
    const limiter = await limiterOn(server.url);
    await admittedOf(limiter, 1, budgetOf('short', 10, 1));
    await admittedOf(limiter, 10, budgetOf('long', 3600, 10));
    await admittedOf(limiter, 1, budgetOf('short too', 20, 1));
    expect(await server.admin.pttl('portcullis:{limits}:owing')).toBeGreaterThan(9.9 * 3_600_000);
    await server.admin.eval(shift, 0, 15);
    await admittedOf(limiter, 1, budgetOf('another', 60, 1));
    const listed = await server.admin.zrange('portcullis:{limits}:owing', '0', '-1');
    expect(listed.map((counter) => counter.split('\n')[2])).toEqual(['short too', 'another', 'long']);
  });

  test('go by the clock of Redis: a gateway whose own clock jumps an hour lets nothing more through', async () => {
    const limiter = await limiterOn(server.url);
    const budget = budgetOf('dana', 60, 5);
    await admittedOf(limiter, 10, budget);
    for (const hours of [1, -1]) {
      vi.spyOn(Date, 'now').mockReturnValue(Date.now() + hours * 3_600_000);
      expect(await admittedOf(limiter, 10, budget)).toBe(0);
      vi.restoreAllMocks();
    }
  });

  test('that only are looked at cost no command when they were told a moment ago', async () => {
    const limiter = await limiterOn(server.url);
    const budget = budgetOf('dana', 60, 5);
    await limiter.charge([budget]);
    const calls = async (): Promise<readonly string[]> =>
      [...(await server.admin.info('commandstats')).matchAll(/cmdstat_eval\w*:calls=\d+/g)].map(([call]) => call);
    const before = await calls();
    for (let n = 0; n < 10; n++) expect(await limiter.peek([budget])).toMatchObject([{ remaining: 4 }]);
    expect(await calls()).toEqual(before);
    expect(await limiter.peek([budgetOf('rita', 60, 5)])).toMatchObject([{ remaining: 5 }]);
  });
});

describeWithPrograms(['redis-server'], 'budgets when Redis fails', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  beforeEach(async () => {
    server = await startRedisServer();
    proxy = await startFaultProxy(server.port);
  });
  afterEach(async () => {
    await proxy.close();
    await server.stop();
  });
  const open = (gateways: number): Promise<ReturnType<typeof createRedisRateLimiter>> =>
    limiterOn(`redis://127.0.0.1:${proxy.port}/0`, gateways, 300);
  const budget = budgetOf('dana', 3600, 20);

  test('are divided by the number of gateways, and counted', async () => {
    const limiter = await open(4);
    proxy.cut();
    expect(await admittedOf(limiter, 30, budget)).toBe(5);
    expect(limiter.fallbacks()).toBe(30);
  });

  test('go on from where they stood: an outage gives nobody a fresh budget', async () => {
    const limiter = await open(2);
    await admittedOf(limiter, 12, budget);
    proxy.cut();
    expect(await admittedOf(limiter, 30, budget)).toBe(4);
  });

  test('let one through for many gateways and a small burst, then none', async () => {
    const limiter = await open(50);
    proxy.cut();
    expect(await admittedOf(limiter, 30, budget)).toBe(1);
  });

  test('are answered within a second while Redis says nothing, and at once after the first failures', async () => {
    const limiter = await open(1);
    await server.pause();
    try {
      for (let n = 0; n < 8; n++) {
        expect((await waited(() => limiter.charge([budget]))).ms).toBeLessThan(1000);
      }
    } finally {
      server.resume();
    }
  });

  test.each([
    ['is back as it was', false],
    ['has lost its memory', true],
  ])('are not fresh when Redis %s: what was counted meanwhile counts, on every gateway', async (_how, isEmpty) => {
    const [limiter, other] = [await open(2), await limiterOn(server.url, 2)];
    await admittedOf(limiter, 6, budget);
    proxy.cut();
    expect(await admittedOf(limiter, 30, budget)).toBe(7);
    if (isEmpty) await server.admin.flushall();
    proxy.pass();
    const key = budgetKey(budget.counter);
    const owed = async (): Promise<number> =>
      (Number(await server.admin.get(key)) - Date.now() * 1000) / budget.intervalUs;
    // Six of before, and seven that count twice: as if the other gateway had let as many through.
    await eventually('Redis was told', async () => (await owed()) > 19.9);
    expect(await admittedOf(other, 10, budget)).toBe(0);
    await eventually('Redis is asked again', async () => {
      const before = limiter.fallbacks();
      await limiter.charge([budgetOf('rita', 60, 5)]);
      return limiter.fallbacks() === before;
    });
    expect(await admittedOf(limiter, 10, budget)).toBe(0);
  });

  test('are not fresh when Redis lost its memory and nobody asked meanwhile', async () => {
    const [limiter, other] = [await limiterOn(server.url), await limiterOn(server.url)];
    await admittedOf(limiter, 20, budget);
    await server.kill();
    await server.restart();
    const key = budgetKey(budget.counter);
    await eventually('Redis was told', async () => (await server.admin.exists(key)) === 1);
    await eventually('the other asks it', async () => (await other.owing()).ok);
    expect(await admittedOf(other, 5, budget)).toBe(0);
  });

  test('are known to Redis from the first request on, although it was not told of all yet', async () => {
    const connection = await connectRedis(`redis://127.0.0.1:${proxy.port}/0`, { commandTimeoutMs: 300 });
    const limiter = createRedisRateLimiter(withoutScript(connection, raiseBudgets), () => 1);
    const other = await limiterOn(server.url);
    await admittedOf(limiter, 20, budget);
    proxy.cut();
    await limiter.charge([budget]);
    await server.admin.flushall();
    proxy.pass();
    await eventually('Redis is asked again', async () => (await limiter.owing()).ok);
    expect(await limiter.charge([budget])).toMatchObject({ admitted: false });
    expect(await admittedOf(other, 5, budget)).toBe(0);
  });

  test('are as Redis says where another gateway counted more meanwhile', async () => {
    const [limiter, other] = [await open(1), await limiterOn(server.url)];
    await admittedOf(limiter, 6, budget);
    proxy.cut();
    expect(await admittedOf(limiter, 2, budget)).toBe(2);
    expect(await admittedOf(other, 9, budget)).toBe(9);
    proxy.pass();
    await eventually('Redis is asked again', async () => (await limiter.owing()).ok);
    expect(await admittedOf(limiter, 9, budget)).toBe(5);
  });

  test('are told to Redis after a moment of silence too, when nobody asks for anything any more', async () => {
    const limiter = await open(20);
    await server.pause();
    const charged = await limiter.charge([budget]);
    server.resume();
    expect(charged).toMatchObject({ admitted: true, balances: [{ remaining: 0 }] });
    const key = budgetKey(budget.counter);
    await eventually(
      'Redis knows that it counted for every gateway',
      async () => Number(await server.admin.get(key)) - Date.now() * 1000 > 19.9 * budget.intervalUs,
    );
  });

  test('never owe more than a burst, although one request counted for more gateways than a burst has requests', async () => {
    const limiter = await open(50);
    proxy.cut();
    expect(await limiter.charge([budget])).toMatchObject({ admitted: true });
    proxy.pass();
    const key = budgetKey(budget.counter);
    await eventually('Redis was told', async () => (await server.admin.exists(key)) === 1);
    const owed = async (): Promise<number> =>
      (Number(await server.admin.get(key)) - Date.now() * 1000) / budget.intervalUs;
    expect(await owed()).toBeLessThanOrEqual(budget.burst);
    proxy.cut();
    proxy.pass();
    await eventually('Redis is asked again', async () => (await limiter.owing()).ok);
    await limiter.charge([budget]);
    expect(await owed()).toBeLessThanOrEqual(budget.burst);
  });

  test('are listed when they are charged again after Redis lost its memory, refused or not', async () => {
    const limiter = await open(1);
    await admittedOf(limiter, 20, budget);
    proxy.cut();
    await server.admin.flushall();
    proxy.pass();
    const key = budgetKey(budget.counter);
    await eventually('Redis was told', async () => (await server.admin.exists(key)) === 1);
    expect(await limiter.charge([budget])).toMatchObject({ admitted: false });
    expect(await limiter.owing()).toMatchObject({ ok: true, owing: [{ counter: budget.counter }] });
  });

  test('are as Redis says when this process was too busy to read its answer in time', async () => {
    const limiter = await limiterOn(server.url, 1, 300);
    for (const busyMs of [400, 900]) {
      const charged = limiter.charge([budget]);
      await new Promise(setImmediate);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyMs);
      await charged;
    }
    expect(limiter.fallbacks()).toBe(0);
  });

  test('count at most one too many when an answer is lost', async () => {
    const limiter = await open(1);
    await limiter.charge([budget]);
    const lost = proxy.loseReplyTo('evalsha');
    const charged = limiter.charge([budget]);
    await lost;
    expect((await charged).admitted).toBe(true);
    await eventually('Redis is asked again', async () => (await limiter.owing()).ok);
    const left = await admittedOf(limiter, 30, budget);
    expect(left).toBeLessThanOrEqual(18);
    expect(left).toBeGreaterThanOrEqual(17);
  });
});

describeWithPrograms(['redis-server'], 'the number of gateways', () => {
  let server: RedisServer;
  let followed: Gateways[] = [];
  const key = 'portcullis:{limits}:gateways';
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());
  afterEach(async () => {
    await Promise.all(followed.map((gateways) => gateways.close()));
    followed = [];
  });
  const join = async (): Promise<Gateways> => {
    const gateways = followGateways(await connectRedis(server.url));
    followed.push(gateways);
    return gateways;
  };

  test('is known to each of them within seconds, and falls when one leaves or is not heard of', async () => {
    const [first, second] = [await join(), await join()];
    await eventually('both know', () => first.count() === 2 && second.count() === 2, 5000);
    await second.close();
    await eventually('one is left', () => first.count() === 1, 5000);
    await server.admin.zadd(key, Date.now() - 60_000, 'killed');
    await eventually('the silent one is gone', async () => (await server.admin.zcard(key)) === 1, 5000);
    expect(first.count()).toBe(1);
  });

  test('stays what it was while Redis is away, and when it comes back without having heard of the others', async () => {
    const gateways = await join();
    for (const name of ['second', 'third']) await server.admin.zadd(key, Date.now(), name);
    await eventually('they are known', () => gateways.count() === 3);
    await server.kill();
    expect(gateways.count()).toBe(3);
    await server.restart();
    const greeted = async (): Promise<number> =>
      Number((await server.admin.zrange(key, '0', '-1', 'WITHSCORES'))[1] ?? 0);
    await eventually('it greets again', async () => (await greeted()) > 0);
    const before = await greeted();
    await eventually('and once more', async () => (await greeted()) > before);
    expect(gateways.count()).toBe(3);
  });

  test('does not hold those that were heard of before the clock of Redis went back', async () => {
    await server.admin.zadd(key, Date.now() + 3_600_000, 'killed');
    const gateways = await join();
    await eventually('it is gone', async () => (await server.admin.zcard(key)) === 1);
    expect(gateways.count()).toBe(1);
  });

  test('comes with how far the clock here is from that of Redis', async () => {
    const real = Date.now.bind(Date);
    vi.spyOn(Date, 'now').mockImplementation(() => real() + 3_600_000);
    const gateways = await join();
    await eventually('it was measured', () => gateways.clockSkewMs() !== 0);
    vi.restoreAllMocks();
    expect(Math.round(gateways.clockSkewMs() / 1000)).toBe(3600);
  });
});

describeWithPrograms(['redis-server'], 'budgets on a cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.stop());

  test('of a request lie in one slot, so that they are charged together', async () => {
    const limiter = await limiterOn(cluster.url);
    const budgets = [budgetOf('dana', 60, 5), budgetOf('192.0.2.1', 60, 3), budgetOf('sandbox/app', 60, 9)];
    expect(await admittedOf(limiter, 20, ...budgets)).toBe(3);
    expect(await limiter.peek([budgetOf('rita', 60, 4)])).toMatchObject([{ remaining: 4 }]);
    expect(await limiter.owing()).toMatchObject({ ok: true, owing: [{ counter: budgets[1]?.counter }] });
    expect(limiter.fallbacks()).toBe(0);
  });

  test('are not fresh when their node went and came back empty, also of whoever did not ask meanwhile', async () => {
    const limiter = await limiterOn(cluster.url, 1, 300);
    const budget = budgetOf('rita', 3600, 20);
    await admittedOf(limiter, 20, budget);
    const sizes = await Promise.all(cluster.nodes.map(({ admin }) => admin.dbsize()));
    const node = cluster.nodes[sizes.findIndex((size) => size > 0)];
    if (node === undefined) throw new Error('no node has the budget');
    await node.kill();
    await eventually('its absence is sure', async () => {
      const before = limiter.fallbacks();
      for (let n = 0; n < 10; n++) await limiter.charge([budgetOf('dana', 60, 5)]);
      return limiter.fallbacks() === before + 10;
    });
    await node.restart();
    await eventually(
      'it is told',
      async () => (await node.admin.exists(budgetKey(budget.counter)).catch(() => 0)) === 1,
    );
    const other = await limiterOn(cluster.url);
    expect(await admittedOf(other, 5, budget)).toBe(0);
  });
});

describe('requests of one turn', () => {
  const limiterOver = (run: RedisCalls['run']) =>
    createRedisRateLimiter({ calls: () => ({ run, isCut: () => false }), onReady: () => {} }, () => 1);
  const budgets = [budgetOf('dana', 60, 5), budgetOf('192.0.2.1', 60, 3)];

  test('travel together, at most 32 of them, and each gets its own part of the answer', async () => {
    const sizes: number[] = [];
    const limiter = limiterOver((_script, keys) => {
      const count = (keys.length - 1) / 2;
      sizes.push(count);
      return Promise.resolve({ ok: true, reply: Array.from({ length: count }, (_, n) => [n % 2, 1, n, 0, 0]).flat() });
    });
    const charged = await Promise.all(Array.from({ length: 40 }, () => limiter.charge(budgets)));
    expect(sizes).toEqual([32, 8]);
    expect(charged.map(({ admitted }) => admitted)).toEqual([...Array(40).keys()].map((n) => n % 2 === 1));
    expect(charged[31]?.balances[0]?.debtUs).toBe(31);
    expect(limiter.fallbacks()).toBe(0);
  });

  test('are all counted here when the answer is short of one of them', async () => {
    const limiter = limiterOver(() => Promise.resolve({ ok: true, reply: [1, 1, 0, 1, 0, 1, 1, 0] }));
    await Promise.all([limiter.charge(budgets), limiter.charge(budgets)]);
    expect(limiter.fallbacks()).toBe(2);
  });
});

describe('a budget that is counted here while an older question is under way', () => {
  test('is not overwritten by the answer to it', async () => {
    const asked: { readonly script: string; readonly answer: (answer: Answer) => void }[] = [];
    const calls: RedisCalls = {
      run: ({ name }) => new Promise((answer) => void asked.push({ script: name, answer })),
      isCut: () => false,
    };
    const limiter = createRedisRateLimiter({ calls: () => calls, onReady: () => {} }, () => 4);
    const budget = budgetOf('dana', 3600, 20);
    const inTurnsOfTheirOwn = async (): Promise<ReturnType<typeof limiter.charge>[]> => {
      const charges = [];
      for (let n = 0; n < 3; n++) {
        charges.push(limiter.charge([budget]));
        await nextTurn();
      }
      return charges;
    };
    const [first, ...others] = await inTurnsOfTheirOwn();
    for (const { answer } of asked.slice(1)) answer({ ok: false, reason: 'unavailable' });
    expect((await Promise.all(others)).map(({ balances }) => balances[0]?.remaining)).toEqual([4, 3]);
    asked[0]?.answer({ ok: true, reply: [1, 1, budget.intervalUs] });
    await first;
    const next = limiter.charge([budget]);
    await nextTurn();
    for (const { answer } of asked.slice(3)) answer({ ok: false, reason: 'unavailable' });
    expect((await next).balances).toMatchObject([{ remaining: 2 }]);
  });
});
