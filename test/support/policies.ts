/** Policies written in YAML, as tests need them. */
import argon2 from 'argon2';
import { formatProblem } from '../../src/document/problem.ts';
import { type CompiledPolicy, compilePolicy } from '../../src/policy/evaluate.ts';
import type { Policy, Principal } from '../../src/policy/model.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';

/** One file for each text. Throws with every problem in them. */
export function readPolicy(...texts: readonly string[]): Policy {
  const reading = parsePolicy(texts.map((text, index) => ({ file: `${index}.yaml`, text })));
  if (reading.ok) return reading.policy;
  throw new Error(reading.problems.map((problem) => formatProblem(problem)).join('\n'));
}

export function compile(...texts: readonly string[]): CompiledPolicy {
  return compilePolicy(readPolicy(...texts));
}

/** A real argon2id hash at the lowest cost the library takes, or at another one. */
export function quickHash(password: string, cost: { memoryCost?: number; timeCost?: number } = {}): Promise<string> {
  return argon2.hash(password, { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1, ...cost });
}

export const user = (name: string): Principal => ({ kind: 'user', name });
export const robot = (name: string): Principal => ({ kind: 'robot', name });
export const anonymous: Principal = { kind: 'anonymous' };
