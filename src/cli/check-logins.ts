/** What `check` says of login sources: names that two have, lines that cannot be used, and groups of sources that are not there. */
import { readBounded } from '../adapters/files/bounded-file.ts';
import { readHtpasswdFile } from '../adapters/files/htpasswd-file.ts';
import type { Config } from '../config/load.ts';
import { type Problem, sortProblems, unplaced } from '../document/problem.ts';
import type { LoginSource, Policy } from '../policy/model.ts';
import { formatOutsideGroup, nameInFiles } from '../policy/outside.ts';

/** Codes: those of the lines of a htpasswd file, account-conflict; as notes login-source, unreadable. */
export async function checkLogins(
  policy: Policy,
  { htpasswd, ldap, oidc }: Config['logins'],
): Promise<{ readonly problems: readonly Problem[]; readonly notes: readonly Problem[] }> {
  const configured: LoginSource[] = [...(ldap ? ['ldap' as const] : []), ...(oidc ? ['oidc' as const] : [])];
  const reading = htpasswd && (await readHtpasswdFile(htpasswd.file));
  return {
    problems: htpasswd !== undefined && reading?.ok === true ? lineProblems(policy, htpasswd.file, reading) : [],
    // It may be on another machine than the one that checks.
    notes: [
      ...(reading?.ok === false ? [reading.problem] : []),
      ...(await unreadable({
        'ldap.ca': ldap?.ca,
        'ldap.bind.passwordFile': ldap?.bind?.password,
        'oidc.ca': oidc?.ca,
        'oidc.clientSecretFile': oidc?.clientSecret,
      })),
      ...unknownSources(policy, configured),
    ],
  };
}

/** Files by the settings that name them; what is no path is no file. */
async function unreadable(files: Readonly<Record<string, unknown>>): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const [key, path] of Object.entries(files)) {
    const reading = typeof path === 'string' ? await readBounded(path, maxFileBytes) : undefined;
    if (typeof path === 'string' && reading?.ok === false)
      problems.push(unplaced(path, 'unreadable', `logins.${key}: ${reading.detail}`));
  }
  return problems;
}

const maxFileBytes = 65_536;

type Lines = Extract<Awaited<ReturnType<typeof readHtpasswdFile>>, { readonly ok: true }>;

function lineProblems(policy: Policy, path: string, reading: Lines): readonly Problem[] {
  const conflicts = [...reading.people.users].flatMap(([name, { line }]): Problem[] => {
    const { takenBy } = nameInFiles(policy, 'htpasswd', name);
    if (takenBy === undefined) return [];
    const why = takenBy.kind === 'user' ? 'a user with a password' : `a ${takenBy.kind}`;
    const message = `"${name}" is ${why} in the policy files, so nobody logs in by this line`;
    return [{ file: path, line, column: 0, code: 'account-conflict', message, fix: 'remove one of the two' }];
  });
  return sortProblems([...reading.problems, ...conflicts]);
}

function unknownSources({ groups }: Policy, configured: readonly LoginSource[]): readonly Problem[] {
  return [...groups.values()].flatMap(({ name, from = [], source }) =>
    from
      .filter((each) => !configured.includes(each.source))
      .map((each) => ({
        ...source,
        code: 'login-source',
        message: `group "${name}" is from ${formatOutsideGroup(each)}, and the configuration has no logins.${each.source}`,
        fix: `set logins.${each.source}, or leave it out`,
      })),
  );
}
