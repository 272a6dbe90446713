import { describe, expect, test } from 'vitest';
import { type Edit } from '../../../src/editing/edit.ts';
import { addTests } from '../../../src/editing/tests.ts';
import { compileByName } from '../../../src/policy/by-name.ts';
import { type ProposedTest, proposeTests } from '../../../src/policy/analysis/propose-tests.ts';
import { runTests, unexercisedGates, unexercisedRules } from '../../../src/policy/analysis/test-run.ts';
import { compile, readPolicy } from '../../support/policies.ts';

const now = Date.parse('2026-06-03T12:00:40Z');
const text = `users:
  dana: { groups: [developers] }
groups: { developers: , managers: }
rules:
  - { name: share, subjects: [group:developers], repositories: ["sandbox/**"], actions: [pull, push] }
  - { name: again, subjects: [group:developers], repositories: ["sandbox/**"], actions: [pull, push] }
  - { name: own, subjects: [authenticated], repositories: ["people/\${account}/**"], actions: [push] }
  - { name: publish, subjects: [group:managers], repositories: ["release/**"], actions: [push], tags: ["v*"] }
  - { name: immutable, effect: deny, subjects: [everyone], repositories: ["release/**"], tags: ["v*"], actions: [overwrite] }
  - { name: freeze, effect: deny, subjects: [everyone], repositories: ["release/**"], actions: [push], when: { after: 2026-12-24, before: 2027-01-02 } }
  - { name: office, subjects: [anonymous], repositories: ["office/*"], actions: [pull], when: { addresses: [10.1.0.0/16] } }
`;

function told({ principal, at, address, allow, deny }: ProposedTest): string {
  const who = 'name' in principal ? `${principal.kind}:${principal.name}` : principal.kind;
  const when = at === undefined ? '' : ` at ${new Date(at).toISOString().slice(0, 16)}`;
  const from = address === undefined ? '' : ' from an address';
  return `${who}${when}${from}: +${allow.join(' +')} -${deny.join(' -')}`;
}

describe('tests to begin from', () => {
  const compiled = compile(text);
  const { tests, without } = proposeTests(compiled, { rules: unexercisedRules(compiled, now) }, now);

  test('ask what each rule decides, as a group where one will do, and with the time where it matters', () => {
    expect(tests.map(told)).toEqual([
      'group:developers: +pull sandbox/app -',
      'user:dana: +push people/dana/app -',
      'group:managers at 2026-06-03T12:00: +push release/app:v1 -overwrite release/app:v1',
      'group:managers at 2026-12-24T00:00: + -push release/app',
      'anonymous at 2026-06-03T12:00 from an address: +pull office/app -',
    ]);
  });

  test('say of which rules nothing depends on them alone', () => {
    expect(without.map(({ name }) => name)).toEqual(['share']);
  });

  test.each<[string, string]>([
    ['a file without tests', text],
    ['a file with tests in lines', `${text}tests:\n- name: x # old\n  as: user:dana\n  deny: [pull other]\n  # last\n`],
    ['a file with a list in brackets', `${text}tests: [{ name: x, as: user:dana, deny: [pull other] }] # old\n`],
    ['a file with an empty list', `${text}tests: []\n`],
    ['a file whose last line has no end', text.trimEnd()],
  ])('hold when they are written into %s, and leave no rule of theirs untried', (_what, before) => {
    const edit: Edit = addTests(before, tests);
    const after = edit.ok ? edit.text : '';
    for (const line of before.split('\n').filter((each) => /^[- ] /.test(each))) expect(after).toContain(line);
    const written = compileByName(readPolicy(after));
    expect(runTests(written, now + 365 * 86_400_000).failures).toEqual([]);
    expect(unexercisedRules(written, now).map(({ name }) => name)).toEqual(['share']);
  });
});

describe('tests to begin from, for gates', () => {
  const gated = `${text}gates:
  - { name: approved, repositories: ["release/**"], tags: ["v*"], from: ["integration/**"] }
  - { name: nowhere, repositories: ["vault/**"], from: ["integration/**"] }
`;
  const compiled = compile(gated);
  const gates = unexercisedGates(compiled, now);
  const { tests, without } = proposeTests(compiled, { rules: [], gates }, now);

  test('ask for an image that no gate knows where rules allow it, and say where nobody could', () => {
    expect(tests.map((each) => [each.image, told(each)])).toEqual([
      ['unknown', 'group:managers at 2026-06-03T12:00: + -push release/app:v1'],
    ]);
    expect(without.map(({ name }) => name)).toEqual(['nowhere']);
  });

  test.each([
    ['in lines', gated],
    ['in brackets', `${gated}tests: [{ name: x, as: user:dana, deny: [pull other] }]\n`],
  ])('hold when they are written %s', (_what, before) => {
    const edit: Edit = addTests(before, tests);
    const written = compileByName(readPolicy(edit.ok ? edit.text : ''));
    expect(runTests(written, now).failures).toEqual([]);
    expect(unexercisedGates(written, now).map(({ name }) => name)).toEqual(['nowhere']);
  });
});
