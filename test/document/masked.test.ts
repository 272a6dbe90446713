import { describe, expect, test } from 'vitest';
import { maskedLines } from '../../src/document/masked.ts';

const argon = '$argon2id$v=19$m=19456,t=2,p=1$bm90IGEgcmVhbCBzYWx0IQ$uTtTRH7y0JVAR3pUkGYPg5XbNBIBgPq8VyqXkO7YAcE';
const bcrypt = `$2y$10$${'Az9HXzCw'.repeat(6)}abcde`;
const sha = 'ab12'.repeat(16);

describe('hashes in shown lines are masked', () => {
  test.each([
    ['plain', `    password: ${argon}`],
    ['in double quotes', `    password: "${argon}"`],
    ['in single quotes', `    password: '${argon}'`],
    ['with the key in quotes', `    "password": '${argon}'`],
    ['in a flow map', `  dana: { password: ${argon}, groups: [a] }`],
    ['last in a flow map', `  dana: { groups: [a], password: '${bcrypt}' }`],
    ['bcrypt', `    password: ${bcrypt}`],
    ['a sum', `      - { id: k3v9, sha256: ${sha}, expires: 2027-01-01 }`],
    ['a sum in capitals', `        sha256: ${sha.toUpperCase()}`],
    ['commented out', `#   password: ${argon}`],
    ['commented out without its key', `# was ${argon} until May`],
    ['a sum in a comment', `groups: {} # ${sha}`],
    ['behind a misspelt key', `    pasword: hunter2hunter2`],
    ['a plain text where a hash belongs', `    password: correct horse battery staple`],
    ['folded below', `    password: >-\n      ${argon.slice(0, 30)}\n      ${argon.slice(30)}\n    groups: [a]`],
    ['literal below', `    password: |\n      ${argon}\n    groups: [a]`],
    ['below its key', `    password:\n      ${argon}`],
    ['in quotes over lines', `    password: "${argon.slice(0, 40)}\\\n  ${argon.slice(40)}"\n    groups: [a]`],
    ['as an explicit key', `    ? password\n    : ${argon}`],
    ['with an anchor', `    password: &p ${argon}`],
    ['commented out over lines', `#   password:\n#     ${argon.slice(20)}`],
    ['a secret of ours', `# pct_abcdefghijklmnop123456`],
    ['two in a line', `{ a: { password: 'x y z' }, b: { password: "u v w" } }`],
  ])('%s', (_how, text) => {
    const shown = maskedLines(text).join('\n');
    expect(shown).toContain('********');
    for (const secret of [
      argon,
      argon.slice(30),
      argon.slice(40),
      argon.slice(20),
      bcrypt,
      sha,
      sha.toUpperCase(),
      'hunter2',
      'correct horse',
      'pct_a',
      'x y z',
      'u v w',
    ])
      expect(shown).not.toContain(secret);
  });

  test('and what stands beside them is not', () => {
    const text = `users:
  dana: { password: '${argon}', groups: [developers] } # since May
  theo:
    password: >-
      ${argon}
    groups: [testers]
robots:
  bot: { tokens: [{ id: k3v9, sha256: ${sha}, expires: 2027-01-01 }] }
rules:
  - name: secret-project
    repositories: ['secret/**']
`;
    expect(maskedLines(text)).toEqual([
      'users:',
      '  dana: { password: ********, groups: [developers] } # since May',
      '  theo:',
      '    password: ********',
      '      ********',
      '    groups: [testers]',
      'robots:',
      '  bot: { tokens: [{ id: k3v9, sha256: ********, expires: 2027-01-01 }] }',
      'rules:',
      '  - name: secret-project',
      "    repositories: ['secret/**']",
      '',
    ]);
  });
});
