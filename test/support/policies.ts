/** Policies written in YAML, as tests need them. */
import argon2 from 'argon2';
import { formatProblem } from '../../src/document/problem.ts';
import { type PolicyByName, compileByName } from '../../src/policy/by-name.ts';
import type { CompiledPolicy } from '../../src/policy/evaluate.ts';
import { type Account, type Named, type Policy, type Principal, formatSubject } from '../../src/policy/model.ts';
import { principalIn } from '../../src/policy/principal.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';

/** One file for each text. Throws with every problem in them. */
export function readPolicy(...texts: readonly string[]): Policy {
  const reading = parsePolicy(texts.map((text, index) => ({ file: `${index}.yaml`, text })));
  if (reading.ok) return reading.policy;
  throw new Error(reading.problems.map((problem) => formatProblem(problem)).join('\n'));
}

/** Asked about accounts by name, or about somebody in groups of their own. */
export function compile(...texts: readonly string[]): PolicyByName {
  return compileByName(readPolicy(...texts));
}

/** A real argon2id hash at the lowest cost the library takes, or at another one. */
export function quickHash(password: string, cost: { memoryCost?: number; timeCost?: number } = {}): Promise<string> {
  return argon2.hash(password, { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1, ...cost });
}

export const user = (name: string): Account => ({ kind: 'user', name });
export const robot = (name: string): Account => ({ kind: 'robot', name });
export const anonymous = { kind: 'anonymous' } as const;

/** Whom the policy knows by this name, in its groups; throws when it knows nobody. */
export function inPolicy(policy: CompiledPolicy<never>, who: Named): Principal {
  const principal = principalIn(policy.policy, who);
  if (principal === undefined) throw new Error(`the policy knows no ${formatSubject(who)}`);
  return principal;
}
