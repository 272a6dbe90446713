/** `limits:` in policy files: what is read, what is refused, and whom a limit is about. */
import { describe, expect, test } from 'vitest';
import { parsePolicy } from '../../src/policy/parse.ts';
import { anonymous, compile, readPolicy, user } from '../support/policies.ts';

const people = `groups: { devs: }\nusers: { dana: { groups: [devs] }, rita: {} }\nrobots: { builder: { groups: [devs] } }\n`;
const whole = 'name: a, subjects: [everyone], count: pull, per: account, rate: 100/6h';
const limit = (text: string): string => `limits:\n  - { ${text} }\n`;

function problemsOf(text: string): readonly string[] {
  const reading = parsePolicy([{ file: 'limits.yaml', text: people + text }]);
  return reading.ok
    ? []
    : reading.problems.map(({ line, column, code, message }) => `${line}:${column} ${code} ${message}`);
}

describe('a limit', () => {
  test('is kept as it is written', () => {
    const { limits } = readPolicy(
      `${people}${limit('name: pushes, mode: shadow, subjects: ["group:devs"], except: ["robot:builder"], count: push, per: address, rate: 60/1m, burst: 20')}`,
    );
    expect(limits).toEqual([
      {
        name: 'pushes',
        mode: 'shadow',
        subjects: [{ kind: 'group', name: 'devs' }],
        except: [{ kind: 'robot', name: 'builder' }],
        count: 'push',
        per: 'address',
        rate: { amount: 60, seconds: 60 },
        burst: 20,
        source: expect.objectContaining({ line: 5, column: 5 }) as unknown,
      },
    ]);
  });

  test('is enforced, and lets the whole amount come at once, unless it says otherwise', () => {
    expect(readPolicy(people + limit(whole)).limits).toMatchObject([{ mode: 'enforce', burst: 100 }]);
  });

  const cases: readonly (readonly [what: string, text: string, problem: string])[] = [
    [
      'a rate of nothing',
      whole.replace('100/6h', '0/6h'),
      '5:71 invalid-rate a rate of nothing would refuse every request',
    ],
    ['a negative rate', whole.replace('100/6h', '-1/6h'), '5:71 invalid-rate "-1/6h" is not a rate'],
    [
      'an absurd rate',
      whole.replace('100/6h', '99999999/1s'),
      '5:71 invalid-rate the amount of a rate is at most 1000000',
    ],
    ['a burst of nothing', `${whole}, burst: 0`, 'a burst of nothing would refuse every request'],
    ['a negative burst', `${whole}, burst: -3`, 'a burst of nothing would refuse every request'],
    ['half a burst', `${whole}, burst: 1.5`, 'expected a whole number'],
    [
      'a burst above the rate, with what to write',
      whole.replace('100/6h', '1/1s, burst: 10'),
      'a burst is at most the amount of the rate, 1; for 10 at once at the same pace write rate: 10/10s',
    ],
    ['nobody to count', whole.replace('[everyone]', '[]'), 'subjects'],
    [
      'a name that is not declared',
      whole.replace('everyone', '"user:dan"'),
      'there is no user "dan" — did you mean "dana"?',
    ],
    [
      'an exception that is not declared',
      `${whole}, except: ["group:dev"]`,
      'there is no group "dev" — did you mean "devs"?',
    ],
    ['a key that does not exist', `${whole}, repositores: [a]`, 'unknown key "repositores"'],
    ['an unknown count', whole.replace('pull', 'pulls'), 'did you mean "pull"?'],
    ['an unknown owner', whole.replace('account', 'user'), 'per'],
    ['no rate', whole.replace(', rate: 100/6h', ''), 'rate'],
    [
      'tokens of a repository',
      whole.replace('pull', 'token').replace('account', 'repository'),
      'a token request names no one repository',
    ],
    [
      'accounts of anonymous callers',
      whole.replace('everyone', 'anonymous'),
      'anonymous callers have no account; write per: address',
    ],
    ['a name given twice', `${whole} }\n  - { ${whole}`, 'limit "a" is declared twice, first in limits.yaml:5'],
  ];
  test.each(cases)('with %s is refused', (_what, text, problem) => {
    const problems = problemsOf(limit(text));
    expect(problems).not.toEqual([]);
    expect(problems.join('\n')).toContain(problem);
  });
});

describe('whom a limit is about', () => {
  const policy = compile(
    `${people}limits:
  - { name: z-all, subjects: [everyone], count: pull, per: address, rate: 1/1s }
  - { name: members, subjects: ['group:devs'], except: ['robot:builder'], count: pull, per: account, rate: 1/1s }
  - { name: people, subjects: [authenticated], count: push, per: account, rate: 1/1s }
  - { name: strangers, subjects: [anonymous], count: token, per: address, rate: 1/1s }
`,
  );
  const names = (who: Parameters<typeof policy.limitsOf>[0], count: 'pull' | 'push' | 'token'): readonly string[] =>
    policy.limitsOf(who, count).map(({ name }) => name);

  test('its subjects but for its exceptions, by name, each for what it counts', () => {
    expect(names(user('dana'), 'pull')).toEqual(['members', 'z-all']);
    expect(names(user('rita'), 'pull')).toEqual(['z-all']);
    expect(names({ kind: 'robot', name: 'builder' }, 'pull')).toEqual(['z-all']);
    expect(names(user('dana'), 'push')).toEqual(['people']);
    expect(names(anonymous, 'pull')).toEqual(['z-all']);
    expect(names(anonymous, 'token')).toEqual(['strangers']);
    expect(names(user('dana'), 'token')).toEqual([]);
  });

  test('nobody who does not exist', () => {
    expect(names(user('nobody'), 'pull')).toEqual([]);
  });
});
