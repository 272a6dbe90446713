/** Changes to the accounts of a policy file, as edits of its text: whatever is not about the change stays as it is. */
import { type Edit, type Fields, type Splices, itemsOf, makeEdit, withAccount } from './edit.ts';
import {
  addAccount,
  addBehind,
  addItem,
  addSettings,
  addToFlow,
  afterComments,
  insertLines,
  unreadableIndent,
} from './insertion.ts';
import {
  type Entry,
  type Item,
  type Mapping,
  type Splice,
  accountIn,
  asMapping,
  entryOf,
  indentAt,
  layoutOf,
} from './layout.ts';
import { nameInYaml, nameList, quoted } from './scalar.ts';
import { removeAt, removeLines, without } from './removal.ts';

export type UserChange =
  | { readonly kind: 'add'; readonly name: string; readonly password: string; readonly groups: readonly string[] }
  | { readonly kind: 'password'; readonly name: string; readonly password: string; readonly validFrom: string }
  | {
      readonly kind: 'disabled';
      readonly name: string;
      readonly disabled: boolean;
      /** In the words of a policy file. */
      readonly validFrom: string;
    };

/**
 * The text with the change made and nothing else: the result is read again and compared, so an edit that would mean
 * anything else is refused. `text` has no byte order mark, `password` is a hash. A change that is already so gives the text back.
 */
export function changeUser(text: string, change: UserChange): Edit {
  return makeEdit(
    text,
    () => (change.kind === 'add' ? addUser(text, change) : setInUser(text, change)),
    (before) => expected(before, change),
  );
}

function addUser(text: string, { name, password, groups }: UserChange & { readonly kind: 'add' }): Splices {
  const setting = `password: ${quoted(password)}`;
  const settings = groups.length === 0 ? [setting] : [setting, `groups: ${nameList(groups)}`];
  return addAccount(text, layoutOf(text), 'users', { name, inBlock: settings, inFlow: settings });
}

function setInUser(text: string, change: Exclude<UserChange, { kind: 'add' }>): Splices {
  const user = accountIn(text, 'users', change.name);
  if (user === undefined) return { problem: `the file does not declare user "${change.name}"` };
  const { settings } = user;
  const before = Object.fromEntries(
    settings.entries.map(({ key, value }) => [key, value?.kind === 'scalar' ? value.value : value]),
  );
  if (isAlreadySo(before, change)) return [];
  const main =
    change.kind === 'password'
      ? ({ key: 'password', text: quoted(change.password) } as const)
      : ({ key: 'disabled', text: String(change.disabled) } as const);
  // A date to readers of YAML 1.1.
  const wanted = [main, { key: 'validFrom', text: quoted(change.validFrom) }] as const;
  const splices: Splice[] = [];
  const missing: string[] = [];
  for (const { key, text: value } of wanted) {
    const existing = entryOf(settings, key)?.value;
    if (existing?.kind !== 'scalar') missing.push(`${key}: ${value}`);
    else splices.push(...existing.replaceWith(value));
  }
  const added = missing.length === 0 ? [] : addSettings(text, user.entry, settings, missing);
  return 'problem' in added ? added : [...splices, ...added];
}

function isAlreadySo(user: Fields, change: Exclude<UserChange, { kind: 'add' }>): boolean {
  if (change.kind === 'password') return user['password'] === change.password;
  return (user['disabled'] ?? false) === change.disabled;
}

/** What the file must say afterwards. */
function expected(root: Fields, change: UserChange): Fields {
  return withAccount(root, 'users', change.name, (user) => {
    if (change.kind === 'add') {
      const { password, groups } = change;
      return groups.length === 0 ? { password } : { password, groups };
    }
    if (isAlreadySo(user, change)) return user;
    const main = change.kind === 'password' ? { password: change.password } : { disabled: change.disabled };
    return { ...user, ...main, validFrom: change.validFrom };
  });
}

/** One entry of `tokens:`, as the file has it. */
export interface TokenEntry {
  readonly id: string;
  readonly sha256: string;
  readonly expires?: string;
  readonly repositories?: readonly string[];
  readonly actions?: readonly string[];
}

export type RobotChange =
  | {
      readonly kind: 'add-token';
      readonly name: string;
      /** Of a robot that the file does not declare yet; otherwise not looked at. */
      readonly groups: readonly string[];
      readonly token: TokenEntry;
    }
  | { readonly kind: 'remove-token'; readonly name: string; readonly id: string };

/**
 * The text with the change made and nothing else; `text` has no byte order mark. Removing what was just added gives the
 * text back, but for a robot that was declared for it, which stays, and `tokens: []` where braces or a comment hold the
 * list. A comment behind a token on its line goes with it; those on lines of their own stay.
 */
export function changeRobot(text: string, change: RobotChange): Edit {
  if (change.kind === 'remove-token') return removeToken(text, change.name, change.id);
  const { name, groups, token } = change;
  return makeEdit(
    text,
    () => addToken(text, change),
    (before) =>
      withAccount(before, 'robots', name, (robot) => {
        const isNew = Object.keys(robot).length === 0 && groups.length > 0;
        return { ...robot, ...(isNew ? { groups } : {}), tokens: [...itemsOf(robot['tokens']), token] };
      }),
  );
}

/** The limits of a robot's token as the file writes them; undefined when the file has no such token. */
export function tokenEntryIn(
  text: string,
  robot: string,
  id: string,
): Pick<TokenEntry, 'expires' | 'repositories' | 'actions'> | undefined {
  const token = tokensOf(accountIn(text, 'robots', robot)?.settings).find((item) => idOf(item) === id);
  const entry = asMapping(token?.value);
  if (entry === undefined) return undefined;
  const expires = entryOf(entry, 'expires')?.value;
  const repositories = wordsIn(entry, 'repositories');
  const actions = wordsIn(entry, 'actions');
  return {
    ...(expires?.kind === 'scalar' ? { expires: String(expires.value) } : {}),
    ...(repositories === undefined ? {} : { repositories }),
    ...(actions === undefined ? {} : { actions }),
  };
}

function wordsIn(entry: Mapping, key: string): readonly string[] | undefined {
  const list = entryOf(entry, key)?.value;
  if (list?.kind !== 'list') return undefined;
  return list.items.flatMap(({ value }) => (value?.kind === 'scalar' ? [String(value.value)] : []));
}

function tokensOf(settings: Mapping | undefined): readonly Item[] {
  const list = entryOf(settings, 'tokens')?.value;
  return list?.kind === 'list' ? list.items : [];
}

function addToken(text: string, { name, groups, token }: RobotChange & { readonly kind: 'add-token' }): Splices {
  const layout = layoutOf(text);
  const robot = entryOf(asMapping(entryOf(layout.root, 'robots')?.value), name);
  const entry = tokenInYaml(token);
  if (robot === undefined) {
    const inGroups = groups.length === 0 ? [] : [`groups: ${nameList(groups)}`];
    const inBlock = [...inGroups, 'tokens:', `  - ${entry}`];
    return addAccount(text, layout, 'robots', { name, inBlock, inFlow: [...inGroups, `tokens: [${entry}]`] });
  }
  const settings = asMapping(robot.value);
  if (settings === undefined) return { problem: `robot "${name}" is not a mapping` };
  const tokens = entryOf(settings, 'tokens');
  if (tokens === undefined) return addTokens(text, robot, settings, entry);
  if (tokens.value?.kind !== 'list') return { problem: `\`tokens:\` of robot "${name}" is not a list` };
  return addItem(text, tokens.value, entry);
}

/** As the last setting of the robot. */
function addTokens(text: string, robot: Entry, settings: Mapping, entry: string): Splices {
  const last = settings.entries.at(-1);
  if (settings.kind === 'flow') {
    const setting = `tokens: [${entry}]`;
    return last === undefined
      ? addToFlow(text, settings, setting)
      : addBehind(text, { offset: last.keyOffset, end: last.end }, setting);
  }
  const outer = indentAt(text, robot.keyOffset);
  const indent = indentAt(text, settings.entries[0]?.keyOffset ?? 0);
  if (last === undefined || indent === undefined || outer === undefined) return unreadableIndent;
  const step = ' '.repeat(indent.length - outer.length);
  return [insertLines(text, afterComments(text, last.end, indent), [`${indent}tokens:`, `${indent}${step}- ${entry}`])];
}

/** On one line, so that a review of the change shows one line. */
function tokenInYaml({ id, sha256, expires, repositories, actions }: TokenEntry): string {
  const settings = [
    `id: ${nameInYaml(id)}`,
    // Only digits, or digits around one `e`, would be a number.
    `sha256: ${quoted(sha256)}`,
    // A date to readers of YAML 1.1.
    ...(expires === undefined ? [] : [`expires: ${quoted(expires)}`]),
    ...(repositories === undefined ? [] : [`repositories: [${repositories.map(quoted).join(', ')}]`]),
    ...(actions === undefined ? [] : [`actions: [${actions.join(', ')}]`]),
  ];
  return `{ ${settings.join(', ')} }`;
}

function removeToken(text: string, name: string, id: string): Edit {
  const settings = accountIn(text, 'robots', name)?.settings;
  const index = tokensOf(settings).findIndex((item) => idOf(item) === id);
  if (index === -1) return { ok: false, problem: `the file does not give robot "${name}" a token with the id "${id}"` };
  const place = ['robots', name, 'tokens'] as const;
  const setting = tokensOf(settings).length === 1 ? settingThatCanGo(text, settings) : undefined;
  if (setting === undefined) return removeAt(text, [...place, index]);
  return makeEdit(
    text,
    () => [removeLines(text, setting.start, setting.end)],
    (before) => without(before, place),
  );
}

function idOf({ value }: Item): unknown {
  const id = entryOf(asMapping(value), 'id')?.value;
  return id?.kind === 'scalar' ? id.value : undefined;
}

/** Of `tokens:` with its only entry; undefined where it must stay for a comment, in braces, or as all there is. */
function settingThatCanGo(text: string, settings: Mapping | undefined) {
  const tokens = entryOf(settings, 'tokens');
  const list = tokens?.value;
  if (settings === undefined || tokens === undefined || list?.kind !== 'list' || list.style === 'flow')
    return undefined;
  const { offset = 0, end = 0 } = list.items[0] ?? {};
  const isBare = text.slice(text.indexOf(':', tokens.keyEnd) + 1, offset).trim() === '';
  const canGo = isBare && settings.entries.length > 1 && indentAt(text, tokens.keyOffset) !== undefined;
  return canGo ? { start: tokens.keyOffset, end } : undefined;
}

interface Account {
  readonly section: 'users' | 'robots';
  readonly name: string;
}

/** The text with the account in one group more; `group` is not among its groups yet. */
export function addGroup(text: string, { section, name }: Account, group: string): Edit {
  return makeEdit(
    text,
    () => {
      const account = accountIn(text, section, name);
      if (account === undefined) return { problem: `${section}.${name} is not a mapping` };
      const groups = entryOf(account.settings, 'groups')?.value;
      if (groups?.kind === 'list') return addItem(text, groups, nameInYaml(group));
      if (groups !== undefined) return { problem: `\`groups:\` of "${name}" is not a list` };
      return addSettings(text, account.entry, account.settings, [`groups: [${nameInYaml(group)}]`]);
    },
    (before) =>
      withAccount(before, section, name, (account) => ({ ...account, groups: [...itemsOf(account['groups']), group] })),
  );
}
