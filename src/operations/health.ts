/** Whether the gateway is well: its parts, and what its last hour was like. */
import { z } from 'zod';
import type { Minutes } from '../ports.ts';
import { type HealthState, healthState } from './answers.ts';
import { type DoctorParts, tellDoctor } from './doctor-run.ts';
import { type Operation, instant, operation } from './operation.ts';
import { maySee } from './viewer.ts';

export interface HealthParts extends DoctorParts {
  /** Every part that can be in trouble, in the words of `/readyz?verbose`. */
  readonly checks: () => readonly {
    readonly name: string;
    readonly state: 'ok' | 'degraded' | 'failed';
    readonly detail?: string | undefined;
  }[];
  readonly minutes: Pick<Minutes, 'list' | 'busiest'>;
  readonly gateways: () => number;
  readonly version: string;
}

const maxBusiest = 10;

export const health = operation<HealthParts>()({
  method: 'GET',
  path: '/health',
  summary: 'Whether the gateway and what it needs are well, its last hour minute by minute, the busiest repositories.',
  needs: 'inspect',
  input: z.object({}),
  answer: healthState,
  run({ checks, minutes, gateways, version, clock, doctor }, viewer) {
    const now = clock();
    const found = checks();
    const has = (state: string): boolean => found.some((check) => check.state === state);
    const hour = minutes.list(now);
    const answer: HealthState = {
      state: has('failed') ? 'not ready' : has('degraded') ? 'degraded' : 'ready',
      version,
      checks: found.map(({ name, state, detail }) => ({ name, state, detail })),
      gateways: gateways(),
      of: 'this gateway',
      until: instant(now),
      requests: hour.map(({ requests }) => requests),
      refusals: hour.map(({ refusals }) => refusals),
      bytesOut: hour.map(({ bytesOut }) => bytesOut),
      manifestP95: hour.map(({ manifestP95 }) => manifestP95 ?? null),
      // Whoever may inspect a repository need not be one who may pull there.
      busiest: [...minutes.busiest(now, maxBusiest, (repository) => maySee(viewer, repository))],
      doctor: doctor.last,
    };
    return Promise.resolve({ ok: true, answer });
  },
});

export const healthOperations: readonly Operation<HealthParts>[] = [health, tellDoctor];
