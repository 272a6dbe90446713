/** `portcullis freezes`: what is forbidden for some time, and until when. */
import {
  describeConditions,
  describeRule,
  formatInstant,
  formatMoment,
  formatSubjects,
  listed,
} from '../policy/describe.ts';
import { type Freeze, freezesOf, frozenActions } from '../policy/freezes.ts';
import { formatSubject } from '../policy/model.ts';
import { parseInstant } from '../time.ts';
import { quote } from '../document/problem.ts';
import { type ExitCode, exitCodes, paletteFor, placeInJson, printJson, reportBroken } from './report.ts';
import { readPolicies } from './policy-paths.ts';
import { type Command, type PolicyOptions, example, policiesOption, usageProblem } from './verb.ts';

interface Options extends PolicyOptions {
  readonly at?: string;
}

/** `freezes`: 0 also where there are none. */
export function addFreezes(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('freezes')
    .description('list what rules forbid for some time only, from when and until when')
    .option('--at <instant>', 'as of then, as 2026-12-24T18:00:00Z (default: now)')
    .option('--json', 'one JSON object instead of text')
    .addOption(policiesOption)
    .addHelpText('after', example('portcullis freezes', 'portcullis freezes --at 2026-12-25'))
    .action(async (options: Options) => done(await run(options)));
}

async function run({ at, policies, json = false }: Options): Promise<ExitCode> {
  const now = at === undefined ? Date.now() : parseInstant(at);
  if (now === undefined) {
    return usageProblem(`${quote(at ?? '')} is not a time; write 2027-01-31 or 2026-12-24T18:00:00Z`);
  }
  const reading = await readPolicies(policies);
  if (!reading.ok) return reportBroken(reading.problems, json);
  const freezes = freezesOf(reading.policy, now);
  if (json) printJson({ at: formatInstant(now), freezes: freezes.map(toJson) });
  else process.stdout.write(toText(freezes));
  return exitCodes.ok;
}

function toJson({ rule, isNow, from, until }: Freeze): unknown {
  const instant = (at: number | undefined): string | null => (at === undefined ? null : formatInstant(at));
  const { name, mode, subjects, except, repositories, tags, when } = rule;
  return {
    rule: name,
    mode,
    ...placeInJson(rule),
    now: isNow,
    from: instant(from),
    until: instant(until),
    repositories: repositories.map(({ text }) => text),
    tags: tags?.map(({ text }) => text) ?? null,
    actions: frozenActions(rule),
    subjects: subjects.map(formatSubject),
    except: except.map(formatSubject),
    condition: describeConditions(when ?? {}),
  };
}

function toText(freezes: readonly Freeze[]): string {
  const now = freezes.filter(({ isNow }) => isNow);
  const later = freezes.filter(({ isNow }) => !isNow);
  if (freezes.length === 0) return 'nothing is frozen, and no rule will freeze anything\n';
  return [
    ...(now.length === 0 ? ['nothing is frozen now'] : ['frozen now:', ...now.flatMap(linesOf)]),
    ...(later.length === 0 ? [] : ['', 'to come:', ...later.flatMap(linesOf)]),
    '',
  ].join('\n');
}

function linesOf({ rule, isNow, from, until }: Freeze): readonly string[] {
  const { bad, strong, faint } = paletteFor(process.stdout);
  const { subjects, except, tags, when = {}, mode } = rule;
  const where = listed(
    rule.repositories.map(({ text }) => text),
    8,
  );
  const begin = isNow || from === undefined ? '' : ` from ${formatMoment(from)}`;
  const end = until === undefined ? ' without an end' : ` until ${formatMoment(until)}`;
  const isEverybody = subjects.some(({ kind }) => kind === 'everyone');
  const notes = [
    ...(tags === undefined ? [] : [`tags ${listed(tags.map(({ text }) => text))} only`]),
    ...(isEverybody ? [] : [`for ${formatSubjects(subjects)}`]),
    ...(except.length === 0 ? [] : [`not for ${formatSubjects(except)}`]),
    ...(when.addresses === undefined ? [] : [`from ${listed(when.addresses)}`]),
    ...(when.days === undefined && when.hours === undefined
      ? []
      : [`again and again, while ${describeConditions({ ...when, addresses: undefined })}`]),
    ...(mode === 'shadow' ? ['in shadow mode: it forbids nothing'] : []),
  ];
  const paint = isNow && mode === 'enforce' ? bad : strong;
  return [
    `  ${paint(`${frozenActions(rule).join(', ')} in ${where}`)}${begin}${end} ${faint(`(${describeRule(rule)})`)}`,
    ...(notes.length === 0 ? [] : [`      ${notes.join('; ')}`]),
  ];
}
