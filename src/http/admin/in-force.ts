/** What is in force: the policy, signing keys, secrets of robots. */
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import { keyList, policyState, robotTokens } from './admin-types.ts';
import { type Operation, type Result, instant } from './operation.ts';
import type { KeyRing, RobotUses } from '../../ports.ts';
import { inMilliseconds } from '../../time.ts';

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

export const keyOperations: readonly Operation<{ readonly keys: KeyRing }>[] = [
  {
    method: 'GET',
    path: '/api/v1/keys',
    summary: 'Signing keys whose tokens are accepted.',
    answer: keyList,
    run: ({ keys }) => {
      const signing = keys.signingKey().kid;
      const views = keys.keys().map(({ kid, algorithm }) => ({ kid, algorithm, signing: kid === signing }));
      return Promise.resolve({ ok: true, body: { keys: views } });
    },
  },
];

export interface RobotTokenParts {
  readonly robotUses: Pick<RobotUses, 'lastUsed'>;
  readonly policy: () => { readonly compiled: CompiledPolicy };
}

export const robotTokenOperations: readonly Operation<RobotTokenParts>[] = [
  {
    method: 'GET',
    path: '/api/v1/robot-tokens',
    summary: 'Secrets of robots in the policy in force, with their last use.',
    answer: robotTokens,
    run: async ({ policy, robotUses }) => {
      const tokens = [...policy().compiled.policy.robots.values()].flatMap((robot) =>
        robot.tokens.map((token) => ({ robot: robot.name, token })),
      );
      const uses = await robotUses.lastUsed(tokens.map(({ token }) => token.id));
      const views = tokens.map(({ robot, token }) => {
        const { id, expires } = token;
        const lastUsed = uses.get(id);
        return {
          robot,
          id,
          expires: expires === undefined ? undefined : instant(inMilliseconds(expires)),
          lastUsed: lastUsed === undefined ? undefined : instant(lastUsed),
        };
      });
      return { ok: true, body: { tokens: views } };
    },
  },
];
