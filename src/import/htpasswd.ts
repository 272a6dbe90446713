/** Apache's htpasswd files: `name:hash` on each line, comments with `#`, anything behind a second colon ignored. */
import { type Problem, quote } from '../document/problem.ts';
import { nameInYaml, quoted } from '../editing/scalar.ts';
import { foreignScheme, parsePasswordHash } from '../policy/password-hash.ts';
import { type Imported, inComment, isAccountName } from './imported.ts';

export interface HtpasswdOptions {
  /** Of everybody taken over; policy files beside the new one declare them. */
  readonly groups: readonly string[];
  /** Hashes a password as policy files keep it. */
  readonly hash: (password: string) => Promise<string>;
}

/**
 * Takes over bcrypt entries, and passwords that stand there as they are (nginx `{PLAIN}`, Apache on Windows) as new hashes;
 * every other is named in `skipped`, never with what stands there. `file` is what messages call it.
 */
export async function importHtpasswd(file: string, text: string, options: HtpasswdOptions): Promise<Imported> {
  const skipped: Problem[] = [];
  const users = new Map<string, { readonly password: string; readonly line: number }>();
  const lines = text.replace(/^\ufeff/, '').split('\n');
  for (const [index, raw] of lines.entries()) {
    const entry = raw.replace(/\r$/, '');
    if (entry.trim() === '' || entry.startsWith('#')) continue;
    const line = index + 1;
    const [name = '', password] = entry.split(':');
    const earlier = users.get(name);
    const reason =
      password === undefined
        ? { code: 'not-an-entry', message: 'the line is not of the form NAME:HASH; correct it or delete it' }
        : !isAccountName(name)
          ? {
              code: 'invalid-name',
              message: `${quote(name)} cannot be an account name here; add it with another: portcullis user add NAME`,
            }
          : earlier !== undefined
            ? {
                code: 'duplicate-name',
                message: `user ${quote(name)} again; line ${earlier.line} counts, as for Apache; delete one of them`,
              }
            : plainPassword(password) === undefined
              ? hashProblem(name, password)
              : undefined;
    if (reason !== undefined) skipped.push({ file, line, column: 1, ...reason });
    else if (password !== undefined) {
      const plain = plainPassword(password);
      users.set(name, { password: plain === undefined ? password : await options.hash(plain), line });
    }
  }
  return { text: format(file, users, options.groups), skipped };
}

/**
 * The password in an entry that holds no hash. undefined for every hash and for what may be one: crypt() writes 13 characters
 * that a password could have as well, and to take a hash for a password would make it one.
 */
function plainPassword(entry: string): string | undefined {
  const plain = entry.startsWith('{PLAIN}') ? entry.slice('{PLAIN}'.length) : /^[${]/.test(entry) ? '' : entry;
  const mayBeHash = plain === entry && /^[./0-9A-Za-z]{13}$/.test(plain);
  return plain === '' || plain.startsWith('pct_') || mayBeHash ? undefined : plain;
}

function hashProblem(name: string, password: string): { readonly code: string; readonly message: string } | undefined {
  const advice = `ask the person for a new password and run: portcullis user add ${name}`;
  const scheme = foreignScheme(password);
  if (scheme !== undefined) {
    return { code: 'foreign-hash', message: `user ${quote(name)}: ${scheme} cannot be taken over; ${advice}` };
  }
  const hash = parsePasswordHash(password);
  return 'problem' in hash
    ? { code: 'invalid-hash', message: `user ${quote(name)}: ${hash.problem}; ${advice}` }
    : undefined;
}

function format(
  file: string,
  users: ReadonlyMap<string, { readonly password: string }>,
  groups: readonly string[],
): string {
  const advice =
    groups.length === 0
      ? 'Give each of them groups; without any they can do only what rules give to everybody who has logged in.'
      : 'Their groups must be declared in another policy file.';
  const head = `# Users from ${inComment(file)}, taken over by: portcullis import htpasswd\n# ${advice}\n`;
  if (users.size === 0) return `${head}users: {}\n`;
  const member = groups.length === 0 ? '' : `    groups: [${groups.map(nameInYaml).join(', ')}]\n`;
  const entries = [...users].map(
    ([name, { password }]) => `  ${nameInYaml(name)}:\n    password: ${quoted(password)}\n${member}`,
  );
  return `${head}users:\n${entries.join('')}`;
}
