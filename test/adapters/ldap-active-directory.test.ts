/** People as Active Directory tells of them: by objectGUID, with its own times, and closed in its own words. */
import { join } from 'node:path';
import { SearchEntry, Attribute } from 'ldapts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  activeDirectoryReason,
  closedBecause,
  entryOf,
  identifierOf,
  passwordChangedOf,
} from '../../src/adapters/ldap/entry.ts';
import { openDirectory } from '../../src/adapters/ldap/directory.ts';
import type { Directory } from '../../src/ports.ts';
import { type SockBackend, startSockBackend } from '../support/active-directory.ts';
import { directorySettings, filter } from '../support/directories.ts';
import { type Slapd, describeWithSlapd, startSlapd } from '../support/slapd.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const guid = Buffer.from('33221100554477668899aabbccddeeff', 'hex');
const guidInWords = '00112233-4455-6677-8899-aabbccddeeff';
const base = 'dc=corp,dc=test';

function entry(values: Readonly<Record<string, readonly (string | Buffer)[]>>) {
  const attributes = Object.entries(values).map(([type, given]) => {
    const attribute = new Attribute({ type });
    attribute.parsedBuffers.push(...given.map((value) => (typeof value === 'string' ? Buffer.from(value) : value)));
    return attribute;
  });
  return entryOf(new SearchEntry({ messageId: 1, name: `cn=a,${base}`, attributes }));
}

describe('an entry of Active Directory', () => {
  test('is told by its objectGUID, whatever the case of the attribute', () => {
    expect(identifierOf(entry({ objectGUID: [guid] }))).toBe(guidInWords);
    expect(identifierOf(entry({ 'OBJECTGUID;binary': [guid] }))).toBe(guidInWords);
    expect(identifierOf(entry({ entryUUID: ['ABC-1'], objectGUID: [guid] }))).toBe('abc-1');
    expect(identifierOf(entry({ objectGUID: [guid.subarray(1)] }))).toBeUndefined();
    expect(identifierOf(entry({}))).toBeUndefined();
  });

  test('has times since 1601', () => {
    expect(passwordChangedOf(entry({ pwdLastSet: ['133500000000000000'] }))).toBe(1_705_526_400_000);
    expect(passwordChangedOf(entry({ pwdLastSet: ['0'] }))).toBeUndefined();
    expect(passwordChangedOf(entry({ PWDCHANGEDTIME: ['20261126184500Z'] }))).toBe(Date.UTC(2026, 10, 26, 18, 45));
    expect(passwordChangedOf(entry({ pwdChangedTime: ['yesterday'] }))).toBeUndefined();
  });

  test.each([
    [{ userAccountControl: ['514'] }, 'disabled'],
    [{ userAccountControl: ['-2147483134'] }, 'disabled'],
    [{ userAccountControl: ['0x202'] }, 'disabled'],
    [{ userAccountControl: [''] }, 'disabled'],
    [{ userAccountControl: ['512'] }, undefined],
    [{ userAccountControl: ['512'], accountExpires: ['133500000000000000'] }, 'expired'],
    [{ accountExpires: ['9223372036854775807'], pwdLastSet: ['133500000000000000'] }, undefined],
    [{ accountExpires: ['0'] }, undefined],
    [{ pwdLastSet: ['0'] }, 'must change the password'],
    [{ nsAccountLock: ['TRUE'] }, 'disabled'],
    [{ pwdEndTime: ['20200101000000Z'] }, 'expired'],
    [{}, undefined],
  ])('%j is %s', (values, closed) => {
    expect(closedBecause(entry(values), Date.UTC(2026, 0))).toBe(closed);
  });

  test.each([
    ['52e', undefined],
    ['525', undefined],
    ['532', 'the password has expired'],
    ['533', 'disabled'],
    ['701', 'expired'],
    ['773', 'must change the password'],
    ['775', 'locked'],
  ])('data %s: %s', (code, reason) => {
    const text = `80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data ${code}, v4563`;
    expect(activeDirectoryReason(text)).toBe(reason);
  });
});

describeWithSlapd('Active Directory', () => {
  let dir: string;
  let backend: SockBackend;
  let slapd: Slapd;
  let directory: Directory;
  let code = '52e';
  beforeAll(async () => {
    dir = await makeTempDir('ad');
    backend = await startSockBackend(base, join(dir, 's'), (request) => {
      const [verb] = request.split('\n');
      if (verb === 'SEARCH' && /^scope: 2$/m.test(request) && request.includes('sAMAccountName'))
        return `dn: cn=Anna,${base}\nobjectClass: top\nsAMAccountName: Anna\nobjectGUID:: ${guid.toString('base64')}\nuserAccountControl: 512\n\nRESULT\ncode: 0\n`;
      if (verb === 'BIND' && request.includes('cred: right')) return 'RESULT\ncode: 0\n';
      if (verb === 'BIND')
        return `RESULT\ncode: 49\ninfo: 80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data ${code}, v4563\n`;
      return 'RESULT\ncode: 0\n';
    });
    slapd = await startSlapd({ settings: backend.settings });
    directory = await openDirectory(
      directorySettings(slapd.url, {
        users: { base, filter: filter('(sAMAccountName=${account})'), name: 'samaccountname' },
        groups: undefined,
      }),
      Date.now,
    );
  });
  afterAll(async () => {
    await directory?.close();
    await slapd?.stop();
    await backend?.close();
    await removeTempDir(dir);
  });

  test('knows people by objectGUID', async () => {
    expect(await directory.logIn('anna', 'right')).toMatchObject({
      ok: true,
      person: { account: 'Anna', id: guidInWords, place: `cn=Anna,${base}` },
    });
  });

  test.each([
    ['52e', 'password_wrong', 'cn=Anna'],
    ['532', 'disabled', 'expired'],
    ['533', 'disabled', 'disabled'],
    ['701', 'disabled', 'expired'],
    ['773', 'disabled', 'must change'],
    ['775', 'disabled', 'locked'],
  ])('says %s: %s, %s', async (given, reason, words) => {
    code = given;
    const answer = await directory.logIn('anna', 'not it');
    expect(answer).toMatchObject({ ok: false, reason, detail: expect.stringContaining(words) as string });
    expect(JSON.stringify(answer)).not.toContain('not it');
  });
});
