/** The policies that a command is about: those named with `--policies`, or those of the configuration. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Problem, formatProblem } from '../document/problem.ts';
import type { Policy, Source } from '../policy/model.ts';
import { withCanonicalTests } from '../policy/canonical-names.ts';
import type { Behind } from './behind.ts';
import type { Configuration } from './configuration.ts';

export interface ReadPolicies {
  readonly policy: Policy;
  /** As a gateway that reads the same files shows it. */
  readonly revision: string;
  /** What the configuration says of the registries, where it is read and there is more than one way. */
  readonly behind: Behind | undefined;
  /** `file:line:column: message` with the source line and a caret below the column. */
  readonly show: (source: Source, message: string) => string;
}

export type PoliciesReading =
  ({ readonly ok: true } & ReadPolicies) | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads the policies at `paths`, or the configured ones when there are none. Their tests are not run. */
export async function readPolicies(paths: readonly string[] = []): Promise<PoliciesReading> {
  if (paths.length > 0) return readPaths(paths.map((path) => resolve(path)));
  const configuration = await configured();
  if (!configuration.ok) return configuration;
  return readConfigured(configuration);
}

/** With what the configuration says of the registries. */
export async function readConfigured(
  configuration: Extract<Configuration, { readonly ok: true }>,
): Promise<PoliciesReading> {
  const { behindOf } = await import('./behind.ts');
  return readPaths(configuredPolicies(configuration), behindOf(configuration));
}

/** The configuration in force here. What reads it is loaded only now: policies that are named do without. */
export async function configured(): Promise<Configuration> {
  return (await import('./configuration.ts')).readConfiguration();
}

/** In try mode also the generated admin, once there is one. */
export function configuredPolicies({
  config,
  isTrial,
}: Extract<Configuration, { readonly ok: true }>): readonly string[] {
  const admin = join(config.stateDir, 'policies', 'admin.yaml');
  return isTrial && existsSync(admin) ? [...config.policies, admin] : config.policies;
}

async function readPaths(paths: readonly string[], behind?: Behind): Promise<PoliciesReading> {
  // The YAML reader takes longer to load than most commands to run, and `--help` does without.
  const [{ readPolicyFiles, revisionOf, shortRevision }, { trustFileProblems }, { parsePolicy }] = await Promise.all([
    import('../adapters/files/policy-loading.ts'),
    import('../adapters/files/trust-files.ts'),
    import('../policy/files/parse.ts'),
  ]);
  const texts = await readPolicyFiles(paths);
  if (!texts.ok) return texts;
  const reading = parsePolicy(texts.files);
  if (!reading.ok) return reading;
  const problems = await trustFileProblems(reading.policy);
  if (problems.length > 0) return { ok: false, problems };
  const byFile = new Map(texts.files.map(({ file, text }) => [file, text]));
  const show = (source: Source, message: string): string =>
    formatProblem({ ...source, code: '', message }, byFile.get(source.file));
  const policy = behind === undefined ? reading.policy : withCanonicalTests(reading.policy, behind.upstreams.canonical);
  return { ok: true, policy, behind, revision: shortRevision(revisionOf(texts.files)), show };
}
