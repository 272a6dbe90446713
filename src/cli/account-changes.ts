/** The work of `user` and `robot` `groups` and `remove`: what somebody is in, and whether there is such a one. */
import { quote } from '../document/problem.ts';
import { didYouMean } from '../document/suggest.ts';
import type { Edit } from '../editing/edit.ts';
import { addGroup, removeGroup } from '../editing/membership.ts';
import { type Mention, fromTheEnd, mentionsOf, mentionsOfExpectations } from '../editing/mentions.ts';
import { type Place, removeAt } from '../editing/removal.ts';
import { formatPlace } from '../policy/describe.ts';
import { compileByName } from '../policy/by-name.ts';
import type { Expectation, Policy, Robot, User } from '../policy/model.ts';
import { runTests } from '../policy/analysis/test-run.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import {
  type FileChange,
  type PolicyFiles,
  type Refused,
  applyEdits,
  complain,
  readForEdit,
  unknownGroup,
} from './policy-edit.ts';

type Kind = 'user' | 'robot';

const sections = { user: 'users', robot: 'robots' } as const;

/**
 * Takes the account out of its file. Where rules, limits or tests name it, nothing is written unless `everywhere` says to
 * take it out of those too.
 */
export async function removeAccount(
  paths: readonly string[],
  { kind, name, everywhere }: { readonly kind: Kind; readonly name: string; readonly everywhere: boolean },
): Promise<ExitCode> {
  const found = await findAccount(paths, kind, name);
  if ('refused' in found) return found.refused;
  const { files, account } = found;
  const mentions = mentionsOf(files.policy, { kind, name });
  if (mentions.length > 0 && !everywhere) {
    for (const mention of mentions) process.stderr.write(`${describe(mention)} names ${kind}:${name}\n`);
    const now = kind === 'user' ? `user disable ${name}` : `token revoke ${name} --all`;
    const both = `to shut it out at once: portcullis ${now}; to remove it there too: portcullis ${kind} remove ${name} --everywhere`;
    return complain(`${kind} ${quote(name)} is still named, so nothing was written; ${both}`);
  }
  const changes = changesFor(mentions, { file: account.source.file, place: [sections[kind], name] });
  const refused = await applyEdits(files, changes);
  if (refused !== undefined) return refused.refused;
  const secrets = 'tokens' in account && account.tokens.length > 0 ? ' with its secrets' : '';
  process.stdout.write(`${kind} ${quote(name)} removed${secrets} (${account.source.file})\n`);
  tellOf(mentions, `no longer names ${kind}:${name}`);
  return exitCodes.ok;
}

interface Membership {
  readonly kind: Kind;
  readonly name: string;
  readonly groups: readonly string[];
}

/** Writes nothing when a group is unknown, the account is missing or a test of the policy would fail then (1). */
export async function joinGroups(paths: readonly string[], { kind, name, groups }: Membership): Promise<ExitCode> {
  const found = await findAccount(paths, kind, name);
  if ('refused' in found) return found.refused;
  const { files, account } = found;
  const unknown = unknownGroup(files.policy, groups);
  if (unknown !== undefined) return complain(unknown);
  const missing = groups.filter((group) => !account.groups.includes(group));
  if (missing.length === 0) return already(kind, account, 'is in', groups);
  const change = (text: string): Edit =>
    missing.reduce<Edit>(
      (edit, group) => (edit.ok ? addGroup(edit.text, { section: sections[kind], name }, group) : edit),
      { ok: true, text },
    );
  const refused = await applyEdits(files, [{ file: account.source.file, change }]);
  if (refused !== undefined) return refused.refused;
  process.stdout.write(`${kind} ${quote(name)} is now in ${missing.join(', ')} too (${account.source.file})\n`);
  return exitCodes.ok;
}

/** Where tests expect what only the groups gave, nothing is written unless `dropTests` says to take those expectations out. */
export async function leaveGroups(
  paths: readonly string[],
  { kind, name, groups, dropTests }: Membership & { readonly dropTests: boolean },
): Promise<ExitCode> {
  const found = await findAccount(paths, kind, name);
  if ('refused' in found) return found.refused;
  const { files, account } = found;
  const { policy } = files;
  const unknown = unknownGroup(policy, groups);
  if (unknown !== undefined) return complain(unknown);
  const positions = account.groups.flatMap((group, position) => (groups.includes(group) ? [position] : []));
  if (positions.length === 0) return already(kind, account, 'is not in', groups);
  const kept = account.groups.filter((group) => !groups.includes(group));
  const expectations = dropTests ? brokenBy(policy, { ...account, groups: kept }) : [];
  const mentions = mentionsOfExpectations(policy, expectations);
  const { file } = account.source;
  const leaving = positions.map((position) => ({ file, position }));
  const changes = changesFor(mentions, {
    file,
    change: (text) =>
      leaving.reduceRight<Edit>(
        (edit, { position }) => (edit.ok ? removeGroup(edit.text, { section: sections[kind], name }, position) : edit),
        { ok: true, text },
      ),
  });
  const again = `portcullis ${kind} groups remove ${name} ${groups.join(',')} --drop-tests`;
  const refused = await applyEdits(
    files,
    changes,
    dropTests ? '' : `; to take what these tests expect out as well: ${again}`,
  );
  if (refused !== undefined) return refused.refused;
  process.stdout.write(`${kind} ${quote(name)} is no longer in ${groups.join(', ')} (${file})\n`);
  tellOf(mentions, 'expects less');
  return exitCodes.ok;
}

function already(kind: Kind, { name }: User | Robot, state: string, groups: readonly string[]): ExitCode {
  process.stdout.write(`${kind} ${quote(name)} ${state} ${groups.join(', ')} already\n`);
  return exitCodes.ok;
}

/** What tests expect rightly today and would miss with the account as it shall be. */
function brokenBy(policy: Policy, account: User | Robot): readonly Expectation[] {
  const after =
    'tokens' in account
      ? { ...policy, robots: new Map(policy.robots).set(account.name, account) }
      : { ...policy, users: new Map(policy.users).set(account.name, account) };
  const failing = (each: Policy): readonly Expectation[] =>
    runTests(compileByName(each), Date.now()).failures.map(({ expectation }) => expectation);
  const before = new Set(failing(policy));
  return failing(after).filter((expectation) => !before.has(expectation));
}

/** One change for each file, that of the account last: until then every file that is read names nobody who is gone. */
function changesFor(
  mentions: readonly Mention[],
  own: { readonly file: string } & ({ readonly place: Place } | { readonly change: (text: string) => Edit }),
): readonly FileChange[] {
  const change = 'change' in own ? own.change : (text: string) => removeAt(text, own.place);
  const places = new Map<string, Place[]>([[own.file, []]]);
  for (const mention of mentions) {
    const known = places.get(mention.source.file);
    if (known === undefined) places.set(mention.source.file, [...mention.places]);
    else known.push(...mention.places);
  }
  return [...places].reverse().map(([file, those]) => ({
    file,
    change: (text) => {
      const edit = fromTheEnd(those).reduce<Edit>((done, place) => (done.ok ? removeAt(done.text, place) : done), {
        ok: true,
        text,
      });
      return edit.ok && file === own.file ? change(edit.text) : edit;
    },
  }));
}

function describe({ what, name, source }: Mention): string {
  return `${formatPlace(source)}: ${what} ${quote(name)}`;
}

function tellOf(mentions: readonly Mention[], less: string): void {
  for (const mention of mentions) {
    process.stdout.write(`  ${describe(mention)} ${mention.isWhole ? 'is removed with it' : less}\n`);
  }
}

async function findAccount(
  paths: readonly string[],
  kind: Kind,
  name: string,
): Promise<{ readonly files: PolicyFiles; readonly account: User | Robot } | Refused> {
  const files = await readForEdit(paths);
  if ('refused' in files) return files;
  const accounts: ReadonlyMap<string, User | Robot> = files.policy[sections[kind]];
  const account = accounts.get(name);
  if (account !== undefined) return { files, account };
  const other = kind === 'user' ? 'robot' : 'user';
  const hint = files.policy[sections[other]].has(name) ? `; it is a ${other}` : didYouMean(name, accounts.keys());
  return { refused: complain(`there is no ${kind} ${quote(name)}${hint}`) };
}
