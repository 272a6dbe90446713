/** The same promotion on every registry that can be had here: digests, bodies and what is attached are the same after it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registries } from '../conformance/registries.mjs';
import { contentWriter } from '../support/content.ts';
import { startGatewayProcess } from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const password = 'right-and-long';

for (const name of ['distribution2', 'distribution3', 'olareg'] as const) {
  const need = name === 'distribution2' ? 'docker-registry' : 'go';
  describeWithPrograms([need], `a promotion on ${name}`, () => {
    let dir: string;
    beforeAll(async () => {
      dir = await makeTempDir('promotion-registries');
    });
    afterAll(() => removeTempDir(dir));

    test('leaves digests, bodies and what is attached the same', async () => {
      const { provide, start } = registries[name];
      const place = join(dir, name);
      await mkdir(place);
      const program = await provide(place);
      const registry = await start(program, join(place, 'run'));
      const there = contentWriter(registry.url);
      const index = await there.index('integration/app', '1.0', { layers: 2, layerBytes: 100_000 });
      const sbom = await there.attach('integration/app', index);
      const signature = await there.sign('integration/app', index);
      const rules = `
users: { rita: { password: "${await quickHash(password)}" } }
rules:
  - { name: reads, subjects: ["user:rita"], repositories: ["**"], actions: [pull] }
  - { name: promotes, subjects: ["user:rita"], repositories: ["release/**"], actions: [promote] }
`;
      const gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'p.yaml': rules } });
      const reply = await fetch(`${gateway.url}/api/v1/promotions`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`rita:${password}`).toString('base64')}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ source: 'integration/app:1.0', target: 'release/app:v1' }),
      });
      expect(await reply.json()).toMatchObject({ digest: index.digest, bytes: 0 });
      expect(reply.status).toBe(201);
      const tag = index.digest.replace(':', '-');
      for (const [reference, stored] of [
        ['v1', index],
        [sbom.digest, sbom],
        [`${tag}.sig`, signature],
      ] as const)
        expect((await there.read('release/app', reference))?.content.equals(stored.content), reference).toBe(true);
      const listed = async (repository: string): Promise<unknown> => {
        const answer = await fetch(`${registry.url}/v2/${repository}/referrers/${index.digest}`);
        return answer.status === 200 ? answer.json() : (await there.read(repository, tag))?.digest;
      };
      expect(await listed('release/app')).toEqual(await listed('integration/app'));
      await gateway.stop();
      await registry.stop();
    }, 600_000);
  });
}
