/** What operators look at, connected: each page with the operation that it draws. */
import { type AccountParts, accounts } from '../../../operations/accounts.ts';
import { type ActivityParts, activity } from '../../../operations/activity.ts';
import { type HealthParts, health } from '../../../operations/health.ts';
import { type LimitParts, limitsNear } from '../../../operations/limits.ts';
import { type SessionParts, endSessionsOf } from '../../../operations/sessions.ts';
import { filledIn } from '../filled-in.ts';
import type { Form, Page } from '../page.ts';
import { AccountsPage, endSessionsPath } from './accounts.tsx';
import { ActivityPage, filtersOf } from './activity.tsx';
import { HealthPage } from './health.tsx';
import { LimitsPage } from './limits.tsx';
import { pageLink } from './links.ts';

const activityPage: Page<ActivityParts, typeof activity.input, typeof activity.answer> = {
  path: '/ui/activity',
  operation: activity,
  input: (asked) => ({ ...filtersOf(asked), ...filledIn(asked.query, ['before']) }),
  view: (answer, frame, asked) => <ActivityPage {...{ answer, frame, asked }} />,
};

const limitsPage: Page<LimitParts, typeof limitsNear.input, typeof limitsNear.answer> = {
  path: '/ui/limits',
  operation: limitsNear,
  input: () => ({}),
  view: (answer, frame) => <LimitsPage {...{ answer, frame }} />,
};

const accountsPage: Page<AccountParts, typeof accounts.input, typeof accounts.answer> = {
  path: '/ui/accounts',
  operation: accounts,
  input: ({ query }) => filledIn(query, ['find', 'after']),
  view: (answer, frame, asked) => <AccountsPage {...{ answer, frame, asked }} />,
};

const healthPage: Page<HealthParts, typeof health.input, typeof health.answer> = {
  path: '/ui/health',
  operation: health,
  input: () => ({}),
  view: (answer, frame) => <HealthPage {...{ answer, frame }} />,
};

const endSessionsForm: Form<SessionParts, typeof endSessionsOf.input, typeof endSessionsOf.answer> = {
  path: endSessionsPath,
  operation: endSessionsOf,
  input: (fields) => filledIn(fields, ['account']),
  done: (_answer, _frame, fields) => ({ to: pageLink('/ui/accounts', { find: fields.get('account') ?? '' }) }),
};

export const opsPages = [activityPage, limitsPage, accountsPage, healthPage] as const;
export const opsForms = [endSessionsForm] as const;
