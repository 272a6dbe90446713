/** What `portcullis doctor` found when it ran last. It tells the gateway, which shows it on Health and looks at none of it itself. */
import { z } from 'zod';
import type { Clock } from '../ports.ts';
import { type DoctorRun, doctorFinding } from './answers.ts';
import { instant, operation } from './operation.ts';

/** Until the process ends. */
export interface DoctorMemory {
  last: DoctorRun | undefined;
}

export interface DoctorParts {
  readonly doctor: DoctorMemory;
  readonly clock: Clock;
}

export const tellDoctor = operation<DoctorParts>()({
  method: 'POST',
  path: '/doctor',
  summary: 'What `portcullis doctor` found, for Health, until it runs again or the gateway ends.',
  needs: 'administer',
  input: z.object({ checks: z.array(doctorFinding).min(1).max(50) }),
  answer: z.object({ kept: z.int() }),
  run({ doctor, clock }, _viewer, { checks }) {
    doctor.last = { at: instant(clock()), checks };
    return Promise.resolve({ ok: true, answer: { kept: checks.length } });
  },
});
