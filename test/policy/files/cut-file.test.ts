import { describe, expect, test } from 'vitest';
import { cutProblem } from '../../../src/policy/files/cut-file.ts';
import { parsePolicy } from '../../../src/policy/files/parse.ts';

const whole = `# who
users:
  dana: { groups: [devs] }
  eve:
    groups:
      - devs
      - leads
groups: { devs: , leads: }
rules:
  - name: open
    subjects: [everyone]
    repositories: ['**']
    actions: [pull, push]
  # nobody touches releases
  - name: closed
    subjects: [everyone]
    repositories: ['release/**']
    actions: [push]
    effect: deny
tests:
  - name: nobody pushes releases
    as: user:dana
    deny: [push release/app]
  - { name: all pull, as: anonymous, allow: [pull a] } # the last one
`;
const upTo = (end: string, text = whole): string => text.slice(0, text.indexOf(end));
const placeOf = (text: string, before = whole): string | undefined =>
  /in the middle of (.*?), as/.exec(cutProblem({ file: 'p.yaml', text }, before)?.message ?? '')?.[1];

describe('a file that is only the beginning of what it was', () => {
  test.each([
    ['lost the word that made its last rule a denial', upTo('    effect: deny'), 'rules[1]'],
    ['lost that word and the end of the line before', upTo('\n    effect: deny'), 'rules[1]'],
    ['ends within a word', upTo('eny\ntests'), 'rules[1]'],
    ['ends within a list of an entry', upTo('      - leads'), 'users.eve'],
    ['ends behind the name of a section', upTo('  - name: open'), 'rules'],
    ['ends within the last test', upTo('    deny: [push'), 'tests[0]'],
    ['ends within a comment between two rules', upTo(' touches'), 'a line'],
    ['ends at an entry, without the end of its line', upTo('\n  # nobody'), 'a line'],
    ['has Windows line ends', upTo('    effect', whole.replaceAll('\n', '\r\n')), 'rules[1]', '\r\n'],
  ])('was cut off: it %s', (_what, text, place, lineEnd = '\n') => {
    expect(placeOf(text, whole.replaceAll('\n', lineEnd))).toBe(place);
  });

  test.each([
    ['the last test is gone', upTo('  - { name: all')],
    ['all tests are gone', upTo('tests:')],
    ['the last rule is gone with the tests', upTo('  - name: closed')],
    ['the last rule is gone, its comment and indentation are left', upTo('- name: closed')],
    ['rules and groups are gone', upTo('groups: {')],
    ['only a comment at the end is gone', upTo(' # the last one')],
    ['only a part of that comment is gone', upTo('last one')],
    ['only the last line end is gone', whole.slice(0, -1)],
    ['nothing is gone', whole],
    ['the end of a rule is gone, which a line of its own confirms', `${upTo('    effect: deny')}# end\n`],
    ['something is gone in the middle', whole.replace("    repositories: ['release/**']\n", '')],
    ['something is new at the end', `${whole}# more\n`],
    ['only comments are left, which other words are for', upTo('users:')],
    ['it is no YAML any more, which other words are for', upTo('devs] }')],
  ])('was edited: %s', (_what, text) => {
    expect(placeOf(text)).toBeUndefined();
  });

  test('says where it ends and what to do', () => {
    expect(cutProblem({ file: 'p.yaml', text: upTo('    effect: deny') }, whole)).toMatchObject({
      file: 'p.yaml',
      line: 19,
      code: 'cut-off',
      fix: expect.stringContaining('# end') as unknown,
    });
  });

  test('is cut anywhere: what still counts has only rules, tests and accounts as they were', () => {
    const entriesOf = (text: string): ReadonlySet<string> => {
      const reading = parsePolicy([{ file: 'p.yaml', text }]);
      if (!reading.ok) return new Set();
      const { rules, tests, users } = reading.policy;
      return new Set([...rules, ...tests, ...users.values()].map((entry) => JSON.stringify(entry)));
    };
    const before = entriesOf(whole);
    let refused = 0;
    for (let end = 1; end < whole.length; end++) {
      const text = whole.slice(0, end);
      if (placeOf(text) !== undefined) refused++;
      else for (const entry of entriesOf(text)) expect(before).toContain(entry);
    }
    expect(refused).toBeGreaterThan(100);
  });
});
