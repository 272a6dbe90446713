/** What `replay` found, for people and for programs. */
import { escapeUnprintable } from '../document/problem.ts';
import { formatMoment } from '../policy/describe.ts';
import type { Unsure } from '../replay/matters.ts';
import type { Example, Replayed } from '../replay/replay.ts';
import type { Consequence } from '../replay/tally.ts';
import { paletteFor, placeInJson } from './report.ts';

const unsureWords: Readonly<Record<Unsure, string>> = {
  older: 'the record says too little; an older version wrote it',
  cut: 'a text in the record is cut',
  secret: 'the record does not say what the secret was made for',
  groups: 'the record does not say whether they are in groups that the policies name',
  claims: 'the record does not say all that is asked of the ID token',
  login: 'the account was unknown or disabled then; whether its password was right nobody looked',
  tag: 'it hangs on what the tag was then',
  tags: 'it hangs on which tags led to the image then',
  gate: 'it hangs on what a gate would have found then',
  limit: 'it hangs on limits, which count',
  time: 'a time in a rule lies within the request',
};

/** One line for each consequence, the most frequent first, then what cannot be told, then how much was judged. */
export function printReplay(result: Replayed, hasLimits: boolean): void {
  const { good, bad, strong, faint } = paletteFor(process.stdout);
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  for (const row of result.lost) say(`${bad('LOST  ')} ${lineOf(row)}${faint(whyOf(row))}`);
  for (const row of result.gained) say(`${good('GAINED')} ${lineOf(row)}${faint(whyOf(row))}`);
  if (result.beyond > 0) say(strong(`and ${result.beyond} more that are not told apart`));
  for (const { about, count, example } of result.unsure)
    say(`${strong('cannot say')} ${count}×: ${unsureWords[about]}${faint(` (such as ${exampleOf(example)})`)}`);
  for (const [rule, count] of result.shadow)
    say(
      `shadow     ${count}×: rule ${escapeUnprintable(JSON.stringify(rule))} would decide otherwise, were it enforced`,
    );
  say(summaryOf(result));
  if (hasLimits) say('limits were not judged; with --base, requests that other limits count are told');
}

/** `robot:builder push integration/api:1.0 412×, last 2026-11-25T22:10Z`. */
function lineOf(row: Consequence): string {
  const { subject, action, count, last } = row;
  return escapeUnprintable(`${subject} ${action}${targetOf(row)} ${count}×, last ${formatMoment(last)}`);
}

function targetOf({ repository, tags, moreTags }: Consequence): string {
  if (repository === undefined) return '';
  if (tags.length === 1 && !moreTags) return ` ${repository}:${tags[0] ?? ''}`;
  return ` ${repository}${tags.length === 0 ? '' : ` (${tags.join(', ')}${moreTags ? ', …' : ''})`}`;
}

function whyOf({ why, was }: Consequence): string {
  return escapeUnprintable(`: ${why} (was: ${was})`);
}

function exampleOf({ subject, action, repository = '', place }: Example): string {
  return escapeUnprintable(`${subject} ${action} ${repository}`.trim() + `, ${place}`);
}

function summaryOf({
  judged,
  same,
  lost,
  gained,
  unsure,
  undecided,
  others,
  unreadable,
  first,
  last,
}: Replayed): string {
  const sum = (rows: readonly { readonly count: number }[]): number => rows.reduce((all, { count }) => all + count, 0);
  const when = first === undefined || last === undefined ? '' : ` of ${formatMoment(first)} to ${formatMoment(last)}`;
  const found = `${same} as before, ${sum(lost)} lost, ${sum(gained)} gained, ${sum(unsure)} cannot be told`;
  const rest = [
    ...(undecided === 0 ? [] : [`${undecided} records in which no rule decided`]),
    ...(others === 0 ? [] : [`${others} other lines of the gateway`]),
    ...(unreadable === 0 ? [] : [`${unreadable} lines that are none of its`]),
  ];
  return `${judged} decisions${when}: ${found}${rest.length === 0 ? '' : `; besides ${rest.join(', ')}`}`;
}

/** As `replay --json` prints it; what is absent is null. */
export function replayJson(
  result: Replayed,
  { broken, hasLimits }: { readonly broken: readonly string[]; readonly hasLimits: boolean },
): unknown {
  const { judged, same, undecided, others, unreadable, first, last, beyond } = result;
  const instant = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString());
  return {
    from: instant(first),
    to: instant(last),
    judged,
    same,
    lost: result.lost.map(toJson),
    gained: result.gained.map(toJson),
    cannotSay: result.unsure.map(({ about, count, example: { subject, action, repository, place } }) => ({
      reason: about,
      text: unsureWords[about],
      count,
      example: { subject, action, repository: repository ?? null, place },
    })),
    shadow: [...result.shadow].map(([rule, count]) => ({ rule, count })),
    undecided,
    others,
    unreadable,
    beyond,
    limits: hasLimits ? 'not judged' : null,
    broken,
  };
}

function toJson({ subject, action, repository, tags, moreTags, count, last, why, rule, was }: Consequence): unknown {
  return {
    ...{ subject, action, repository: repository ?? null, tags, moreTags, count, last: new Date(last).toISOString() },
    ...{ why, rule: rule?.name ?? null, ...placeInJson(rule), was },
  };
}
