/** Whom the gateway takes the viewer for. */
import { z } from 'zod';
import { operation } from './operation.ts';

const answer = z.strictObject({
  /** `operator`: whoever can read the state directory. */
  kind: z.enum(['user', 'robot', 'workload', 'anonymous', 'operator']),
  /** Of an account. */
  name: z.string().optional(),
  groups: z.array(z.string()),
});

/** `GET /api/v1/viewer`: of nobody in particular that they are nobody. */
export const whoAmI = operation()({
  method: 'GET',
  path: '/viewer',
  summary: 'Whom the gateway takes you for',
  needs: 'anybody',
  input: z.object({}),
  answer,
  run(_parts, viewer) {
    const principal = viewer.kind === 'operator' ? undefined : viewer.caller.principal;
    const named = principal !== undefined && 'name' in principal ? principal : undefined;
    const answer = { kind: principal?.kind ?? ('operator' as const), groups: [...(named?.groups ?? [])] };
    return Promise.resolve({ ok: true, answer: named === undefined ? answer : { ...answer, name: named.name } });
  },
});
