/** The pages Access and Policy, and the form that reads the files anew. */
import type { AccessParts } from '../../operations/access.ts';
import { accessOperation } from '../../operations/access.ts';
import { type PolicyFilesParts, policyOperation, reloadOperation } from '../../operations/policy-files.ts';
import { filledIn } from './filled-in.ts';
import type { Form, Page } from './page.ts';
import { type AccessAsked, AccessPage, NotAnswered } from './pages/access.tsx';
import { PolicyPage } from './pages/policy.tsx';

/** As it stood in the form. */
function askedIn(query: URLSearchParams): AccessAsked {
  const typed = (name: string): string => query.get(name)?.slice(0, 512) ?? '';
  return { repository: typed('repository'), tag: typed('tag'), as: typed('as'), action: typed('action') };
}

export const accessPage: Page<AccessParts, typeof accessOperation.input, typeof accessOperation.answer> = {
  path: '/ui/access',
  operation: accessOperation,
  input: ({ query }) => filledIn(query, ['repository', 'tag', 'as', 'action']),
  view: (answer, frame, { query }) => <AccessPage answer={answer} frame={frame} asked={askedIn(query)} />,
  failed: ({ detail }, frame, { query }) => <NotAnswered problem={detail} frame={frame} asked={askedIn(query)} />,
};

export const policyPage: Page<PolicyFilesParts, typeof policyOperation.input, typeof policyOperation.answer> = {
  path: '/ui/policy',
  operation: policyOperation,
  input: ({ query }) => filledIn(query, ['file', 'line']),
  view: (answer, frame) => <PolicyPage answer={answer} frame={frame} />,
};

export const reloadForm: Form<PolicyFilesParts, typeof reloadOperation.input, typeof reloadOperation.answer> = {
  path: '/ui/policy/reload',
  operation: reloadOperation,
  input: () => ({}),
  done: () => ({ to: '/ui/policy' }),
};

export const policyPages: readonly Page<AccessParts & PolicyFilesParts>[] = [accessPage, policyPage];
export const policyForms: readonly Form<PolicyFilesParts>[] = [reloadForm];
