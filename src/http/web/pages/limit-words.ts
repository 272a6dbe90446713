/** Limits as people say them. */
import type { LimitView } from '../../../operations/answers.ts';
import { describeRate, parseRate } from '../../../policy/rate.ts';

const counted = { pull: 'pulls', push: 'pushes', token: 'logins for tokens' } as const;

/** `1,000 pulls in 6 hours`; `rate` as policy files write it. */
export function inWords(count: LimitView['count'], rate: string): string {
  const parsed = parseRate(rate);
  if ('problem' in parsed) return `${counted[count]}, ${rate}`;
  const [, period = ''] = describeRate(parsed).split(' per ');
  return `${parsed.amount.toLocaleString('en')} ${counted[count]} in ${/^[0-9]/.test(period) ? '' : '1 '}${period}`;
}
