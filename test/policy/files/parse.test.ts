import { describe, expect, test } from 'vitest';
import { parsePolicy } from '../../../src/policy/files/parse.ts';
import { rights } from '../../../src/policy/model.ts';
import { readPolicy } from '../../support/policies.ts';

const hash = '$argon2id$v=19$m=8192,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const bcrypt = `$2y$10$${'.'.repeat(53)}`;
const rule = (change: string): string => `rules:\n  - { ${change} }\n`;
const whole = 'name: a, subjects: [everyone], repositories: [a], actions: [pull]';

/** `file:line:column code message`, one for each problem. */
function problemsOf(...texts: readonly string[]): readonly string[] {
  const reading = parsePolicy(texts.map((text, index) => ({ file: `${index}.yaml`, text })));
  if (reading.ok) return [];
  return reading.problems.map(
    ({ file, line, column, code, message }) => `${file}:${line}:${column} ${code} ${message}`,
  );
}

describe('a complete policy', () => {
  const policy = readPolicy(`
users:
  dana: { password: "${hash}", groups: [developers] }
  rita: { groups: [release-managers], disabled: true }
robots:
  builder: { tokens: [{ id: k3v9, sha256: ${'ab'.repeat(32)}, expires: 2027-01-01, repositories: ["integration/**"], actions: [pull, push] }] }
workloads:
  ci: { issuer: https://ci.example.com, audience: portcullis, claims: { ref: refs/heads/main } }
groups:
  developers: { description: people who write the software }
  release-managers:
rules:
  - name: freeze
    effect: deny
    subjects: [everyone, 'workload:ci']
    repositories: ["release/**"]
    tags: ["v*"]
    actions: [push, delete]
    when: { after: 2026-12-24T00:00:00Z, before: 2027-01-02T00:00:00Z, addresses: [10.0.0.0/8], days: [sat], hours: 18:00-06:30, zone: Europe/Berlin }
    except: [group:release-managers]
    mode: shadow
tests:
  - name: developers cannot publish
    as: { user: dana, address: 10.1.2.3, at: 2026-12-25T12:00:00Z }
    allow: [pull sandbox/app]
    deny: [push release/app:v1]
`);

  test('keeps users, robots, workloads and groups as they are written', () => {
    expect(policy.users.get('dana')).toMatchObject({
      password: { scheme: 'argon2id', text: hash, cost: { memoryKib: 8192, passes: 1, lanes: 1 } },
      groups: ['developers'],
      disabled: false,
      source: { file: '0.yaml', line: 3, column: 3 },
    });
    expect(policy.users.get('rita')).toMatchObject({ disabled: true });
    expect(policy.users.get('rita')?.password).toBeUndefined();
    expect(policy.robots.get('builder')?.tokens).toMatchObject([
      {
        id: 'k3v9',
        sha256: 'ab'.repeat(32),
        expires: Date.parse('2027-01-01T00:00:00Z') / 1000,
        rights: rights.pull | rights.create | rights.overwrite,
      },
    ]);
    expect(policy.workloads.get('ci')?.claims).toEqual(new Map([['ref', 'refs/heads/main']]));
    expect([...policy.groups.keys()]).toEqual(['developers', 'release-managers']);
  });

  test('keeps rules with the place they stand at', () => {
    expect(policy.rules).toMatchObject([
      {
        name: 'freeze',
        effect: 'deny',
        mode: 'shadow',
        subjects: [{ kind: 'everyone' }, { kind: 'workload', name: 'ci' }],
        except: [{ kind: 'group', name: 'release-managers' }],
        repositories: [{ text: 'release/**' }],
        tags: [{ text: 'v*' }],
        rights: rights.create | rights.overwrite | rights.delete,
        when: {
          after: Date.parse('2026-12-24T00:00:00Z'),
          before: Date.parse('2027-01-02T00:00:00Z'),
          addresses: ['10.0.0.0/8'],
          days: ['sat'],
          hours: { from: 18 * 60, until: 6 * 60 + 30 },
          zone: 'Europe/Berlin',
        },
        source: { file: '0.yaml', line: 13, column: 5 },
      },
    ]);
  });

  test('keeps its tests', () => {
    expect(policy.tests).toMatchObject([
      {
        name: 'developers cannot publish',
        principal: { kind: 'user', name: 'dana' },
        address: '10.1.2.3',
        at: Date.parse('2026-12-25T12:00:00Z'),
        expectations: [
          { allowed: true, action: 'pull', repository: 'sandbox/app' },
          { allowed: false, action: 'push', repository: 'release/app', tag: 'v1' },
        ],
      },
    ]);
  });
});

describe('files together', () => {
  test('may refer to each other in any order', () => {
    const texts = [
      'rules: [{ name: a, subjects: ["group:devs"], repositories: [a], actions: [pull] }]',
      'users: { dana: { groups: [devs] } }',
      'groups: { devs: }',
    ];
    expect(problemsOf(...texts)).toEqual([]);
    expect(problemsOf(...texts.toReversed())).toEqual([]);
  });

  test('may say nothing only in so many words: without a key a file may be the beginning of one', () => {
    expect(readPolicy('rules: []', rule(whole)).rules).toHaveLength(1);
    const beginnings = [
      '',
      '\n',
      ' \n\n',
      '# who may do what\n',
      '\ufeff',
      '\ufeff# x',
      '---',
      '---\n...\n',
      '{}',
      '# x\n{ }\n',
    ];
    for (const text of [...beginnings, 'null', '~', '# x\r\n'])
      expect(problemsOf(rule(whole), text)[0], JSON.stringify(text)).toMatch(/^1\.yaml:1:1 empty-file /);
  });

  test.each([
    ['conditions without one, which would hold always', `${whole}, when: {}`],
    ['a time zone as the only condition', `${whole}, when: { zone: Europe/Berlin }`],
  ])('does not take %s', (_what, text) => {
    expect(problemsOf(rule(text))[0]).toContain('there is no condition in it, so the rule would always apply');
  });

  test('does not take a workload with an empty list of claims for one that any job may be', () => {
    const job = 'workloads: { ci: { issuer: "https://ci.example", audience: gateway, claims: {} } }';
    expect(problemsOf(job)[0]).toContain('there is no claim in it, so every job of this issuer would do');
  });

  test('are all refused when one of them has a problem', () => {
    const reading = parsePolicy([
      { file: 'good.yaml', text: rule(whole) },
      { file: 'bad.yaml', text: 'rulez: []' },
    ]);
    expect(reading).toMatchObject({
      ok: false,
      problems: [{ file: 'bad.yaml', line: 1, column: 1, code: 'unknown-key' }],
    });
  });

  test('report every problem at once, sorted by file and line, references only when the rest is whole', () => {
    const texts = ['rules: [{ nam: a }]\nuser: {}\n', 'users: { dana: { groups: [nowhere] } }', 'groups: [devs]\n'];
    const places = problemsOf(...texts).map((problem) => problem.split(' ', 2).join(' '));
    expect(places).toContain('0.yaml:2:1 unknown-key');
    expect(places).toContain('2.yaml:1:9 invalid-value');
    expect(places.filter((place) => place.startsWith('1.yaml'))).toEqual([]);
    expect(places.map((place) => place[0])).toEqual(places.map((place) => place[0]).toSorted());
    expect(places.at(-2)).toBe('0.yaml:2:1 unknown-key');
    expect(problemsOf(texts[1] ?? '')).toEqual(['0.yaml:1:27 unknown-name there is no group "nowhere"']);
  });
});

describe('a policy is refused, with place and suggestion, for', () => {
  const cases: readonly (readonly [what: string, text: string, problem: string])[] = [
    [
      'an unknown top-level key',
      'rules: []\nuser: {}\n',
      '0.yaml:2:1 unknown-key unknown key "user" — did you mean "users"?',
    ],
    [
      'an unknown key of a rule',
      `rules:\n  - ${whole.replaceAll(', ', '\n    ').replace('actions', 'action')}\n`,
      'unknown key "action" — did you mean "actions"?',
    ],
    [
      'an unknown key of a user',
      'users:\n  dana: { grups: [] }\n',
      '0.yaml:2:11 unknown-key users.dana: unknown key "grups" — did you mean "groups"?',
    ],
    [
      'an unknown key of a condition',
      rule(`${whole}, when: { adresses: [10.0.0.0/8] }`),
      'rules[0].when: unknown key "adresses" — did you mean "addresses"?',
    ],
    [
      'a missing key of a rule',
      rule('name: a, subjects: [everyone], repositories: [a]'),
      '0.yaml:2:5 missing-key rules[0]: the key "actions" is missing',
    ],
    [
      'an unknown action',
      rule(whole.replace('pull', 'pul')),
      'invalid-value rules[0].actions[0]: expected one of pull, push, create, overwrite, delete, catalog, promote, inspect, administer — did you mean "pull"?',
    ],
    ['an unknown effect', rule(`${whole}, effect: permit`), 'expected one of allow, deny'],
    ['an empty list of subjects', rule(whole.replace('everyone', '')), 'rules[0].subjects: must have at least 1 entry'],
    [
      'an empty list of repositories',
      rule(whole.replace('repositories: [a]', 'repositories: []')),
      'must have at least 1 entry',
    ],
    ['an empty list of actions', rule(whole.replace('pull', '')), 'must have at least 1 entry'],
    ['an empty list of tags, which would mean no tag at all', rule(`${whole}, tags: []`), 'must have at least 1 entry'],
    ['an empty list of exceptions', rule(`${whole}, except: []`), 'must have at least 1 entry'],
    ['an empty list of addresses', rule(`${whole}, when: { addresses: [] }`), 'must have at least 1 entry'],
    [
      'a subject that is neither a word nor kind:name',
      rule(whole.replace('everyone', 'dana')),
      'expected user:NAME, robot:NAME',
    ],
    [
      'a kind of subject that does not exist',
      rule(whole.replace('everyone', "'team:a'")),
      'expected user:NAME, robot:NAME',
    ],
    ['a subject without a name', rule(whole.replace('everyone', "'user:'")), 'expected user:NAME, robot:NAME'],
    ['a subject in capitals', rule(whole.replace('everyone', 'Everyone')), 'expected user:NAME, robot:NAME'],
    [
      'an unknown user',
      `users: { dana: {} }\n${rule(whole.replace('everyone', "'user:dan'"))}`,
      '0.yaml:3:27 unknown-name there is no user "dan" — did you mean "dana"?',
    ],
    [
      'an unknown group of a rule',
      `groups: { developers: }\n${rule(whole.replace('everyone', "'group:developer'"))}`,
      'there is no group "developer" — did you mean "developers"?',
    ],
    [
      'an unknown group of a user',
      'groups: { devs: }\nusers: { dana: { groups: [dev] } }\n',
      '0.yaml:2:27 unknown-name there is no group "dev" — did you mean "devs"?',
    ],
    ['an unknown subject of an exception', rule(`${whole}, except: ['robot:r2d2']`), 'there is no robot "r2d2"'],
    [
      'a user named where a robot is',
      `robots: { builder: {} }\n${rule(whole.replace('everyone', "'user:builder'"))}`,
      'there is no user "builder"',
    ],
    ['an unknown user of a test', 'tests: [{ name: t, as: user:dana, allow: [pull a] }]', 'there is no user "dana"'],
    [
      'a name that only JavaScript knows',
      rule(whole.replace('everyone', "'user:toString'")),
      'there is no user "toString"',
    ],
    [
      'a user declared twice in a file',
      'users:\n  dana: {}\n  dana: {}\n',
      '0.yaml:3:3 duplicate-key "dana" is written twice, first in line 2',
    ],
    [
      'a robot with the name of a user',
      'users: { dana: {} }\nrobots: { dana: {} }\n',
      '0.yaml:2:11 duplicate-name account "dana" is declared twice, first in 0.yaml:1',
    ],
    [
      'two rules with one name',
      `rules:\n  - { ${whole} }\n  - { ${whole} }\n`,
      '0.yaml:3:7 duplicate-name rule "a" is declared twice, first in 0.yaml:2',
    ],
    [
      'a rule without a name',
      rule(whole.replace('name: a', "name: ''")),
      'rules[0].name: expected letters, digits, spaces',
    ],
    [
      'a pattern with a character class',
      rule(whole.replace('repositories: [a]', "repositories: ['[ab]']")),
      'invalid-pattern "[" has no meaning in patterns',
    ],
    [
      'a pattern with alternatives',
      rule(whole.replace('repositories: [a]', "repositories: ['{a,b}']")),
      'invalid-pattern "{" has no meaning',
    ],
    [
      'a pattern that is a regular expression',
      rule(whole.replace('repositories: [a]', "repositories: ['(a|b).*']")),
      'invalid-pattern "(" has no meaning',
    ],
    [
      'a pattern that climbs',
      rule(whole.replace('repositories: [a]', "repositories: ['../a']")),
      'invalid-pattern a repository name has no ".." segment',
    ],
    [
      'a pattern that begins with a slash',
      rule(whole.replace('repositories: [a]', 'repositories: [/a]')),
      'neither begins nor ends with "/"',
    ],
    [
      'a pattern that ends with a slash',
      rule(whole.replace('repositories: [a]', 'repositories: [a/]')),
      'neither begins nor ends with "/"',
    ],
    [
      'a pattern in capitals',
      rule(whole.replace('repositories: [a]', 'repositories: [Team/*]')),
      'lower case, so this pattern could never match',
    ],
    [
      'a tag pattern over segments',
      rule(`${whole}, tags: ['a/b']`),
      '0.yaml:2:81 invalid-pattern "/" cannot occur in a tag',
    ],
    [
      'an unquoted pattern that YAML reads as an alias',
      rule(whole.replace('repositories: [a]', 'repositories: [*]')),
      'yaml-',
    ],
    [
      'an unquoted pattern that YAML reads as a tag',
      rule(whole.replace('repositories: [a]', 'repositories: [!secret/x]')),
      'yaml-tag',
    ],
    [
      'a repository that is a number',
      rule(whole.replace('repositories: [a]', 'repositories: [1]')),
      'rules[0].repositories[0]: expected text, got the number 1',
    ],
    [
      'a text where a list belongs',
      rule(whole.replace('[pull]', 'pull')),
      'rules[0].actions: expected a list, got text',
    ],
    [
      'a day that does not exist',
      rule(`${whole}, when: { after: 2027-02-30 }`),
      'invalid-time "2027-02-30" is not a date that exists',
    ],
    [
      'a leap day in an ordinary year',
      rule(`${whole}, when: { before: 2027-02-29T00:00:00Z }`),
      'is not a date that exists',
    ],
    [
      'an hour that does not exist',
      rule(`${whole}, when: { after: '2027-01-01T25:00:00Z' }`),
      'is not a date that exists',
    ],
    [
      'a time without an offset',
      rule(`${whole}, when: { after: '2027-01-01T12:00:00' }`),
      'expected a date (2027-01-31) or a time with its offset',
    ],
    ['a date in words', rule(`${whole}, when: { after: tomorrow }`), 'expected a date'],
    [
      'a time before it begins',
      rule(`${whole}, when: { after: 2027-01-02, before: 2027-01-01 }`),
      'never-applies before is not later than after',
    ],
    [
      'hours that never come',
      rule(`${whole}, when: { hours: 09:00-09:00 }`),
      'never-applies these hours begin and end at the same minute',
    ],
    ['hours that do not exist', rule(`${whole}, when: { hours: 09:00-25:00 }`), 'expected hours as 09:00-17:30'],
    ['a day of the week that does not exist', rule(`${whole}, when: { days: [monday] }`), 'expected one of mon, tue'],
    [
      'an unknown time zone',
      rule(`${whole}, when: { hours: 09:00-17:00, zone: Mars/Olympus }`),
      'unknown-zone "Mars/Olympus" is not a known time zone',
    ],
    [
      'a network that is none',
      rule(`${whole}, when: { addresses: [10.0.0.0/33] }`),
      'invalid-network "10.0.0.0/33" is not a network',
    ],
    ['a host name for a network', rule(`${whole}, when: { addresses: [example.com] }`), 'is not a network'],
    ['a prefix with a leading zero', rule(`${whole}, when: { addresses: [10.0.0.0/08] }`), 'is not a network'],
    [
      'a password that is no hash',
      'users:\n  dana: { password: hunter2 }\n',
      '0.yaml:2:21 invalid-hash password of user "dana": expected an argon2id or bcrypt hash; make one with: portcullis hash',
    ],
    [
      'a hash of the wrong argon2 variant',
      `users: { dana: { password: "${hash.replace('argon2id', 'argon2i')}" } }`,
      'only the argon2id variant is accepted',
    ],
    [
      'a hash that takes four terabytes of memory',
      `users: { dana: { password: '${hash.replace('m=8192', 'm=4294967295')}' } }`,
      'expected an argon2id or bcrypt hash',
    ],
    [
      'a hash that takes more memory than allowed',
      `users: { dana: { password: '${hash.replace('m=8192', 'm=1048576')}' } }`,
      'argon2id m (KiB of memory) = 1048576 is outside 8192 to 262144',
    ],
    [
      'a hash with too many passes',
      `users: { dana: { password: '${hash.replace('t=1', 't=999')}' } }`,
      'argon2id t (passes) = 999 is outside 1 to 10',
    ],
    [
      'a hash with no passes',
      `users: { dana: { password: '${hash.replace('t=1', 't=0')}' } }`,
      'argon2id t (passes) = 0 is outside',
    ],
    [
      'a hash with too many lanes',
      `users: { dana: { password: '${hash.replace('p=1', 'p=255')}' } }`,
      'argon2id p (lanes) = 255 is outside 1 to 16',
    ],
    [
      'a hash of another version',
      `users: { dana: { password: '${hash.replace('v=19', 'v=16')}' } }`,
      'expected an argon2id or bcrypt hash',
    ],
    [
      'a bcrypt hash that takes minutes',
      `users: { dana: { password: '${bcrypt.replace('$10$', '$31$')}' } }`,
      'bcrypt cost 31 is outside 4 to 14',
    ],
    [
      'a bcrypt hash that is cut off',
      `users: { dana: { password: '${bcrypt.slice(0, -1)}' } }`,
      'expected an argon2id or bcrypt hash',
    ],
    ['an empty password', "users: { dana: { password: '' } }", 'expected an argon2id or bcrypt hash'],
    ['an account name that is a number', 'users: { 42: {} }', '0.yaml:1:10 bad-key the key "42" is not text'],
    ['an account name that is nothing', 'users: { ~: {} }', 'bad-key'],
    ['an account name that is a truth value', 'users: { true: {} }', 'bad-key the key "true" is not text'],
    [
      'an account name that JavaScript could trip over',
      'users: { __proto__: {} }',
      '0.yaml:1:10 bad-key "__proto__" is reserved',
    ],
    [
      'an account name with a colon, which Basic cannot carry',
      'users: { "a:b": {} }',
      'expected a name of letters, digits',
    ],
    [
      'an account name with a slash, which ${account} would widen',
      'users: { "a/b": {} }',
      'expected a name of letters, digits',
    ],
    ['an account name with a star', 'users: { "a*": {} }', 'expected a name of letters, digits'],
    ['an account name that ends with a dot', 'users: { "a.": {} }', 'expected a name of letters, digits'],
    [
      'an account name longer than 128 characters',
      `users: { ${'a'.repeat(129)}: {} }`,
      'expected a name of letters, digits',
    ],
    [
      'an account name that looks like another (composed)',
      'users: { "jos\u00e9": {} }',
      'expected a name of letters, digits',
    ],
    [
      'an account name that looks like another (decomposed)',
      'users: { "jose\u0301": {} }',
      'expected a name of letters, digits',
    ],
    ['an account name with a Cyrillic letter', 'users: { "d\u0430na": {} }', 'expected a name of letters, digits'],
    ['a user that is nothing', 'users: { dana: }', 'users.dana: expected a mapping (key: value), got nothing'],
    [
      'a token id that is no word',
      'robots: { b: { tokens: [{ id: "a b", sha256: x }] } }',
      'expected 4 to 32 letters and digits',
    ],
    [
      'two tokens with one id',
      `robots: { b: { tokens: [{ id: abcd, sha256: ${'0'.repeat(63)}a }, { id: abcd, sha256: ${'0'.repeat(63)}b }] } }`,
      'duplicate-name robot token "abcd" is declared twice',
    ],
    [
      'a workload without https',
      'workloads: { ci: { issuer: http://ci, audience: a } }',
      'expected the https address of the token issuer',
    ],
    ['a test that expects nothing', 'tests: [{ name: t, as: anonymous }]', 'empty-test a test needs `allow` or `deny`'],
    [
      'a test for everyone, who is nobody',
      'tests: [{ name: t, as: everyone, allow: [pull a] }]',
      'a test asks for somebody',
    ],
    [
      'a test with two askers',
      'users: { a: {} }\ntests: [{ name: t, as: { user: a, anonymous: true }, allow: [pull a] }]',
      'expected exactly one of user, robot',
    ],
    [
      'a test of a bad repository',
      'tests: [{ name: t, as: anonymous, allow: [pull A] }]',
      '"A" is not a repository name',
    ],
    ['a test of a bad tag', 'tests: [{ name: t, as: anonymous, allow: ["pull a:-x"] }]', '"-x" is not a tag'],
    [
      'a test from no address',
      'tests: [{ name: t, as: { anonymous: true, address: 10.0.0.0/8 }, allow: [pull a] }]',
      '"10.0.0.0/8" is not an address',
    ],
    ['a list where a mapping belongs', 'users: [dana]', 'users: expected a mapping (key: value), got a list'],
    ['a text where the policy belongs', 'hello', 'expected a mapping (key: value), got text'],
    ['text that is no YAML', 'rules: [', 'yaml-syntax'],
    ['a second document', 'rules: []\n---\nusers: {}\n', 'yaml-documents'],
    ['an anchor', `rules: [&a { ${whole} }]`, 'yaml-anchor'],
  ];
  test.each(cases)('%s', (_what, text, problem) => {
    const problems = problemsOf(text);
    expect(problems.join('\n')).toContain(problem);
    for (const one of problems) expect(one).toMatch(/^0\.yaml:[1-9]\d*:[1-9]\d* /);
  });

  test('a name declared in two files, whichever comes first', () => {
    const twice = (text: string): readonly string[] => problemsOf(text, `\n${text}`);
    expect(twice('users: { dana: {} }')).toEqual([
      '1.yaml:2:10 duplicate-name account "dana" is declared twice, first in 0.yaml:1',
    ]);
    expect(twice('groups: { devs: }')[0]).toContain('duplicate-name group "devs" is declared twice, first in 0.yaml:1');
    expect(twice(rule(whole))[0]).toContain('duplicate-name rule "a" is declared twice, first in 0.yaml:2');
  });

  test('a password in a problem is never shown', () => {
    const text = 'users: { dana: { password: hunter2-is-secret, grups: [] } }\n';
    expect(problemsOf(text).join('\n')).not.toContain('hunter2');
    expect(problemsOf('users: { dana: { password: hunter2-is-secret } }').join('\n')).not.toContain('hunter2');
  });
});
