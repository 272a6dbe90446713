/** Promotions of a gateway that dies: what is left of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ContentWriter, contentWriter } from '../support/content.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { type MemoryRegistry, startMemoryRegistry } from '../support/memory-registry.ts';
import { policies, promote } from './support/promotions.ts';

describe('a gateway that is killed at any step of a promotion', () => {
  let registry: MemoryRegistry;
  let there: ContentWriter;
  let gateway: GatewayProcess | undefined;
  beforeAll(async () => {
    registry = await startMemoryRegistry();
    there = contentWriter(registry.url);
  });
  afterAll(async () => {
    await gateway?.stop('SIGKILL');
    await registry.close();
  });

  test.each([
    ['before the registry does it', false],
    ['when the registry has done it', true],
  ])('%s leaves no tag or the right one, and it can be done again', async (_when, isDone) => {
    const image = await there.image('integration/app', '1.0', { layers: 1 });
    await there.attach('integration/app', image);
    const start = async (): Promise<GatewayProcess> =>
      (gateway ??= await startGatewayProcess({ upstream: registry.url, policies: await policies() }));
    const before = registry.requests.length;
    const counted = `release/counted-${String(isDone)}`;
    expect((await promote((await start()).url, 'integration/app:1.0', `${counted}:v1`)).status).toBe(201);
    const steps = registry.requests.length - before;
    expect(steps).toBeGreaterThan(12);
    for (let step = 0; step < steps; step++) {
      const repository = `release/step-${step}-${String(isDone)}`;
      const running = await start();
      let seen = 0;
      const kill = async (): Promise<void> => void (await running.stop('SIGKILL'));
      registry.intercept = async (_line, _request, response) => {
        if (seen++ !== step) return false;
        if (!isDone) {
          await kill();
          response.destroy();
          return true;
        }
        // Served, and its answer goes nowhere.
        response.end = () => {
          void kill().then(() => response.destroy());
          return response;
        };
        return false;
      };
      await expect(promote(running.url, 'integration/app:1.0', `${repository}:v1`)).rejects.toThrow();
      await running.exited;
      gateway = undefined;
      registry.intercept = () => false;
      const left = await there.read(repository, 'v1');
      const isLast = isDone && step === steps - 1;
      expect(left?.digest, `step ${step} of ${steps}`).toBe(isLast ? image.digest : undefined);
      const again = await promote((await start()).url, 'integration/app:1.0', `${repository}:v1`);
      expect(again, `step ${step}`).toMatchObject({ status: 201, body: { digest: image.digest } });
      expect((await there.read(repository, 'v1'))?.digest).toBe(image.digest);
    }
  });
});
