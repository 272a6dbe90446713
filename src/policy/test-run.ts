/** The tests embedded in policy files: what must hold before a policy is put into force. */
import type { CompiledPolicy, Decision } from './evaluate.ts';
import type { Expectation, PolicyTest } from './model.ts';

export interface TestFailure {
  readonly test: PolicyTest;
  readonly expectation: Expectation;
  readonly decision: Decision;
}

export interface TestRun {
  /** Expectations counted one by one. */
  readonly passed: number;
  readonly failures: readonly TestFailure[];
}

/** `now` in milliseconds since 1970 stands in where a test names no instant. */
export function runTests(compiled: CompiledPolicy, now: number): TestRun {
  let passed = 0;
  const failures: TestFailure[] = [];
  for (const test of compiled.policy.tests) {
    for (const expectation of test.expectations) {
      const decision = compiled.decide({
        principal: test.principal,
        action: expectation.action,
        repository: expectation.repository,
        tag: expectation.tag,
        address: test.address,
        now: test.at ?? now,
      });
      if (decision.allowed === expectation.allowed) passed++;
      else failures.push({ test, expectation, decision });
    }
  }
  return { passed, failures };
}
