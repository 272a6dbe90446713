/** `portcullis who-can`: everybody who may do something, by the rule that lets them. */
import { describeRule } from '../policy/describe.ts';
import { compilePolicy } from '../policy/evaluate.ts';
import { type GroupMember, type Principal, formatSubject } from '../policy/model.ts';
import { type Permitted, type WhoCan, whoCan } from '../policy/who-can.ts';
import { paletteFor } from './colour.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { addPoliciesOption, readPolicies, reportBroken } from './policy-paths.ts';
import { areaNote, describeAsked, parseAction, parseCircumstances, parseTarget } from './question.ts';
import { printJson } from './report.ts';
import { type Command, example, usageProblem } from './verb.ts';

interface Options {
  readonly policies?: readonly string[];
  readonly address?: string;
  readonly at?: string;
  readonly json?: boolean;
}

type AnyPermitted = Permitted<Principal | GroupMember>;

export function addWhoCan(program: Command, done: (code: ExitCode) => void): void {
  const command = program
    .command('who-can')
    .argument('<action>', 'pull, push, create, overwrite, delete or catalog')
    .argument('<repository[:tag]>', 'as in release/app:1.0')
    .description('list everybody who may do something, and the rule that lets them')
    .option('--address <ip>', 'the address the request comes from')
    .option('--at <instant>', 'the time of the request, as 2026-12-24T18:00:00Z (default: now)')
    .option('--json', 'one JSON object instead of text');
  addPoliciesOption(command)
    .addHelpText(
      'after',
      example('portcullis who-can push release/app:1.0') +
        '\nExit status: 0 somebody may, 1 nobody, 2 not understood, 78 the policy is broken.\n',
    )
    .action(async (action: string, target: string, options: Options) => done(await run(action, target, options)));
}

async function run(actionText: string, targetText: string, options: Options): Promise<ExitCode> {
  const action = parseAction(actionText);
  if (typeof action === 'object') return usageProblem(action.problem);
  const target = parseTarget(targetText);
  if ('problem' in target) return usageProblem(target.problem);
  const circumstances = parseCircumstances(options, Date.now());
  if ('problem' in circumstances) return usageProblem(circumstances.problem);
  const reading = await readPolicies(options.policies);
  if (!reading.ok) return reportBroken(reading.problems, options.json === true);
  const answer = whoCan(compilePolicy(reading.policy), { ...circumstances, ...target, action });
  const { permitted, otherwise, emptyGroups } = answer;
  if (options.json === true) {
    printJson({
      action,
      repository: target.repository,
      tag: target.tag ?? null,
      subjects: permitted.map(toJson),
      otherwise: otherwise.map(toJson),
      emptyGroups: emptyGroups.map(toJson),
    });
  } else {
    process.stderr.write(areaNote(reading.policy, target.repository));
    process.stdout.write(toText(describeAsked(action, target), answer));
  }
  return permitted.length > 0 ? exitCodes.ok : exitCodes.problems;
}

function toJson({ principal, rule, impliedByPush, only, condition }: AnyPermitted): unknown {
  return {
    subject: formatSubject(principal),
    rule: rule.name,
    file: rule.source.file,
    line: rule.source.line,
    impliedByPush,
    only: only ?? null,
    condition: condition ?? null,
  };
}

function toText(asked: string, { permitted, otherwise, emptyGroups, total }: WhoCan): string {
  const { good, bad, strong, faint } = paletteFor(process.stdout);
  const count = permitted.length === 0 ? bad('nobody') : good(`${permitted.length} of ${total}`);
  const lines = [`${count} may ${asked}`];
  const addByRule = (entries: readonly AnyPermitted[]): void => {
    for (const rule of new Set(entries.map((entry) => entry.rule))) {
      lines.push(`  ${describeRule(rule)}`);
      for (const entry of entries.filter((each) => each.rule === rule)) {
        lines.push(`    ${strong(formatSubject(entry.principal))}${faint(remarks(entry))}`);
      }
    }
  };
  addByRule(permitted);
  if (otherwise.length > 0) lines.push('', 'not now, but at another time or from another address:');
  addByRule(otherwise);
  if (emptyGroups.length > 0) lines.push('', 'members of these groups may too, but nobody is in them:');
  addByRule(emptyGroups);
  return `${lines.join('\n')}\n`;
}

const onlyInWords = {
  create: 'new tags only',
  overwrite: 'existing tags only',
  tagged: 'manifests only, as the tags that lead to them allow; no layers',
} as const;

function remarks({ impliedByPush, only, condition }: AnyPermitted): string {
  const all = [
    ...(impliedByPush ? ['implied by the right to push'] : []),
    ...(only === undefined ? [] : [onlyInWords[only]]),
    ...(condition === undefined ? [] : [condition]),
  ];
  return all.length === 0 ? '' : `  ${all.join('; ')}`;
}
