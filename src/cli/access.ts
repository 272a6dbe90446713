/** `portcullis access`: all that somebody may do. */
import { type Exception, type Grant, accessOf } from '../policy/analysis/access.ts';
import { tagsOf } from '../policy/analysis/gates-about.ts';
import {
  actionsOf,
  describeConditions,
  describeGate,
  describeOrigin,
  describePrincipal,
  describeRule,
  formatPlace,
  listed,
} from '../policy/describe.ts';
import { compileByName } from '../policy/by-name.ts';
import { outsideGroupsOf } from '../policy/outside.ts';
import { groupsOf } from '../policy/analysis/explain.ts';
import { writesTo } from '../policy/analysis/obstacle.ts';
import { type Rule, formatSubject } from '../policy/model.ts';
import { describeSecret } from '../policy/secret-reach.ts';
import { parseRepositoryPattern } from '../policy/pattern.ts';
import type { Behind } from './behind.ts';
import { readOnlyInWords } from '../distribution/upstreams.ts';
import { type ExitCode, exitCodes, paletteFor, placeInJson, printJson, reportBroken } from './report.ts';
import { readPolicies } from './policy-paths.ts';
import { parseWho } from './question.ts';
import { type Command, type PolicyOptions, example, policiesOption, usageProblem } from './verb.ts';

/** `access SUBJECT`: 0 something, 1 nothing. */
export function addAccess(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('access')
    .argument('<subject>', 'user:NAME, robot:NAME, workload:NAME, group:NAME or anonymous')
    .description('list all that somebody may do, by which rule, and what is kept from it')
    .option('--json', 'one JSON object instead of text')
    .addOption(policiesOption)
    .addHelpText(
      'after',
      example('portcullis access user:dana', 'portcullis access group:developers') +
        '\nExit status: 0 something, 1 nothing, 2 not understood, 78 the policy is broken.\n',
    )
    .action(async (subject: string, options: PolicyOptions) => done(await run(subject, options)));
}

async function run(subject: string, { policies, json = false }: PolicyOptions): Promise<ExitCode> {
  const reading = await readPolicies(policies);
  if (!reading.ok) return reportBroken(reading.problems, json);
  const { policy, behind } = reading;
  const principal = parseWho(policy, subject);
  if ('problem' in principal) return usageProblem(principal.problem);
  const found = accessOf(compileByName(policy), principal, Date.now());
  const { grants = [], secrets = [] } = found ?? {};
  const groups = groupsOf(policy, principal);
  const from = principal.kind === 'group' ? outsideGroupsOf(policy.groups.get(principal.name)) : [];
  const reachable = secrets.length === 0 ? grants : secrets.flatMap((secret) => secret.grants);
  if (json) {
    printJson({
      subject: formatSubject(principal),
      disabled: found === undefined,
      groups: groups.map(({ name }) => name),
      from: from.length === 0 ? undefined : from,
      grants: grants.map((grant) => grantToJson(grant, behind)),
      secrets: secrets.map(({ token, isExpired, grants: own }) => ({
        id: token.id,
        expired: isExpired,
        grants: own.map((grant) => grantToJson(grant, behind)),
      })),
    });
  } else {
    const { good, bad, strong, faint } = paletteFor(process.stdout);
    const who = describePrincipal(principal);
    const lines: string[] = [];
    if (found === undefined) lines.push(bad(`${who} is disabled and may do nothing`));
    else if (grants.length === 0) lines.push(bad(`${who} may do nothing`));
    else lines.push(good(`${who} may`), ...grants.flatMap((grant) => grantLines(grant, behind, faint)));
    if (grants.some(({ rights }) => actionsOf(rights).includes('push'))) {
      lines.push(faint('  (push includes reading what is pushed)'));
    }
    for (const { token, isExpired, grants: own } of secrets) {
      const state = isExpired ? 'expired, nothing' : own.length === 0 ? 'nothing' : '';
      const head = `with secret ${strong(token.id)} (${describeSecret(token)})`;
      lines.push(
        '',
        state === '' ? head : `${head}: ${bad(state)}`,
        ...own.flatMap((grant) => grantLines(grant, behind, faint)),
      );
    }
    if (principal.kind !== 'group' && groups.length > 0) {
      lines.push('', 'groups:', ...groups.map(({ name, source }) => `  ${name} ${faint(`(${formatPlace(source)})`)}`));
    }
    if (from.length > 0) lines.push('', `whoever the login sources have in ${listed(from)} is in it`);
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  return reachable.length > 0 ? exitCodes.ok : exitCodes.problems;
}

/** The registries of what is granted, and of these the ones that take no writes. */
function placesOf({ repositories, rights }: Grant, behind: Behind | undefined) {
  const patterns = repositories.map(parseRepositoryPattern).flatMap((each) => ('problem' in each ? [] : [each]));
  const found = behind === undefined ? [] : patterns.flatMap((each) => behind.registriesOf(each));
  const upstreams = behind?.upstreams.all.filter((each) => found.includes(each)) ?? [];
  const written = actionsOf(rights).filter(writesTo);
  return {
    upstreams,
    written,
    readOnly: written.length === 0 ? [] : upstreams.filter(({ access }) => access === 'read'),
  };
}

/** A line for what a rule gives, and one for each thing that is kept from it. */
export function grantLines(
  grant: Grant,
  behind: Behind | undefined,
  faint: (text: string) => string,
): readonly string[] {
  const { rule, rights, repositories, exceptions, gates } = grant;
  const { upstreams, written, readOnly } = placesOf(grant, behind);
  const what = `${actionsOf(rights).join(', ')} in ${listed(repositories, 8)}${limits(rule)}`;
  return [
    `  ${what} ${faint(`(${describeRule(rule)})`)}`,
    ...(upstreams.length === 0
      ? []
      : [
          faint(
            `      in ${upstreams.length === 1 ? 'registry' : 'registries'} ${listed(upstreams.map(({ name }) => name))}`,
          ),
        ]),
    ...readOnly.map((each) => `      but not ${written.join(', ')}: ${readOnlyInWords(each)}`),
    ...exceptions.map((each) => {
      const where = listed(each.rule.repositories.map(({ text }) => text));
      return `      but not ${actionsOf(each.rights).join(', ')} in ${where}${limits(each.rule)} ${faint(`(${describeRule(each.rule)})`)}`;
    }),
    ...gates.map((gate) => {
      const where = listed(gate.repositories.map(({ text }) => text));
      const only = gate.tags === undefined ? '' : `, tags ${tagsOf(gate)}`;
      const what = `into ${where}${only} what is ${describeOrigin(
        gate,
        gate.from.map(({ text }) => text),
      )}`;
      return `      only ${what} ${faint(`(${describeGate(gate)}${gate.mode === 'shadow' ? ', in shadow mode: it refuses nothing' : ''})`)}`;
    }),
  ];
}

function limits({ tags, when }: Rule): string {
  return [
    ...(tags === undefined ? [] : [`, tags ${listed(tags.map(({ text }) => text))}`]),
    ...(when === undefined ? [] : [`, while ${describeConditions(when)}`]),
  ].join('');
}

/** As `access --json` says it. */
export function grantToJson(grant: Grant, behind: Behind | undefined): unknown {
  const { rule, rights, repositories, exceptions, gates } = grant;
  const { upstreams, readOnly } = placesOf(grant, behind);
  return {
    ...partToJson({ rule, rights }, repositories),
    upstreams: behind === undefined ? undefined : upstreams.map(({ name }) => name),
    readOnly: readOnly.length === 0 ? undefined : readOnly.map(({ name }) => name),
    except: exceptions.map((each) => partToJson(each)),
    gates:
      gates.length === 0
        ? undefined
        : gates.map((gate) => ({ gate: gate.name, mode: gate.mode, ...placeInJson(gate) })),
  };
}

function partToJson(
  { rule, rights }: Exception,
  repositories: readonly string[] = rule.repositories.map(({ text }) => text),
): object {
  return {
    actions: actionsOf(rights),
    repositories,
    tags: rule.tags?.map(({ text }) => text) ?? null,
    condition: rule.when === undefined ? null : describeConditions(rule.when),
    rule: rule.name,
    ...placeInJson(rule),
  };
}
