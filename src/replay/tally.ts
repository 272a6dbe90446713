/** Consequences, put together: who lost or gained what, how often, when last, and why. */
import { describeRule } from '../policy/describe.ts';
import type { Rule } from '../policy/model.ts';
import type { EpochMs } from '../time.ts';
import type { Comparison, Side } from './compare.ts';
import type { Matter } from './matters.ts';
import type { Recorded, Whom } from './recorded.ts';

export interface Consequence {
  readonly subject: string;
  readonly action: string;
  readonly repository: string | undefined;
  /** The first few that were named. */
  readonly tags: readonly string[];
  readonly moreTags: boolean;
  readonly count: number;
  readonly last: EpochMs;
  /** As it would be. */
  readonly why: string;
  readonly rule: Rule | undefined;
  /** As it was, or is by the policy that it is compared with. */
  readonly was: string;
}

type Counted = { -readonly [Key in keyof Consequence]: Consequence[Key] } & { readonly tags: string[] };
type Turned = Extract<Comparison, { readonly kind: 'lost' | 'gained' }>;

/** Rows that are remembered; what comes of one edit is told in far fewer. */
const maxRows = 20_000;
const maxTags = 3;

/** Bounded, however much would change. */
export class Tally {
  readonly #rows = { lost: new Map<string, Counted>(), gained: new Map<string, Counted>() };
  #beyond = 0;

  add({ kind, next, was }: Turned, record: Recorded, who: Whom, matter: Matter): void {
    const rows = this.#rows[kind];
    const [subject, action] = [subjectOf(who), actionOf(matter)];
    const repository = 'repository' in matter ? matter.repository : undefined;
    const [why, before] = [whyOf(next), was.answer === undefined ? recordedWhy(record) : whyOf(was)];
    const key = JSON.stringify([subject, action, repository, why, before]);
    let row = rows.get(key);
    if (row === undefined) {
      if (rows.size >= maxRows) return void this.#beyond++;
      const rule = ruleOf(next);
      row = { subject, action, repository, tags: [], moreTags: false, count: 0, last: 0, why, rule, was: before };
      rows.set(key, row);
    }
    row.count++;
    row.last = Math.max(row.last, record.ended);
    for (const tag of tagsOf(matter)) {
      if (row.tags.includes(tag)) continue;
      if (row.tags.length < maxTags) row.tags.push(tag);
      else row.moreTags = true;
    }
  }

  result(): {
    readonly lost: readonly Consequence[];
    readonly gained: readonly Consequence[];
    readonly beyond: number;
  } {
    const { lost, gained } = this.#rows;
    return { lost: sorted(lost), gained: sorted(gained), beyond: this.#beyond };
  }
}

function sorted(rows: ReadonlyMap<string, Consequence>): readonly Consequence[] {
  const key = ({ subject, action, repository = '' }: Consequence): string => `${subject} ${action} ${repository}`;
  return [...rows.values()].sort((one, other) => other.count - one.count || (key(one) < key(other) ? -1 : 1));
}

/** As rules write it: `robot:builder`. */
export function subjectOf({ kind, name }: Whom): string {
  return kind === 'anonymous' ? kind : `${kind}:${name}`;
}

/** `token:push` for what a token would be for. */
export function actionOf(matter: Matter): string {
  return matter.verb === 'token' ? `token:${matter.action}` : matter.verb;
}

function tagsOf(matter: Matter): readonly string[] {
  if (matter.verb === 'push') return matter.tags;
  return 'tag' in matter && matter.tag !== undefined ? [matter.tag] : [];
}

function ruleOf({ answer }: Side): Rule | undefined {
  return answer === undefined || answer.kind === 'unsure' ? undefined : answer.decision?.rule;
}

function whyOf({ answer, gate }: Side): string {
  if (answer === undefined || answer.kind === 'unsure') return '';
  if (gate !== undefined) return `gate "${gate}" refuses it`;
  if (answer.closed !== undefined) return answer.closed;
  const { decision } = answer;
  switch (decision?.reason) {
    case 'rule_denies':
      return `${decision.rule === undefined ? 'a rule' : describeRule(decision.rule)} forbids it`;
    case 'rule_allows':
      return `${decision.rule === undefined ? 'a rule' : describeRule(decision.rule)} allows it`;
    case 'secret_narrow':
      return 'its secret was not made for it';
    case 'not_a_person':
      return 'only a person may';
    case 'no_rule':
    case 'account_unknown':
      return 'no rule allows it';
    case undefined:
      return 'the account may log in';
  }
}

/** What the record itself says of why. */
function recordedWhy({ rule, gate, outcome, reason }: Recorded): string {
  if (outcome === 'gate') return `gate ${gate ?? ''}`.trim();
  if (rule !== undefined) return `rule ${rule}`;
  return outcome === 'denied' ? (reasons.get(reason) ?? 'refused') : 'allowed';
}

const reasons = new Map([
  ['no_rule', 'no rule'],
  ['anonymous_refused', 'not without logging in'],
  ['secret_narrow', 'its secret was not made for it'],
]);
