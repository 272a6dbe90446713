/** Limits as people say them. */
import type { LimitView } from '../../../operations/answers.ts';
import { describeRate, parseRate } from '../../../policy/rate.ts';

const counted = {
  pull: ['pull', 'pulls'],
  push: ['push', 'pushes'],
  token: ['login for tokens', 'logins for tokens'],
} as const;

/** `1,000 pulls in 6 hours`; `rate` as policy files write it. */
export function inWords(count: LimitView['count'], rate: string): string {
  const [one, several] = counted[count];
  const parsed = parseRate(rate);
  if ('problem' in parsed) return `${several}, ${rate}`;
  const [, period = ''] = describeRate(parsed).split(' per ');
  const what = `${parsed.amount.toLocaleString('en')} ${parsed.amount === 1 ? one : several}`;
  return `${what} in ${/^[0-9]/.test(period) ? '' : '1 '}${period}`;
}
