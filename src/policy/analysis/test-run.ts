/** The tests embedded in policy files: what must hold before a policy is put into force, and what they leave untried. */
import type { Problem } from '../../document/problem.ts';
import { describeGate, describeRule, describeTarget } from '../describe.ts';
import { type PolicyByName, compileByName } from '../by-name.ts';
import type { Decision } from '../evaluate.ts';
import { type Inquiry, isMatching } from './consider.ts';
import { type Expectation, type Gate, type PolicyTest, type Rule, entriesOf, isWrite, rights } from '../model.ts';

export interface TestFailure {
  readonly test: PolicyTest;
  readonly expectation: Expectation;
  readonly decision: Decision;
  /** What refuses the image, where rules allow it. */
  readonly gate: Gate | undefined;
}

/**
 * `passed` counts expectations. `now` in milliseconds since 1970 stands in where a test names no instant. Tests are about rules: a user or robot that is
 * disabled is judged as if it were not, so that locking somebody out never fails a test and is never refused for it.
 */
export function runTests(policyInForce: PolicyByName, now: number) {
  const compiled = withEverybodyEnabled(policyInForce);
  let passed = 0;
  const failures: TestFailure[] = [];
  for (const { test, expectation, inquiry } of inquiriesOf(compiled, now)) {
    const { decision, gate } = judge(compiled, inquiry, test);
    if ((decision.allowed && gate === undefined) === expectation.allowed) passed++;
    else failures.push({ test, expectation, decision, gate });
  }
  return { passed, failures };
}

/** As a client would ask: reading an image that one may push is part of pushing it. */
function judge(compiled: PolicyByName, inquiry: Inquiry, { image }: Pick<PolicyTest, 'image'>) {
  const decision = compiled.decide({ ...inquiry, readWhilePushing: true });
  return { decision, gate: decision.allowed && image === 'unknown' ? gateAgainst(compiled, inquiry) : undefined };
}

/** Of the gates that refuse an image of which they know nothing, the first; undefined where none stands. */
function gateAgainst(compiled: PolicyByName, { principal, action, repository, tag }: Inquiry): Gate | undefined {
  if (!isWrite(action)) return undefined;
  return compiled.gatesOf(principal, repository, tag).find(({ gate }) => gate.mode === 'enforce')?.gate;
}

function withEverybodyEnabled(compiled: PolicyByName): PolicyByName {
  const { policy } = compiled;
  if (!entriesOf(policy).some(({ entry }) => entry.disabled)) return compiled;
  const { users, robots, workloads } = policy;
  return compileByName({ ...policy, users: enabled(users), robots: enabled(robots), workloads: enabled(workloads) });
}

function enabled<T extends { readonly disabled: boolean }>(accounts: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map([...accounts].map(([name, account]) => [name, { ...account, disabled: false }]));
}

function inquiriesOf({ policy: { tests } }: PolicyByName, now: number) {
  return tests.flatMap((test) =>
    test.expectations.map((expectation) => {
      const { action, repository, tag } = expectation;
      const { principal, address, at = now } = test;
      const inquiry: Inquiry = { principal, action, repository, tag, address, now: at };
      return { test, expectation, inquiry };
    }),
  );
}

/** The failure where its expectation stands, with the rule that decided otherwise. */
export function problemOfFailure({ test, expectation, decision, gate }: TestFailure): Problem {
  const isUntagged = expectation.action === 'delete' && expectation.tag === undefined;
  const isOfUnknown = test.image === 'unknown' && isWrite(expectation.action);
  const what = isUntagged ? ' (layers, and what no tag leads to)' : isOfUnknown ? ' of an unknown image' : '';
  const asked = `${expectation.action} ${describeTarget(expectation)}${what}`;
  const wanted = expectation.allowed ? 'allowed' : 'denied';
  const is = decision.allowed && gate === undefined ? 'allowed' : 'denied';
  const ungated = isOfUnknown && is === 'allowed' ? ', and no gate stands there' : '';
  const because = decision.rule === undefined ? 'because no rule allows it' : `by ${describeRule(decision.rule)}`;
  const message = `test "${test.name}" fails: ${asked} should be ${wanted}, but is ${is} ${gate === undefined ? because : `by ${describeGate(gate)}`}${ungated}`;
  return { ...expectation.source, code: 'test-failed', message };
}

/** Rules in force that no expectation needs: none was decided by them, or would be decided otherwise without them. */
export function unexercisedRules(policyInForce: PolicyByName, now: number): readonly Rule[] {
  const compiled = withEverybodyEnabled(policyInForce);
  const idle = new Set(compiled.policy.rules.filter((rule) => rule.mode === 'enforce'));
  const refusedWrites: Inquiry[] = [];
  for (const { inquiry } of inquiriesOf(compiled, now)) {
    const { rule, allowed } = compiled.decide({ ...inquiry, readWhilePushing: true });
    if (rule !== undefined) idle.delete(rule);
    if (!allowed && (inquiry.action === 'push' || inquiry.action === 'promote')) refusedWrites.push(inquiry);
  }
  // Both halves of a write are refused by a rule each, and only one of them is named as deciding.
  for (const inquiry of refusedWrites) {
    for (const rule of halfDenials(compiled, inquiry, idle)) idle.delete(rule);
  }
  return compiled.policy.rules.filter((rule) => idle.has(rule));
}

/** Gates in force that no expectation needs: no image is refused by them, or would be let pass without them. */
export function unexercisedGates(policyInForce: PolicyByName, now: number): readonly Gate[] {
  const compiled = withEverybodyEnabled(policyInForce);
  const idle = new Set(compiled.policy.gates.filter(({ mode }) => mode === 'enforce'));
  for (const { inquiry, test } of inquiriesOf(compiled, now)) {
    const { principal, repository, tag } = inquiry;
    if (judge(compiled, inquiry, test).gate === undefined) continue;
    for (const { gate } of compiled.gatesOf(principal, repository, tag)) idle.delete(gate);
  }
  return compiled.policy.gates.filter((gate) => idle.has(gate));
}

/** Of `candidates`, the rules that alone keep back one half of a write which is otherwise allowed. */
function halfDenials(compiled: PolicyByName, inquiry: Inquiry, candidates: ReadonlySet<Rule>): readonly Rule[] {
  const subjects = compiled.subjectsOf(inquiry.principal);
  if (subjects === undefined) return [];
  const suspects = [...candidates].filter((rule) => rule.effect === 'deny' && isMatching(rule, inquiry, subjects));
  if (suspects.length === 0) return [];
  const matching = compiled.policy.rules.filter(
    (rule) => rule.mode === 'enforce' && isMatching(rule, inquiry, subjects),
  );
  return [rights.create, rights.overwrite].flatMap((right) => {
    const giving = inquiry.action === 'promote' ? rights.promote : right;
    const concerned = matching.filter(
      ({ effect, rights: set }) => (set & (effect === 'allow' ? giving : right | giving)) !== 0,
    );
    const denials = concerned.filter((rule) => rule.effect === 'deny');
    return denials.length === 1 && denials.length < concerned.length ? denials : [];
  });
}
