/** The first of the two commands, in a copy of a clone after `npm ci`. */
import { expect, onTestFinished, test } from 'vitest';
import { describeWithPrograms } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { copyProject, registryOf, startTrial, trialPlace } from '../support/trial.ts';

describeWithPrograms(['docker-registry'], 'a fresh clone', () => {
  test('npm start builds, serves, and passes SIGTERM on', async () => {
    const place = await trialPlace(await makeTempDir('start'));
    onTestFinished(() => removeTempDir(place.dir));
    await copyProject(place.dir);
    const program = await startTrial(place, ['npm', 'start']);
    const registryUrl = registryOf(program);
    const exit = await program.stop('SIGTERM');
    // npm reports the end of a script that a signal ended in its own words; what matters is that ours was clean.
    expect(exit.code === 0 || exit.signal === 'SIGTERM').toBe(true);
    expect(program.stdout()).toContain('"clean":true');
    for (const url of [registryUrl, place.url]) await expect(fetch(`${url}/v2/`)).rejects.toThrow();
  }, 400_000);
});
