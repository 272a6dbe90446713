/** Directory servers that say nothing any more: for how long a login waits, and who else. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { directorySettings, loginSteps, withDirectory } from '../support/directories.ts';
import { waited } from '../support/loop-time.ts';
import { type Slapd, describeWithSlapd, password, startSlapd } from '../support/slapd.ts';

const dana = { ok: true, person: { account: 'dana', groups: ['developers'] } };

describeWithSlapd('directory servers that hang', () => {
  let first: Slapd;
  let second: Slapd;
  let proxy: FaultProxy;
  let through: string;
  beforeAll(async () => {
    [first, second] = await Promise.all([startSlapd(), startSlapd()]);
  });
  afterAll(() => Promise.all([first?.stop(), second?.stop()]));
  beforeEach(async () => {
    proxy = await startFaultProxy(first.port);
    through = `ldap://127.0.0.1:${proxy.port}`;
  });
  afterEach(() => proxy.close());

  describe.each(loginSteps)('one that dies in %s', (_, text) => {
    test('and says nothing any more: the next one answers after three seconds', async () => {
      const silent = proxy.silenceAt(text);
      await withDirectory(directorySettings([through, second.url]), async (directory) => {
        const { value, ms } = await waited(() => directory.logIn('dana', password));
        expect(value).toMatchObject(dana);
        await silent;
        expect(ms).toBeLessThan(6000);
        expect(directory.health().detail).toContain('in time');
      });
    });
  });

  test('one that hangs holds up who meets it first, and nobody after that', async () => {
    await withDirectory(directorySettings([first.url, second.url]), async (directory) => {
      expect(await directory.look('dana')).toMatchObject(dana);
      await first.pause();
      try {
        const took: number[] = [];
        const ask = async (): Promise<void> => {
          const from = performance.now();
          expect(await directory.logIn('dana', password)).toMatchObject(dana);
          took.push(performance.now() - from);
        };
        const all = () => waited(() => Promise.all(Array.from({ length: 16 }, ask)));
        expect((await all()).ms).toBeLessThan(6000);
        expect(Math.max(...took)).toBeGreaterThan(2900);
        expect((await all()).ms).toBeLessThan(2500);
      } finally {
        first.resume();
      }
    });
  });

  test('where all of them hang a login is over after ten seconds, and the service goes on with them', async () => {
    await withDirectory(directorySettings(Array.from({ length: 5 }, () => first.url)), async (directory) => {
      await first.pause();
      const begun = performance.now();
      try {
        const { value, ms } = await waited(() => directory.logIn('dana', password));
        expect(value).toMatchObject({ reason: 'unavailable' });
        expect(performance.now() - begun).toBeGreaterThan(8900);
        expect(ms).toBeLessThan(12_000);
      } finally {
        first.resume();
      }
      expect(await directory.logIn('dana', password)).toMatchObject(dana);
    });
  });
});
