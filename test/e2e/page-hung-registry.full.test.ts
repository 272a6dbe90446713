/** The page while the registry behind hangs, long after what was known of it has become old. */
import { expect, test } from 'vitest';
import { contentWriter } from '../support/content.ts';
import { pauseProcess } from '../support/pause.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { quickEnough } from '../support/quick-enough.ts';
import { startRegistry } from '../support/registry.ts';
import { startPage, visitorAt } from './support/page-on-registry.ts';

describeWithPrograms(['docker-registry'], 'a registry that hangs', () => {
  test('what was known of it is shown and said to be that, within 2.5 seconds', async () => {
    const registry = await startRegistry();
    const gateway = await startPage(registry.url);
    const there = contentWriter(registry.url);
    await there.image('team/known', 'one');
    const dana = await visitorAt(gateway.url, 'dana');
    await dana.get('/ui/r/team/known');
    await dana.get('/ui/r/team/known?tag=one');
    await dana.get('/ui/');
    await pauseProcess(registry.pid);
    try {
      // Until what is known counts as old.
      await new Promise((resolve) => setTimeout(resolve, 15_500));
      for (const [path, said] of [
        ['/ui/r/team/known', '?tag=one'],
        ['/ui/r/team/known?order=size', '?tag=one'],
        ['/ui/r/team/known?q=sha256:', '?tag=one'],
        ['/ui/r/team/known?tag=one', 'linux/amd64'],
        ['/ui/', 'team/known'],
        ['/ui/delete?repository=team/known&tag=one', 'The registry did not say'],
        ['/ui/r/team/never', 'does not answer'],
      ] as const) {
        const { body } = await quickEnough(path, 2500, () => dana.get(path));
        expect(body, path).toContain(said);
      }
      expect((await dana.get('/ui/r/team/known')).body).toMatch(/does not answer|not answered everything/);
    } finally {
      process.kill(registry.pid, 'SIGCONT');
      await gateway.stop();
      await registry.stop();
    }
  });
});
