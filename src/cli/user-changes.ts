/** The work of `portcullis user …`. */
import { quote } from '../document/problem.ts';
import { hasSection } from '../editing/edit.ts';
import { type UserChange, changeUser } from '../editing/accounts.ts';
import { formatInstant } from '../policy/describe.ts';
import type { User } from '../policy/model.ts';
import { hashPassword } from '../identity/password.ts';
import { type ExitCode, complain, exitCodes, formatTable, placeInJson, printJson } from './report.ts';
import {
  type PolicyFiles,
  type Refused,
  applyEdits,
  fileIn,
  findAccount,
  isDirectory,
  readForEdit,
  unfitName,
  unknownGroup,
} from './policy-edit.ts';
import { readPassword } from './password.ts';

/** Asks for the password last, after everything else was found in order. */
export async function addToPolicies(
  paths: readonly string[],
  wanted: { readonly name: string; readonly groups: readonly string[]; readonly passwordStdin: boolean },
): Promise<ExitCode> {
  const { name, groups } = wanted;
  const unfit = unfitName(name);
  if (unfit !== undefined) return complain(unfit, exitCodes.usage);
  const files = await readForEdit(paths);
  if ('refused' in files) return files.refused;
  const { policy } = files;
  const taken = policy.users.get(name) ?? policy.robots.get(name) ?? policy.workloads.get(name);
  if (taken !== undefined) {
    const { file, line } = taken.source;
    const hint = policy.users.has(name) ? `; for a new password: portcullis user passwd ${name}` : '';
    return complain(`there is an account ${quote(name)} already, in ${file}:${line}${hint}`);
  }
  const unknown = unknownGroup(policy, groups);
  if (unknown !== undefined) return complain(unknown);
  const target = targetForNew(files);
  if (target === undefined) {
    return complain('no policy file has `users:` and none of the policy paths is a directory to make users.yaml in');
  }
  const password = await hashGiven(wanted.passwordStdin);
  if (typeof password !== 'string') return password.refused;
  return apply(files, target, { kind: 'add', name, password, groups }, `user ${quote(name)} added`);
}

/** Ends what was issued before: the new entry is valid from now on. */
export async function changePassword(
  paths: readonly string[],
  { name, passwordStdin }: { readonly name: string; readonly passwordStdin: boolean },
): Promise<ExitCode> {
  const found = await findAccount(paths, 'user', name);
  if ('refused' in found) return found.refused;
  const password = await hashGiven(passwordStdin);
  if (typeof password !== 'string') return password.refused;
  const change: UserChange = { kind: 'password', name, password, validFrom: validFromNow() };
  return apply(found.files, found.account.source.file, change, `password of user ${quote(name)} changed`);
}

/** Ends what was issued before, when it disables. No change, and 0, where it is so already. */
export async function setDisabled(
  paths: readonly string[],
  { name, disabled }: { readonly name: string; readonly disabled: boolean },
): Promise<ExitCode> {
  const found = await findAccount(paths, 'user', name);
  if ('refused' in found) return found.refused;
  const { files, account: user } = found;
  const state = disabled ? 'disabled' : 'enabled';
  if (user.disabled === disabled) {
    process.stdout.write(`user ${quote(name)} is ${state} already\n`);
    return exitCodes.ok;
  }
  const change: UserChange = { kind: 'disabled', name, disabled, validFrom: validFromNow() };
  return apply(files, user.source.file, change, `user ${quote(name)} ${state}`);
}

/** In order of names, without hashes. */
export async function listUsers(paths: readonly string[], { json }: { readonly json: boolean }): Promise<ExitCode> {
  const files = await readForEdit(paths, json);
  if ('refused' in files) return files.refused;
  const users = [...files.policy.users.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  if (json) {
    const views = users.map((user) => {
      const { name, groups, disabled, password } = user;
      return { name, groups, disabled, password: password !== undefined, ...placeInJson(user) };
    });
    printJson({ users: views });
  } else if (users.length === 0) {
    process.stdout.write('no users; add one with: portcullis user add NAME --groups a,b\n');
  } else {
    const head = ['NAME', 'GROUPS', 'STATE', 'PASSWORD', 'WHERE'];
    process.stdout.write(formatTable(head, users.map(row), { longest: Infinity }));
  }
  return exitCodes.ok;
}

function row({ name, groups, disabled, password, source: { file, line } }: User): readonly string[] {
  const scheme = password === undefined ? 'none' : password.scheme;
  return [name, groups.join(',') || '-', disabled ? 'disabled' : 'enabled', scheme, `${file}:${line}`];
}

/** The first file with `users:`, else `users.yaml` in the first directory. */
function targetForNew({ paths, texts }: PolicyFiles): string | undefined {
  const existing = texts.find(({ text }) => hasSection(text, 'users'));
  if (existing !== undefined) return existing.file;
  const directory = paths.find(isDirectory);
  return directory === undefined ? undefined : fileIn(directory, 'users.yaml');
}

/** The next whole second: everything issued until now was issued before. */
function validFromNow(): string {
  return formatInstant(Math.floor(Date.now() / 1000) * 1000 + 1000);
}

async function hashGiven(passwordStdin: boolean): Promise<string | Refused> {
  const password = await readPassword({ passwordStdin });
  if (typeof password !== 'string') return { refused: complain(password.problem, exitCodes.usage) };
  return hashPassword(password);
}

async function apply(files: PolicyFiles, file: string, change: UserChange, done: string): Promise<ExitCode> {
  const edit = { file, change: (text: string) => changeUser(text, change) };
  return applyEdits(files, [edit], () => process.stdout.write(`${done} (${file})\n`));
}
