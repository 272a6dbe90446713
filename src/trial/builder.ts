/** The build server of `portcullis try`: a robot of try mode that may push one image, so that there is one to release. */
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writePrivateFile } from '../adapters/files/whole-file.ts';

export const builderName = 'try-builder';
/** The group that fills integration in the shipped policies. */
export const builderGroup = 'build-servers';
export const builtImage = { repository: 'integration/hello', tag: 'build-1' } as const;

/** Where its secret lies, for whoever may read the state directory. */
export function builderSecretFile(stateDir: string): string {
  return join(resolve(stateDir), 'try-builder-secret');
}

/**
 * Gives it a new secret, good for its one image, in the state directory, which must be private already. The policy file that
 * declares it, to be read together with the configured ones.
 */
export async function prepareBuilder(
  stateDir: string,
  { text, sha256 }: { readonly text: string; readonly sha256: string },
): Promise<string> {
  const policyFile = join(resolve(stateDir), 'policies', 'try-builder.yaml');
  const token = { id: 'trybuilder', sha256, repositories: [builtImage.repository], actions: ['pull', 'push'] };
  const robots = { [builderName]: { groups: [builderGroup], tokens: [token] } };
  await writePrivateFile(builderSecretFile(stateDir), `${text}\n`);
  await writePrivateFile(
    policyFile,
    `# Made by try mode at every start, for "portcullis try".\n${JSON.stringify({ robots })}\n`,
  );
  return policyFile;
}

/** Where the policies have no build servers: what an earlier start left is good for nothing. */
export async function forgetBuilder(stateDir: string): Promise<void> {
  await rm(builderSecretFile(stateDir), { force: true });
}
