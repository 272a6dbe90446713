/** `portcullis login-test`: what a login of somebody meets, without a gateway: who answers, in which groups, and what these give. */
import type { Config } from '../config/load.ts';
import { loginOutside, ownerMark } from '../identity/outsider.ts';
import { type Peers, createPasswords } from '../identity/password.ts';
import { accessOf } from '../policy/analysis/access.ts';
import { compileByName } from '../policy/by-name.ts';
import { describePrincipal, formatPlace } from '../policy/describe.ts';
import {
  type Account,
  type LoginSource,
  type Outside,
  type Policy,
  type Principal,
  accountKinds,
  namePattern,
} from '../policy/model.ts';
import { mappedGroups, namedGroups, tooManyGroups } from '../policy/outside.ts';
import type { PasswordHash } from '../policy/password-hash.ts';
import { accountIn, principalIn } from '../policy/principal.ts';
import { grantLines, grantToJson } from './access.ts';
import type { Behind } from './behind.ts';
import { readCredential } from './password.ts';
import { configured, readConfigured } from './policy-paths.ts';
import { type ExitCode, exitCodes, paletteFor, printJson, reportBroken } from './report.ts';
import { type Command, example, usageProblem } from './verb.ts';

type Source = 'policy files' | LoginSource;

/** Of the directory's own. */
interface Person {
  readonly place: string;
  readonly groups: readonly string[];
}

/** `principal`: whom the gateway would take them for; undefined when it would refuse. */
interface Answer {
  readonly source: Source | undefined;
  readonly result: string;
  /** Why, for operators. */
  readonly detail: string;
  readonly principal?: Principal | undefined;
  readonly person?: Person | undefined;
}

/** `login-test NAME`: 0 the login would succeed, 1 not. */
export function addLoginTest(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('login-test')
    .argument('<name>', 'the user name of the login')
    .description('try a login at the configured sources: who answers, in which groups, and what they give')
    .option('--password-stdin', 'read the password from standard input')
    .option('--json', 'one JSON object instead of text')
    .addHelpText(
      'after',
      example("printf %s 'correct horse' | portcullis login-test dana --password-stdin") +
        '\nExit status: 0 the login succeeds, 1 it does not, 2 not understood, 78 the configuration or a policy is broken.\n',
    )
    .action(async (name: string, options: { passwordStdin?: boolean; json?: boolean }) =>
      done(await run(name, options)),
    );
}

async function run(
  name: string,
  { passwordStdin = false, json = false }: { readonly passwordStdin?: boolean; readonly json?: boolean },
): Promise<ExitCode> {
  const configuration = await configured();
  if (!configuration.ok) return reportBroken(configuration.problems, json);
  const reading = await readConfigured(configuration);
  if (!reading.ok) return reportBroken(reading.problems, json);
  const password = await readCredential({ passwordStdin });
  if (typeof password !== 'string') return usageProblem(password.problem);
  const { policy, behind } = reading;
  const answer = await askAll(configuration.config.logins, policy, { name, password });
  if (json) printJson(inJson(answer, policy, behind));
  else process.stdout.write(`${inWords(name, answer, policy, behind).join('\n')}\n`);
  return answer.principal === undefined ? exitCodes.problems : exitCodes.ok;
}

interface Given {
  readonly name: string;
  readonly password: string;
}

/** As the gateway: a name is asked for where it is known first. */
async function askAll(logins: Config['logins'], policy: Policy, given: Given): Promise<Answer> {
  const { name } = given;
  if (!namePattern.test(name)) return refused(undefined, 'unknown', 'this cannot be the name of an account');
  const [kind] = accountKinds.filter(
    (each) => each !== 'user' && accountIn(policy, { kind: each, name }) !== undefined,
  );
  if (kind !== undefined) return machine(policy, { kind, name });
  const user = policy.users.get(name);
  if (user?.password !== undefined) {
    const isRight = await isPassword(policy, user.password, given.password);
    const place = formatPlace(user.source);
    if (!isRight) return refused('policy files', 'password_wrong', place);
    const principal = principalIn(policy, { kind: 'user', name });
    return principal === undefined
      ? refused('policy files', 'account_disabled', place)
      : { source: 'policy files', result: 'ok', detail: place, principal };
  }
  return (
    (await askFile(logins.htpasswd, policy, given)) ??
    (await askDirectory(logins.ldap, policy, given, logins.oidc)) ??
    byBrowser(logins.oidc) ??
    refused(undefined, 'unknown', 'no source of logins knows the name')
  );
}

/** What only the provider's own page can tell. */
function byBrowser(oidc: Config['logins']['oidc']): Answer | undefined {
  if (oidc === undefined) return undefined;
  const detail = `people of ${oidc.issuer} have no password here: log in at /ui/login, which says who it takes you for`;
  return refused('oidc', 'browser_only', detail);
}

function machine(policy: Policy, account: Account): Answer {
  const source = accountIn(policy, account)?.source;
  const cure = account.kind === 'robot' ? 'one of its secrets (pct_…)' : 'the OIDC token of its job';
  const where = source === undefined ? '' : `${formatPlace(source)}: `;
  return refused('policy files', 'account_conflict', `${where}${describePrincipal(account)} logs in with ${cure}`);
}

async function isPassword(peers: Peers, hash: PasswordHash, password: string): Promise<boolean> {
  return (await createPasswords().verify(peers, hash, password)) === 'match';
}

/** undefined: the file has nobody of this name. */
async function askFile(
  file: Config['logins']['htpasswd'],
  policy: Policy,
  { name, password }: Given,
): Promise<Answer | undefined> {
  if (file === undefined) return undefined;
  const { readHtpasswdFile } = await import('../adapters/files/htpasswd-file.ts');
  const reading = await readHtpasswdFile(file.file);
  if (!reading.ok) return refused('htpasswd', 'source_unavailable', reading.problem.message);
  const entry = reading.people.users.get(name);
  if (entry === undefined) return undefined;
  const place = `${file.file}:${entry.line}`;
  return (await isPassword(reading.people, entry.password, password))
    ? taken(policy, name, { source: 'htpasswd', id: name, groups: [] }, { detail: place })
    : refused('htpasswd', 'password_wrong', place);
}

async function askDirectory(
  ldap: Config['logins']['ldap'],
  policy: Policy,
  { name, password }: Given,
  oidc: Config['logins']['oidc'],
): Promise<Answer | undefined> {
  if (ldap === undefined) return undefined;
  const { openDirectory } = await import('../adapters/ldap/directory.ts');
  const directory = await openDirectory(ldap, Date.now);
  try {
    const found = await directory.logIn(name, password);
    if (!found.ok && found.reason === 'unknown' && oidc !== undefined) return undefined;
    if (!found.ok)
      return refused('ldap', found.reason === 'unavailable' ? 'source_unavailable' : found.reason, found.detail);
    const { person } = found;
    if (!namePattern.test(person.account))
      return {
        ...refused('ldap', 'unknown', `the name there, "${person.account}", cannot be that of an account`),
        person,
      };
    const groups = namedGroups(policy, 'ldap', person.groups);
    const many = tooManyGroups(groups);
    if (many !== undefined) return { ...refused('ldap', 'groups_too_many', many), person };
    return taken(policy, person.account, { source: 'ldap', id: person.id, groups }, { detail: person.place, person });
  } finally {
    await directory.close();
  }
}

/** Somebody whose password is right, as the policy files see the name. */
function taken(
  policy: Policy,
  name: string,
  outside: Outside,
  { detail, person }: { readonly detail: string; readonly person?: Person },
): Answer {
  const now = Date.now();
  const login = loginOutside(policy, name, outside, { mark: ownerMark(outside), lookedUp: now, now });
  const { source } = outside;
  if (login.ok) return { source, result: 'ok', detail, principal: login.login.principal, person };
  const why = 'detail' in login && login.detail !== undefined ? login.detail : 'the policy files disable it';
  return { ...refused(source, login.reason, why), person };
}

function refused(source: Source | undefined, result: string, detail: string): Answer {
  return { source, result, detail };
}

function grantsOf(policy: Policy, principal: Principal | undefined) {
  const found = principal && accessOf(compileByName(policy), principal, Date.now());
  return found?.grants ?? [];
}

function inJson({ source, result, detail, principal, person }: Answer, policy: Policy, behind: Behind | undefined) {
  return {
    ok: principal !== undefined,
    source: source ?? null,
    result,
    detail,
    account: principal !== undefined && 'name' in principal ? principal.name : null,
    entry: person?.place ?? null,
    outsideGroups: person?.groups ?? [],
    groups: principal !== undefined && 'groups' in principal ? principal.groups : [],
    grants: grantsOf(policy, principal).map((grant) => grantToJson(grant, behind)),
  };
}

const words: Readonly<Record<string, string>> = {
  ok: 'the password is right',
  password_wrong: 'the password is wrong',
  unknown: 'there is nobody of this name',
  ambiguous: 'several people have this name',
  disabled: 'the account is closed there',
  account_disabled: 'the account is disabled here',
  account_conflict: 'the name belongs to somebody else here',
  groups_too_many: 'the login is refused',
  source_unavailable: 'nobody can be asked',
  browser_only: 'only the browser can tell',
};

function inWords(
  name: string,
  { source, result, detail, principal, person }: Answer,
  policy: Policy,
  behind: Behind | undefined,
): readonly string[] {
  const { good, bad, faint } = paletteFor(process.stdout);
  const paint = principal === undefined ? bad : good;
  const lines = [`${source ?? 'no source'}: ${paint(words[result] ?? result)} ${faint(`(${detail})`)}`];
  if (person !== undefined) {
    const named = mappedGroups(policy, { source: 'ldap', groups: person.groups });
    lines.push(`  groups there: ${person.groups.join(', ') || 'none'}`);
    if (person.groups.length > 0 && named.length === 0)
      lines.push(faint('  (no group of the policy files has one of them in from: ["ldap:…"])'));
  }
  if (principal === undefined || principal.kind === 'anonymous') return lines;
  lines.push(`  groups here: ${principal.groups.join(', ') || 'none'}`, '');
  const grants = grantsOf(policy, principal);
  const who = describePrincipal(principal) || name;
  if (grants.length === 0) lines.push(bad(`${who} may do nothing`));
  else lines.push(good(`${who} may`), ...grants.flatMap((grant) => grantLines(grant, behind, faint)));
  return lines;
}
