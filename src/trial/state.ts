/** What try mode keeps in its state directory: the admin, its password and its policy file. */
import { randomInt } from 'node:crypto';
import { type Stats, lstatSync } from 'node:fs';
import { chmod, lstat, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isMap, parse, parseDocument, stringify } from 'yaml';
import { writePrivateFile } from '../adapters/files/whole-file.ts';
import { field } from '../distribution/json.ts';

/** A reason why try mode cannot start that the person at the keyboard can remove; `fix` says how. */
export interface TrialProblem {
  readonly message: string;
  readonly fix: string;
}

export interface TrialState {
  readonly adminPassword: string;
  /** Empty where the policies have no group `admins`. */
  readonly adminGroups: readonly string[];
  /** Policy file that declares the `admin` user, to be read together with the configured policies. */
  readonly policyFile: string;
}

export interface StateOptions {
  /** Hashes a password as argon2id in PHC form. */
  readonly hash: (password: string) => Promise<string>;
  /** Texts of the policy files that the `admin` user is read together with. */
  readonly policies: readonly string[];
}

/** The group that is meant to administer; policies of one's own may have none. */
const adminGroup = 'admins';

const anotherDirectory = 'or choose another directory with PORTCULLIS_STATE_DIR';

/** 31 signs without i, l, o, 0 and 1: four groups of five carry 99 bits. */
const passwordAlphabet = 'abcdefghjkmnpqrstuvwxyz23456789';
const passwordShape = /^[a-hjkmnp-z2-9]{5}(?:-[a-hjkmnp-z2-9]{5}){3}\n$/;

/**
 * Makes the state directory (0700) and the `admin` user with a random password, or finds those of an earlier start.
 * When either file is missing or unreadable both are made anew, so they always belong together; a policy file that
 * does not parse is kept as `admin.yaml.unreadable`. The user is in the group `admins` exactly where the policies have it:
 * naming a group that is not there would refuse them all.
 * A problem when the directory or the files could be read or replaced by another user.
 */
export async function prepareState(
  stateDir: string,
  { hash, policies }: StateOptions,
): Promise<TrialState | TrialProblem> {
  const directory = resolve(stateDir);
  const policyDirectory = join(directory, 'policies');
  const passwordFile = join(directory, 'initial-admin-password');
  const policyFile = join(policyDirectory, 'admin.yaml');
  const problem =
    (await prepareDirectory(directory)) ??
    (await prepareDirectory(policyDirectory)) ??
    (await problemWith(passwordFile, 'file')) ??
    (await problemWith(policyFile, 'file'));
  if (problem !== undefined) return problem;

  const keptPassword = await readIfThere(passwordFile);
  const keptPolicy = await readIfThere(policyFile);
  const groups = adminGroups([...policies, keptPolicy ?? '']);
  if (keptPassword !== undefined && passwordShape.test(keptPassword) && declaresAdmin(keptPolicy)) {
    const policy = withGroups(keptPolicy, groups);
    if (policy !== keptPolicy) await writePrivateFile(policyFile, policy);
    return { adminPassword: keptPassword.trimEnd(), adminGroups: groups, policyFile };
  }

  const adminPassword = newPassword();
  const policy = formatAdminPolicy(await hash(adminPassword), groups);
  // The password goes first and comes last: a crash in between leaves no password, never one that does not fit.
  await rm(passwordFile, { force: true });
  if (keptPolicy !== undefined && !declaresAdmin(keptPolicy)) await rename(policyFile, `${policyFile}.unreadable`);
  await writePrivateFile(policyFile, policy);
  await writePrivateFile(passwordFile, `${adminPassword}\n`);
  return { adminPassword, adminGroups: groups, policyFile };
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

async function readIfThere(path: string): Promise<string | undefined> {
  return statOf(path) && readFile(path, 'utf8');
}

async function prepareDirectory(path: string): Promise<TrialProblem | undefined> {
  if (statOf(path) === undefined) {
    await mkdir(dirname(path), { recursive: true });
    await mkdir(path, { mode: 0o700 });
  }
  return problemWith(path, 'directory');
}

/** Undefined for what is as it should be, or not there; what others could only read is closed to them. */
async function problemWith(path: string, kind: 'directory' | 'file'): Promise<TrialProblem | undefined> {
  const found = statOf(path);
  if (found === undefined) return undefined;
  if (kind === 'directory' && found.isSymbolicLink()) {
    const fix = `replace it by a directory of your own, ${anotherDirectory}`;
    return { message: `${path} is a symbolic link`, fix };
  }
  if (!(kind === 'directory' ? found.isDirectory() : found.isFile())) {
    const what = kind === 'directory' ? 'a directory' : 'a regular file';
    return { message: `${path} exists and is not ${what}`, fix: `move it away, ${anotherDirectory}` };
  }
  const ownUser = process.getuid?.();
  if (ownUser !== undefined && found.uid !== ownUser) {
    return {
      message: `${path} belongs to another user (uid ${found.uid}, you are ${ownUser})`,
      fix: `give it to yourself (sudo chown -R ${ownUser} ${path}), ${anotherDirectory}`,
    };
  }
  return isPrivate(found) ? undefined : tighten(path, kind === 'directory' ? 0o700 : 0o600);
}

/** Some file systems (FAT, mounts from another system) accept chmod and ignore it, so the result is read back. */
async function tighten(path: string, mode: number): Promise<TrialProblem | undefined> {
  const refused = await chmod(path, mode).then(
    () => false,
    () => true,
  );
  const after = await lstat(path);
  if (!refused && !after.isSymbolicLink() && isPrivate(after)) return undefined;
  const now = (after.mode & 0o777).toString(8);
  return {
    message: `${path} can be read by other users (mode ${now}) and its mode cannot be changed`,
    fix: `chmod ${mode.toString(8)} ${path}, ${anotherDirectory} on a file system with permissions`,
  };
}

function isPrivate(found: Stats): boolean {
  return process.platform === 'win32' || (found.mode & 0o077) === 0;
}

function declaresAdmin(policy: string | undefined): policy is string {
  const password = policy === undefined ? undefined : field(valueOf(policy), 'users', 'admin', 'password');
  return typeof password === 'string' && password.startsWith('$');
}

/** Files that cannot be read as YAML declare nothing here; that they are refused is reported with their own lines. */
export function declaresGroup(policies: readonly string[], group: string): boolean {
  return policies.some((text) => field(valueOf(text), 'groups', group) !== undefined);
}

function adminGroups(policies: readonly string[]): readonly string[] {
  return declaresGroup(policies, adminGroup) ? [adminGroup] : [];
}

/** The policy with the `admin` user in the group, or in it no longer; its comments and everybody else stay. */
function withGroups(policy: string, groups: readonly string[]): string {
  const document = parseDocument(policy);
  const admin = document.getIn(['users', 'admin']);
  if (!isMap(admin)) return policy;
  const known = field(admin.toJSON(), 'groups');
  const before: readonly unknown[] = Array.isArray(known) ? known : [];
  if (before.includes(adminGroup) === groups.includes(adminGroup)) return policy;
  const kept = before.filter((group) => group !== adminGroup);
  admin.set('groups', document.createNode([...kept, ...groups], { flow: true }));
  return document.toString({ lineWidth: 0 });
}

/** undefined for what is not YAML. */
function valueOf(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function newPassword(): string {
  const group = (): string => Array.from({ length: 5 }, () => passwordAlphabet[randomInt(31)]).join('');
  return [group(), group(), group(), group()].join('-');
}

const ownRule = {
  name: 'try-mode-admin-looks-after-everything',
  subjects: ['user:admin'],
  repositories: ['**'],
  actions: ['inspect', 'administer'],
};

/** Where policies have a group for it, they say themselves what it may look at. */
function formatAdminPolicy(passwordHash: string, groups: readonly string[]): string {
  const rules = groups.length === 0 ? { rules: [ownRule] } : {};
  return (
    '# Made by try mode and read together with the policies directory.\n' +
    '# The password is in ../initial-admin-password; delete either file and the next start makes both anew.\n' +
    stringify({ ...rules, users: { admin: { password: passwordHash, groups } } }, { lineWidth: 0 })
  );
}
