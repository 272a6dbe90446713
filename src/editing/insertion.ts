/** Additions to block and flow collections, each in one piece, so that everything around it stays as it is. */
import type { Splices } from './edit.ts';
import {
  type Entry,
  type Layout,
  type List,
  type Mapping,
  type Splice,
  afterLine,
  entryOf,
  indentAt,
  lineEndOf,
} from './layout.ts';
import { nameInYaml } from './scalar.ts';

/** A new user or robot, in either style; lines of a block are indented relative to its first setting. */
export interface Account {
  readonly name: string;
  readonly inBlock: readonly string[];
  readonly inFlow: readonly string[];
}

export const unreadableIndent = { problem: 'its indentation cannot be read' };

/** Adds the account to `section`, behind the others; a section that is missing begins at the end of the file. */
export function addAccount(text: string, layout: Layout, section: 'users' | 'robots', account: Account): Splices {
  const accounts = entryOf(layout.root, section)?.value;
  if (accounts?.kind === 'scalar' || accounts?.kind === 'list') return { problem: `\`${section}:\` is not a mapping` };
  if (accounts?.kind === 'block') return addToBlock(text, layout, accounts, account);
  const inFlow = `${nameInYaml(account.name)}: { ${account.inFlow.join(', ')} }`;
  if (accounts !== undefined) return addToFlow(text, accounts, inFlow);
  if (layout.root?.kind === 'flow') return addToFlow(text, layout.root, `${section}: { ${inFlow} }`);
  return addSection(text, layout, [`${section}:`, ...accountLines(account, '  ', '    ')]);
}

/** Lines at the end of the file, behind an empty one. */
export function addSection(text: string, { root, end }: Layout, lines: readonly string[]): Splices {
  const indent = root === undefined ? '' : indentAt(text, root.offset);
  if (indent === undefined) return unreadableIndent;
  const before = text.slice(0, end);
  const gap = before.trim() === '' || /\n\r?\n$/.test(before) ? [] : [''];
  return [insertLines(text, end, [...gap, ...lines.map((line) => indent + line)])];
}

/** As the first settings of an account: below its name, or behind the `{`. */
export function addSettings(text: string, account: Entry, settings: Mapping, added: readonly string[]): Splices {
  if (settings.kind === 'flow') return addToFlow(text, settings, added.join(', '));
  const indent = indentAt(text, settings.entries[0]?.keyOffset ?? 0);
  if (indent === undefined) return unreadableIndent;
  const lines = added.map((setting) => `${indent}${setting}${lineEndOf(text)}`);
  return [{ offset: afterLine(text, account.keyOffset), length: 0, text: lines.join('') }];
}

/** Behind the last account and the comments that follow it at the accounts' depth. */
function addToBlock(text: string, layout: Layout, accounts: Mapping, account: Account): Splices {
  const [first] = accounts.entries;
  const last = accounts.entries.at(-1);
  const indent = first === undefined ? undefined : indentAt(text, first.keyOffset);
  if (last === undefined || indent === undefined) return unreadableIndent;
  const rootIndent = indentAt(text, layout.root?.offset ?? 0) ?? '';
  const step = ' '.repeat(Math.max(indent.length - rootIndent.length, 1));
  const inner = accounts.entries.flatMap(({ value }) =>
    value?.kind === 'block' ? [indentAt(text, value.entries[0]?.keyOffset ?? 0)] : [],
  );
  const lines = accountLines(account, indent, inner[0] ?? indent + step);
  return [insertLines(text, afterComments(text, last.end, indent), lines)];
}

function accountLines({ name, inBlock }: Account, outer: string, inner: string): readonly string[] {
  return [`${outer}${nameInYaml(name)}:`, ...inBlock.map((line) => inner + line)];
}

/** The line after that of `end` and after the comments that follow at this depth or deeper. */
export function afterComments(text: string, end: number, indent: string): number {
  let offset = afterLine(text, end);
  while (isCommentAt(text, offset, indent)) offset = afterLine(text, offset);
  return offset;
}

function isCommentAt(text: string, offset: number, indent: string): boolean {
  const line = text.slice(offset, afterLine(text, offset));
  return indent.length > 0 && line.startsWith(indent) && line.trimStart().startsWith('#');
}

/** Before the first entry, where no comment can swallow it. */
export function addToFlow(text: string, mapping: Mapping, entry: string): readonly Splice[] {
  const offset = mapping.offset + 1;
  const next = text[offset] ?? '';
  const isSpaced = /\s/.test(next);
  if (mapping.entries.length === 0) {
    const after = next === '}' || !isSpaced ? ' ' : '';
    return [{ offset, length: 0, text: ` ${entry}${after}` }];
  }
  return [{ offset, length: 0, text: isSpaced ? ` ${entry},` : `${entry}, ` }];
}

/** Behind the last part of a flow collection, on a line of its own when that part has one to itself. */
export function addBehind(
  text: string,
  last: { readonly offset: number; readonly end: number },
  part: string,
): readonly Splice[] {
  const indent = indentAt(text, last.offset);
  const rest = text.slice(last.end, afterLine(text, last.end));
  const gap = indent !== undefined && /^,?\s*$/.test(rest) ? lineEndOf(text) + indent : ' ';
  return [{ offset: last.end, length: 0, text: `,${gap}${part}` }];
}

/** Behind the last item of a list. An empty block list is none. */
export function addItem(text: string, { style, offset, items }: List, entry: string): Splices {
  const last = items.at(-1);
  if (style === 'flow') {
    return last === undefined ? [{ offset: offset + 1, length: 0, text: entry }] : addBehind(text, last, entry);
  }
  const indent = last === undefined ? undefined : indentAt(text, last.offset);
  if (last === undefined || indent === undefined) return unreadableIndent;
  return [insertLines(text, afterComments(text, last.end, indent), [`${indent}- ${entry}`])];
}

/** Whole lines at the start of a line; a last line without its end gets one and passes the lack on. */
export function insertLines(text: string, offset: number, lines: readonly string[]): Splice {
  const eol = lineEndOf(text);
  const joined = lines.join(eol);
  const isAtLineStart = offset === 0 || text[offset - 1] === '\n';
  return { offset, length: 0, text: isAtLineStart ? joined + eol : eol + joined };
}
