import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filterOf } from '../../src/adapters/ldap/filters.ts';
import { comparedWith, parseFilter } from '../../src/directory/filter.ts';

function sent(text: string, values = { account: 'dana', dn: 'uid=dana,dc=x' }, isChained = false): string {
  const parsed = parseFilter(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return filterOf(parsed.value, values, isChained).toString();
}

describe('a filter', () => {
  test.each([
    ['(uid=${account})', '(uid=dana)'],
    ['(mail=${account}@example.com)', '(mail=dana@example.com)'],
    [
      '(&(objectClass=person)(|(uid=${account})(cn=${account}))(!(disabled=TRUE)))',
      '(&(objectClass=person)(|(uid=dana)(cn=dana))(!(disabled=TRUE)))',
    ],
    ['(objectClass=*)', '(objectClass=*)'],
    ['(cn=Jo*n \\2a*)', '(cn=Jo*n \\2a*)'],
    ['(cn=*a*b*)', '(cn=*a*b*)'],
    ['(age>=3)', '(age>=3)'],
    ['(age<=3)', '(age<=3)'],
    ['(sn~=roe)', '(sn~=roe)'],
    ['(cn=M\\c3\\bcller)', '(cn=Müller)'],
    ['(2.5.4.3=a)', '(2.5.4.3=a)'],
    ['(cn;lang-de=a)', '(cn;lang-de=a)'],
    ['(member:1.2.840.113556.1.4.1941:=${dn})', '(member:1.2.840.113556.1.4.1941:=uid=dana,dc=x)'],
    ['(ou:dn:=people)', '(ou:dn:=people)'],
    ['(:caseExactMatch:=x)', '(:caseExactMatch:=x)'],
    ['(cn=a=b)', '(cn=a=b)'],
    ['(cn=)', '(cn=)'],
  ])('%s is sent as %s', (text, expected) => {
    expect(sent(text)).toBe(expected);
  });

  test('along chains of groups is every comparison with a distinguished name alone', () => {
    expect(sent('(&(objectClass=group)(member=${dn})(note=of ${dn}))', undefined, true)).toBe(
      '(&(objectClass=group)(member:1.2.840.113556.1.4.1941:=uid=dana,dc=x)(note=of uid=dana,dc=x))',
    );
  });

  test.each([
    ['', 'begins with "("'],
    ['uid=${account}', 'begins with "("'],
    ['(uid=${account}', 'no ")"'],
    ['(uid=${account}))', 'after its end'],
    ['(uid=${account})(a=b)', 'after its end'],
    ['()', 'no comparison'],
    ['(&)', 'nothing behind "&"'],
    ['(!(a=b)(c=d))', 'one filter'],
    ['(&(a=b)c=d)', 'expected "("'],
    ['(uid)', 'no comparison'],
    ['(=dana)', 'no comparison'],
    ['(u id=dana)', 'no comparison'],
    ['(:=dana)', 'no comparison'],
    ['(uid=${user})', 'stands for nothing'],
    ['(uid=\\zz)', 'backslash'],
    ['(uid=\\ff)', 'backslash'],
    ['(uid=a(b)', 'backslash'],
    ['(uid=*${account}*)', 'as a whole'],
    ['(uid=${account}*)', 'as a whole'],
    ['(uid:>=${account})', 'does not go with'],
    [`(uid=${'x'.repeat(2000)})`, 'characters'],
    [`${'(!'.repeat(30)}(a=b)${')'.repeat(30)}`, 'deep'],
  ])('%s is refused', (text, reason) => {
    const parsed = parseFilter(text);
    expect(parsed).toMatchObject({ ok: false, message: expect.stringContaining(reason) as string });
  });

  test('says what is compared with a name, and where', () => {
    const parsed = parseFilter('(&(objectClass=person)(|(uid=${account})(mail=${account}@x))(member=${dn}))');
    if (!parsed.ok) throw new Error(parsed.message);
    expect(comparedWith(parsed.value, 'account').map(({ attribute }) => attribute)).toEqual(['uid', 'mail']);
    expect(comparedWith(parsed.value, 'dn').map(({ attribute }) => attribute)).toEqual(['member']);
  });

  test('whatever is put into it is one value of one comparison', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (account) => {
        const parsed = parseFilter('(&(objectClass=person)(uid=${account}))');
        if (!parsed.ok) throw new Error(parsed.message);
        expect(filterOf(parsed.value, { account, dn: '' })).toMatchObject({
          filters: [{}, { attribute: 'uid', value: account }],
        });
      }),
    );
  });

  test('whatever is read is answered, and what is taken is sent as it was meant', () => {
    const piece = fc.constantFrom(
      '(',
      ')',
      '&',
      '|',
      '!',
      '=',
      '*',
      'uid',
      '\\2a',
      ':',
      '${account}',
      'a',
      '>',
      '~',
      '<',
      '.',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const parsed = parseFilter(pieces.join(''));
        if (!parsed.ok) return;
        const text = filterOf(parsed.value, { account: '${account}', dn: '' }).toString();
        expect(parseFilter(text)).toEqual(parsed);
      }),
    );
  });
});
