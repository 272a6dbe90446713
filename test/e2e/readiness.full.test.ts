/** Two gateways on one Redis, of which one cannot reach the registry: it leaves the balancer, and is back when it is needed. */
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { startRedisServer } from '../support/redis.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';

const policies = { 'p.yaml': 'rules: [{ name: open, subjects: [everyone], repositories: ["**"], actions: [pull] }]\n' };

interface Side {
  readonly registry: StandIn;
  readonly gateway: GatewayProcess;
}

async function startSide(redis: string, way: { isOpen: boolean }): Promise<Side> {
  const registry = await startStandIn((request, response) => {
    if (way.isOpen) response.end('{}');
    else request.socket.destroy();
  });
  onTestFinished(() => registry.close());
  const gateway = await startGatewayProcess({ upstream: registry.url, policies, env: { PORTCULLIS_REDIS: redis } });
  onTestFinished(async () => void (await gateway.stop()));
  return { registry, gateway };
}

async function readyz({ gateway }: Side): Promise<string> {
  const reply = await fetch(`${gateway.adminUrl}/readyz`);
  return `${reply.status} ${await reply.text()}`;
}

describeWithPrograms(['redis-server'], 'of two gateways', () => {
  test('the one that alone cannot reach the registry is 503 after half a minute, and never the last', async () => {
    const redis = await startRedisServer();
    onTestFinished(() => redis.stop());
    const [hereWay, thereWay] = [{ isOpen: true }, { isOpen: true }];
    const here = await startSide(redis.url, hereWay);
    const there = await startSide(redis.url, thereWay);
    const isSo = (side: Side, what: RegExp, withinMs = 20_000): Promise<unknown> =>
      eventually(String(what), async () => what.test(await readyz(side)), withinMs);
    await isSo(here, /^200 ready/);
    await isSo(there, /^200 ready/);

    hereWay.isOpen = false;
    await isSo(here, /^200 \[\+\] serving ok\n[^]*degraded\n$/);
    await isSo(here, /^503 [^]*\[-\] upstream failed: .*, for more than 30 s; another gateway reaches it/, 60_000);
    expect(await readyz(there)).toMatch(/^200 ready/);
    expect((await fetch(`${here.gateway.adminUrl}/livez`)).status).toBe(200);

    // The other one loses it as well: this one is back at once, and neither leaves.
    thereWay.isOpen = false;
    await isSo(here, /^200 [^]*\[~\] upstream degraded/);
    thereWay.isOpen = true;
    await isSo(here, /^503 /);
    // The other one ends.
    await there.gateway.stop();
    await isSo(here, /^200 [^]*\[~\] upstream degraded/);
    hereWay.isOpen = true;
    await isSo(here, /^200 ready/);
  }, 180_000);
});
