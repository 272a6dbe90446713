/** Groups of an account in a policy file, as edits of its text: comments, order and quoting stay. */
import { type Edit, itemsOf, makeEdit, withAccount } from './edit.ts';
import { addItem, addSettings } from './insertion.ts';
import { entryOf } from './layout.ts';
import { removeAt } from './removal.ts';
import { nameInYaml } from './scalar.ts';
import { accountIn } from './text-layout.ts';

export interface Account {
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

/** The text without the group at `position` of the account's groups. */
export function removeGroup(text: string, { section, name }: Account, position: number): Edit {
  return removeAt(text, [section, name, 'groups', position]);
}
