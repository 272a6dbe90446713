/** Several directory servers: which one is asked, for how long, and what becomes of a login when one of them dies in it. */
import { readdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDirectory } from '../../src/adapters/ldap/directory.ts';
import { eventually } from '../support/eventually.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { directorySettings, loginSteps, withDirectory } from '../support/directories.ts';
import { type Slapd, describeWithSlapd, password, startSlapd } from '../support/slapd.ts';

const nowhere = 'ldap://127.0.0.1:1';
const dana = { ok: true, person: { account: 'dana', groups: ['developers'] } };

const descriptors = (): number => readdirSync('/proc/self/fd').length;

describeWithSlapd('several directory servers', () => {
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

  test('are asked in the order of the settings', async () => {
    const before = (await second.binds()).length;
    await withDirectory(directorySettings([first.url, second.url]), async (directory) => {
      expect(await directory.logIn('dana', password)).toMatchObject(dana);
      expect(directory.health()).toEqual({ ok: true, detail: '' });
    });
    expect((await second.binds()).length).toBe(before);
  });

  test('one that is not there is left out, named, and asked last from then on', async () => {
    await withDirectory(directorySettings([nowhere, second.url]), async (directory) => {
      expect(await directory.logIn('dana', password)).toMatchObject(dana);
      expect(directory.health()).toMatchObject({ ok: true, detail: expect.stringContaining(`${nowhere} `) as string });
    });
  });

  test('a wrong password is an answer: nobody else is asked', async () => {
    const before = (await second.binds()).length;
    await withDirectory(directorySettings([first.url, second.url]), async (directory) => {
      expect(await directory.logIn('dana', 'wrong')).toMatchObject({ reason: 'password_wrong' });
      expect(await directory.logIn('nobody', password)).toMatchObject({ reason: 'unknown' });
    });
    expect((await second.binds()).length).toBe(before);
  });

  describe.each(loginSteps)('one that dies in %s', (_, text) => {
    test('and is gone: the next one answers', async () => {
      const settings = directorySettings([through, second.url]);
      const dying = proxy.loseReplyTo(text).then(() => proxy.cut());
      await withDirectory(settings, async (directory) => {
        expect(await directory.logIn('dana', password)).toMatchObject(dana);
        await dying;
        expect(directory.health().ok).toBe(true);
        expect(directory.health().detail).toContain(through);
        expect(await directory.logIn('dana', 'wrong')).toMatchObject({ reason: 'password_wrong' });
      });
    });

    test('and is the only one: nothing is known, and that is said without the password', async () => {
      const dying = proxy.loseReplyTo(text).then(() => proxy.cut());
      await withDirectory(directorySettings(through), async (directory) => {
        const answer = await directory.logIn('dana', password);
        expect(answer).toMatchObject({ ok: false, reason: 'unavailable' });
        await dying;
        expect(directory.health().ok).toBe(false);
        expect(JSON.stringify([answer, directory.health()])).not.toMatch(/correct horse|service secret/);
        proxy.pass();
        expect(await directory.logIn('dana', password)).toMatchObject(dana);
        expect(directory.health()).toEqual({ ok: true, detail: '' });
      });
    });
  });

  test('a connection that was ended while it lay idle is opened again, and nobody notices', async () => {
    await withDirectory(directorySettings(first.url), async (directory) => {
      expect(await directory.look('dana')).toMatchObject(dana);
      await first.restart();
      expect(await directory.look('dana')).toMatchObject(dana);
      expect(directory.health()).toEqual({ ok: true, detail: '' });
    });
  });

  test('one that ends a kept connection when it is asked is asked once more', async () => {
    await withDirectory(directorySettings(through), async (directory) => {
      expect(await directory.look('dana')).toMatchObject(dana);
      const lost = proxy.loseReplyTo('entryUUID');
      expect(await directory.look('dana')).toMatchObject(dana);
      await lost;
    });
  });

  test('nothing is left open: neither after answers of all kinds, nor after trouble, nor when it is closed', async () => {
    const before = descriptors();
    const directory = await openDirectory(directorySettings([through, second.url]), Date.now);
    await eventually('one connection is kept', () => descriptors() <= before + 1 + 2);
    for (let round = 0; round < 10; round++) {
      await Promise.all([
        ...['dana', 'rita', 'twin', 'nobody', 'gone'].map((name) => directory.logIn(name, password)),
        ...['dana', 'rita'].map((name) => directory.logIn(name, 'wrong')),
        directory.look('dana'),
      ]);
    }
    // Of each connection the proxy has two ends of its own, and all are in this process.
    await eventually('only what is kept is open', () => descriptors() <= before + 3);
    proxy.cut();
    await Promise.all(Array.from({ length: 10 }, () => directory.logIn('dana', password)));
    await eventually('what was cut is closed', () => descriptors() <= before + 3);
    await directory.close();
    await eventually('all is closed', () => descriptors() <= before);
    expect(await directory.logIn('dana', password)).toMatchObject({ reason: 'unavailable' });
    await eventually('all stays closed', () => descriptors() <= before);
  });
});
