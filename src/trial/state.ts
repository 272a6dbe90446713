/** What try mode keeps in its state directory: the admin, its password and its policy file. */
import { randomInt } from 'node:crypto';
import type { Stats } from 'node:fs';
import { chmod, lstat, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isMap, parse, parseDocument, stringify } from 'yaml';
import { writePrivateFile } from '../adapters/files/private-file.ts';

/** A reason why try mode cannot start that the person at the keyboard can remove; `fix` says how. */
export class TrialProblem extends Error {
  readonly fix: string;

  constructor(message: string, fix: string) {
    super(message);
    this.name = 'TrialProblem';
    this.fix = fix;
  }
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
 * Throws a TrialProblem when the directory or the files could be read or replaced by another user.
 */
export async function prepareState(stateDir: string, { hash, policies }: StateOptions): Promise<TrialState> {
  const directory = resolve(stateDir);
  const policyDirectory = join(directory, 'policies');
  const passwordFile = join(directory, 'initial-admin-password');
  const policyFile = join(policyDirectory, 'admin.yaml');
  await preparePrivateDirectory(directory);
  await preparePrivateDirectory(policyDirectory);

  const keptPassword = await readPrivateFile(passwordFile);
  const keptPolicy = await readPrivateFile(policyFile);
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

async function preparePrivateDirectory(path: string): Promise<void> {
  let found = await lstatOrUndefined(path);
  if (found === undefined) {
    await mkdir(dirname(path), { recursive: true });
    await mkdir(path, { mode: 0o700 });
    found = await lstat(path);
  }
  if (found.isSymbolicLink()) {
    throw new TrialProblem(`${path} is a symbolic link`, `replace it by a directory of your own, ${anotherDirectory}`);
  }
  if (!found.isDirectory()) {
    throw new TrialProblem(`${path} exists and is not a directory`, `move it away, ${anotherDirectory}`);
  }
  refuseForeign(path, found);
  if (!isPrivate(found)) {
    await tighten(path, 0o700);
  }
}

async function readPrivateFile(path: string): Promise<string | undefined> {
  const found = await lstatOrUndefined(path);
  if (found === undefined) return undefined;
  if (!found.isFile()) {
    throw new TrialProblem(`${path} exists and is not a regular file`, `move it away, ${anotherDirectory}`);
  }
  refuseForeign(path, found);
  if (!isPrivate(found)) await tighten(path, 0o600);
  return readFile(path, 'utf8');
}

function refuseForeign(path: string, found: Stats): void {
  const ownUser = process.getuid?.();
  if (ownUser === undefined || found.uid === ownUser) return;
  throw new TrialProblem(
    `${path} belongs to another user (uid ${found.uid}, you are ${ownUser})`,
    `give it to yourself (sudo chown -R ${ownUser} ${path}), ${anotherDirectory}`,
  );
}

/** Some file systems (FAT, mounts from another system) accept chmod and ignore it, so the result is read back. */
async function tighten(path: string, mode: number): Promise<void> {
  const refused = await chmod(path, mode).then(
    () => false,
    () => true,
  );
  const after = await lstat(path);
  if (!refused && !after.isSymbolicLink() && isPrivate(after)) return;
  throw new TrialProblem(
    `${path} can be read by other users (mode ${(after.mode & 0o777).toString(8)}) and its mode cannot be changed`,
    `chmod ${mode.toString(8)} ${path}, ${anotherDirectory} on a file system with permissions`,
  );
}

function isPrivate(found: Stats): boolean {
  return process.platform === 'win32' || (found.mode & 0o077) === 0;
}

async function lstatOrUndefined(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function declaresAdmin(policy: string | undefined): policy is string {
  if (policy === undefined) return false;
  const admin = child(child(valueOf(policy), 'users'), 'admin');
  const password = child(admin, 'password');
  return typeof password === 'string' && password.startsWith('$');
}

/** Files that cannot be read as YAML declare nothing here; that they are refused is reported with their own lines. */
function adminGroups(policies: readonly string[]): readonly string[] {
  return policies.some((text) => child(child(valueOf(text), 'groups'), adminGroup) !== undefined) ? [adminGroup] : [];
}

/** The policy with the `admin` user in the group, or in it no longer; its comments and everybody else stay. */
function withGroups(policy: string, groups: readonly string[]): string {
  const document = parseDocument(policy);
  const admin = document.getIn(['users', 'admin']);
  if (!isMap(admin)) return policy;
  const known = child(admin.toJSON(), 'groups');
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

function child(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function newPassword(): string {
  const group = (): string => Array.from({ length: 5 }, () => passwordAlphabet[randomInt(31)]).join('');
  return [group(), group(), group(), group()].join('-');
}

function formatAdminPolicy(passwordHash: string, groups: readonly string[]): string {
  return (
    '# Made by try mode and read together with the policies directory.\n' +
    '# The password is in ../initial-admin-password; delete either file and the next start makes both anew.\n' +
    stringify({ users: { admin: { password: passwordHash, groups } } }, { lineWidth: 0 })
  );
}
