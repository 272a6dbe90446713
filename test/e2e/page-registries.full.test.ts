/** Deleting by the page on registries that can take away one tag alone. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { registries } from '../conformance/registries.mjs';
import type { GatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { startPage, testsOfDeleting } from './support/page-on-registry.ts';

for (const [name, need] of [
  ['distribution3', 'go'],
  ['olareg', 'go'],
  ['zot', 'zot'],
] as const) {
  describeWithPrograms([need], `deleting by the page on ${name}`, () => {
    let dir: string;
    let registry: Awaited<ReturnType<(typeof registries)['distribution3']['start']>>;
    let gateway: GatewayProcess;
    beforeAll(async () => {
      dir = await makeTempDir('page-registries');
      const place = join(dir, name);
      await mkdir(place);
      const { provide, start } = registries[name];
      registry = await start(await provide(place), join(place, 'run'));
      gateway = await startPage(registry.url);
    }, 600_000);
    afterAll(async () => {
      await gateway?.stop();
      await registry?.stop();
      await removeTempDir(dir);
    });

    testsOfDeleting({ url: () => gateway.url, registry: () => registry.url, deletesTags: true });
  });
}
