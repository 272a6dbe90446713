/** Cells that change alike, put together until each group of them is one sentence. */
import type { Rule } from '../model.ts';
import { type Cell, diffRights, otherTags } from './diff-cells.ts';
import { type State, kindOf } from './diff-states.ts';
import { grouped } from '../grouped.ts';
import { covers, filler } from './witness.ts';

type Region = Cell['region'];

/** Cells that say the same, on the way to one sentence. */
export interface Finding {
  readonly labels: readonly string[];
  /** As bits of `diffRights`. */
  readonly rights: number;
  /** All of one pattern. */
  readonly regions: readonly Region[];
  readonly repositories: readonly string[];
  readonly exceptSubjects: readonly string[];
  readonly exceptRepositories: readonly string[];
  readonly tags: readonly string[] | undefined;
  readonly before: State;
  readonly after: State;
  readonly staysReadable: boolean;
}

/** What changed among `cells`, by as few findings as tell all of it. */
export function findingsOf(cells: readonly Cell[]): readonly Finding[] {
  const changed = withoutExplained(cells.filter((cell) => cell.isChanged));
  const ofRights = mergeOver('rights', mergeRegions(mergeTags(changed, cells), cells), (group, first) => ({
    ...first,
    rights: group.reduce((sum, each) => sum | each.rights, 0),
  }));
  const ofRepositories = mergeOver('repositories', ofRights, (group, first) => ({
    ...first,
    repositories: group.flatMap((each) => each.repositories),
  }));
  return mergeOver('labels', ofRepositories, (group, first) => {
    const labels = [...new Set(group.flatMap((each) => each.labels))];
    const isEverybody = labels.includes('anonymous') && labels.includes('authenticated');
    const rest = labels.filter((label) => label !== 'anonymous' && label !== 'authenticated');
    return { ...first, labels: isEverybody ? ['everyone', ...rest] : labels };
  });
}

/** The rule that decides now; for what is no longer allowed by any rule, the one that allowed it. */
export function ruleOf({ before, after }: Finding): Rule | undefined {
  return after.rule ?? before.rule;
}

/** A user's change that one of the user's groups has as well is told of the group. */
function withoutExplained(cells: readonly Cell[]): readonly Cell[] {
  const told = new Set(cells.flatMap((cell) => cell.probe.labels.map((label) => `${label} ${meaningOf(cell)}`)));
  return cells.filter((cell) => !cell.probe.generals.some((general) => told.has(`${general} ${meaningOf(cell)}`)));
}

function meaningOf({ region, right, tag, before, after }: Cell): string {
  return JSON.stringify([region.id, right, tag ?? null, stateText(before), stateText(after)]);
}

function stateText({ kind, words }: State): string {
  return `${kind} ${words}`;
}

/** Where every tag asked about changes alike, tags need no mention. */
function mergeTags(changed: readonly Cell[], all: readonly Cell[]): readonly Finding[] {
  const place = (cell: Cell): string => JSON.stringify([cell.probe.labels, cell.region.repository, cell.right]);
  const asked = grouped(all, place);
  const unlike = dissent(all);
  const groups = grouped(changed, (cell) => `${place(cell)} ${stateText(cell.before)} ${stateText(cell.after)}`);
  return [...groups.values()].map((group) => {
    const [first] = group;
    const isEveryTag = group.length === asked.get(place(first))?.length;
    return {
      labels: first.probe.labels,
      rights: diffRights[first.right],
      regions: [first.region],
      repositories: [],
      exceptSubjects: unlike(first),
      exceptRepositories: [],
      tags: isEveryTag ? undefined : group.map((cell) => cell.tag ?? otherTags),
      before: first.before,
      after: first.after,
      staysReadable: first.staysReadable,
    };
  });
}

/** Finds who is among the subjects of a cell and yet fares otherwise: groups first, then users whom none of these explains. */
function dissent(all: readonly Cell[]): (cell: Cell) => readonly string[] {
  const question = ({ region, right, tag }: Cell): string => JSON.stringify([region.id, right, tag ?? null]);
  const members = grouped(
    all.flatMap((cell) => cell.probe.generals.map((general) => ({ cell, key: `${general} ${question(cell)}` }))),
    ({ key }) => key,
  );
  return (cell) => {
    const kind = kindOf(cell.before, cell.after);
    const isUnlike = ({ after }: Cell): boolean =>
      kind === 'changed' ? after.kind !== cell.after.kind : (after.kind === 'never') === (kind === 'granted');
    const found = cell.probe.labels
      .flatMap((label) => members.get(`${label} ${question(cell)}`) ?? [])
      .filter((member) => isUnlike(member.cell))
      .map((member) => member.cell.probe);
    const labels = new Set(found.flatMap((probe) => probe.labels));
    return found
      .filter((probe) => !probe.generals.some((general) => labels.has(general)))
      .flatMap((probe) => probe.labels);
  };
}

/**
 * Names for one pattern become that pattern. A pattern within another one that changes alike is not told again; one
 * within another that does not end alike is told as an exception.
 */
function mergeRegions(findings: readonly Finding[], all: readonly Cell[]): readonly Finding[] {
  const cellsByPlace = grouped(all, ({ probe, right }) => `${probe.labels[0] ?? ''} ${diffRights[right]}`);
  const alike = grouped(findings, (each) =>
    JSON.stringify([each.labels, each.exceptSubjects, each.rights, each.tags ?? null, ...outcomeOf(each)]),
  );
  return [...alike.values()].flatMap((group) => {
    const [first] = group;
    const cells = cellsByPlace.get(`${first.labels[0] ?? ''} ${first.rights}`) ?? [];
    const regions = group.flatMap((finding) => finding.regions);
    const byPattern = [...grouped(regions, patternLabel)];
    const outer = byPattern.filter(
      ([, inner]) => !byPattern.some(([, other]) => other !== inner && isWithin(inner[0], other[0])),
    );
    return outer.map(([label, here]) => {
      const finding = group.find(({ regions }) => regions[0] === here[0]) ?? first;
      const siblings = new Set(
        cells.filter(({ region }) => patternLabel(region) === label).map(({ region }) => region.repository),
      );
      const repositories =
        here.length >= siblings.size
          ? [label]
          : here.map((region) => `${label} (such as ${region.repository.replaceAll(filler, 'x')})`);
      return { ...finding, regions: here, repositories, exceptRepositories: exceptionsOf(first, here[0], cells) };
    });
  });
}

function outcomeOf({ before, after, staysReadable }: Finding): readonly unknown[] {
  return [stateText(before), stateText(after), staysReadable];
}

function patternLabel({ patterns: [one, other] }: Region): string {
  if (one === undefined) return '';
  return other === undefined ? one.text : `what is in both ${one.text} and ${other.text}`;
}

function isWithin(inner: Region, { patterns: [broad, ...rest] }: Region): boolean {
  if (broad === undefined || rest.length > 0) return false;
  return (
    inner.patterns.some((pattern) => pattern.text !== broad.text && covers(broad, pattern)) ||
    (inner.patterns.length === 2 && inner.patterns.some((pattern) => pattern.text === broad.text))
  );
}

/** Patterns within the one that changed where the change ends differently: still refused, or still allowed. */
function exceptionsOf(finding: Finding, here: Region, cells: readonly Cell[]): readonly string[] {
  const isSame = ({ after }: Cell): boolean => (after.kind === 'never') === (finding.after.kind === 'never');
  const inner = cells.filter(
    ({ region, tag }) =>
      isWithin(region, here) && (finding.tags === undefined || finding.tags.includes(tag ?? otherTags)),
  );
  return [...grouped(inner, ({ region }) => patternLabel(region))]
    .filter(([, group]) => !group.some(isSame))
    .map(([label]) => label);
}

/** Findings that say the same but for one part of it become one. */
function mergeOver(
  part: 'labels' | 'rights' | 'repositories',
  findings: readonly Finding[],
  join: (group: readonly Finding[], first: Finding) => Finding,
): readonly Finding[] {
  const likeness = (each: Finding): string => {
    const { labels, rights, repositories, exceptSubjects, exceptRepositories, tags = null } = each;
    const outcome = [...outcomeOf(each), ruleOf(each)?.name ?? null];
    const said = { labels, rights, repositories, exceptSubjects, exceptRepositories, tags, outcome };
    return JSON.stringify({ ...said, [part]: null });
  };
  return [...grouped(findings, likeness).values()].map((group) => join(group, group[0]));
}
