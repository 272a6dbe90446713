/** The work of `user` and `robot` `groups` and `remove`: what somebody is in, and whether there is such a one. */
import { quote } from '../document/problem.ts';
import { editEach } from '../editing/edit.ts';
import { addGroup } from '../editing/accounts.ts';
import { type Mention, fromTheEnd, mentionsOf, mentionsOfExpectations } from '../editing/mentions.ts';
import { type Place, removeAt } from '../editing/removal.ts';
import { formatPlace } from '../policy/describe.ts';
import { compileByName } from '../policy/by-name.ts';
import { type Expectation, type Policy, type Robot, type User, sections } from '../policy/model.ts';
import { runTests } from '../policy/analysis/test-run.ts';
import { type ExitCode, complain, exitCodes } from './report.ts';
import { type FileChange, applyEdits, findAccount, unknownGroup } from './policy-edit.ts';

type Kind = 'user' | 'robot';

/** Where rules, limits or tests name the account, nothing is written unless `everywhere` takes it out of those too. */
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
  const { file } = account.source;
  const changes = removals(mentions, file, [[sections[kind], name]]);
  return applyEdits(files, changes, () => {
    const secrets = 'tokens' in account && account.tokens.length > 0 ? ' with its secrets' : '';
    process.stdout.write(`${kind} ${quote(name)} removed${secrets} (${file})\n`);
    tellOf(mentions, `no longer names ${kind}:${name}`);
  });
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
  const { file } = account.source;
  const own = { section: sections[kind], name };
  const change = (text: string) => editEach(text, missing, (before, group) => addGroup(before, own, group));
  return applyEdits(files, [{ file, change }], () =>
    process.stdout.write(`${kind} ${quote(name)} is now in ${missing.join(', ')} too (${file})\n`),
  );
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
  const places = account.groups.flatMap((group, position): readonly Place[] =>
    groups.includes(group) ? [[sections[kind], name, 'groups', position]] : [],
  );
  if (places.length === 0) return already(kind, account, 'is not in', groups);
  const kept = account.groups.filter((group) => !groups.includes(group));
  const expectations = dropTests ? brokenBy(policy, { ...account, groups: kept }) : [];
  const mentions = mentionsOfExpectations(policy, expectations);
  const { file } = account.source;
  const again = `portcullis ${kind} groups remove ${name} ${groups.join(',')} --drop-tests`;
  return applyEdits(
    files,
    removals(mentions, file, places),
    () => {
      process.stdout.write(`${kind} ${quote(name)} is no longer in ${groups.join(', ')} (${file})\n`);
      tellOf(mentions, 'expects less');
    },
    dropTests ? '' : `; to take what these tests expect out as well: ${again}`,
  );
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
function removals(mentions: readonly Mention[], own: string, ownPlaces: readonly Place[]): readonly FileChange[] {
  const places = new Map([[own, ownPlaces]]);
  for (const { source, places: more } of mentions) {
    places.set(source.file, [...(places.get(source.file) ?? []), ...more]);
  }
  return [...places].reverse().map(([file, those]) => ({
    file,
    change: (text) => editEach(text, fromTheEnd(those), removeAt),
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
