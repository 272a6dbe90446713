/** Groups of an account in a policy file, as edits of its text: comments, order and quoting stay. */
import { isDeepStrictEqual } from 'node:util';
import { type Edit, fieldsOf, makeEdit } from './edit.ts';
import { addItem, addToFlow, unreadableIndent } from './insertion.ts';
import { afterLine, asMapping, entryOf, indentAt, lineEndOf } from './layout.ts';
import { removeAt } from './removal.ts';
import { nameInYaml } from './scalar.ts';
import { layoutOf } from './text-layout.ts';

export interface Account {
  readonly section: 'users' | 'robots';
  readonly name: string;
}

/** The text with the account in one group more; `group` is not among its groups yet. */
export function addGroup(text: string, { section, name }: Account, group: string): Edit {
  return makeEdit(
    text,
    () => {
      const account = entryOf(asMapping(entryOf(layoutOf(text).root, section)?.value), name);
      const settings = asMapping(account?.value);
      if (account === undefined || settings === undefined) return { problem: `${section}.${name} is not a mapping` };
      const groups = entryOf(settings, 'groups')?.value;
      if (groups?.kind === 'list') return addItem(text, groups, nameInYaml(group));
      if (groups !== undefined) return { problem: `\`groups:\` of "${name}" is not a list` };
      const setting = `groups: [${nameInYaml(group)}]`;
      if (settings.kind === 'flow') return addToFlow(text, settings, setting);
      const indent = indentAt(text, settings.entries[0]?.keyOffset ?? 0);
      if (indent === undefined) return unreadableIndent;
      const line = `${indent}${setting}${lineEndOf(text)}`;
      return [{ offset: afterLine(text, account.keyOffset), length: 0, text: line }];
    },
    (before, after) => {
      const accounts = fieldsOf(before[section]);
      const account = fieldsOf(accounts[name]);
      const groups: readonly unknown[] = Array.isArray(account['groups']) ? account['groups'] : [];
      const wanted = { ...accounts, [name]: { ...account, groups: [...groups, group] } };
      return isDeepStrictEqual(after, { ...before, [section]: wanted });
    },
  );
}

/** The text without the group at `position` of the account's groups. */
export function removeGroup(text: string, { section, name }: Account, position: number): Edit {
  return removeAt(text, [section, name, 'groups', position]);
}
