/** What is in force: signing keys, secrets of robots. */
import { z } from 'zod';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { KeyRing, RobotUses } from '../ports.ts';
import { inMilliseconds } from '../time.ts';
import { keyList, robotTokens } from './answers.ts';
import { type Operation, instant, instantOf, operation } from './operation.ts';

const nothing = z.object({});

export interface KeyParts {
  readonly keys: KeyRing;
}

export const keyOperations: readonly Operation<KeyParts>[] = [
  operation<KeyParts>()({
    method: 'GET',
    path: '/keys',
    summary: 'Signing keys whose tokens are accepted.',
    needs: 'inspect',
    input: nothing,
    answer: keyList,
    run({ keys }) {
      const signing = keys.signingKey().kid;
      const views = keys.keys().map(({ kid, algorithm }) => ({ kid, algorithm, signing: kid === signing }));
      return Promise.resolve({ ok: true, answer: { keys: views } });
    },
  }),
];

export interface RobotTokenParts {
  readonly robotUses: Pick<RobotUses, 'lastUsed'>;
  readonly policy: () => { readonly compiled: CompiledPolicy };
}

export const robotTokenOperations: readonly Operation<RobotTokenParts>[] = [
  operation<RobotTokenParts>()({
    method: 'GET',
    path: '/robot-tokens',
    summary: 'Secrets of robots in the policy in force, with their last use.',
    needs: 'inspect',
    input: nothing,
    answer: robotTokens,
    async run({ policy, robotUses }) {
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
          lastUsed: instantOf(lastUsed),
        };
      });
      return { ok: true, answer: { tokens: views } };
    },
  }),
];
