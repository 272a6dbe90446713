/** Changes to the `robots:` of a policy file, as edits of its text: whatever is not about the change stays as it is. */
import { type Edit, type Splices, itemsOf, makeEdit, withAccount } from './edit.ts';
import {
  addAccount,
  addBehind,
  addItem,
  addToFlow,
  afterComments,
  insertLines,
  unreadableIndent,
} from './insertion.ts';
import { type Entry, type Item, type Mapping, asMapping, entryOf, indentAt } from './layout.ts';
import { removeAt, removeLines, without } from './removal.ts';
import { nameInYaml, nameList, quoted } from './scalar.ts';
import { accountIn, layoutOf } from './text-layout.ts';

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
