/** What is asked of audit files, and how one line of the answer reads. */
import { expect, test } from 'vitest';
import { questionOf } from '../../src/audit/asked.ts';
import { fits, mayMatch, sentenceOf } from '../../src/audit/question.ts';

const record = {
  ...{ time: '2026-11-27T06:47:34.120Z', event: 'access', decision: 'deny', reason: 'rule_denies', rule: 'keeps' },
  ...{ kind: 'user', account: 'sam', action: 'push', repository: 'release/app', address: '10.0.0.7' },
};

test.each([
  [{ reference: '1.4' }, 'push release/app:1.4'],
  [{ reference: 'POST upload' }, 'push release/app (POST upload)'],
  [{ reference: `sha256:${'a'.repeat(64)}` }, `push release/app@sha256:${'a'.repeat(64)}`],
  [{ digest: `sha256:${'a'.repeat(64)}` }, 'push release/app@sha256:aaaaaaaaaaaa'],
  [{ repository: undefined, action: undefined, event: 'login' }, 'login'],
])('with %j somebody did %s', (more, did) => {
  expect(sentenceOf({ ...record, ...more })).toBe(
    `2026-11-27T06:47:34  deny  user:sam  ${did}  (rule_denies: keeps)  10.0.0.7`,
  );
});

test('what a gate refused, by its name', () => {
  const gated = { ...record, reason: 'gate_refused', gate: 'tested', reference: '1.4' };
  expect(sentenceOf(gated)).toContain('push release/app:1.4  (gate_refused: tested)');
});

test('nobody in particular, by no rule', () => {
  const nobody = { ...record, account: undefined, kind: undefined, rule: undefined, reason: 'credentials_missing' };
  expect(sentenceOf({ ...nobody, address: undefined })).toBe(
    '2026-11-27T06:47:34  deny  -  push release/app  (credentials_missing)',
  );
});

test.each([
  ['push', ['push', 'create', 'overwrite']],
  ['overwrite', ['overwrite']],
  ['pull', ['pull']],
])('asked for what was to %s are records of %j', (action, found) => {
  const question = questionOf({ action });
  if ('problem' in question) throw new Error(question.problem);
  const asked = ['pull', 'push', 'create', 'overwrite', 'delete', undefined].map((each) => ({
    ...record,
    action: each,
  }));
  const fitting = asked.filter((each) => fits(question, each));
  expect(fitting.map((each) => each.action)).toEqual(found);
  const read = asked.filter((each) => mayMatch(question)(Buffer.from(JSON.stringify(each))));
  expect(read.map((each) => each.action)).toEqual(found);
});
