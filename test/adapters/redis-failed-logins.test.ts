/** Failed logins on a real Redis: the promises of every store, and that no outage lets anybody guess more. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { forgiveFailures, raiseFailures } from '../../src/adapters/redis/login-scripts.ts';
import { createRedisFailedLogins } from '../../src/adapters/redis/failed-logins.ts';
import type { FailedLogins } from '../../src/ports.ts';
import { eventually } from '../support/eventually.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { waited } from '../support/loop-time.ts';
import { withoutScript } from '../support/lost-script.ts';
import { connectRedis, isConnected, openRedis } from '../support/redis-connections.ts';
import { redisForAll } from '../support/redis-for-all.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RedisCluster, type RedisServer, startRedisCluster, startRedisServer } from '../support/redis.ts';
import { attemptOf, countsOf, describeFailedLogins, hour } from './failed-logins.contract.ts';

async function storeOn(url: string, gateways = 1, commandTimeoutMs = 2000): Promise<FailedLogins> {
  const connection = await connectRedis(url, { commandTimeoutMs });
  return createRedisFailedLogins(connection, () => gateways);
}

/** Moves what was recorded into the past, which to the scripts is the same as waiting. */
const shift = `
for _, key in ipairs(redis.call('KEYS', 'portcullis:{logins}:*')) do
  if redis.call('TYPE', key).ok == 'hash' then redis.call('HINCRBY', key, 'at', -ARGV[1]) end
  if redis.call('TYPE', key).ok == 'zset' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, -ARGV[1], member) end
  end
end`;

describeWithPrograms(['redis-server'], 'failed logins on Redis', () => {
  const server = redisForAll();

  describeFailedLogins(async () => ({
    failed: await storeOn(server.url),
    elapse: async (ms) => void (await server.admin.eval(shift, 0, ms)),
    close: () => Promise.resolve(),
  }));

  test('are one record for all gateways', async () => {
    const [first, second] = [await storeOn(server.url), await storeOn(server.url)];
    await first.fail(attemptOf('dana', 'a'));
    await second.fail(attemptOf('dana', 'b'));
    for (const failed of [first, second]) expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([2, 2, 2]);
    expect(await second.look(attemptOf('dana', 'a'))).toMatchObject({ isKnownWrong: true });
    await second.succeed(attemptOf('dana', 'right'));
    expect(await countsOf(first, attemptOf('dana', 'x'))).toEqual([0, 0, 0]);
    expect(await first.look(attemptOf('dana', 'x'))).toMatchObject({ isKnownGood: true });
    expect(await server.admin.keys('*')).toEqual([expect.stringContaining(':good:')]);
  });

  test('lie under hashed keys that expire, hold no password, and are listed a thousand at most', async () => {
    const failed = await storeOn(server.url);
    for (let n = 0; n < 1100; n++) {
      for (let guess = 0; guess < 5; guess++) await failed.fail(attemptOf(`n${n}`, `g${guess}`, '192.0.2.1'));
    }
    await failed.succeed(attemptOf('rita', 'right'));
    for (const key of await server.admin.keys('*')) {
      expect(key).toMatch(/^portcullis:\{logins\}:((pair|network|site|account|good):[0-9a-f]{32}|worst)$/);
      expect(await server.admin.pttl(key)).toBeGreaterThan(0);
    }
    expect(await server.admin.zcard('portcullis:{logins}:worst')).toBe(1000);
    const listed = await failed.worst();
    expect(listed.ok && listed.worst.length).toBe(1000);
  });

  test('are forgotten a day after the last one, whatever is forgiven meanwhile, and a good login after thirty', async () => {
    const failed = await storeOn(server.url);
    for (let guess = 0; guess < 3; guess++) await failed.fail(attemptOf('dana', `guess ${guess}`, '198.51.100.7'));
    await failed.fail(attemptOf('dana', 'typo'));
    await server.admin.eval(shift, 0, 23 * hour);
    await failed.succeed(attemptOf('dana', 'right'));
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([0, 0, 3]);
    const [account] = await server.admin.keys('portcullis:{logins}:account:*');
    const [good] = await server.admin.keys('portcullis:{logins}:good:*');
    const left = await server.admin.pttl(account ?? '');
    expect(left).toBeGreaterThan(0.9 * hour);
    expect(left).toBeLessThanOrEqual(hour);
    expect(Math.round((await server.admin.pttl(good ?? '')) / hour)).toBe(30 * 24);
  });

  test('cut an endless name before it is kept for lists', async () => {
    const failed = await storeOn(server.url);
    const name = 'x'.repeat(100_000);
    for (let guess = 0; guess < 6; guess++) {
      await failed.fail({ account: name, network: '192.0.2.1', fingerprint: `guess-${guess}`.padEnd(22, '-') });
    }
    const listed = await failed.worst();
    expect(listed.ok && listed.worst[0]?.account).toBe('x'.repeat(128));
  });
});

describeWithPrograms(['redis-server'], 'failed logins when Redis fails', () => {
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
  const open = (gateways: number): Promise<FailedLogins> => storeOn(`redis://127.0.0.1:${proxy.port}/0`, gateways, 300);
  const fail = async (failed: FailedLogins, times: number, from: number): Promise<void> => {
    for (let n = from; n < from + times; n++) await failed.fail(attemptOf('dana', `guess ${n}`));
  };

  test('go on from what was known, each counted once for every gateway', async () => {
    const failed = await open(3);
    await fail(failed, 4, 0);
    proxy.cut();
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([4, 4, 4]);
    await fail(failed, 2, 10);
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([10, 10, 10]);
    expect(await failed.look(attemptOf('dana', 'guess 10'))).toMatchObject({ isKnownWrong: true });
  });

  test('are answered within a second while Redis says nothing', async () => {
    const failed = await open(1);
    await server.pause();
    try {
      for (let n = 0; n < 6; n++) {
        expect((await waited(() => failed.look(attemptOf('dana', 'x')))).ms).toBeLessThan(1000);
      }
    } finally {
      server.resume();
    }
  });

  test('are forgiven meanwhile as ever, and who was known to be good stays so', async () => {
    const [failed, other] = [await open(2), await storeOn(server.url)];
    await fail(failed, 3, 0);
    await other.succeed(attemptOf('rita', 'right'));
    expect(await failed.look(attemptOf('rita', 'x'))).toMatchObject({ isKnownGood: true });
    proxy.cut();
    expect(await failed.look(attemptOf('rita', 'x'))).toMatchObject({ isKnownGood: true });
    expect(await failed.look(attemptOf('dana', 'x'))).toMatchObject({ isKnownGood: false });
    await failed.succeed(attemptOf('dana', 'right'));
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([0, 0, 0]);
    expect(await failed.look(attemptOf('dana', 'x'))).toMatchObject({ isKnownGood: true });
  });

  test('that were forgiven while Redis was away stay so, and the login is known there too', async () => {
    const [failed, other] = [await open(2), await storeOn(server.url)];
    await fail(failed, 10, 0);
    proxy.cut();
    await failed.succeed(attemptOf('dana', 'right'));
    proxy.pass();
    await eventually('Redis is asked again', async () => (await failed.worst()).ok);
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([0, 0, 0]);
    await eventually('Redis knows', async () => (await countsOf(other, attemptOf('dana', 'x'))).join() === '0,0,0');
    expect(await other.look(attemptOf('dana', 'x'))).toMatchObject({ isKnownGood: true });
  });

  test('are forgiven here before Redis was told of it', async () => {
    const failed = createRedisFailedLogins(withoutScript(await connectRedis(server.url), forgiveFailures), () => 1);
    await fail(failed, 10, 0);
    await failed.succeed(attemptOf('dana', 'right'));
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([0, 0, 0]);
  });

  test('that another gateway forgave do not come back with a connection', async () => {
    const [failed, other] = [await open(2), await storeOn(server.url)];
    await fail(failed, 12, 0);
    for (let n = 0; n < 6; n++) await failed.fail(attemptOf('max', `guess ${n}`));
    // Later by more than a command takes: that is how well the clocks of a gateway and of Redis compare.
    await delay(50);
    await other.succeed(attemptOf('dana', 'right'));
    const [pairOfMax = ''] = await server.admin.keys('portcullis:{logins}:pair:*');
    await server.admin.del(pairOfMax);
    proxy.cut();
    proxy.pass();
    await eventually('Redis is told', async () => (await countsOf(other, attemptOf('max', 'x')))[0] === 6);
    expect((await countsOf(other, attemptOf('dana', 'x')))[0]).toBe(0);
  });

  test('leave who was known to be good so, on any gateway, when Redis has lost its memory', async () => {
    const [failed, other] = [await open(2), await storeOn(server.url)];
    await failed.succeed(attemptOf('dana', 'right'));
    await server.admin.flushall();
    expect(await other.look(attemptOf('dana', 'x'))).toMatchObject({ isKnownGood: false });
    expect(await failed.look(attemptOf('dana', 'x'))).toMatchObject({ isKnownGood: true });
    expect(await other.look(attemptOf('dana', 'x'))).toMatchObject({ isKnownGood: true });
    const [good = ''] = await server.admin.keys('portcullis:{logins}:good:*');
    const thirtyDays = 30 * 24 * hour;
    expect(thirtyDays - (await server.admin.pttl(good))).toBeLessThan(hour);
  });

  test('keep an account known at a network no longer than Redis said', async () => {
    const failed = await storeOn(server.url);
    await failed.succeed(attemptOf('dana', 'right'));
    const [good = ''] = await server.admin.keys('portcullis:{logins}:good:*');
    const other = await storeOn(server.url);
    await server.admin.pexpire(good, 1500);
    expect(await other.look(attemptOf('dana', 'x'))).toMatchObject({ isKnownGood: true });
    await eventually('Redis has forgotten it', async () => (await server.admin.exists(good)) === 0);
    // Later by what the answer took to come here.
    await eventually('so has the gateway', async () => !(await other.look(attemptOf('dana', 'x'))).isKnownGood);
  });

  test('of many long ago and of a few just now hold back as many just now', async () => {
    const connection = openRedis(`redis://127.0.0.1:${proxy.port}/0`, { commandTimeoutMs: 300 });
    expect(await isConnected(connection, 5000)).toBe(true);
    const failed = createRedisFailedLogins(withoutScript(connection, raiseFailures), () => 1);
    proxy.cut();
    await fail(failed, 9, 0);
    const other = await storeOn(server.url);
    await other.fail(attemptOf('dana', 'guess 0'));
    const pair = (await server.admin.keys('portcullis:{logins}:pair:*'))[0] ?? '';
    await server.admin.hset(pair, 'count', 12, 'at', Date.now() - hour);
    proxy.pass();
    await eventually('Redis is asked again', async () => (await failed.worst()).ok);
    const { failures } = await failed.look(attemptOf('dana', 'x'));
    expect(failures.pair.count).toBe(12);
    expect(failures.pair.ageMs).toBeLessThan(hour / 2);
  });

  test('hold back where they were counted, also before Redis was told of them', async () => {
    const connection = openRedis(`redis://127.0.0.1:${proxy.port}/0`, { commandTimeoutMs: 300 });
    expect(await isConnected(connection, 5000)).toBe(true);
    const failed = createRedisFailedLogins(withoutScript(connection, raiseFailures), () => 1);
    proxy.cut();
    await fail(failed, 8, 0);
    proxy.pass();
    await eventually('Redis is asked again', async () => (await failed.worst()).ok);
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([8, 8, 8]);
  });

  test('that Redis is told of do not make older what failed there since', async () => {
    const connection = openRedis(server.url);
    expect(await isConnected(connection, 5000)).toBe(true);
    const failed = createRedisFailedLogins(connection, () => 1);
    await failed.fail(attemptOf('dana', 'typo'));
    const [pair = ''] = await server.admin.keys('portcullis:{logins}:pair:*');
    expect(
      await connection.calls().run(raiseFailures, [pair, 'portcullis:{logins}:good:none'], [1, 9, 2 * hour, 'dana']),
    ).toMatchObject({ ok: true });
    const { failures } = await failed.look(attemptOf('dana', 'x'));
    expect(failures.pair.count).toBe(9);
    expect(failures.pair.ageMs).toBeLessThan(hour);
    await server.admin.hset(pair, 'at', Date.now() - 2 * hour);
    await connection.calls().run(raiseFailures, [pair, 'portcullis:{logins}:good:none'], [1, 3, 1000, 'dana']);
    const later = await failed.look(attemptOf('dana', 'x'));
    expect(later.failures.pair.count).toBe(9);
    expect(later.failures.pair.ageMs).toBeLessThan(hour);
  });

  test('are told to Redis after a moment of silence too, when nobody asks for anything any more', async () => {
    const [failed, other] = [await open(6), await storeOn(server.url)];
    await server.pause();
    await fail(failed, 1, 0);
    server.resume();
    await eventually(
      'the other gateway knows that it counted for every gateway',
      async () => (await countsOf(other, attemptOf('dana', 'x')))[0] === 6,
    );
  });

  test.each([
    ['is back as it was', false],
    ['has lost its memory', true],
  ])('are not forgotten when Redis %s, on any gateway', async (_how, isEmpty) => {
    const [failed, other] = [await open(2), await storeOn(server.url, 2)];
    await fail(failed, 4, 0);
    proxy.cut();
    await fail(failed, 10, 10);
    if (isEmpty) await server.admin.flushall();
    proxy.pass();
    await eventually(
      'the other gateway knows',
      async () => (await countsOf(other, attemptOf('dana', 'x'))).join() === '24,24,24',
    );
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([24, 24, 24]);
    const listed = await other.worst();
    expect(listed.ok && listed.worst.map(({ by, account }) => [by, account])).toEqual(
      expect.arrayContaining([
        ['pair', 'dana'],
        ['account', 'dana'],
      ]),
    );
  });
});

describeWithPrograms(['redis-server'], 'failed logins on a cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.stop());

  test('lie in one slot, so that each step is atomic', async () => {
    const failed = await storeOn(cluster.url);
    for (let n = 0; n < 6; n++) await failed.fail(attemptOf('dana', `guess ${n}`));
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([6, 6, 6]);
    expect(await failed.worst()).toMatchObject({ ok: true, worst: [{ by: 'pair', account: 'dana' }] });
    await failed.succeed(attemptOf('dana', 'right'));
    expect(await countsOf(failed, attemptOf('dana', 'x'))).toEqual([0, 0, 0]);
  });
});
