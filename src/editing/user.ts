/** Changes to the `users:` of a policy file, as edits of its text: whatever is not about the change stays as it is. */
import { type Edit, type Fields, type Splices, makeEdit, withAccount } from './edit.ts';
import { addAccount, addSettings } from './insertion.ts';
import { type Splice, entryOf } from './layout.ts';
import { nameList, quoted } from './scalar.ts';
import { accountIn, layoutOf } from './text-layout.ts';

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
