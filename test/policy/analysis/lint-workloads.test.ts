import { expect, test } from 'vitest';
import { lintPolicy } from '../../../src/policy/analysis/lint.ts';
import { readPolicy } from '../../support/policies.ts';

const github = 'https://token.actions.githubusercontent.com';

/** Codes about workloads, problems before notes. */
function lint(issuer: string, claims: string): string {
  const policy = readPolicy(
    `workloads: { job: { issuer: '${issuer}', audience: a${claims === '' ? '' : `, claims: { ${claims} }`} } }`,
  );
  const { problems, notes } = lintPolicy(policy, 0);
  const codes = [...problems, ...notes].map(({ code }) => code);
  return codes.filter((code) => code.startsWith('workload-')).join(' ');
}

test.each([
  [github, '', 'workload-open'],
  [github, 'ref: refs/heads/main', 'workload-open'],
  [github, 'repository: "*/*"', 'workload-open'],
  [github, 'repository: "**"', 'workload-open'],
  [github, 'repository: "acme*/app"', 'workload-open'],
  [github, 'repository_owner: "acme*"', 'workload-open'],
  [github, 'repository_id: "12*"', 'workload-open'],
  [github, 'job_workflow_ref: "acme/ci/.github/workflows/release.yml@*"', 'workload-open'],
  [github, 'sub: "repo:*:ref:refs/heads/main"', 'workload-open'],
  [github, 'sub: "repo:acme*/app:**"', 'workload-open'],
  [`${github}/`, 'environment: production', 'workload-open'],
  [github, 'sub: "repo:acme/app:ref:refs/heads/main"', 'workload-sub'],
  [github, 'sub: "repo:acme/*:**"', 'workload-sub'],
  [github, 'sub: "repo:acme/app:*", repository_id: "123"', ''],
  [github, 'repository: "acme/*"', ''],
  [github, 'repository: "acme/**"', ''],
  [github, 'repository_owner_id: "123"', ''],
  ['https://gitlab.com', 'ref_protected: "true"', 'workload-open'],
  ['https://gitlab.com', 'project_path: "*/app"', 'workload-open'],
  ['https://gitlab.com', 'project_path: "acme/**"', ''],
  ['https://gitlab.com', 'sub: "project_path:acme/app:**"', ''],
  ['https://accounts.google.com', 'email: "*"', 'workload-open'],
  ['https://accounts.google.com', 'email: "*@acme.iam.gserviceaccount.com"', ''],
  ['https://gitlab.example.com', 'ref: main', ''],
  ['https://kubernetes.default.svc', '', ''],
])('%s with %s: %s', (issuer, claims, expected) => {
  expect(lint(issuer, claims)).toBe(expected);
});
