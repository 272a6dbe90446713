/** Workloads that more jobs can be than is meant. */
import type { Problem } from '../../document/problem.ts';
import type { Policy, Workload } from '../model.ts';

/** `true` for a pattern of a claim that only one owner, or some few, can have. */
type Names = (pattern: string) => boolean;

const whole: Names = (pattern) => !pattern.includes('*');
/** An owner before the first star: `acme/*`, not `acme*`. */
const owned: Names = (pattern) => /^[^*/]+\//.test(pattern) || whole(pattern);
const mailbox: Names = (pattern) => /@[^*@]+$/.test(pattern);

/**
 * Issuers whose tokens anybody in the world can get, and the claims that say whose job it is. What a job may choose freely,
 * such as a branch or the name of a shared workflow, is none of them.
 */
const shared: readonly {
  readonly issuer: RegExp;
  readonly claims: Readonly<Record<string, Names>>;
  readonly example: string;
}[] = [
  {
    issuer: /^https:\/\/token\.actions\.githubusercontent\.com\/?$/,
    claims: {
      ...{ repository: owned, repository_id: whole, repository_owner: whole, repository_owner_id: whole },
      ...{ workflow_ref: owned, enterprise: whole, enterprise_id: whole },
      sub: (pattern) => /^repo:[^*/:]+\//.test(pattern) || whole(pattern),
    },
    example: 'repository_id',
  },
  {
    issuer: /^https:\/\/gitlab\.com\/?$/,
    claims: {
      ...{ project_path: owned, project_id: whole, namespace_path: owned, namespace_id: whole },
      sub: (pattern) => /^project_path:[^*/:]+\//.test(pattern) || whole(pattern),
    },
    example: 'project_id',
  },
  { issuer: /^https:\/\/accounts\.google\.com\/?$/, claims: { sub: whole, email: mailbox, hd: whole }, example: 'sub' },
  {
    issuer: /^https:\/\/agent\.buildkite\.com\/?$/,
    claims: {
      ...{ organization_slug: whole, organization_id: whole, pipeline_id: whole },
      sub: (pattern) => /^organization:[^*:]+:/.test(pattern) || whole(pattern),
    },
    example: 'organization_id',
  },
  {
    issuer: /^https:\/\/app\.terraform\.io\/?$/,
    claims: {
      ...{ terraform_organization_id: whole, terraform_organization_name: whole, terraform_project_id: whole },
      ...{ terraform_workspace_id: whole },
      sub: (pattern) => /^organization:[^*:]+:/.test(pattern) || whole(pattern),
    },
    example: 'terraform_organization_id',
  },
];

/** Problems: `workload-open`. Notes: `workload-sub`. */
export function lintWorkloads({ workloads }: Policy) {
  const problems: Problem[] = [];
  const notes: Problem[] = [];
  for (const workload of workloads.values()) {
    const found = shared.find(({ issuer }) => issuer.test(workload.issuer));
    if (found === undefined) continue;
    const naming = [...workload.claims].filter(
      ([claim, pattern]) => Object.hasOwn(found.claims, claim) && found.claims[claim]?.(pattern) === true,
    );
    if (naming.length === 0) problems.push(open(workload, found.example));
    else if (found === shared[0] && naming.every(([claim]) => claim === 'sub')) notes.push(bySubject(workload));
  }
  return { problems, notes };
}

function open({ name, issuer, source }: Workload, example: string): Problem {
  const message = `workload "${name}" can be anybody's job: ${issuer} gives tokens to the whole world, and no claim here names an owner, repository or project`;
  return {
    ...source,
    code: 'workload-open',
    message,
    fix: `add a claim such as ${example}, without * in the part that names whose it is`,
  };
}

function bySubject({ name, source }: Workload): Problem {
  const message = `workload "${name}" is known by \`sub\` alone: newer repositories have ids in it, so that old patterns stop matching, and names can be taken over by others`;
  return { ...source, code: 'workload-sub', message, fix: 'name repository_id or repository_owner_id' };
}
