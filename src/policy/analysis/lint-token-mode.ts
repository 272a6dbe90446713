/**
 * What cannot hold where a registry verifies our tokens itself: it knows repositories and actions until a token ends, and
 * nothing of tags, of what is being pushed, or of how often. Problems, never notes: a rule that decides nothing opens a door.
 */
import { type Problem, sortProblems } from '../../document/problem.ts';
import { actionsOf, listed } from '../describe.ts';
import { bindsWithinSeconds } from '../binds-within.ts';
import { type Conditions, days as allDays, failedCondition, isWithin } from '../conditions.ts';
import { type Policy, type Rights, type Rule, pushes, rights } from '../model.ts';
import { finding } from './lint-finding.ts';

/** Codes: token-mode-tags, token-mode-half-push, token-mode-catalog, token-mode-time, token-mode-address, token-mode-promote, token-mode-gate, token-mode-limit, token-mode-secret. */
export function lintTokenMode(policy: Policy, accessTtlSeconds: number): readonly Problem[] {
  const shortest = 2 * bindsWithinSeconds(accessTtlSeconds);
  return sortProblems([
    ...policy.rules.flatMap((rule) => ruleProblems(rule, shortest)),
    ...policy.gates.map(({ name, source }) => ({
      ...source,
      code: 'token-mode-gate',
      message: `gate "${name}" cannot hold in token mode: what is pushed does not pass here`,
      fix: `remove it, or ${proxy}`,
    })),
    ...policy.limits
      .filter(({ count }) => count !== 'token')
      .map((limit) =>
        finding(
          limit,
          'token-mode-limit',
          `cannot hold in token mode: a ${limit.count} does not pass here`,
          `count: token, or ${proxy}`,
        ),
      ),
    ...[...policy.robots.values()].flatMap(({ name, tokens }) =>
      tokens.flatMap(({ id, source, rights: set = pushes }) =>
        isHalf(set)
          ? {
              ...source,
              code: 'token-mode-secret',
              message: `the secret ${id} of robot "${name}" cannot hold in token mode: a registry knows push, not ${listed(actionsOf(set & pushes))}`,
              fix: `actions: [push], or ${proxy}`,
            }
          : [],
      ),
    ),
  ]);
}

const proxy = 'leave enforce: token';

function ruleProblems(rule: Rule, shortestSeconds: number): readonly Problem[] {
  const said = (code: string, message: string, fix: string): Problem =>
    finding(rule, `token-mode-${code}`, `cannot hold in token mode: ${message}`, `${fix}, or ${proxy}`);
  const problems: Problem[] = [];
  if (rule.tags !== undefined)
    problems.push(said('tags', 'a token names repositories, and no tags', 'write it without tags'));
  if (isHalf(rule.rights))
    problems.push(
      said('half-push', `a registry knows push, not ${listed(actionsOf(rule.rights & pushes))} alone`, 'say push'),
    );
  if ((rule.rights & rights.promote) !== 0)
    problems.push(said('promote', 'no image is carried from here', 'remove promote'));
  if ((rule.rights & rights.catalog) !== 0 && !rule.repositories.some(({ text }) => text === '**'))
    problems.push(said('catalog', 'who may list the registry sees every name', "say repositories: ['**']"));
  const { when } = rule;
  if (when?.addresses !== undefined)
    problems.push(said('address', 'a registry takes a token from any address', 'remove addresses'));
  const seconds = when === undefined ? Infinity : shortestWindow(when, shortestSeconds);
  if (seconds < shortestSeconds)
    problems.push(
      said(
        'time',
        `it holds for ${seconds} s at a time, and a token given before lives on for up to ${shortestSeconds / 2} s`,
        `make it ${shortestSeconds} s or longer`,
      ),
    );
  return problems;
}

/** Creating without overwriting, or the other way round. */
function isHalf(set: Rights): boolean {
  return (set & pushes) !== 0 && (set & pushes) !== pushes;
}

/** Seconds for which conditions of time hold, or do not, at a time: the shortest of all. Infinity where there are none. */
function shortestWindow(when: Conditions, enoughSeconds: number): number {
  const { after, before, days, hours } = when;
  const span = after !== undefined && before !== undefined ? (before - after) / 1000 : Infinity;
  if (days === undefined && hours === undefined) return span;
  return Math.min(span, 60 * shortestOfWeek(when), ...cutWindows(when, enoughSeconds));
}

const minutesOfDay = 1440;

/** Minutes: of the times of a week, over midnight from one day to the next, the shortest in which days and hours hold, or do not. */
function shortestOfWeek({ days = allDays, hours }: Conditions): number {
  const holds = allDays.flatMap((day) =>
    Array.from(
      { length: minutesOfDay },
      (_, minute) => days.includes(day) && (hours === undefined || isWithin(hours, minute)),
    ),
  );
  const changes = holds.flatMap((held, at) => (held === holds.at(at - 1) ? [] : [at]));
  const gaps = changes.map((at, index) => (at - (changes.at(index - 1) ?? at) + holds.length) % holds.length);
  return Math.min(Infinity, ...gaps);
}

/** Seconds of the first and the last time in which days and hours hold, as `after` and `before` cut them; no more than is enough. */
function cutWindows({ after, before, ...rest }: Conditions, enoughSeconds: number): readonly number[] {
  const when = { ...rest, addresses: undefined };
  /** `start`: the first millisecond of it, or the last. */
  const lengthFrom = (start: number, step: 1 | -1): number => {
    const minute = Math.floor(start / 60_000);
    for (let count = 0; 60 * count < enoughSeconds; count++) {
      const now = 60_000 * (step === 1 ? minute + 1 + count : minute - 1 - count);
      const isOver = failedCondition(when, { now }) !== undefined;
      if (isOver) return (step === 1 ? now - start : start + 1 - (now + 60_000)) / 1000;
    }
    return Infinity;
  };
  const holdsAt = (now: number | undefined): now is number =>
    now !== undefined && failedCondition(when, { now }) === undefined;
  return [
    ...(holdsAt(after) ? [lengthFrom(after, 1)] : []),
    ...(before !== undefined && holdsAt(before - 1) ? [lengthFrom(before - 1, -1)] : []),
  ];
}
