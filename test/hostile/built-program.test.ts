import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { createArrivals } from './support/arrivals.ts';
import { converse } from './support/client.ts';
import { policy, tokenFor } from '../support/gateway.ts';
import { fill, rawRequests, scopes } from './support/raw-requests.ts';

describeWithPrograms(['docker-registry'], 'the built program in front of a real registry', () => {
  let registry: RegistryProcess;
  let gateway: GatewayProcess;
  let port: number;
  let token: string;
  let arrivals: ReturnType<typeof createArrivals>;

  beforeAll(async () => {
    registry = await startRegistry();
    gateway = await startGatewayProcess({
      upstream: registry.url,
      publicUrl: 'http://registry.test',
      policies: { 'policy.yaml': policy },
    });
    port = Number(new URL(gateway.url).port);
    token = await tokenFor(gateway.url, scopes);
    arrivals = createArrivals(registry);
    await arrivals.sinceLast();
  });

  afterAll(async () => {
    await gateway.stop();
    await registry.stop();
  });

  for (const { title, bytes, status, reaches } of rawRequests) {
    test(title, async () => {
      const expected = typeof status === 'number' ? [status] : status;
      const replies = await converse(port, fill(bytes, token), expected.length);
      const arrived = await arrivals.sinceLast();
      expect(arrived.map(({ line }) => line)).toEqual(reaches);
      // Where the backend of the table says 200, a real one says what it likes, and the client hears it.
      const said = arrived.map((each) => each.status);
      const own = expected.map((each) => (each === 200 ? (said.shift() ?? 200) : each));
      expect(replies.filter((reply) => reply.status >= 200).map((reply) => reply.status)).toEqual(own);
    });
  }

  test('none of it reached a repository outside mine/, ended the program, or was an error inside it', async () => {
    const log = await registry.settledAccessLog();
    expect(log).toContain('/v2/mine/app/');
    expect(log).not.toMatch(/secret|hidden/);
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(200);
    expect(gateway.logs().filter((record) => record['level'] === 'error')).toEqual([]);
    expect(gateway.stderr()).toBe('');
  });
});
