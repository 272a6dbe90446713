/** `portcullis explain`: why a question is answered as it is. */
import { countedPer } from '../limits/spend.ts';
import { describeLimit, describePrincipal, formatInstant, formatPlace, listed } from '../policy/describe.ts';
import { type PolicyByName, compileByName } from '../policy/by-name.ts';
import type { Considered, Inquiry } from '../policy/analysis/consider.ts';
import { gateLine, ifInWords, isInTheWay } from '../policy/analysis/gates-about.ts';
import { type Explanation, deletionLines, explain, halfLines, untilInWords } from '../policy/analysis/explain.ts';
import { refusedBehind } from '../policy/analysis/obstacle.ts';
import { type Action, type Counted, type Limit, formatSubject, isWrite } from '../policy/model.ts';
import { describeWait, formatRate } from '../policy/rate.ts';
import { describeRegistry } from './behind.ts';
import { type ExitCode, exitCodes, paletteFor, placeInJson, printJson, reportBroken } from './report.ts';
import { type ReadPolicies, readPolicies } from './policy-paths.ts';
import {
  actionsInWords,
  areaNote,
  describeAsked,
  describeReach,
  gateToJson,
  parseAction,
  parseCircumstances,
  parseTarget,
  parseWho,
  placeJson,
  secretToJson,
} from './question.ts';
import { type Command, type PolicyOptions, example, policiesOption, usageProblem } from './verb.ts';
import { type LimitStates, limitStates } from '../operations/answers.ts';
import { callAdmin } from './admin-client.ts';
import { withPerson } from './outside-person.ts';
import { readConfiguration } from './configuration.ts';

interface Options extends PolicyOptions {
  readonly address?: string;
  readonly at?: string;
  readonly groups?: string;
}

/** Near misses shown to a person; the rest are counted. */
const shownNearMisses = 5;

/** `explain SUBJECT ACTION REPOSITORY[:TAG]`: 0 allowed, 1 denied. */
export function addExplain(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('explain')
    .argument('<subject>', 'user:NAME, robot:NAME, workload:NAME, group:NAME or anonymous')
    .argument('<action>', actionsInWords)
    .argument('<repository[:tag]>', 'as in sandbox/app:1.0')
    .description('say whether somebody may do something, by which rule, and which rules came near')
    .option('--address <ip>', 'the address the request comes from')
    .option('--at <instant>', 'the time of the request, as 2026-12-24T18:00:00Z (default: now)')
    .option('--groups <a,b>', 'of somebody whom no policy file names: declared groups, or ldap:NAME')
    .option('--json', 'one JSON object instead of text')
    .addOption(policiesOption)
    .addHelpText(
      'after',
      example(
        'portcullis explain user:dana push release/app:1.0',
        'portcullis explain group:developers push release/app --at 2026-12-25 --address 10.1.2.3',
        'portcullis explain user:zoe pull sandbox/app --groups ldap:developers',
      ) + '\nExit status: 0 allowed, 1 refused, 2 not understood, 78 the policy is broken.\n',
    )
    .action(async (subject: string, action: string, target: string, options: Options) =>
      done(await run(subject, action, target, options)),
    );
}

async function run(subject: string, actionText: string, targetText: string, options: Options): Promise<ExitCode> {
  const action = parseAction(actionText);
  if (typeof action === 'object') return usageProblem(action.problem);
  const target = parseTarget(targetText);
  if ('problem' in target) return usageProblem(target.problem);
  const circumstances = parseCircumstances(options, Date.now());
  if ('problem' in circumstances) return usageProblem(circumstances.problem);
  const reading = await readPolicies(options.policies);
  if (!reading.ok) return reportBroken(reading.problems, options.json === true);
  const { groups } = options;
  const asked = groups === undefined ? reading : withPerson(reading.policy, subject, groups);
  if ('problem' in asked) return usageProblem(asked.problem);
  const principal = parseWho(asked.policy, subject);
  if ('problem' in principal) return usageProblem(principal.problem);
  const compiled = compileByName(asked.policy);
  const { behind } = reading;
  const repository = behind?.canonical(target.repository) ?? target.repository;
  const byRules = explain(compiled, { ...circumstances, ...target, repository, principal, action });
  const explanation = refusedBehind(byRules, behind?.obstacle(action, repository));
  const limits = await applyingLimits(compiled, explanation.inquiry, {
    otherPolicies: options.policies !== undefined,
    otherTime: options.at !== undefined,
  });
  const place = behind?.placeOf(repository);
  if (options.json === true)
    printJson({ ...toJson(explanation, limits), ...placeJson(place, repository, target.repository) });
  else {
    process.stderr.write(areaNote(reading.policy, target.repository));
    const where = place === undefined ? [] : [describeRegistry(place, repository)];
    const whose = byRules === explanation ? [] : [`the rules would let it pass: ${byRules.reason}`];
    process.stdout.write(toText(explanation, limits, reading, [...where, ...whose]));
  }
  return explanation.allowed ? exitCodes.ok : exitCodes.problems;
}

/** The shape that scripts rely on. */
function toJson(
  { allowed, rule, reason, frozenUntil, inquiry, groups, considered, gates, tags, secrets }: Explanation,
  { limits }: ApplyingLimits,
): object {
  return {
    decision: allowed ? 'allow' : 'deny',
    rule: rule?.name ?? null,
    ...placeInJson(rule),
    reason,
    frozenUntil: frozenUntil === undefined ? undefined : formatInstant(frozenUntil),
    subject: formatSubject(inquiry.principal),
    groups: groups.map(({ name }) => name),
    tags,
    secrets: secrets.length === 0 ? undefined : secrets.map(secretToJson),
    considered: considered.map(({ rule: { name }, matched, failures }) => ({
      rule: name,
      matched,
      failed: failures[0]?.part ?? null,
    })),
    gates: gates.length === 0 ? undefined : gates.map(gateToJson),
    limits: limits.map(({ limit, state }) => ({
      name: limit.name,
      mode: limit.mode,
      count: limit.count,
      per: limit.per,
      rate: formatRate(limit.rate),
      burst: limit.burst,
      ...placeInJson(limit),
      source: state?.source ?? null,
      remaining: state?.remaining ?? null,
      waitSeconds: state?.waitSeconds ?? null,
      fullSeconds: state?.fullSeconds ?? null,
    })),
  };
}

function toText(
  explanation: Explanation,
  { limits, notes }: ApplyingLimits,
  { show }: ReadPolicies,
  first: readonly string[],
): string {
  const { allowed, rule, reason, groups, inquiry, halves, deletion, tags, secrets, shadow } = explanation;
  const { good, bad, faint } = paletteFor(process.stdout);
  const asked = `${describePrincipal(inquiry.principal)} ${allowed ? 'may' : 'may not'} ${describeAsked(inquiry.action, inquiry)}`;
  const isBare = rule === undefined && halves === undefined && deletion === undefined;
  const limit = rule?.tags === undefined ? '' : `; it is about tags ${listed(rule.tags.map(({ text }) => text))}`;
  const parts = [
    ...first,
    ...(halves === undefined ? [] : halfLines(halves, inquiry)),
    ...(deletion === undefined ? [] : deletionLines(deletion)),
    ...(explanation.impliedByPush ? ['pull is implied by the right to push; listing the tags takes pull itself'] : []),
    ...(allowed ? explanation.gates.filter(isInTheWay).map(ifInWords) : []),
    ...(explanation.unreadable.length === 0
      ? []
      : [`but may not pull ${listed(explanation.unreadable)}, and a promotion reads what it takes over`]),
    ...(tags === undefined
      ? []
      : [`only tags ${listed(tags)}: for another tag ask with it, as ${inquiry.repository}:TAG`]),
  ];
  const members = groups.map(({ name, source }) => `  ${name} ${faint(`(${formatPlace(source)})`)}`);
  const isGroupless = groups.length === 0 && 'name' in inquiry.principal;
  const lines = [
    `${allowed ? good('allow') : bad('deny')}: ${asked}${isBare ? `: ${reason}` : ''}`,
    ...parts.map((line) => `  ${line}`),
    ...(rule === undefined
      ? []
      : [
          '',
          show(
            rule.source,
            `rule "${rule.name}" ${allowed ? 'allows' : 'forbids'} it${untilInWords(explanation)}${limit}`,
          ),
        ]),
    ...section(
      'secrets:',
      secrets.map((secret) => `  ${describeReach(secret)}`),
    ),
    ...(isGroupless ? ['', 'groups: none'] : section('groups:', members)),
    ...section('also matching:', alsoMatching(explanation).map(ruleLine)),
    ...section(
      'shadow rules that would have changed this:',
      shadow.map((each) => ruleLine({ rule: each })),
    ),
    ...nearMissLines(explanation.nearMisses),
    ...section(
      'gates:',
      explanation.gates.map((each) => `  ${gateLine(each)}`),
    ),
    ...section('limits:', [...limits.flatMap(limitLines), ...notes.map((note) => faint(`  (${note})`))]),
  ];
  return `${lines.join('\n')}\n`;

  function ruleLine({ rule: { name, effect, source } }: Pick<Considered, 'rule'>): string {
    return `  ${effect} "${name}" ${faint(`(${formatPlace(source)})`)}`;
  }

  function limitLines({ limit, state }: ApplyingLimits['limits'][number]): readonly string[] {
    const what = describeLimit(limit, countedPer(limit, inquiry.principal));
    const shadow = limit.mode === 'shadow' ? ' (shadow: it refuses nobody)' : '';
    return [
      `  "${limit.name}": ${what}${shadow} ${faint(`(${formatPlace(limit.source)})`)}`,
      ...(state === undefined ? [] : [`      ${stateInWords(state)}`]),
    ];
  }

  function nearMissLines(misses: readonly Considered[]): readonly string[] {
    const shown = misses.slice(0, shownNearMisses);
    const more = misses.length - shown.length;
    const effect = allowed ? 'forbid' : 'allow';
    return section(`near misses (they would ${effect} it, but one part does not hold):`, [
      ...shown.flatMap((miss) => [ruleLine(miss), ...miss.failures.map(({ why }) => `      ${why}`)]),
      ...(more > 0 ? [`  and ${more} more`] : []),
    ]);
  }
}

function stateInWords({ source, remaining, waitSeconds }: BudgetState): string {
  if (waitSeconds > 0) return `used up by ${source}; the next one is free in ${describeWait(waitSeconds)}`;
  return `${source} has ${remaining} left`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines];
}

/** Rules in force that hold as well, without deciding. */
function alsoMatching({ considered, rule, halves }: Explanation): readonly Considered[] {
  const named = new Set([rule, ...(halves ?? []).map(({ decision }) => decision.rule)]);
  return considered.filter((each) => each.matched && each.rule.mode === 'enforce' && !named.has(each.rule));
}

interface ApplyingLimits {
  readonly limits: readonly { readonly limit: Limit; readonly state: BudgetState | undefined }[];
  /** Why states are missing, in words. */
  readonly notes: readonly string[];
}

interface BudgetState {
  /** An account, an address or /64, a repository. */
  readonly source: string;
  readonly remaining: number;
  readonly waitSeconds: number;
  readonly fullSeconds: number;
}

/** An explanation waits no longer than this for a gateway. */
const timeoutMs = 1000;

/** `about`: why a running gateway cannot know, other policies or another time. What cannot be known is noted. */
async function applyingLimits(
  compiled: PolicyByName,
  inquiry: Inquiry,
  about: { readonly otherPolicies: boolean; readonly otherTime: boolean },
): Promise<ApplyingLimits> {
  const counted = countedBy(inquiry.action);
  const limits = counted === undefined ? [] : compiled.limitsOf(inquiry.principal, counted);
  if (counted === undefined || limits.length === 0) return { limits: [], notes: [] };
  const without = (why: string): ApplyingLimits => ({
    limits: limits.map((limit) => ({ limit, state: undefined })),
    notes: [why],
  });
  if (inquiry.principal.kind === 'group') return without('a group has no budget of its own: ask about a member');
  if (about.otherPolicies) return without('what is left is known of the configured policies only, not of --policies');
  if (about.otherTime) return without('what is left is known for now only, not for --at');
  const answer = await ask(inquiry, counted);
  if ('why' in answer) return without(`what is left is not known: ${answer.why}`);
  const notes = new Set<string>();
  const found = limits.map((limit) => {
    const there = answer.limits.find((each) => isSame(each, limit));
    if (there === undefined) notes.add('the running gateway has other limits: it has not read these files yet');
    const { source, remaining, waitSeconds, fullSeconds } = there ?? {};
    if (source === undefined || remaining === undefined || waitSeconds === undefined || fullSeconds === undefined) {
      const isByAddress = there !== undefined && countedPer(limit, inquiry.principal) === 'address';
      if (isByAddress) notes.add('what is left for an address: ask with --address');
      return { limit, state: undefined };
    }
    return { limit, state: { source, remaining, waitSeconds, fullSeconds } };
  });
  return { limits: found, notes: [...notes] };
}

function countedBy(action: Action): Counted | undefined {
  if (action === 'pull') return 'pull';
  return isWrite(action) ? 'push' : undefined;
}

function isSame(there: LimitStates['limits'][number], { name, mode, per, rate, burst }: Limit): boolean {
  return (
    there.name === name &&
    there.mode === mode &&
    there.per === per &&
    there.rate === formatRate(rate) &&
    there.burst === burst
  );
}

async function ask(
  { principal, repository, address }: Inquiry,
  count: Counted,
): Promise<LimitStates | { readonly why: string }> {
  const configuration = readConfiguration();
  if (!configuration.ok) return { why: 'the configuration cannot be read' };
  const subject = principal.kind === 'group' ? '' : formatSubject(principal);
  const query = new URLSearchParams({ subject, count, repository });
  if (address !== undefined) query.set('address', address);
  const reply = await callAdmin(configuration.config, 'GET', `/limits/state?${query.toString()}`, timeoutMs);
  if (!reply.ok) return { why: reply.message };
  const read = limitStates.safeParse(reply.body);
  return read.success ? read.data : { why: 'the admin listener answers in another way than expected' };
}
