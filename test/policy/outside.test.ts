/** Groups of login sources in policy files: read strictly, mapped by the policy in force, named where they are wrong. */
import { describe, expect, test } from 'vitest';
import { formatProblem } from '../../src/document/problem.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import { mappedGroups, nameInFiles, namedGroups } from '../../src/policy/outside.ts';
import { readPolicy } from '../support/policies.ts';

function problemsOf(text: string): readonly string[] {
  const reading = parsePolicy([{ file: 'p.yaml', text }]);
  return reading.ok ? [] : reading.problems.map((problem) => formatProblem(problem));
}

describe('`from` of a group', () => {
  test('maps groups of a source, one to several and several to one', () => {
    const policy = readPolicy(`
groups:
  developers: { from: ["ldap:developers", "oidc:dev-team"] }
  staff: { from: ["ldap:Developers", "ldap:CN=all, with: colons"] }
  plain: { description: nobody from outside }
`);
    const mapped = (source: 'ldap' | 'oidc', ...groups: readonly string[]) => mappedGroups(policy, { source, groups });
    expect(mapped('ldap', 'DEVELOPERS')).toEqual(['developers', 'staff']);
    expect(mapped('ldap', 'cn=all, with: colons')).toEqual(['staff']);
    expect(mapped('ldap', 'plain', 'dev-team', 'constructor')).toEqual([]);
    expect(mapped('oidc', 'dev-team')).toEqual(['developers']);
    expect(mapped('oidc', 'Dev-Team', 'developers')).toEqual([]);
    expect(namedGroups(policy, 'ldap', ['other', 'developers', 'developers'])).toEqual(['developers']);
  });

  test.each([
    ['lpad:devs', 'p.yaml:1:23: "lpad:devs" names no group of a login source — did you mean "ldap"?'],
    ['devs', 'p.yaml:1:23: "devs" names no group of a login source; expected ldap:NAME or oidc:NAME'],
    ['htpasswd:devs', 'p.yaml:1:23: a htpasswd file knows no groups; declare the person instead'],
    ['ldap:', 'p.yaml:1:23: "ldap:" is no name of a group'],
    ['ldap: devs', 'p.yaml:1:23: "ldap: devs" is no name of a group'],
    ['', 'p.yaml:1:23: "" names no group of a login source'],
  ])('names what is wrong with %j, and where', (group, expected) => {
    const [problem = '', ...more] = problemsOf(`groups: { g: { from: ["${group}"] } }\n`);
    expect(problem).toContain(expected);
    expect(more).toEqual([]);
  });

  test('is not empty, and names nothing twice', () => {
    expect(problemsOf('groups: { g: { from: [] } }')).toHaveLength(1);
    expect(problemsOf('groups: { g: { from: ["ldap:a", "ldap:a"] } }')).toEqual([
      expect.stringContaining('p.yaml:1:33: "ldap:a" stands here twice'),
    ]);
    expect(problemsOf('groups: { g: { form: ["ldap:a"] } }')).toEqual([expect.stringContaining('"from"')]);
  });
});

test('what files say of a name from outside: an entry gives to its own name only, and takes from every spelling', () => {
  const hash = `$2b$10$${'.'.repeat(53)}`;
  const policy = readPolicy(`
groups: { g: }
users: { dana: { groups: [g], disabled: true, validFrom: 2026-06-01 }, max: { password: '${hash}' }, zoe: {} }
robots: { Builder: {} }
`);
  const validFrom = Date.parse('2026-06-01T00:00:00Z');
  expect(nameInFiles(policy, 'ldap', 'dana')).toMatchObject({ disabled: true, validFrom, user: { groups: ['g'] } });
  expect(nameInFiles(policy, 'ldap', 'DANA')).toMatchObject({ disabled: true, validFrom, user: undefined });
  expect(nameInFiles(policy, 'htpasswd', 'DANA')).toMatchObject({ disabled: false, validFrom: 0 });
  expect(nameInFiles(policy, 'ldap', 'MAX').takenBy).toEqual({ kind: 'user', name: 'max' });
  expect(nameInFiles(policy, 'ldap', 'builder').takenBy).toEqual({ kind: 'robot', name: 'Builder' });
  expect(nameInFiles(policy, 'htpasswd', 'builder').takenBy).toBeUndefined();
  expect(nameInFiles(policy, 'ldap', 'zoe').takenBy).toBeUndefined();
});
