/** Who can log in, who administers, and secrets that lie about. */
import { join } from 'node:path';
import type { Policy } from '../policy/model.ts';
import { rights } from '../policy/model.ts';
import type { PasswordHash } from '../policy/password-hash.ts';
import { type Check, type Outcome, fail, ok, skip, warn, worst } from './check.ts';
import { type Context, isFailure } from './context.ts';
import { troublesOf } from './running.ts';

const weakCost = 10;
const sourceFix = 'portcullis login-test NAME tries it; docs/logins.md';

export const accountCheck: Check = {
  number: 24,
  name: 'accounts',
  async run(context) {
    const { policy, config } = context;
    const { file = '' } = config.logins.htpasswd ?? {};
    if (policy === undefined) return skip('the policies cannot be read: see 4');
    if (!anybody(policy, context))
      return fail('nobody can log in', 'portcullis user add NAME --groups admins, or set `logins`');
    return worst([
      ok(`people: ${policy.users.size}, robots: ${policy.robots.size}, workloads: ${policy.workloads.size}`),
      ...administered(policy),
      ...initialPassword(context),
      ...(await secrets(policy, context)),
      ...(await troublesOf(context, ['logins.htpasswd', 'logins.ldap', 'logins.oidc'], sourceFix)),
      ...weakHashes(policy.users, (name) => `portcullis user passwd ${name}`),
      ...weakHashes(await context.htpasswd(), (name) => `htpasswd -B -C ${weakCost} ${file} ${name}`),
    ]);
  },
};

function anybody({ users, robots, workloads }: Policy, { config }: Context): boolean {
  const { htpasswd, ldap, oidc } = config.logins;
  if (htpasswd !== undefined || ldap !== undefined || oidc !== undefined) return true;
  return (
    [...users.values()].some(({ password, disabled }) => password !== undefined && !disabled) ||
    [...robots.values()].some(({ tokens, disabled }) => tokens.length > 0 && !disabled) ||
    [...workloads.values()].some(({ disabled }) => !disabled)
  );
}

function administered({ rules, groups, users }: Policy): readonly Outcome[] {
  const giving = rules.filter(
    ({ effect, mode, rights: given }) => effect === 'allow' && mode === 'enforce' && (given & rights.administer) !== 0,
  );
  const isMember = (name: string): boolean =>
    groups.get(name)?.from !== undefined ||
    [...users.values()].some((user) => !user.disabled && user.groups.includes(name));
  const isSomebody = giving.some(({ subjects }) =>
    subjects.some(
      (subject) =>
        (subject.kind === 'group' && isMember(subject.name)) ||
        (subject.kind === 'user' && users.get(subject.name)?.disabled !== true) ||
        subject.kind === 'authenticated',
    ),
  );
  if (isSomebody || giving.length === 0) return [];
  return [warn('nobody is in a group that administers', 'portcullis user groups add NAME admins')];
}

function initialPassword({ config, machine }: Context): readonly Outcome[] {
  const path = join(config.stateDir, 'initial-admin-password');
  if (machine.kindOf(path) === undefined) return [];
  return [warn(`the first password of admin is still in ${path}`, `keep it elsewhere, and remove the file`)];
}

/** As the gateway marks them, which knows when they were used; without it, by what files say. */
async function secrets({ robots }: Policy, { gateway, now }: Context): Promise<readonly Outcome[]> {
  const accounts = await gateway.accounts();
  const marked = isFailure(accounts)
    ? [...robots.values()].flatMap(({ name, tokens }) =>
        tokens.map(({ id, expires }) => {
          const marks = expires === undefined ? ['never expires'] : expires * 1000 <= now() ? ['expired'] : [];
          return { name, id, marks };
        }),
      )
    : accounts
        .filter(({ name }) => robots.has(name))
        .flatMap(({ name, secrets: own }) => own.map(({ id, marks }) => ({ name, id, marks })));
  return marked
    .filter(({ marks }) => marks.length > 0)
    .map(({ name, id, marks }) =>
      warn(
        `secret "${id}" of robot "${name}": ${marks.join(', ')}`,
        'portcullis token create ROBOT --expires 90d, and portcullis token revoke for the old one',
      ),
    );
}

function weakHashes(
  users: ReadonlyMap<string, { readonly password?: PasswordHash | undefined }>,
  fixOf: (name: string) => string,
): readonly Outcome[] {
  return [...users].flatMap(([name, { password }]) => {
    if (password?.scheme !== 'bcrypt' || password.cost >= weakCost) return [];
    const found = `the bcrypt hash of "${name}" costs ${password.cost}, and is guessed in no time`;
    return [warn(found, fixOf(name))];
  });
}
