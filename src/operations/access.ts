/** `explain` and `access`: may somebody do something, and who may do what in one repository. */
import { z } from 'zod';
import type { Upstreams } from '../distribution/upstreams.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import { parseAction, parseTarget, parseWho } from '../policy/analysis/asked.ts';
import type { Inquiry } from '../policy/analysis/consider.ts';
import type { Explanation } from '../policy/analysis/explain.ts';
import { type Here, lookAt, speaksOf } from '../policy/analysis/here.ts';
import { type Matrix, accessMatrix, ownRow } from '../policy/analysis/matrix.ts';
import { obstacleTo } from '../policy/analysis/obstacle.ts';
import { type WouldAllow, wouldAllow } from '../policy/analysis/would-allow.ts';
import {
  type Action,
  type GroupMember,
  type Named,
  type Principal,
  formatSubject,
  type Rule,
} from '../policy/model.ts';
import { describeConditions } from '../policy/describe.ts';
import { reachOf } from '../policy/own-reach.ts';
import { matchesRepository } from '../policy/pattern.ts';
import { accountNameOf } from '../policy/principal.ts';
import { ruleLines } from '../policy/rule-text.ts';
import type { AuditRecord, Clock, PolicySource, Recent, SessionStore } from '../ports.ts';
import { type AccessAnswer, accessAnswer, explanation } from './access-answers.ts';
import { scopeFor } from './activity.ts';
import { type Sight, explained, ruleNamed, shownPlace } from './explaining.ts';
import { type Outcome, operation } from './operation.ts';
import { effectOf, lately, recordsHere, refusalsOf } from './refused-here.ts';
import { shownFilesOf } from './shown-file.ts';
import { mapInSlices, slices } from './slices.ts';
import { spelled } from './spelled.ts';
import { type Viewer, mayEverywhere, mayInspect, policyFor } from './viewer.ts';

export interface AccessParts {
  readonly policies: PolicySource;
  readonly recent: Pick<Recent, 'list' | 'since'>;
  readonly sessions: Pick<SessionStore, 'endedBefore'>;
  readonly clock: Clock;
  readonly upstreams: Pick<Upstreams, 'canonical' | 'of'>;
}

/** People of one row that are named; the rest are counted. */
const shownPeople = 20;
const shownRows = 100;
const shownTests = 10;
const shownGains = 12;

const text = z.string().max(512);

const whoMayDoWhat = {
  repository: text.optional(),
  tag: text.optional(),
  as: text.optional(),
  action: text.optional(),
};

export const explainOperation = operation<AccessParts>()({
  method: 'GET',
  path: '/explain',
  summary: 'Whether somebody may do something, by which rule, and what came near. Everybody may ask about themselves.',
  needs: 'account',
  input: z.object({ ...whoMayDoWhat, repository: text, action: text }),
  answer: explanation,
  async run(parts, viewer, input) {
    const asked = readQuestion(parts, viewer, input);
    if (!asked.ok) return asked;
    const { inquiry, sight, reached, obstacleOf } = asked.answer;
    if (inquiry === undefined) return invalid('name an action');
    const how = { sight, obstacle: obstacleOf(inquiry.action), rest: slices() };
    return { ok: true, answer: (await explained(reached, inquiry, how)).answer };
  },
});

export const accessOperation = operation<AccessParts>()({
  method: 'GET',
  path: '/access',
  summary: 'Who may do what in a repository, by group; why, what would change it, and who was refused there.',
  needs: 'account',
  input: z.object(whoMayDoWhat),
  answer: accessAnswer,
  async run(parts, viewer, input) {
    const asked = readQuestion(parts, viewer, input);
    if (!asked.ok) return asked;
    return { ok: true, answer: await accessOf(parts, asked.answer, scopeFor(viewer, parts.sessions)) };
  },
});

interface Asked {
  readonly compiled: CompiledPolicy;
  /** The same as far as the credentials reach of who asks about themselves. */
  readonly reached: CompiledPolicy;
  readonly sight: Sight;
  /** Who looks; undefined for an operator. */
  readonly self: Principal | undefined;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly now: number;
  readonly address: string | undefined;
  /** Where an action was named. */
  readonly inquiry: Inquiry | undefined;
  /** Why something is refused there, whatever rules allow. */
  readonly obstacleOf: (action: Action) => string | undefined;
}

function invalid(detail: string): Outcome<never> {
  return { ok: false, reason: 'invalid', detail };
}

function readQuestion(
  { policies, clock, upstreams }: AccessParts,
  viewer: Viewer,
  {
    repository: named = '',
    tag: tagged = '',
    as = '',
    action: wanted = '',
  }: { readonly [Name in keyof typeof whoMayDoWhat]?: string | undefined },
): Outcome<Asked> {
  const self = viewer.kind === 'operator' ? undefined : viewer.caller.principal;
  const compiled = policies.current();
  const target = named === '' ? { repository: '' } : parseTarget(tagged === '' ? named : `${named}:${tagged}`);
  if ('problem' in target) return invalid(target.problem);
  const { tag } = { tag: undefined, ...target };
  const repository = spelled(upstreams, target.repository);
  const obstacleOf = (each: Action): string | undefined => obstacleTo(upstreams, each, repository);
  const sight = sightOf(viewer, repository);
  if (sight === undefined) return forbidden('your token is for other repositories');
  const isSelf = self !== undefined && (as === '' ? wanted !== '' || sight === 'self' : as === formatSubject(self));
  if (as !== '' && !isSelf && sight === 'self')
    return forbidden(`you may ask about yourself; about others may ask who may inspect ${repository}`);
  const reached = isSelf && viewer.kind === 'caller' ? policyFor(viewer, repository) : compiled;
  const action = wanted === '' ? undefined : parseAction(wanted);
  if (typeof action === 'object') return invalid(action.problem);
  const who = isSelf || as === '' ? self : subjectIn(compiled, as, sight);
  if (who !== undefined && 'problem' in who) return invalid(who.problem);
  const { address } = viewer.circumstances;
  const circumstances = { now: clock(), address: isSelf ? address : undefined };
  const inquiry =
    action !== undefined && who !== undefined && repository !== ''
      ? { ...circumstances, principal: who, action, repository, tag }
      : undefined;
  const about = { compiled, reached, sight, self, repository, tag, ...circumstances };
  return { ok: true, answer: { ...about, inquiry, obstacleOf } };
}

function forbidden(detail: string): Outcome<never> {
  return { ok: false, reason: 'forbidden', detail };
}

/** undefined where the viewer's token does not even reach the repository. */
function sightOf(viewer: Viewer, repository: string): Sight | undefined {
  if (mayEverywhere(viewer, 'inspect')) return 'all';
  if (repository !== '' && mayInspect(viewer, repository)) return 'here';
  if (viewer.kind === 'operator' || repository === '') return 'self';
  const { principal, bound, ownToken, robotToken } = viewer.caller;
  if (bound !== undefined && !bound.some(({ name }) => name === repository)) return undefined;
  const { repositories } = (ownToken === undefined ? robotToken : reachOf(ownToken.reach)) ?? {};
  const account = accountNameOf(principal);
  return repositories?.some((pattern) => matchesRepository(pattern, repository, account)) === false
    ? undefined
    : 'self';
}

/** Whose names one learns by asking is for who may inspect everything. */
function subjectIn(
  { policy }: CompiledPolicy,
  as: string,
  sight: Sight,
): Named | GroupMember | { readonly problem: string } {
  const found = parseWho(policy, as);
  if (!('problem' in found) || sight === 'all') return found;
  return {
    problem: `there is no subject ${JSON.stringify(as.slice(0, 80))}: user:NAME, robot:NAME, workload:NAME, group:NAME or anonymous`,
  };
}

/** `scopeOf`: as for the list of what was decided, which says no less. */
async function accessOf(
  { recent }: AccessParts,
  asked: Asked,
  scopeOf: ReturnType<typeof scopeFor>,
): Promise<AccessAnswer> {
  const { compiled, reached, sight, self, repository, tag, now, address, inquiry, obstacleOf } = asked;
  const about = sight === 'self' ? 'yourself' : 'everybody';
  const viewer = self === undefined ? null : formatSubject(self);
  if (repository === '') return { ...nothingYet, about, viewer };
  const rest = slices();
  const here = await lookAt(compiled, repository, rest);
  const matrix =
    sight !== 'self'
      ? await accessMatrix(here, { tag, now, address: undefined }, rest)
      : self === undefined
        ? { actions: [], rows: [], others: 0 }
        : await ownRow(here, { tag, now, address }, self, reached, rest);
  await rest();
  const obstacle = inquiry && obstacleOf(inquiry.action);
  const found = inquiry && (await explained(reached, inquiry, { sight, obstacle, rest }));
  await rest();
  const isTold = (record: AuditRecord, at: number): boolean => scopeOf(record, at) !== 'nothing';
  const records = recordsHere(recent, repository, now, isTold);
  const { refusals, more } = refusalsOf(records, sight === 'all');
  const files = shownFilesOf(compiled.policy);
  const rules = await mapInSlices(sight === 'self' ? [] : here.rules, rest, (rule) => ({
    ...ruleNamed(rule, sight, files),
    isShadow: rule.mode === 'shadow',
    text: textOf(rule, repository, sight),
    applies: rule.when === undefined ? null : `while ${describeConditions(rule.when)}`,
    would: rule.mode === 'shadow' ? effectOf(rule, records) : null,
  }));
  return {
    ...nothingYet,
    ...{ about, viewer, repository, tag: tag ?? null },
    ...shownMatrix(matrix, obstacleOf),
    explained: found?.answer ?? null,
    allowing:
      found === undefined || found.full.allowed || sight === 'self'
        ? null
        : await allowingOf(here, found.full, { sight, obstacle, rest }),
    rules,
    refusals,
    moreRefusals: more,
    lately: lately(recent.since(), now),
  };
}

const nothingYet: Omit<AccessAnswer, 'about' | 'viewer'> = {
  repository: '',
  tag: null,
  actions: [],
  rows: [],
  moreRows: 0,
  others: 0,
  explained: null,
  allowing: null,
  rules: [],
  refusals: [],
  moreRefusals: 0,
  lately: '',
};

/** Of what rules allow and the registry never takes nobody has anything. */
function shownMatrix(
  { actions, rows, others }: Matrix,
  obstacleOf: Asked['obstacleOf'],
): Pick<AccessAnswer, 'actions' | 'rows' | 'moreRows' | 'others'> {
  const obstacles = actions.map(obstacleOf);
  return {
    actions: [...actions] as Action[],
    rows: rows.slice(0, shownRows).map(({ asked, subjects, people, from, cells }) => ({
      asked,
      subjects: [...subjects],
      people: people.slice(0, shownPeople),
      count: people.length,
      from: [...from],
      cells: cells.map(({ answer, rule, note }, at) =>
        obstacles[at] === undefined || answer === 'no' || answer === 'none'
          ? { answer, rule: rule ?? null, note: note ?? null }
          : { answer: 'none', rule: null, note: obstacles[at] },
      ),
    })),
    moreRows: Math.max(0, rows.length - shownRows),
    others,
  };
}

/** As a policy file writes it. Where else it holds is for who may inspect everything. */
function textOf(rule: Rule, repository: string, sight: Sight): string {
  const isShown = (pattern: Rule['repositories'][number]): boolean =>
    sight === 'all' || speaksOf({ repositories: [pattern] }, repository);
  const repositories = rule.repositories.filter(isShown);
  const more = repositories.length < rule.repositories.length ? ['# and in other repositories'] : [];
  return [...ruleLines({ ...rule, repositories }), ...more].join('\n');
}

async function allowingOf(
  here: Here,
  full: Explanation,
  { sight, obstacle, rest }: Parameters<typeof explained>[2],
): Promise<AccessAnswer['allowing']> {
  const found: WouldAllow =
    obstacle === undefined ? await wouldAllow(here, full, sight === 'all', rest) : { why: obstacle };
  const none = { why: null, lines: '', instead: [], gains: [], moreGains: false, failing: [], moreFailing: 0 };
  const files = shownFilesOf(here.compiled.policy);
  if ('why' in found) return { ...none, why: files.words(found.why) };
  const { repository } = here;
  // Tests of other repositories are for who may inspect these.
  const told = found.failing.filter(({ expectation }) => sight === 'all' || expectation.repository === repository);
  const failing = told.slice(0, shownTests).map(({ test, expectation }) => ({
    test: test.name,
    place: shownPlace(expectation.source, files),
  }));
  return {
    ...none,
    lines: found.lines,
    instead: found.instead.map(files.words),
    gains: found.gains.slice(0, shownGains),
    moreGains: !found.isWhole || found.gains.length > shownGains,
    failing,
    moreFailing: found.failing.length - failing.length,
  };
}
