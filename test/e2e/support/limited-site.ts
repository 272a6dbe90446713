import type { GatewayProcess } from '../../support/gateway.ts';
import { pushImage } from '../../support/image.ts';
import { startRedis, startRegistry, type RedisProcess, type RegistryProcess } from '../../support/registry.ts';
import { startReplicas, type Replicas } from '../../support/replicas.ts';

/** Has an image `v1` from the start. */
export const openRepository = 'open/app';

/** The built program twice, on one real Redis, in front of a real registry. */
export interface LimitedSite {
  readonly registry: RegistryProcess;
  /** Set by a test that ends it and starts another one. */
  redis: RedisProcess;
  readonly replicas: Replicas;
  readonly first: GatewayProcess;
  readonly second: GatewayProcess;
  readonly stop: () => Promise<void>;
}

/** With 127.0.0.1 as a trusted proxy. */
export async function startLimitedSite(policy: string): Promise<LimitedSite> {
  const registry = await startRegistry();
  const redis = await startRedis();
  const replicas = await startReplicas({
    upstream: registry.url,
    redis: redis.url,
    policies: { 'p.yaml': policy },
    env: { PORTCULLIS_TRUSTED_PROXIES: '127.0.0.1' },
  });
  const [first, second] = replicas.gateways as [GatewayProcess, GatewayProcess];
  await pushImage(registry.url, openRepository, 'v1');
  const site: LimitedSite = {
    ...{ registry, redis, replicas, first, second },
    stop: async () => {
      await replicas.stop();
      await site.redis.stop();
      await registry.stop();
    },
  };
  return site;
}
