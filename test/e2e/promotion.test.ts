/** Promotions by the built program: what two replicas do to one tag, how little moves. */
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ContentWriter, contentWriter } from '../support/content.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RedisServer, startRedisServer } from '../support/redis.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { authorization, policies, promote } from './support/promotions.ts';

describeWithPrograms(['docker-registry', 'redis-server'], 'two replicas', () => {
  let registry: RegistryProcess;
  let redis: RedisServer;
  let replicas: Replicas;
  let there: ContentWriter;
  beforeAll(async () => {
    registry = await startRegistry();
    redis = await startRedisServer();
    there = contentWriter(registry.url);
    replicas = await startReplicas({ count: 2, upstream: registry.url, redis: redis.url, policies: await policies() });
  });
  afterAll(async () => {
    await replicas.stop();
    await redis.stop();
    await registry.stop();
  });

  test('that promote different images to one immutable tag at once: one wins, the other is told so', async () => {
    const images = await Promise.all(['a', 'b'].map((tag) => there.index('integration/app', tag)));
    for (let round = 0; round < 10; round++) {
      const target = `release/app:v${round}`;
      const asked = await Promise.all(
        replicas.gateways.map(({ url }, at) => promote(url, `integration/app:${at === 0 ? 'a' : 'b'}`, target)),
      );
      expect(asked.map(({ status }) => status).sort()).toEqual([201, 409]);
      const winner = images[asked.findIndex(({ status }) => status === 201)];
      expect((await there.read('release/app', `v${round}`))?.digest).toBe(winner?.digest);
    }
  });

  test('see each other’s promotions, and forget what they knew of a tag that moved', async () => {
    await there.image('integration/moving', 'a');
    const second = await there.image('integration/moving', 'b');
    const [one, two] = replicas.gateways as [GatewayProcess, GatewayProcess];
    expect((await promote(one.url, 'integration/moving:a', 'release/moving:latest')).status).toBe(201);
    const read = async (): Promise<string | null> => {
      const accept = 'application/vnd.oci.image.manifest.v1+json';
      const reply = await fetch(`${two.url}/v2/release/moving/manifests/latest`, {
        headers: { authorization, accept },
      });
      return reply.headers.get('docker-content-digest');
    };
    expect(await read()).not.toBe(second.digest);
    const moved = await promote(one.url, 'integration/moving:b', 'release/moving:latest');
    expect(moved.status).toBe(201);
    expect(await read()).toBe(second.digest);
    const reply = await fetch(`${two.url}/api/v1/promotions/${String(moved.body['id'])}`, {
      headers: { authorization },
    });
    expect(await reply.json()).toMatchObject({ account: 'rita', digest: second.digest });
  });

  test('cannot list while Redis is away; promotions wait for it as pushes do, where others must hear of them', async () => {
    await redis.kill();
    await there.image('integration/away', 'a');
    const waiting = await promote(replicas.url, 'integration/away:a', 'release/away:latest');
    expect(waiting).toMatchObject({ status: 503, body: { type: 'busy' } });
    expect(await there.tags('release/away')).toEqual([]);
    // Without a cache nobody has to hear of it; whether a tag that stays is free only the store's locks can tell.
    const env = { PORTCULLIS_REDIS: redis.url, PORTCULLIS_CACHE_MEMORY: '0' };
    const alone = await startGatewayProcess({ upstream: registry.url, policies: await policies(), env });
    expect((await promote(alone.url, 'integration/away:a', 'release/away:latest')).status).toBe(201);
    expect((await promote(alone.url, 'integration/away:a', 'release/away:v1')).status).toBe(503);
    await alone.stop();
    const reply = await fetch(`${replicas.url}/api/v1/promotions`, { headers: { authorization } });
    expect(reply.status).toBe(503);
    expect(reply.headers.get('retry-after')).toBe('3');
    expect(await reply.json()).toMatchObject({ type: 'busy' });
    await redis.restart();
  });
});

describeWithPrograms(['docker-registry'], 'an image of two platforms with large layers', () => {
  test('is promoted with few bytes between gateway and registry, its digest and attachments the same', async () => {
    const registry = await startRegistry();
    const there = contentWriter(registry.url);
    const index = await there.index('integration/large', '1.0', { layers: 2, layerBytes: 5_000_000 });
    const sbom = await there.attach('integration/large', index);
    await there.sign('integration/large', index);
    let bytes = 0;
    const between = createServer((client: Socket) => {
      const server = connect(registry.port, '127.0.0.1');
      for (const socket of [client, server]) {
        socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
        socket.on('error', () => socket.destroy());
      }
      client.pipe(server).pipe(client);
      client.on('close', () => server.destroy());
      server.on('close', () => client.destroy());
    });
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
    const { port } = between.address() as AddressInfo;
    const gateway = await startGatewayProcess({ upstream: `http://127.0.0.1:${port}`, policies: await policies() });
    bytes = 0;
    const done = await promote(gateway.url, 'integration/large:1.0', 'release/large:v1');
    expect(done).toMatchObject({ status: 201, body: { digest: index.digest, bytes: 0 } });
    expect(bytes).toBeLessThan(60_000);
    expect((await there.read('release/large', 'v1'))?.content.equals(index.content)).toBe(true);
    const tag = index.digest.replace(':', '-');
    for (const reference of [sbom.digest, tag, `${tag}.sig`])
      expect((await there.read('release/large', reference))?.digest).toBe(
        (await there.read('integration/large', reference))?.digest,
      );
    await gateway.stop();
    between.close();
    await registry.stop();
  });
});
