/**
 * Changes to the `users:` of a policy file, as edits of its text: every comment, the order, the quoting and every line
 * that is not about the change stay as they are.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Edit, type Fields, type Splices, fieldsOf, makeEdit } from './edit.ts';
import { addAccount, addToFlow, unreadableIndent } from './insertion.ts';
import { type Entry, type Mapping, afterLine, asMapping, entryOf, indentAt, layoutOf, lineEndOf } from './layout.ts';
import { nameList, quoted } from './scalar.ts';

export type UserChange =
  | { readonly kind: 'add'; readonly name: string; readonly password: string; readonly groups: readonly string[] }
  | { readonly kind: 'password'; readonly name: string; readonly password: string }
  | { readonly kind: 'disabled'; readonly name: string; readonly disabled: boolean };

/**
 * The text with the change made and nothing else: the result is read again and compared, so an edit that would mean
 * anything else is refused. `text` has no byte order mark, `password` is a hash. A change that is already so gives the text back.
 */
export function changeUser(text: string, change: UserChange): Edit {
  return makeEdit(
    text,
    () => (change.kind === 'add' ? addUser(text, change) : setInUser(text, change)),
    (before, after) => isDeepStrictEqual(after, expected(before, change)),
  );
}

function addUser(text: string, { name, password, groups }: UserChange & { readonly kind: 'add' }): Splices {
  const setting = `password: ${quoted(password)}`;
  const settings = groups.length === 0 ? [setting] : [setting, `groups: ${nameList(groups)}`];
  return addAccount(text, layoutOf(text), 'users', { name, inBlock: settings, inFlow: settings });
}

function setInUser(text: string, change: Exclude<UserChange, { kind: 'add' }>): Splices {
  const user = entryOf(asMapping(entryOf(layoutOf(text).root, 'users')?.value), change.name);
  const settings = asMapping(user?.value);
  if (user === undefined || settings === undefined) {
    return { problem: `the file does not declare user "${change.name}"` };
  }
  const [key, value] =
    change.kind === 'password' ? ['password', quoted(change.password)] : ['disabled', String(change.disabled)];
  const existing = entryOf(settings, key)?.value;
  if (existing?.kind === 'scalar') {
    return existing.value === (change.kind === 'password' ? change.password : change.disabled)
      ? []
      : existing.replaceWith(value);
  }
  if (change.kind === 'disabled' && !change.disabled) return [];
  return addSetting(text, user, settings, `${key}: ${value}`);
}

/** As the first setting: below the user's name, or behind the `{`. */
function addSetting(text: string, user: Entry, settings: Mapping, setting: string): Splices {
  if (settings.kind === 'flow') return addToFlow(text, settings, setting);
  const indent = indentAt(text, settings.entries[0]?.keyOffset ?? 0);
  if (indent === undefined) return unreadableIndent;
  const offset = afterLine(text, user.keyOffset);
  return [{ offset, length: 0, text: `${indent}${setting}${lineEndOf(text)}` }];
}

/** What the file must say afterwards. */
function expected(root: Fields, change: UserChange): Fields {
  const users = fieldsOf(root['users']);
  const { name } = change;
  if (change.kind === 'add') {
    const { password, groups } = change;
    return { ...root, users: { ...users, [name]: groups.length === 0 ? { password } : { password, groups } } };
  }
  const user = fieldsOf(users[name]);
  if (change.kind === 'password')
    return { ...root, users: { ...users, [name]: { ...user, password: change.password } } };
  if (!change.disabled && user['disabled'] === undefined) return root;
  return { ...root, users: { ...users, [name]: { ...user, disabled: change.disabled } } };
}
