/**
 * Changes to the `robots:` of a policy file, as edits of its text: every comment, the order, the quoting and every line
 * that is not about the change stay as they are.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Edit, type Fields, type Splices, fieldsOf, makeEdit } from './edit.ts';
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
import { removeFromFlow, removeLines } from './removal.ts';
import { nameInYaml, nameList, quoted } from './scalar.ts';
import { layoutOf } from './text-layout.ts';

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
  return makeEdit(
    text,
    () => (change.kind === 'add-token' ? addToken(text, change) : removeToken(text, change)),
    (before, after) =>
      isDeepStrictEqual(
        withoutEmptyTokens(fieldsOf(after), change),
        withoutEmptyTokens(expected(before, change), change),
      ),
  );
}

/** The limits of a robot's token as the file writes them; undefined when the file has no such token. */
export function tokenEntryIn(
  text: string,
  robot: string,
  id: string,
): Pick<TokenEntry, 'expires' | 'repositories' | 'actions'> | undefined {
  const settings = asMapping(entryOf(asMapping(entryOf(layoutOf(text).root, 'robots')?.value), robot)?.value);
  const list = entryOf(settings, 'tokens')?.value;
  const token = list?.kind === 'list' ? list.items.find((item) => idOf(item) === id) : undefined;
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

// --- adding ---------------------------------------------------------------------------------------------------------

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

// --- removing -------------------------------------------------------------------------------------------------------

function removeToken(text: string, { name, id }: RobotChange & { readonly kind: 'remove-token' }): Splices {
  const robot = entryOf(asMapping(entryOf(layoutOf(text).root, 'robots')?.value), name);
  const settings = asMapping(robot?.value);
  const tokens = entryOf(settings, 'tokens');
  const list = tokens?.value?.kind === 'list' ? tokens.value : undefined;
  const index = list?.items.findIndex((item) => idOf(item) === id) ?? -1;
  const item = list?.items[index];
  if (settings === undefined || tokens === undefined || list === undefined || item === undefined) {
    return { problem: `the file does not give robot "${name}" a token with the id "${id}"` };
  }
  if (list.style === 'flow') return removeFromFlow(text, list.offset, list.items, index);
  if (indentAt(text, item.offset) === undefined) return unreadableIndent;
  if (list.items.length > 1) return [removeLines(text, item.offset, item.end)];
  return removeLast(text, settings, tokens, item);
}

function idOf({ value }: Item): unknown {
  const id = entryOf(asMapping(value), 'id')?.value;
  return id?.kind === 'scalar' ? id.value : undefined;
}

/** An empty block list cannot be written: the setting goes too, or becomes `[]` where it must stay for a comment or alone. */
function removeLast(text: string, settings: Mapping, tokens: Entry, item: Item): Splices {
  const colon = text.indexOf(':', tokens.keyEnd);
  const isBare = text.slice(colon + 1, item.offset).trim() === '';
  if (isBare && settings.entries.length > 1 && indentAt(text, tokens.keyOffset) !== undefined) {
    return [removeLines(text, tokens.keyOffset, item.end)];
  }
  return [{ offset: colon + 1, length: 0, text: ' []' }, removeLines(text, item.offset, item.end)];
}

// --- what it must say -----------------------------------------------------------------------------------------------

function expected(root: Fields, change: RobotChange): Fields {
  const robots = fieldsOf(root['robots']);
  const declared = robots[change.name];
  const robot = fieldsOf(declared);
  const tokens: readonly unknown[] = Array.isArray(robot['tokens']) ? robot['tokens'] : [];
  if (change.kind === 'add-token') {
    const { groups, token } = change;
    const isNew = declared === undefined && groups.length > 0;
    const next = { ...robot, ...(isNew ? { groups } : {}), tokens: [...tokens, token] };
    return { ...root, robots: { ...robots, [change.name]: next } };
  }
  const next = { ...robot, tokens: tokens.filter((token) => fieldsOf(token)['id'] !== change.id) };
  return { ...root, robots: { ...robots, [change.name]: next } };
}

/** No tokens and an empty list of them mean the same. */
function withoutEmptyTokens(root: Fields, { name }: RobotChange): Fields {
  const robots = fieldsOf(root['robots']);
  const { tokens, ...rest } = fieldsOf(robots[name]);
  const isEmpty = tokens === undefined || (Array.isArray(tokens) && tokens.length === 0);
  return { ...root, robots: { ...robots, [name]: isEmpty ? rest : { ...rest, tokens } } };
}
