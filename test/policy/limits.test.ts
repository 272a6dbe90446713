/** `limits:` in policy files: what is read, what is refused and what is said then. */
import { describe, expect, test } from 'vitest';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import type { Named } from '../../src/policy/model.ts';
import { anonymous, compile, readPolicy, robot, user } from '../support/policies.ts';

const head = `users: { dana: { groups: [devs] }, gone: { disabled: true } }
robots: { builder: {} }
groups: { devs: }
`;
const whole = 'name: a, subjects: [everyone], count: pull, per: address, rate: 100/6h';

function problemsOf(...limits: readonly string[]): readonly string[] {
  const text = `${head}limits:\n${limits.map((limit) => `  - { ${limit} }\n`).join('')}`;
  const reading = parsePolicy([{ file: 'p.yaml', text }]);
  if (reading.ok) return [];
  return reading.problems.map(
    ({ line, column, code, message, fix }) =>
      `${line}:${column} ${code} ${message}${fix === undefined ? '' : ` (${fix})`}`,
  );
}

describe('a limit', () => {
  test('has its own place, and a burst of its whole amount when nothing else is said', () => {
    const { limits } = readPolicy(`${head}limits:
  - name: pushes
    mode: shadow
    subjects: [group:devs, robot:builder]
    except: [user:dana]
    count: push
    per: account
    rate: 60/1m
    burst: 20
  - { ${whole} }
`);
    expect(limits).toEqual([
      {
        name: 'pushes',
        mode: 'shadow',
        subjects: [
          { kind: 'group', name: 'devs' },
          { kind: 'robot', name: 'builder' },
        ],
        except: [{ kind: 'user', name: 'dana' }],
        count: 'push',
        per: 'account',
        rate: { amount: 60, seconds: 60 },
        burst: 20,
        source: { file: '0.yaml', line: 5, column: 5 },
      },
      {
        name: 'a',
        mode: 'enforce',
        subjects: [{ kind: 'everyone' }],
        except: [],
        count: 'pull',
        per: 'address',
        rate: { amount: 100, seconds: 21_600 },
        burst: 100,
        source: { file: '0.yaml', line: 13, column: 5 },
      },
    ]);
  });

  const valid: readonly (readonly [what: string, limit: string])[] = [
    ['tokens by account', whole.replace('pull', 'token').replace('address', 'account')],
    ['tokens by address', whole.replace('pull', 'token')],
    ['pulls by repository', whole.replace('address', 'repository')],
    ['a burst of one', `${whole}, burst: 1`],
    ['a burst of the whole amount', `${whole}, burst: 100`],
    [
      'anonymous callers and accounts alike, by account',
      whole.replace('everyone', 'anonymous, authenticated').replace('address', 'account'),
    ],
    ['the smallest rate', whole.replace('100/6h', '1/31d')],
    ['the largest rate', whole.replace('100/6h', '1000000/1s')],
  ];
  test.each(valid)('may count %s', (_what, limit) => {
    expect(problemsOf(limit)).toEqual([]);
  });

  const invalid: readonly (readonly [what: string, limit: string, said: string])[] = [
    [
      'an amount of zero',
      whole.replace('100/6h', '0/6h'),
      '5:71 invalid-rate a rate of nothing would refuse every request',
    ],
    [
      'a negative amount',
      whole.replace('100/6h', '-1/6h'),
      '5:71 invalid-rate "-1/6h" is not a rate; expected an amount',
    ],
    ['an absurd amount', whole.replace('100/6h', '1000000000/1s'), '5:71 invalid-rate the amount of a rate is at most'],
    ['an absurd period', whole.replace('100/6h', '1/400d'), '5:71 invalid-rate the period of a rate is at most 31d'],
    ['a fraction', whole.replace('100/6h', '0.5/1s'), '5:71 invalid-rate "0.5/1s" is not a rate'],
    [
      'no unit',
      whole.replace('100/6h', '100/6'),
      '5:71 invalid-rate "100/6" is not a rate; expected an amount and a period',
    ],
    ['no period', whole.replace('100/6h', '100'), 'limits[0].rate: expected text, got the number 100'],
    [
      'a period in words',
      whole.replace('100/6h', '100 per 6h'),
      '5:71 invalid-rate "100 per 6h" is not a rate; write 100/6h',
    ],
    ['a burst of nothing', `${whole}, burst: 0`, 'a burst of nothing would refuse every request'],
    ['a negative burst', `${whole}, burst: -1`, 'a burst of nothing would refuse every request'],
    ['a burst in fractions', `${whole}, burst: 1.5`, 'limits[0].burst: expected a whole number'],
    ['a burst in words', `${whole}, burst: many`, 'limits[0].burst: expected a whole number'],
    [
      'a burst above the amount, and how to write what was meant',
      `${whole}, burst: 200`,
      '5:86 invalid-rate a burst is at most the amount of the rate, 100; for 200 at once at the same pace write rate: 200/12h',
    ],
    ['an unknown key', `${whole}, brust: 5`, '5:79 unknown-key limits[0]: unknown key "brust" — did you mean "burst"?'],
    ['repositories, which limits do not have', `${whole}, repositories: ['a/**']`, 'unknown key "repositories"'],
    ['an unknown mode', `${whole}, mode: shadwo`, 'expected one of enforce, shadow — did you mean "shadow"?'],
    [
      'something else to count',
      whole.replace('pull', 'pulls'),
      'expected one of pull, push, token — did you mean "pull"?',
    ],
    [
      'something else to count by',
      whole.replace('address', 'user'),
      'limits[0].per: expected one of account, address, repository',
    ],
    ['no rate', whole.replace(', rate: 100/6h', ''), '5:5 missing-key limits[0]: the key "rate" is missing'],
    ['nothing to count', whole.replace('count: pull, ', ''), 'the key "count" is missing'],
    ['no name', whole.replace('name: a, ', ''), 'the key "name" is missing'],
    [
      'a name for other files',
      whole.replace('name: a', "name: 'a/b'"),
      'limits[0].name: expected letters, digits, spaces',
    ],
    ['nobody', whole.replace('everyone', ''), 'limits[0].subjects: must have at least 1 entry'],
    ['an empty list of exceptions', `${whole}, except: []`, 'limits[0].except: must have at least 1 entry'],
    ['a subject that is none', whole.replace('everyone', 'all'), 'limits[0].subjects[0]: expected user:NAME'],
    [
      'an unknown group',
      whole.replace('everyone', "'group:dev'"),
      '5:27 unknown-name there is no group "dev" — did you mean "devs"?',
    ],
    ['an unknown user', whole.replace('everyone', "'user:dnaa'"), 'there is no user "dnaa" — did you mean "dana"?'],
    [
      'an unknown exception',
      `${whole}, except: ['robot:bilder']`,
      'there is no robot "bilder" — did you mean "builder"?',
    ],
    [
      'anonymous callers by account',
      whole.replace('everyone', 'anonymous').replace('address', 'account'),
      '5:57 never-applies anonymous callers have no account; write per: address',
    ],
    [
      'tokens by repository',
      whole.replace('pull', 'token').replace('address', 'repository'),
      'never-applies a token request names no one repository; count it per account or address',
    ],
  ];
  test.each(invalid)('is refused with %s', (_what, limit, said) => {
    const problems = problemsOf(limit);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(said);
  });

  test('advises no rate that would be refused in its turn', () => {
    const bursts: readonly (readonly [rate: string, burst: number])[] = [
      ['7/1s', 10],
      ['10/31d', 20],
      ['1000000/1s', 2_000_000],
    ];
    for (const [rate, burst] of bursts) {
      const [problem = ''] = problemsOf(`${whole.replace('100/6h', rate)}, burst: ${burst}`);
      expect(problem).toMatch(/a burst is at most the amount of the rate, \d+$/);
    }
  });

  test('needs a name that no other limit has, in any file; a rule may have it', () => {
    expect(problemsOf(whole, whole)).toEqual(['6:7 duplicate-name limit "a" is declared twice, first in p.yaml:5']);
    const twice = parsePolicy([
      { file: 'b.yaml', text: `limits: [{ ${whole} }]` },
      { file: 'a.yaml', text: `limits: [{ ${whole} }]` },
    ]);
    expect(twice).toMatchObject({ problems: [{ file: 'b.yaml', code: 'duplicate-name' }] });
    const rule = 'rules: [{ name: a, subjects: [everyone], repositories: [a], actions: [pull] }]';
    expect(readPolicy(`${rule}\nlimits: [{ ${whole} }]`).limits).toHaveLength(1);
  });

  test('is no list of limits when it is a map', () => {
    expect(parsePolicy([{ file: 'p.yaml', text: `limits: { ${whole} }` }])).toMatchObject({ ok: false });
  });
});

describe('the limits of somebody', () => {
  const policy = compile(`${head}limits:
  - { name: z, subjects: [group:devs], count: pull, per: account, rate: 1/1s }
  - { name: a, subjects: [authenticated], except: [robot:builder], count: pull, per: account, rate: 1/1s }
  - { name: m, subjects: [anonymous], count: pull, per: address, rate: 1/1s }
  - { name: p, subjects: [everyone], count: push, per: repository, rate: 1/1s }
`);
  const cases: readonly (readonly [who: string, principal: Named, pull: string, push: string])[] = [
    ['a user in a group', user('dana'), 'a z', 'p'],
    ['an excepted robot', robot('builder'), '', 'p'],
    ['an anonymous caller', anonymous, 'm', 'p'],
    ['a disabled user', user('gone'), '', ''],
    ['an unknown user', user('nobody'), '', ''],
  ];
  test.each(cases)('are those about %s, by name', (_who, principal, pull, push) => {
    const namesOf = (counted: 'pull' | 'push'): string =>
      policy
        .limitsOf(principal, counted)
        .map(({ name }) => name)
        .join(' ');
    expect([namesOf('pull'), namesOf('push'), policy.limitsOf(principal, 'token')]).toEqual([pull, push, []]);
  });
});
