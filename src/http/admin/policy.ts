/** The policy in force. */
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import { policyState } from './admin-types.ts';
import type { Operation, Result } from './operation.ts';

export interface PolicyParts {
  readonly policy: () => { readonly compiled: CompiledPolicy; readonly revision: string };
  readonly policyProblems: () => readonly { readonly file: string; readonly line: number; readonly message: string }[];
  readonly reloadPolicy: () => Promise<void>;
}

export const policyOperations: readonly Operation<PolicyParts>[] = [
  {
    method: 'GET',
    path: '/api/v1/policy',
    summary: 'The policy in force, and problems of newer files that are not.',
    answer: policyState,
    run: (parts) => Promise.resolve(policyResult(parts)),
  },
  {
    method: 'POST',
    path: '/api/v1/policy/reload',
    summary: 'Reads the policy files now.',
    answer: policyState,
    run: async (parts) => {
      await parts.reloadPolicy();
      return policyResult(parts);
    },
  },
];

function policyResult({ policy, policyProblems }: PolicyParts): Result {
  const { compiled, revision } = policy();
  const problems = policyProblems().map(({ file, line, message }) => ({ file, line, message }));
  return { ok: true, body: { revision, rules: compiled.policy.rules.length, problems } };
}
