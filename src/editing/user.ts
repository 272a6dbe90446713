/**
 * Changes to the `users:` of a policy file, as edits of its text: every comment, the order, the quoting and every line
 * that is not about the change stay as they are.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Edit, type Fields, type Splices, fieldsOf, makeEdit } from './edit.ts';
import { addAccount, addToFlow, unreadableIndent } from './insertion.ts';
import { type Entry, type Mapping, type Splice, afterLine, asMapping, entryOf, indentAt, lineEndOf } from './layout.ts';
import { nameList, quoted } from './scalar.ts';
import { layoutOf } from './text-layout.ts';

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
  const added = missing.length === 0 ? [] : addSettings(text, user, settings, missing);
  return 'problem' in added ? added : [...splices, ...added];
}

function isAlreadySo(user: Fields, change: Exclude<UserChange, { kind: 'add' }>): boolean {
  if (change.kind === 'password') return user['password'] === change.password;
  return (user['disabled'] ?? false) === change.disabled;
}

/** As the first settings: below the user's name, or behind the `{`. */
function addSettings(text: string, user: Entry, settings: Mapping, added: readonly string[]): Splices {
  if (settings.kind === 'flow') return addToFlow(text, settings, added.join(', '));
  const indent = indentAt(text, settings.entries[0]?.keyOffset ?? 0);
  if (indent === undefined) return unreadableIndent;
  const offset = afterLine(text, user.keyOffset);
  return [{ offset, length: 0, text: added.map((setting) => `${indent}${setting}${lineEndOf(text)}`).join('') }];
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
  if (isAlreadySo(user, change)) return root;
  const { validFrom } = change;
  const main = change.kind === 'password' ? { password: change.password } : { disabled: change.disabled };
  return { ...root, users: { ...users, [name]: { ...user, ...main, validFrom } } };
}
