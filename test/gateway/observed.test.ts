/** What is counted, by what it is called: closed sets, whatever somebody makes up. */
import { afterEach, describe, expect, test } from 'vitest';
import { methodNameOf, routeNameOf, routeNames } from '../../src/distribution/route-name.ts';
import type { AnswerOutcome } from '../../src/http/front/timed-response.ts';
import { type Observed, createObserved } from '../../src/gateway/observed.ts';
import type { AuditRecord } from '../../src/ports.ts';

const log = {
  record: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  dropped: () => 0,
  flush: () => {},
};
let observed: Observed;
afterEach(() => observed.close());

const linesOf = (): readonly string[] =>
  observed
    .render()
    .split('\n')
    .filter((line) => line !== '' && line[0] !== '#');
const seriesOf = (): readonly string[] => linesOf().map((line) => line.slice(0, line.lastIndexOf(' ')));

const record: AuditRecord = { event: 'access', decision: 'allow', reason: 'rule_allows' };
const outcomes: readonly AnswerOutcome[] = ['ok', 'refused', 'limited', 'client_error', 'failed'];

/** A request as the gateway tells of it. */
function answer(target: string, method: string, status: number, outcome: AnswerOutcome): void {
  const route = routeNameOf(target);
  observed.answers.onBegun(route);
  observed.answers.onAnswered({ method, route, status, outcome, firstByteSeconds: 0.01, seconds: 0.02 });
}

test('10,000 names, accounts and paths leave the number of series as it was', () => {
  observed = createObserved(log);
  const pull = (name: string): void => {
    answer(`/v2/${name}/manifests/${name}`, 'GET', 200, 'ok');
    answer(`/${name}`, name, 404, 'client_error');
    observed.behind.onFirstByte('main', `/v2/${name}/blobs/${name}`, 0.01);
    observed.audit.record({ ...record, account: name, repository: name, action: 'pull', bytes: 10, rule: name });
    observed.timeDecision(() => name);
  };
  pull('first');
  const before = seriesOf();
  for (let n = 0; n < 10_000; n++) pull(`name-${n}`);
  expect(seriesOf()).toEqual(before);
  expect(observed.render()).not.toContain('name-');
});

test('whatever is asked and answered, there are at most 1,500 series, and how answers ended stays told apart', () => {
  observed = createObserved(log);
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'MADE-UP'];
  const targets = ['/v2/', '/token', '/v2/a/manifests/b', '/v2/a/blobs/b', '/v2/a/blobs/uploads/', '/v2/a/tags/list'];
  targets.push('/v2/_catalog', '/v2/a/referrers/b', '/ui/', '/api/v1/me', '/made-up');
  for (const target of targets)
    for (const method of methods)
      for (let status = 200; status < 600; status += 3)
        for (const outcome of outcomes) answer(target, method, status, outcome);
  for (let n = 0; n < 400; n++) {
    observed.behind.onFirstByte(`upstream${n % 30}`, targets[n % targets.length] ?? '', 0.01);
    observed.behind.onError(`upstream${n}`, 'timeout');
    observed.countLimit({ name: `limit ${n}` }, 'refused');
    observed.countGate(`gate ${n}`, 'refused');
    observed.countLogin('password', 'wrong');
    observed.countToken('session');
    observed.storeAnswered(`op ${n}`, 0.01);
  }
  expect(linesOf().length).toBeLessThanOrEqual(1500);
  answer('/v2/x/tags/list', 'PATCH', 597, 'failed');
  const others = linesOf().filter((line) => line.includes('="other"'));
  expect(
    others.some((line) => line.startsWith('portcullis_http_requests_total{route="other",method="other",code="5xx"}')),
  ).toBe(true);
  for (const outcome of outcomes)
    expect(
      others.some((line) =>
        line.startsWith(`portcullis_http_first_byte_seconds_count{route="other",outcome="${outcome}"}`),
      ),
    ).toBe(true);
  expect(
    others.some((line) => line.startsWith('portcullis_limit_requests_total{limit="other",result="refused"}')),
  ).toBe(true);
});

test('every route has its requests in flight, which end with their answers', () => {
  observed = createObserved(log);
  observed.answers.onBegun('blob');
  observed.answers.onBegun('blob');
  answer('/v2/', 'GET', 200, 'ok');
  const lines = linesOf().filter((line) => line.startsWith('portcullis_http_in_flight'));
  expect(lines).toEqual(
    routeNames.map((route) => `portcullis_http_in_flight{route="${route}"} ${route === 'blob' ? 2 : 0}`),
  );
});

test('one decision of 64 is timed, the first among them, and each gives what it decides', () => {
  observed = createObserved(log);
  for (let n = 0; n < 129; n++) expect(observed.timeDecision(() => n)).toBe(n);
  expect(linesOf()).toContain('portcullis_decision_seconds_count 3');
});

describe('what shadow rules would have done', () => {
  test.each([
    ['allow', ['trial'], 'deny'],
    ['deny', ['trial', 'other trial'], 'allow'],
    ['allow', [], undefined],
    ['allow', undefined, undefined],
  ] as const)('where the decision is %s and %s would not have had it: %s', (decision, shadow, effect) => {
    observed = createObserved(log);
    observed.audit.record({ ...record, decision, shadow });
    const lines = linesOf().filter((line) => line.startsWith('portcullis_shadow_total'));
    expect(lines).toEqual(effect === undefined ? [] : [`portcullis_shadow_total{effect="${effect}"} 1`]);
  });
});

test('what could not be read is counted by the status of its answer', () => {
  observed = createObserved(log);
  observed.answers.onRejected(431);
  expect(linesOf()).toContain('portcullis_http_requests_total{route="other",method="other",code="431"} 1');
});

test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])(
  '%s has a name of its own, no other method has',
  (method) => {
    observed = createObserved(log);
    expect(methodNameOf(method)).toBe(method);
    for (const other of [method.toLowerCase(), `${method}X`, '', 'constructor'])
      expect(methodNameOf(other)).toBe('other');
  },
);
