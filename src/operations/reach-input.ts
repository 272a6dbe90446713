/** What somebody says of an access token of their own: its name, its life, its reach. */
import { z } from 'zod';
import { maxLabel } from '../identity/own-tokens.ts';
import { actions } from '../policy/model.ts';
import { ownReachBounds, reachProblem } from '../policy/own-reach.ts';
import type { SessionReach } from '../ports.ts';
import { formatDuration, readDuration } from '../time.ts';
import type { Refusal } from './operation.ts';

const control = /[\u0000-\u001f\u007f-\u009f]/;

/** Fields of an operation. */
export const tokenTerms = {
  label: z
    .string()
    .trim()
    .min(1, 'say what it is for')
    .max(maxLabel, `at most ${maxLabel} characters`)
    .refine((text) => !control.test(text), 'no line breaks')
    .describe('what its person calls it'),
  lifetime: z
    .string()
    .regex(/^[1-9]\d{0,4}[smhd]$/, 'expected a time as 30d, 12h or 90m')
    .optional()
    .describe('as 30d, 12h or 90m; at most tokens.personalMaxTtl; without it 30d, where that is not too long'),
  repositories: z
    .array(z.string().max(ownReachBounds.characters))
    .max(64)
    .optional()
    .describe('patterns as in policy files; without it everywhere'),
  actions: z.array(z.enum(actions)).max(actions.length).optional().describe('without it every one but administer'),
};

const usualSeconds = 30 * 86_400;

export interface GivenTerms {
  readonly label: string;
  readonly lifetime?: string | undefined;
  readonly repositories?: readonly string[] | undefined;
  readonly actions?: SessionReach['actions'];
}

/** As values, or what is wrong with them. */
export function readTerms(
  { label, lifetime, repositories, actions: named }: GivenTerms,
  longestSeconds: number,
): { readonly ok: true; readonly terms: { label: string; lifetimeSeconds: number; reach: SessionReach } } | Refusal {
  const lifetimeSeconds = lifetime === undefined ? Math.min(usualSeconds, longestSeconds) : readDuration(lifetime);
  if (lifetimeSeconds === undefined || lifetimeSeconds > longestSeconds)
    return { ok: false, reason: 'invalid', detail: `lifetime: at most ${formatDuration(longestSeconds)} here` };
  const reach: SessionReach = {
    ...(repositories === undefined ? {} : { repositories: [...new Set(repositories)] }),
    ...(named === undefined ? {} : { actions: actions.filter((action) => named.includes(action)) }),
  };
  const problem = reachProblem(reach);
  return problem === undefined
    ? { ok: true, terms: { label, lifetimeSeconds, reach } }
    : { ok: false, reason: 'invalid', detail: problem };
}
