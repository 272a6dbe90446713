/** Secrets of robots. */
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import type { RobotUses } from '../../ports.ts';
import { robotTokens } from './admin-types.ts';
import { type Operation, instant } from './operation.ts';
import { inMilliseconds } from '../../time.ts';

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
