import { expect, test } from 'vitest';
import { createRedisRobotUses } from '../../src/adapters/redis/robot-uses.ts';
import { eventually } from '../support/eventually.ts';
import { connectRedis, openRedis } from '../support/redis-connections.ts';
import { redisForAll } from '../support/redis-for-all.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { describeRobotUses, now } from './robot-uses.contract.ts';

describeWithPrograms(['redis-server'], 'robots’ uses on Redis', () => {
  const server = redisForAll();

  async function open(): Promise<ReturnType<typeof createRedisRobotUses>> {
    const connection = await connectRedis(server.url);
    return createRedisRobotUses(connection);
  }

  describeRobotUses(async () => ({ uses: await open(), reopen: open }));

  test('reach other gateways within seconds, under hashed keys that expire', async () => {
    const [a, b] = [await open(), await open()];
    a.mark('k3v9', now);
    await eventually('B knows', async () => (await b.lastUsed(['k3v9'])).get('k3v9') === now);
    const keys = await server.admin.keys('*');
    expect(keys).toEqual([expect.stringMatching(/^portcullis:\{robots\}:used:[0-9a-f]{32}$/)]);
    expect(await server.admin.ttl(keys[0] ?? '')).toBeGreaterThan(0);
  });

  test('from a clock that is ahead never lie in the future', async () => {
    const uses = await open();
    uses.mark('k3v9', Date.now() + 3_600_000);
    await uses.close();
    const time = (await (await open()).lastUsed(['k3v9'])).get('k3v9') ?? Infinity;
    expect(time).toBeLessThanOrEqual(Date.now() + 1000);
  });

  test('cost nobody anything while Redis is away, and arrive later', async () => {
    const away = openRedis('redis://127.0.0.1:1');
    const uses = createRedisRobotUses(away);
    uses.mark('k3v9', now);
    expect(await uses.lastUsed(['k3v9', 'other'])).toEqual(new Map([['k3v9', now]]));
    await uses.close();
  });
});
