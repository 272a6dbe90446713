/** Apache's htpasswd files as a source of people: one `name:hash` a line, comments with `#`, more behind a second colon. */
import { type Problem, quote } from '../../document/problem.ts';
import { namePattern } from '../model.ts';
import { type PasswordHash, foreignScheme, parsePasswordHash } from '../password-hash.ts';

export interface HtpasswdPerson {
  readonly password: PasswordHash;
  readonly line: number;
}

/** People by name. */
export interface HtpasswdPeople {
  readonly users: ReadonlyMap<string, HtpasswdPerson>;
}

/**
 * Every line that can be used, and each other one by its number, never with what stands there. Of lines with the same name
 * the first counts, as for Apache, also where it cannot be used.
 */
export function readHtpasswd(
  file: string,
  text: string,
): { readonly people: HtpasswdPeople; readonly problems: readonly Problem[] } {
  const users = new Map<string, HtpasswdPerson>();
  const firstLines = new Map<string, number>();
  const problems: Problem[] = [];
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    const entry = raw.replace(/\r$/, '');
    if (entry.trim() === '' || entry.startsWith('#')) continue;
    const line = index + 1;
    const [name = '', hash] = entry.split(':');
    const read = readEntry(name, hash, firstLines.get(name));
    if (!firstLines.has(name)) firstLines.set(name, line);
    if ('code' in read) problems.push({ file, line, column: 0, ...read });
    else users.set(name, { password: read, line });
  }
  return { people: { users }, problems };
}

function readEntry(
  name: string,
  hash: string | undefined,
  earlier: number | undefined,
): PasswordHash | Pick<Problem, 'code' | 'message'> {
  if (hash === undefined)
    return { code: 'not-an-entry', message: 'the line is not of the form NAME:HASH; correct it or delete it' };
  if (!namePattern.test(name))
    return { code: 'invalid-name', message: 'what stands before the colon cannot be an account name here' };
  if (earlier !== undefined) {
    const message = `user ${quote(name)} again; line ${earlier} counts, as for Apache; delete one of them`;
    return { code: 'duplicate-name', message };
  }
  const cure = `make a new one: htpasswd -B -C 10 FILE ${name}`;
  const scheme = foreignScheme(hash);
  if (scheme !== undefined)
    return { code: 'foreign-hash', message: `user ${quote(name)}: ${scheme} cannot be used; ${cure}` };
  const parsed = parsePasswordHash(hash);
  return 'problem' in parsed
    ? { code: 'invalid-hash', message: `user ${quote(name)}: ${parsed.problem}; ${cure}` }
    : parsed;
}
