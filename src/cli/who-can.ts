/** `portcullis who-can`: who may do something, by group and by the rule that lets them. */
import { describeRule, listed } from '../policy/describe.ts';
import { type PolicyByName, compileByName } from '../policy/by-name.ts';
import { outsideGroupsOf } from '../policy/outside.ts';
import { parseRepositoryPattern } from '../policy/pattern.ts';
import { type Action, type GroupMember, type Named, type Policy, formatSubject } from '../policy/model.ts';
import { conditionsOf, gateLine } from '../policy/analysis/gates-about.ts';
import { writesTo } from '../policy/analysis/obstacle.ts';
import { type Party, partiesOf } from '../policy/analysis/parties.ts';
import { type WhoCan, principalsOf, whoCan, whoCanIn } from '../policy/analysis/who-can.ts';
import type { Permitted } from '../policy/analysis/worlds.ts';
import type { Behind } from './behind.ts';
import { readOnlyInWords } from '../distribution/upstreams.ts';
import { type ExitCode, exitCodes, paletteFor, placeInJson, printJson, reportBroken } from './report.ts';
import { readPolicies } from './policy-paths.ts';
import {
  actionsInWords,
  areaNote,
  describeAsked,
  describeReach,
  gateToJson,
  parseAction,
  parseArea,
  parseCircumstances,
  parseTarget,
  secretToJson,
} from './question.ts';
import { type Command, type PolicyOptions, example, policiesOption, usageProblem } from './verb.ts';

interface Options extends PolicyOptions {
  readonly address?: string;
  readonly at?: string;
  readonly people?: boolean;
}

type AnyPermitted = Permitted<Named | GroupMember>;

/** `who-can ACTION REPOSITORY[:TAG]`: 0 somebody may, 1 nobody. */
export function addWhoCan(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('who-can')
    .argument('<action>', actionsInWords)
    .argument('<repository[:tag]>', "as in release/app:1.0, or an area as in 'release/**'")
    .description('say who may do something, by group and by the rule that lets them')
    .option('--people', 'name everybody instead of their groups')
    .option('--address <ip>', 'the address the request comes from')
    .option('--at <instant>', 'the time of the request, as 2026-12-24T18:00:00Z (default: now)')
    .option('--json', 'one JSON object instead of text, with everybody by name')
    .addOption(policiesOption)
    .addHelpText(
      'after',
      example('portcullis who-can push release/app:1.0', "portcullis who-can push 'release/**' --people") +
        '\nExit status: 0 somebody may, 1 nobody, 2 not understood, 78 the policy is broken.\n',
    )
    .action(async (action: string, target: string, options: Options) => done(await run(action, target, options)));
}

async function run(actionText: string, targetText: string, options: Options): Promise<ExitCode> {
  const action = parseAction(actionText);
  if (typeof action === 'object') return usageProblem(action.problem);
  const target = parseArea(targetText) ?? parseTarget(targetText);
  if ('problem' in target) return usageProblem(target.problem);
  const circumstances = parseCircumstances(options, Date.now());
  if ('problem' in circumstances) return usageProblem(circumstances.problem);
  const reading = await readPolicies(options.policies);
  if (!reading.ok) return reportBroken(reading.problems, options.json === true);
  const compiled = compileByName(reading.policy);
  const { behind } = reading;
  const { tag } = target;
  const question = { ...circumstances, action, tag };
  const repository = 'area' in target ? target.area.text : (behind?.canonical(target.repository) ?? target.repository);
  const answers =
    'area' in target
      ? whoCanIn(compiled, target.area, question).map((part) => partBehind(behind, action, part))
      : [partBehind(behind, action, { ...whoCan(compiled, { ...question, repository }), repositories: repository })];
  if (options.json === true) {
    const head = { action, repository, tag: tag ?? null };
    const parts = answers.map((answer) => ({ repositories: answer.repositories, ...toJson(answer, reading.policy) }));
    printJson('area' in target ? { ...head, areas: parts } : { ...head, ...parts[0], repositories: undefined });
  } else {
    if ('repository' in target) process.stderr.write(areaNote(reading.policy, repository));
    const texts = answers.map((answer) => {
      const asked = describeAsked(action, { repository: answer.repositories, tag });
      return toText(compiled, asked, answer, options.people === true);
    });
    process.stdout.write(texts.join('\n'));
  }
  return answers.some(({ permitted, outside }) => permitted.length > 0 || outside.length > 0)
    ? exitCodes.ok
    : exitCodes.problems;
}

/** An answer, and the registries that it is about; none where one has everything. */
interface Answer extends WhoCan {
  readonly repositories: string;
  readonly upstreams?: readonly string[];
  /** Of these, those that take no such thing from anybody. */
  readonly readOnly?: readonly string[];
  /** Why nobody may, whatever rules say. */
  readonly obstacle?: string;
}

/** Nobody may write to what is read-only here, or reach what no registry has. */
function partBehind(
  behind: Behind | undefined,
  action: Action,
  part: WhoCan & { readonly repositories: string },
): Answer {
  const pattern = parseRepositoryPattern(part.repositories);
  if (behind === undefined || 'problem' in pattern) return part;
  const found = behind.registriesOf(pattern);
  const closed = writesTo(action) ? found.filter(({ access }) => access === 'read') : [];
  const upstreams = found.map(({ name }) => name);
  const [first] = closed;
  const why = first === undefined ? 'no registry behind has such names' : readOnlyInWords(first);
  if (closed.length < found.length) return { ...part, upstreams, readOnly: closed.map(readOnlyInWords) };
  const nobody = { permitted: [], otherwise: [], unreached: [], emptyGroups: [], outside: [] };
  return { ...part, ...nobody, upstreams, obstacle: why };
}

function toJson(
  { permitted, otherwise, unreached, emptyGroups, outside, upstreams, readOnly, obstacle }: Answer,
  { groups }: Policy,
): object {
  return {
    upstreams,
    readOnly: readOnly?.length === 0 ? undefined : readOnly,
    obstacle,
    subjects: permitted.map(entryToJson),
    otherwise: otherwise.map(entryToJson),
    unreached: unreached.length === 0 ? undefined : unreached.map(entryToJson),
    emptyGroups: emptyGroups.map(entryToJson),
    outside:
      outside.length === 0
        ? undefined
        : outside.map((entry) => ({ ...entryToJson(entry), from: outsideGroupsOf(groups.get(entry.principal.name)) })),
  };
}

function entryToJson({ principal, rule, impliedByPush, only, tags, condition, gates, secrets }: AnyPermitted): object {
  return {
    subject: formatSubject(principal),
    rule: rule.name,
    ...placeInJson(rule),
    impliedByPush,
    only: only ?? null,
    condition: condition ?? null,
    tags,
    gates: gates.length === 0 ? undefined : gates.map(gateToJson),
    secrets: secrets.length === 0 ? undefined : secrets.map(secretToJson),
  };
}

function toText(compiled: PolicyByName, asked: string, answer: Answer, isByName: boolean): string {
  const {
    permitted,
    otherwise,
    unreached,
    emptyGroups,
    outside,
    total,
    upstreams = [],
    readOnly = [],
    obstacle,
  } = answer;
  const { good, bad, strong, faint } = paletteFor(process.stdout);
  const count = permitted.length === 0 ? bad('nobody') : good(`${permitted.length} of ${total}`);
  const lines = [`${count} may ${asked}${obstacle === undefined ? '' : `: ${obstacle}`}`];
  const everybody = principalsOf(compiled.policy);
  const add = (entries: readonly AnyPermitted[]): void => {
    const parties = partiesOf(compiled, entries, everybody);
    for (const rule of new Set(parties.map((party) => party.rule))) {
      lines.push(`  ${describeRule(rule)}`);
      for (const party of parties.filter((each) => each.rule === rule)) {
        const [first] = party.members;
        if (first === undefined) continue;
        const names = party.members.map(({ principal }) => formatSubject(principal));
        for (const name of isByName ? names : [partyName(party)]) {
          lines.push(`    ${strong(name)}${faint(remarks(first))}`);
        }
        lines.push(...first.secrets.map((secret) => `      secret ${describeReach(secret)}`));
      }
    }
  };
  add(permitted);
  const others = [
    ['not now, but at another time or from another address:', otherwise],
    ['by the rules, but with none of their secrets:', unreached],
    ['members of these groups may too, but nobody is in them:', emptyGroups],
  ] as const;
  for (const [title, entries] of others) {
    if (entries.length > 0) lines.push('', title);
    add(entries);
  }
  if (outside.length > 0) lines.push('', 'whoever the login sources have in these groups:');
  for (const rule of new Set(outside.map((entry) => entry.rule))) {
    lines.push(`  ${describeRule(rule)}`);
    for (const entry of outside.filter((each) => each.rule === rule)) {
      const from = listed(outsideGroupsOf(compiled.policy.groups.get(entry.principal.name)));
      lines.push(`    ${strong(`${from} through ${formatSubject(entry.principal)}`)}${faint(remarks(entry))}`);
    }
  }
  const about = [...permitted, ...otherwise, ...unreached, ...emptyGroups, ...outside].flatMap(({ gates }) => gates);
  const gates = new Set(about.map((each) => gateLine({ ...each, exempted: undefined })));
  if (readOnly.length > 0) lines.push('', ...readOnly.map((why) => `except that ${why}`));
  if (upstreams.length > 0)
    lines.push('', faint(`${upstreams.length === 1 ? 'registry' : 'registries'}: ${listed(upstreams)}`));
  if (gates.size > 0) lines.push('', 'gates:', ...[...gates].sort().map((line) => `  ${line}`));
  return `${lines.join('\n')}\n`;
}

const onlyInWords = {
  create: 'new tags only',
  overwrite: 'existing tags only',
  tagged: 'manifests only, as the tags that lead to them allow; no layers',
} as const;

/** `group:developers, all 14`, `group:managers, 2 of 3`, `user:dana`. */
function partyName({ subject, members, size }: Party<Named | GroupMember>): string {
  const [first] = members;
  if (first === undefined || subject === formatSubject(first.principal)) return subject;
  return `${subject}, ${members.length === size ? `all ${size}` : `${members.length} of ${size}`}`;
}

function remarks({ impliedByPush, only, tags, condition, gates }: AnyPermitted): string {
  const all = [
    ...(impliedByPush ? ['implied by the right to push'] : []),
    ...(only === undefined ? [] : [onlyInWords[only]]),
    ...(tags === undefined ? [] : [`only tags ${listed(tags)}`]),
    ...(condition === undefined ? [] : [condition]),
    ...conditionsOf(gates),
  ];
  return all.length === 0 ? '' : `  ${all.join('; ')}`;
}
