/** What is forbidden for some time only, and until when: denials whose `when` speaks of time. */
import type { EpochMs } from '../time.ts';
import { type Action, type Policy, type Rule, pushes, rights } from './model.ts';
import { actionsOf, formatMoment, listed } from './describe.ts';
import { holdsAt, nextTurn } from './turns.ts';

export interface Freeze {
  readonly rule: Rule;
  readonly isNow: boolean;
  /** When it begins next, or began where that is written; absent for what comes again and again and is there already. */
  readonly from: EpochMs | undefined;
  /** Absent: it has no end. */
  readonly until: EpochMs | undefined;
}

/** Those in force first, then by their beginning; none that are over. Shadow ones too, which forbid nothing. */
export function freezesOf({ rules }: Pick<Policy, 'rules'>, now: EpochMs): readonly Freeze[] {
  const found = rules.flatMap((rule): readonly Freeze[] => {
    const { when, effect } = rule;
    if (effect !== 'deny' || when === undefined) return [];
    const isRecurring = when.days !== undefined || when.hours !== undefined;
    if (!isRecurring && when.after === undefined && when.before === undefined) return [];
    const turn = nextTurn(when, now);
    if (holdsAt(when, now)) {
      return [{ rule, isNow: true, from: isRecurring ? undefined : when.after, until: turn }];
    }
    return turn === undefined ? [] : [{ rule, isNow: false, from: turn, until: nextTurn({ ...when }, turn) }];
  });
  return found.sort(
    (left, right) =>
      Number(right.isNow) - Number(left.isNow) ||
      (left.isNow ? (left.until ?? Infinity) - (right.until ?? Infinity) || 0 : (left.from ?? 0) - (right.from ?? 0)) ||
      (left.rule.name < right.rule.name ? -1 : 1),
  );
}

/** What it holds back: promotions, too, where nothing may be written. */
export function frozenActions({ rights: set }: Rule): readonly Action[] {
  return actionsOf((set & pushes) === pushes ? set | rights.promote : set);
}

/** What is frozen now, on one line: `push, delete, promote in release/** until 2027-01-02T00:00Z (year-end-freeze)`. */
export function frozenInWords({ rules }: Pick<Policy, 'rules'>, now: EpochMs): string | undefined {
  const enforced = rules.filter(({ mode }) => mode === 'enforce');
  const words = freezesOf({ rules: enforced }, now)
    .filter(({ isNow }) => isNow)
    .map(({ rule, until }) => {
      const where = listed(rule.repositories.map(({ text }) => text));
      const end = until === undefined ? 'without an end' : `until ${formatMoment(until)}`;
      return `${frozenActions(rule).join(', ')} in ${where} ${end} (${rule.name})`;
    });
  return words.length === 0 ? undefined : words.join('; ');
}

interface Judged {
  readonly allowed: boolean;
  readonly rule: Rule | undefined;
}

/** More freezes in a row than anybody plans. */
const maxFreezes = 8;

/**
 * When that which a rule with times forbids is allowed; undefined where waiting does not help or nobody can tell.
 * `decideAt` judges the same question at another time.
 */
export function frozenUntil(decision: Judged, now: EpochMs, decideAt: (now: EpochMs) => Judged): EpochMs | undefined {
  let at = now;
  let { rule } = decision;
  for (let freeze = 0; freeze < maxFreezes; freeze++) {
    if (rule?.effect !== 'deny' || rule.when === undefined) return undefined;
    const end = nextTurn(rule.when, at);
    if (end === undefined) return undefined;
    const then = decideAt(end);
    if (then.allowed) return end;
    at = end;
    rule = then.rule;
  }
  return undefined;
}
