/** People of a real directory server: who is known, by which password, in which groups, and what it is asked for that. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDirectory } from '../../src/adapters/ldap/directory.ts';
import type { Directory } from '../../src/ports.ts';
import { Secret } from '../../src/secret.ts';
import { directorySettings, filter, withDirectory } from '../support/directories.ts';
import {
  type Slapd,
  base,
  describeWithSlapd,
  groups,
  oddDn,
  password,
  people,
  service,
  startSlapd,
} from '../support/slapd.ts';

const referral = `
dn: ou=elsewhere,${people}
objectClass: referral
objectClass: extensibleObject
ou: elsewhere
ref: ldap://127.0.0.1:1/ou=elsewhere,${people}
`;

describeWithSlapd('people of an LDAP directory', () => {
  let slapd: Slapd;
  let directory: Directory;
  beforeAll(async () => {
    slapd = await startSlapd({ ldif: referral });
    directory = await openDirectory(directorySettings(slapd.url), Date.now);
  });
  afterAll(async () => {
    await directory?.close();
    await slapd?.stop();
  });

  test('are known by their password, with an id that is theirs for ever, and the groups that name them', async () => {
    const id = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
    expect(await directory.logIn('dana', password)).toEqual({
      ok: true,
      person: {
        account: 'dana',
        id: expect.stringMatching(id) as string,
        place: `uid=dana,${people}`,
        groups: ['developers'],
        passwordChanged: undefined,
      },
    });
    expect(directory.health()).toEqual({ ok: true, detail: '' });
  });

  test('have the name that the directory writes, in whatever case it is asked for', async () => {
    expect(await directory.logIn('DaNa', password)).toMatchObject({ ok: true, person: { account: 'dana' } });
    expect(await directory.look('RITA')).toMatchObject({ ok: true, person: { account: 'rita', groups: ['testers'] } });
  });

  test.each([
    [`uid=two,${people}`, ['one', 'two', 'three'], 'two'],
    [`uid=two,${people}`, ['tw', 'two', 'two,ou'], 'two'],
    [`cn=x+uid=two,${people}`, ['two', 'one'], 'one'],
    [`cn=x,${people}`, ['z', 'two', 'three'], 'three'],
  ])('are one account by whichever of several names: %s with %j is %s', async (dn, names, account) => {
    const entry = { objectClass: 'inetOrgPerson', sn: 'x', cn: 'x', uid: names, userPassword: password };
    await slapd.admin((client) => client.add(dn, entry));
    for (const name of names) {
      const person = { ok: true, person: { account } };
      expect(await directory.logIn(name, password), name).toMatchObject(person);
      expect(await directory.look(name.toUpperCase()), name).toMatchObject(person);
    }
    await slapd.admin((client) => client.del(dn));
  });

  test('may have a distinguished name with commas, plus signs, quotes and other letters', async () => {
    const found = await directory.logIn('ute', password);
    expect(found).toMatchObject({ ok: true, person: { account: 'ute', groups: ['testers'] } });
    expect(oddDn).toContain('+');
  });

  test('are told by a search of the service account, and proved by a bind of their own that is tried once', async () => {
    const binds = (await slapd.binds()).length;
    const filters = (await slapd.filters()).length;
    await directory.logIn('dana', password);
    expect((await slapd.binds()).slice(binds)).toEqual([`uid=dana,${people}`]);
    expect((await slapd.filters()).slice(filters)).toEqual(['(uid=dana)', `(member=uid=dana,${people})`]);
  });

  test.each([
    ['dana', 'wrong', 'password_wrong'],
    ['dana', '', 'password_wrong'],
    ['nopass', 'anything', 'password_wrong'],
    ['nopass', '', 'password_wrong'],
    ['nobody', password, 'unknown'],
    ['twin', password, 'ambiguous'],
    ['gone', password, 'disabled'],
  ])('%s with %j: %s', async (account, given, reason) => {
    expect(await directory.logIn(account, given)).toMatchObject({ ok: false, reason });
  });

  test('who is not there costs a bind like who is', async () => {
    const before = (await slapd.binds()).length;
    await directory.logIn('nobody', password);
    expect((await slapd.binds()).slice(before)).toEqual([`cn=nobody,${people}`]);
  });

  test('an empty password reaches nobody, nor do names and passwords with a NUL, or too long ones', async () => {
    const [binds, filters] = [(await slapd.binds()).length, (await slapd.filters()).length];
    await directory.logIn('dana', '');
    await directory.logIn('', '');
    for (const name of ['dana\0', 'x'.repeat(257)]) await directory.logIn(name, password);
    for (const given of [`${password}\0`, 'x'.repeat(1025)]) await directory.logIn('dana', given);
    expect([(await slapd.binds()).length, (await slapd.filters()).length]).toEqual([binds, filters]);
  });

  test('a look needs no password and says the same', async () => {
    const { ok, person } = (await directory.logIn('dana', password)) as { ok: boolean; person: unknown };
    expect(await directory.look('dana')).toEqual({ ok, person });
    expect(await directory.look('nobody')).toMatchObject({ ok: false, reason: 'unknown' });
    expect(await directory.look('twin')).toMatchObject({ ok: false, reason: 'ambiguous' });
    expect(await directory.look('gone')).toMatchObject({
      ok: false,
      reason: 'disabled',
      detail: expect.stringContaining('locked') as string,
    });
  });

  test('a new password is known with the time it was set, and a must-change shuts out', async () => {
    const before = Math.floor(Date.now() / 1000) * 1000;
    await slapd.set(`uid=rita,${people}`, 'userPassword', ['new and better']);
    expect(await directory.logIn('rita', password)).toMatchObject({ reason: 'password_wrong' });
    const found = await directory.logIn('rita', 'new and better');
    if (!found.ok) throw new Error(found.detail);
    expect(found.person.passwordChanged).toBeGreaterThanOrEqual(before);
    expect(found.person.passwordChanged).toBeLessThanOrEqual(Date.now());
    await slapd.set(`uid=rita,${people}`, 'pwdReset', ['TRUE']);
    expect(await directory.look('rita')).toMatchObject({
      reason: 'disabled',
      detail: expect.stringContaining('must change') as string,
    });
    await slapd.set(`uid=rita,${people}`, 'pwdReset', []);
    await slapd.set(`uid=rita,${people}`, 'userPassword', [password]);
  });

  test('a name that is given to somebody else has another id', async () => {
    const dn = `uid=temp,${people}`;
    const entry = { objectClass: 'inetOrgPerson', sn: 'x', cn: 'x', uid: 'temp', userPassword: password };
    const idOf = async (): Promise<string> => {
      const found = await directory.look('temp');
      return found.ok ? found.person.id : found.reason;
    };
    await slapd.admin((client) => client.add(dn, entry));
    const first = await idOf();
    await slapd.admin((client) => client.del(dn));
    expect(await idOf()).toBe('unknown');
    await slapd.admin((client) => client.add(dn, entry));
    const second = await idOf();
    expect(second).toMatch(/-/);
    expect(second).not.toBe(first);
    await slapd.admin((client) => client.del(dn));
  });

  test('groups in groups are found where they are asked for, in circles too', async () => {
    const at = (nested: 'no' | 'walk') =>
      withDirectory(
        directorySettings(slapd.url, {
          groups: { base: groups, filter: filter('(member=${dn})'), name: 'CN', nested },
        }),
        async (each) => {
          const found = await each.look('dana');
          return found.ok ? found.person.groups : found.reason;
        },
      );
    expect(await at('no')).toEqual(['developers']);
    expect(await at('walk')).toEqual(['developers', 'everybody', 'staff']);
  });

  test('groups five deep are found, deeper ones are not', async () => {
    const dns = Array.from({ length: 8 }, (_, at) => `cn=deep-${at},${groups}`);
    for (const [at, dn] of dns.entries()) {
      const member = at === 0 ? `uid=rita,${people}` : (dns[at - 1] ?? '');
      await slapd.admin((client) => client.add(dn, { objectClass: 'groupOfNames', cn: `deep-${at}`, member }));
    }
    const nested = { base: groups, filter: filter('(member=${dn})'), name: 'cn', nested: 'walk' } as const;
    const found = await withDirectory(directorySettings(slapd.url, { groups: nested }), (each) => each.look('rita'));
    const deep = found.ok ? found.person.groups.filter((name) => name.startsWith('deep')) : [];
    expect(deep).toEqual(['deep-0', 'deep-1', 'deep-2', 'deep-3', 'deep-4', 'deep-5']);
    for (const dn of dns) await slapd.admin((client) => client.del(dn));
  });

  test('whoever is in more groups than are read is not half known', async () => {
    await slapd.admin(async (client) => {
      for (let at = 0; at < 1001; at++)
        await client.add(`cn=many-${at},${groups}`, { objectClass: 'groupOfNames', cn: `many-${at}`, member: oddDn });
    });
    expect(await directory.look('ute')).toMatchObject({
      ok: false,
      reason: 'unavailable',
      isTheirs: true,
      detail: expect.stringContaining('narrow') as string,
    });
    await slapd.admin(async (client) => {
      for (let at = 0; at < 1001; at++) await client.del(`cn=many-${at},${groups}`);
    });
    expect(await directory.look('ute')).toMatchObject({ ok: true });
  });

  test('groups may name accounts and not entries', async () => {
    const unix = {
      base: groups,
      filter: filter('(&(objectClass=posixGroup)(memberUid=${account}))'),
      name: 'cn',
      nested: 'no',
    } as const;
    const settings = directorySettings(slapd.url, { groups: unix });
    expect(await withDirectory(settings, (each) => each.look('dana'))).toMatchObject({ person: { groups: ['unix'] } });
  });

  test('people may log in by mail and have another name', async () => {
    const users = { base: people, filter: filter('(|(uid=${account})(mail=${account}))'), name: 'uid' };
    const settings = directorySettings(slapd.url, { users, groups: undefined });
    expect(await withDirectory(settings, (each) => each.logIn('dana@example.com', password))).toMatchObject({
      person: { account: 'dana', groups: [] },
    });
  });

  describe('what is wrong with the settings is said, and nobody gets in', () => {
    test.each([
      [
        'a password of the service account that is wrong',
        { bind: { dn: service.dn, password: new Secret('hunter2') } },
        'does not take "cn=portcullis',
      ],
      ['one that is empty', { bind: { dn: service.dn, password: new Secret('') } }, 'is empty'],
      [
        'a file for it that is not there',
        { bind: { dn: service.dn, password: '/nonexistent' } },
        '/nonexistent does not exist',
      ],
      ['nobody who may search', { bind: undefined }, 'cannot search'],
      [
        'a base that is not there',
        { users: { base: `ou=persons,${base}`, filter: filter('(uid=${account})'), name: 'uid' } },
        'no such object',
      ],
      [
        'a name that entries do not have',
        { users: { base: people, filter: filter('(uid=${account})'), name: 'sAMAccountName' } },
        'no attribute "sAMAccountName"',
      ],
    ])('%s', async (_, more, words) => {
      await withDirectory(directorySettings(slapd.url, more), async (each) => {
        const answer = await each.logIn('dana', password);
        expect(answer).toMatchObject({
          ok: false,
          reason: 'unavailable',
          detail: expect.stringContaining(words) as string,
        });
        expect(JSON.stringify([answer, each.health()])).not.toMatch(/hunter2|correct horse/);
        expect(each.health().ok).toBe(false);
      });
    });

    test('an identifier that may not be read', async () => {
      const other = await startSlapd({ access: 'access to attrs=entryUUID by * none' });
      try {
        await withDirectory(directorySettings(other.url), async (each) => {
          const detail = expect.stringContaining('no entryUUID') as string;
          expect(await each.logIn('dana', password)).toMatchObject({ ok: false, reason: 'unavailable', detail });
        });
      } finally {
        await other.stop();
      }
    });
  });

  test('the password of the service account may be in a file, and another one from one day to the next', async () => {
    const file = join(slapd.dir, 'service.secret');
    await writeFile(file, `${service.password}\n`);
    const settings = directorySettings(slapd.url, { bind: { dn: service.dn, password: file } });
    expect(await withDirectory(settings, (each) => each.look('dana'))).toMatchObject({ ok: true });
  });

  describe('names and passwords that are none', () => {
    const long = 'x'.repeat(65_536);
    const names = [
      ...[
        '*',
        'd*',
        'dan?',
        '*)(uid=*',
        ')(uid=*',
        'nobody)(|(uid=*)',
        'dana)(objectClass=*',
        '(dana)',
        '\\2a',
        'dan\\61',
      ],
      ...['dana\0', '\0', 'dana\0x', ' dana', 'dana ', 'da na', 'dana\n', '\u0064\u0061\u006e\u00ad\u0061', 'ｄａｎａ'],
      ...['da\u200bna', 'dana\u0301', 'dаna', '\ud800', `uid=dana,${people}`, oddDn, `dana,${people}`, 'dana+uid=rita'],
      ...[
        '"dana"',
        '#64616e61',
        long,
        'x'.repeat(257),
        '',
        'true',
        '-1',
        '&',
        '!(uid=nobody)',
        '${account}',
        '${dn}',
        'dana;binary',
      ],
    ];
    test.each(names.map((name) => [name.slice(0, 40), name]))('name %j', async (_, name) => {
      const answer = await directory.logIn(name, password);
      expect(answer.ok, JSON.stringify(answer)).toBe(false);
      expect(answer).not.toMatchObject({ reason: 'unavailable' });
      expect((await directory.look(name)).ok).toBe(name === '*');
    });

    const passwords = [
      ...[
        '',
        '\0',
        `${password}\0`,
        `${password}\0x`,
        ` ${password}`,
        `${password} `,
        `${password}\n`,
        'correct  horse',
      ],
      ...[
        long,
        'x'.repeat(1025),
        '*',
        `*)(userPassword=*`,
        '{CLEARTEXT}correct horse',
        '{SSHA}',
        'CORRECT HORSE',
        '\ud800',
      ],
      ...['ｃorrect horse', 'correct\u00a0horse', 'correct\u200b horse', '()', '\u0000\u0000'],
    ];
    test.each(passwords.map((given) => [given.slice(0, 40), given]))('password %j', async (_, given) => {
      for (const account of ['dana', 'ute', 'nopass']) {
        expect(await directory.logIn(account, given)).toMatchObject({ ok: false, reason: 'password_wrong' });
      }
    });

    test('every filter that the server saw compares one name, escaped', async () => {
      for (const each of new Set(await slapd.filters())) {
        expect(each).toMatch(
          /^\((?:uid=(?:[^()*\\]|\\[0-9A-F]{2})+|[?]?\|?.*mail=.*|objectClass=\*|.*member(?:Uid)?=.*)\)$/,
        );
      }
      const searched = (await slapd.filters()).filter((each) => each.startsWith('(uid='));
      expect(searched).toContain('(uid=\\2A\\29\\28uid=\\2A)');
      expect(searched.every((each) => !/[()*]/.test(each.slice(5, -1)))).toBe(true);
    });
  });
});
