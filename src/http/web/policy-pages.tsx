/** The pages Access and Policy, and the form that reads the files anew. */
import type { AccessParts } from '../../operations/access.ts';
import { accessOperation } from '../../operations/access.ts';
import { type PolicyFilesParts, policyOperation, reloadOperation } from '../../operations/policy-files.ts';
import type { Form, Page } from './page.ts';
import { AccessPage } from './pages/access.tsx';
import { PolicyPage } from './pages/policy.tsx';

/** Of the query, those that say something. */
function given(query: URLSearchParams, names: readonly string[]): Readonly<Record<string, string>> {
  const pairs = names.map((name) => [name, query.get(name)?.trim() ?? ''] as const);
  return Object.fromEntries(pairs.filter(([, value]) => value !== ''));
}

export const accessPage: Page<AccessParts, typeof accessOperation.input, typeof accessOperation.answer> = {
  path: '/ui/access',
  operation: accessOperation,
  input: ({ query }) => given(query, ['repository', 'tag', 'as', 'action']),
  view: (answer, frame, { query }) => (
    <AccessPage
      answer={answer}
      frame={frame}
      asked={{ as: query.get('as') ?? '', action: query.get('action') ?? '' }}
    />
  ),
};

export const policyPage: Page<PolicyFilesParts, typeof policyOperation.input, typeof policyOperation.answer> = {
  path: '/ui/policy',
  operation: policyOperation,
  input: ({ query }) => given(query, ['file', 'line']),
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
