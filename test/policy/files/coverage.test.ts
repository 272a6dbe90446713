import { describe, expect, test } from 'vitest';
import {
  problemOfFailure,
  runTests,
  unexercisedGates,
  unexercisedRules,
} from '../../../src/policy/analysis/test-run.ts';
import { compile } from '../../support/policies.ts';

const head = `
users: { dana: {}, gone: { disabled: true } }
rules:
`;
const now = Date.parse('2026-06-03T12:00:00Z');

function unexercised(...texts: readonly string[]): readonly string[] {
  return unexercisedRules(compile(head + texts.join('\n')), now).map(({ name }) => name);
}

const allow = '  - { name: allow, subjects: [user:dana], repositories: [a], actions: [pull, push] }';
const spare = '  - { name: spare, subjects: [user:dana], repositories: [a], actions: [push] }';
const deny = '  - { name: deny, effect: deny, subjects: [everyone], repositories: [b], actions: [push] }';

describe('a rule is exercised', () => {
  test('by an expectation that it decides, allowed or denied', () => {
    const tests = 'tests: [{ name: t, as: user:dana, allow: [push a], deny: [push b] }]';
    expect(unexercised(allow, deny, tests)).toEqual([]);
  });

  test('not by an expectation that stands without it', () => {
    const tests = 'tests: [{ name: t, as: user:dana, allow: [push a] }]';
    expect(unexercised(allow, spare, deny, tests)).toEqual(['spare', 'deny']);
  });

  test('not by being refused for want of any rule', () => {
    expect(unexercised(allow, 'tests: [{ name: t, as: user:dana, deny: [pull c] }]')).toEqual(['allow']);
  });

  test('when without it one half of a refused push would be allowed', () => {
    const halves = [
      '  - { name: no-create, effect: deny, subjects: [everyone], repositories: [a], actions: [create] }',
      '  - { name: no-overwrite, effect: deny, subjects: [everyone], repositories: [a], actions: [overwrite] }',
    ];
    const tests = 'tests: [{ name: t, as: user:dana, allow: [pull a], deny: [push a] }]';
    expect(unexercised(allow, ...halves, tests)).toEqual([]);
  });

  test('or not asked for, in shadow mode', () => {
    const shadow = '  - { name: s, mode: shadow, subjects: [everyone], repositories: [a], actions: [push] }';
    expect(unexercised(shadow, 'tests: [{ name: t, as: user:dana, deny: [push a] }]')).toEqual([]);
  });
});

describe('a failing expectation', () => {
  test('is reported where it stands, with the rule that decided otherwise', () => {
    const text = `${head}${allow}\ntests:\n  - name: closed\n    as: user:dana\n    deny: [pull z, push a:1]\n`;
    const { passed, failures } = runTests(compile(text), now);
    expect([passed, failures.map(problemOfFailure)]).toEqual([
      1,
      [
        {
          file: '0.yaml',
          line: 8,
          column: 20,
          code: 'test-failed',
          message: 'test "closed" fails: push a:1 should be denied, but is allowed by rule "allow" (0.yaml:4)',
        },
      ],
    ]);
  });

  test('says when no rule allows it, and judges rules for a disabled account as for any other', () => {
    const tests = 'tests: [{ name: t, as: user:dana, allow: [pull z] }, { name: u, as: user:gone, allow: [pull z] }]';
    const messages = runTests(compile(`${head}${allow}\n${tests}`), now).failures.map(
      (failure) => problemOfFailure(failure).message,
    );
    expect(messages).toEqual([
      'test "t" fails: pull z should be allowed, but is denied because no rule allows it',
      'test "u" fails: pull z should be allowed, but is denied because no rule allows it',
    ]);
  });
});

const gated = `
users: { dana: {}, gus: {} }
rules:
  - { name: push, subjects: [authenticated], repositories: ["release/**", "free/**"], actions: [push, promote] }
  - { name: shut, effect: deny, subjects: [everyone], repositories: ["release/shut/**"], actions: [push] }
gates:
  - { name: approved, repositories: ["release/**"], from: ["integration/**"], except: [user:gus] }
  - { name: versions, repositories: ["release/**"], tags: ["v*"], from: ["signed/**"] }
  - { name: later, mode: shadow, repositories: ["free/**"], from: ["integration/**"] }
`;

function failing(test: string): readonly string[] {
  const { failures } = runTests(compile(`${gated}tests: [{ name: t, ${test} }]`), now);
  return failures.map((failure) => problemOfFailure(failure).message);
}

describe('an unknown image', () => {
  test.each([
    'as: user:dana, image: unknown, deny: [push release/app, create release/app:1, overwrite release/app:1, promote release/app:v1]',
    'as: user:dana, image: unknown, allow: [push free/app, promote free/app]',
    'as: user:dana, image: unknown, deny: [push release/shut/app, push elsewhere]',
    'as: user:gus, image: unknown, allow: [push release/app, promote release/app:1], deny: [promote release/app:v1]',
    'as: user:dana, allow: [push release/app, promote release/app:v1]',
    'as: user:dana, image: approved, allow: [push release/app, promote release/app:v1]',
  ])('is refused where an enforced gate stands for the caller, and only there: %s', (text) => {
    expect(failing(text)).toEqual([]);
  });

  test('that should pass and does not is told with the gate and its place', () => {
    expect(failing('as: user:dana, image: unknown, allow: [push release/app:v1]')).toEqual([
      'test "t" fails: push release/app:v1 of an unknown image should be allowed, but is denied by gate "approved" (0.yaml:7)',
    ]);
    expect(failing('as: user:gus, image: unknown, allow: [push release/app:v1]')).toEqual([
      'test "t" fails: push release/app:v1 of an unknown image should be allowed, but is denied by gate "versions" (0.yaml:8)',
    ]);
  });

  test('that should be refused and is not is told with what allows it', () => {
    expect(failing('as: user:dana, image: unknown, deny: [push free/app]')).toEqual([
      'test "t" fails: push free/app of an unknown image should be denied, but is allowed by rule "push" (0.yaml:4), and no gate stands there',
    ]);
  });

  test('is nothing that reading depends on', () => {
    expect(failing('as: user:dana, image: unknown, allow: [pull release/app]')).toEqual([]);
  });
});

describe('a gate is exercised', () => {
  const idle = (tests: string): readonly string[] =>
    unexercisedGates(compile(`${gated}tests: [${tests}]`), now).map(({ name }) => name);

  test('by an unknown image that the rules would let pass', () => {
    expect(idle('{ name: t, as: user:dana, image: unknown, deny: [push release/app:v1] }')).toEqual([]);
    expect(idle('{ name: t, as: user:dana, image: unknown, deny: [push release/app] }')).toEqual(['versions']);
  });

  test('not by an approved one, nor by one that the rules refuse; one in shadow mode is not asked for', () => {
    const tests =
      '{ name: t, as: user:dana, allow: [push release/app:v1] }, { name: u, as: user:dana, image: unknown, deny: [push release/shut/app:v1] }';
    expect(idle(tests)).toEqual(['approved', 'versions']);
  });
});
