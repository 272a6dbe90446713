/** What a change of policy grants, takes away and limits, in words. Order, names of rules and places never make a difference. */
import { actionsOf, formatPlace, listed } from '../describe.ts';
import { type Cell, type State, comparePolicies, noTag, otherTags } from './diff-cells.ts';
import { accountsOf, standingOf } from './diff-probes.ts';
import { type LimitChange, limitChanges } from './diff-limits.ts';
import { type Action, type Policy, type Rule, formatSubject, rights } from '../model.ts';
import { covers, filler } from './pattern-witness.ts';

export interface AccessChange {
  readonly kind: 'granted' | 'revoked' | 'changed';
  /** In file notation. */
  readonly subjects: readonly string[];
  readonly actions: readonly Action[];
  /** Patterns, or words for what two patterns share. */
  readonly repositories: readonly string[];
  /** Subjects among these for whom it is not so. */
  readonly exceptSubjects: readonly string[];
  /** Patterns inside of these repositories for which it is not so. */
  readonly exceptRepositories: readonly string[];
  /** Tag patterns, `other` among them for tags that no pattern names; absent: tags make no difference. */
  readonly tags?: readonly string[];
  /** The rule that decides now; for what is no longer allowed by any rule, the one that allowed it. */
  readonly rule: Rule | undefined;
  /** Without the sign and the rule. */
  readonly sentence: string;
}

export interface AccountChange {
  readonly kind: 'granted' | 'revoked' | 'changed';
  readonly subject: string;
  readonly sentence: string;
}

export interface PolicyDiff {
  readonly accounts: readonly AccountChange[];
  readonly changes: readonly AccessChange[];
  readonly limits: readonly LimitChange[];
  /** False when the policies are too large to be compared whole; what is listed is true all the same. */
  readonly isComplete: boolean;
}

export interface DiffOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Bounds the time a comparison takes; three million by default, some seconds. */
  readonly maxWork?: number;
}

/** What is granted comes first, what is revoked last. */
export function diffPolicies(before: Policy, after: Policy, { now, maxWork = 3_000_000 }: DiffOptions): PolicyDiff {
  const { cells, isComplete } = comparePolicies(before, after, { now, maxWork });
  const merged = withoutExplained(cells.filter((cell) => cell.isChanged));
  const ofTags = mergeTags(merged, cells);
  const ofRegions = mergeRegions(ofTags, cells);
  const changes = mergeSubjects(mergeRepositories(mergeRights(ofRegions)));
  return {
    accounts: accountChanges(before, after),
    changes: changes.map(toChange).sort(byKind),
    limits: limitChanges(before, after),
    isComplete,
  };
}

/** Cells that say the same, on the way to one sentence. */
interface Finding {
  readonly labels: readonly string[];
  readonly generals: readonly string[];
  readonly rights: number;
  /** Before: regions of one pattern; after merging, of several. */
  readonly patterns: readonly (readonly Cell['region'][])[];
  readonly repositories: readonly string[];
  readonly exceptSubjects: readonly string[];
  readonly exceptRepositories: readonly string[];
  readonly tags: readonly string[] | undefined;
  readonly before: State;
  readonly after: State;
  readonly staysReadable: boolean;
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

function findingOf(cell: Cell, tags: readonly string[] | undefined, exceptSubjects: readonly string[]): Finding {
  return {
    labels: cell.probe.labels,
    generals: cell.probe.generals,
    rights: rights[cell.right],
    patterns: [[cell.region]],
    repositories: [],
    exceptSubjects,
    exceptRepositories: [],
    tags,
    before: cell.before,
    after: cell.after,
    staysReadable: cell.staysReadable,
  };
}

/** Where every tag asked about changes alike, tags need no mention. */
function mergeTags(changed: readonly Cell[], all: readonly Cell[]): readonly Finding[] {
  const place = (cell: Cell): string => JSON.stringify([cell.probe.labels, cell.region.repository, cell.right]);
  const asked = countBy(all, place);
  const unlike = dissent(all);
  const groups = groupBy(changed, (cell) => `${place(cell)} ${stateText(cell.before)} ${stateText(cell.after)}`);
  return groups.flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const isEveryTag = group.length === asked.get(place(first));
    const tags = isEveryTag ? undefined : group.map((cell) => cell.tag ?? otherTags);
    return [findingOf(first, tags, unlike(first))];
  });
}

/** Finds who is among the subjects of a cell and yet fares otherwise: groups first, then users whom none of these explains. */
function dissent(all: readonly Cell[]): (cell: Cell) => readonly string[] {
  const question = ({ region, right, tag }: Cell): string => JSON.stringify([region.id, right, tag ?? null]);
  const byGeneral = new Map<string, Cell[]>();
  for (const cell of all) {
    for (const general of cell.probe.generals) {
      const key = `${general} ${question(cell)}`;
      const known = byGeneral.get(key);
      if (known === undefined) byGeneral.set(key, [cell]);
      else known.push(cell);
    }
  }
  return (cell) => {
    const kind = kindOf(cell.before, cell.after);
    const isUnlike = ({ after }: Cell): boolean =>
      kind === 'changed' ? after.kind !== cell.after.kind : (after.kind === 'never') === (kind === 'granted');
    const members = cell.probe.labels.flatMap((label) => byGeneral.get(`${label} ${question(cell)}`) ?? []);
    const found = members.filter(isUnlike).map(({ probe }) => probe);
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
  const cellsByPlace = new Map<string, readonly Cell[]>(
    groupBy(all, (cell) => `${cell.probe.labels[0] ?? ''} ${cell.right}`).map((group) => {
      const [first] = group;
      return [`${first?.probe.labels[0] ?? ''} ${first?.right ?? ''}`, group] as const;
    }),
  );
  const alike = groupBy(findings, (finding) =>
    JSON.stringify([
      finding.labels,
      finding.exceptSubjects,
      finding.rights,
      finding.tags ?? null,
      ...outcomeOf(finding),
    ]),
  );
  return alike.flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const right = Object.entries(rights).find(([, bit]) => bit === first.rights)?.[0] ?? '';
    const cells = cellsByPlace.get(`${first.labels[0] ?? ''} ${right}`) ?? [];
    const regions = group.flatMap((finding) => finding.patterns.flat());
    const byPattern = groupBy(regions, (region) => patternLabel(region));
    const outer = byPattern.filter((inner) => !byPattern.some((other) => other !== inner && isWithin(inner, other)));
    return outer.flatMap((here) => {
      const finding = group.find(({ patterns }) => patterns.flat()[0] === here[0]) ?? first;
      const siblings = new Set(
        cells
          .filter((cell) => patternLabel(cell.region) === patternLabel(here[0]))
          .map((cell) => cell.region.repository),
      );
      const isWhole = here.length >= siblings.size;
      const label = patternLabel(here[0]);
      const repositories = isWhole
        ? [label]
        : here.map((region) => `${label} (such as ${shownName(region.repository)})`);
      return [{ ...finding, patterns: [here], repositories, exceptRepositories: exceptionsOf(first, here, cells) }];
    });
  });
}

function outcomeOf({ before, after, staysReadable }: Finding): readonly unknown[] {
  return [stateText(before), stateText(after), staysReadable];
}

function patternLabel(region: Cell['region'] | undefined): string {
  const [one, other] = region?.patterns ?? [];
  if (one === undefined) return '';
  return other === undefined ? one.text : `what is in both ${one.text} and ${other.text}`;
}

function shownName(repository: string): string {
  return repository.replaceAll(filler, 'x');
}

/** Both are regions of one label each. */
function isWithin(inner: readonly Cell['region'][], outer: readonly Cell['region'][]): boolean {
  const [broad, ...rest] = outer[0]?.patterns ?? [];
  if (broad === undefined || rest.length > 0) return false;
  return (
    inner[0]?.patterns.some((pattern) => pattern.text !== broad.text && covers(broad, pattern)) === true ||
    (inner[0]?.patterns.length === 2 && inner[0].patterns.some((pattern) => pattern.text === broad.text))
  );
}

/** Patterns within the one that changed where the change ends differently: still refused, or still allowed. */
function exceptionsOf(finding: Finding, here: readonly Cell['region'][], cells: readonly Cell[]): readonly string[] {
  const isSame = ({ after }: Cell): boolean => (after.kind === 'never') === (finding.after.kind === 'never');
  const inner = cells.filter(
    ({ region, tag }) =>
      isWithin([region], here) && (finding.tags === undefined || finding.tags.includes(tag ?? otherTags)),
  );
  return groupBy(inner, ({ region }) => patternLabel(region))
    .filter((group) => !group.some(isSame))
    .map(([first]) => patternLabel(first?.region));
}

function mergeRights(findings: readonly Finding[]): readonly Finding[] {
  return merge(
    findings,
    (each) => [
      each.labels,
      each.repositories,
      each.exceptSubjects,
      each.exceptRepositories,
      each.tags ?? null,
      ...outcomeOf(each),
      ruleOf(each)?.name ?? null,
    ],
    (group, first) => ({ ...first, rights: group.reduce((sum, each) => sum | each.rights, 0) }),
  );
}

function mergeRepositories(findings: readonly Finding[]): readonly Finding[] {
  return merge(
    findings,
    (each) => [
      each.labels,
      each.rights,
      each.exceptSubjects,
      each.exceptRepositories,
      each.tags ?? null,
      ...outcomeOf(each),
      ruleOf(each)?.name ?? null,
    ],
    (group, first) => ({ ...first, repositories: group.flatMap((each) => each.repositories) }),
  );
}

function mergeSubjects(findings: readonly Finding[]): readonly Finding[] {
  return merge(
    findings,
    (each) => [
      each.rights,
      each.repositories,
      each.exceptSubjects,
      each.exceptRepositories,
      each.tags ?? null,
      ...outcomeOf(each),
      ruleOf(each)?.name ?? null,
    ],
    (group, first) => {
      const labels = [...new Set(group.flatMap((each) => each.labels))];
      const isEverybody = labels.includes('anonymous') && labels.includes('authenticated');
      const rest = labels.filter((label) => label !== 'anonymous' && label !== 'authenticated');
      return { ...first, labels: isEverybody ? ['everyone', ...rest] : labels };
    },
  );
}

function merge(
  findings: readonly Finding[],
  likeness: (finding: Finding) => readonly unknown[],
  join: (group: readonly Finding[], first: Finding) => Finding,
): readonly Finding[] {
  return groupBy(findings, (finding) => JSON.stringify(likeness(finding))).flatMap((group) => {
    const [first] = group;
    return first === undefined ? [] : [join(group, first)];
  });
}

function ruleOf({ before, after }: Finding): Rule | undefined {
  return after.rule ?? before.rule;
}

function toChange(finding: Finding): AccessChange {
  const { before, after, labels, repositories, exceptSubjects, exceptRepositories, tags } = finding;
  const kind = kindOf(before, after);
  const actions = actionsOf(finding.rights);
  const where = `${listed(repositories, 8)}${tagsInWords(tags)}${butNot(exceptRepositories)}`;
  const what = `${actions.join(', ')} ${where}`;
  const who = `${listed(labels, 6)}${exceptSubjects.length === 0 ? '' : ` (but not ${listed(exceptSubjects)})`}`;
  return {
    kind,
    subjects: labels,
    actions,
    repositories,
    exceptSubjects,
    exceptRepositories,
    ...(tags === undefined ? {} : { tags }),
    rule: ruleOf(finding),
    sentence: sentence(kind, who, what, finding),
  };
}

function sentence(
  kind: AccessChange['kind'],
  who: string,
  what: string,
  { before, after, staysReadable }: Finding,
): string {
  const then = before.kind === 'always' ? 'at any time' : before.words;
  switch (kind) {
    case 'granted':
      return `${who} may now ${what} ${after.words}`.trimEnd();
    case 'revoked': {
      const readable = staysReadable ? ' (reading while pushing stays)' : '';
      return `${who} may no longer ${what}${readable}${before.kind === 'sometimes' ? ` (before: ${then})` : ''}`;
    }
    case 'changed':
      return `${who} may ${what} ${after.kind === 'always' ? 'at any time' : after.words} (before: ${then})`;
  }
}

function kindOf(before: State, after: State): AccessChange['kind'] {
  return before.kind === 'never' ? 'granted' : after.kind === 'never' ? 'revoked' : 'changed';
}

function butNot(exceptions: readonly string[]): string {
  return exceptions.length === 0 ? '' : ` but not ${listed(exceptions)}`;
}

function tagsInWords(tags: readonly string[] | undefined): string {
  if (tags === undefined) return '';
  const named = tags.filter((tag) => tag !== otherTags && tag !== noTag);
  const other = [
    ...(tags.includes(otherTags) ? ['tags that no rule names'] : []),
    ...(tags.includes(noTag) ? ['layers'] : []),
  ];
  const words = [...(named.length === 0 ? [] : [`tags ${named.join(', ')}`]), ...other];
  return ` (${words.join(' and ')})`;
}

/** `rule devs-push, policies/areas.yaml:12`; of what no rule allows any more, the rule that did. */
export function cause({ kind, rule }: AccessChange): string | undefined {
  if (rule === undefined) return undefined;
  const named = `rule ${rule.name}, ${formatPlace(rule.source)}`;
  return kind === 'revoked' && rule.effect === 'allow' ? `was ${named}` : named;
}

function accountChanges(before: Policy, after: Policy): readonly AccountChange[] {
  return accountsOf(before, after).flatMap((principal): readonly AccountChange[] => {
    const subject = formatSubject(principal);
    const old = standingOf(before, principal);
    const young = standingOf(after, principal);
    if (old === undefined && young === undefined) return [];
    if (old === undefined) {
      const groups = young?.length === 0 ? 'in no group' : `in ${(young ?? []).join(', ')}`;
      const word = isDeclared(before, principal) ? 'is no longer disabled' : 'is new';
      return [{ kind: 'granted', subject, sentence: `${subject} ${word}, ${groups}` }];
    }
    if (young === undefined) {
      const word = isDeclared(after, principal) ? 'is disabled' : 'is gone';
      return [{ kind: 'revoked', subject, sentence: `${subject} ${word}` }];
    }
    const joined = young.filter((group) => !old.includes(group));
    const left = old.filter((group) => !young.includes(group));
    if (joined.length + left.length === 0) return [];
    const words = [
      ...(joined.length === 0 ? [] : [`joins ${joined.join(', ')}`]),
      ...(left.length === 0 ? [] : [`leaves ${left.join(', ')}`]),
    ];
    return [{ kind: 'changed', subject, sentence: `${subject} ${words.join(' and ')}` }];
  });
}

function isDeclared(
  policy: Policy,
  { kind, name }: { readonly kind: 'user' | 'robot' | 'workload'; readonly name: string },
): boolean {
  return { user: policy.users, robot: policy.robots, workload: policy.workloads }[kind].has(name);
}

const order = { granted: 0, changed: 1, revoked: 2 };

function byKind(left: AccessChange, right: AccessChange): number {
  return order[left.kind] - order[right.kind] || (left.sentence < right.sentence ? -1 : 1);
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [item]);
    else known.push(item);
  }
  return [...groups.values()];
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, number> {
  return new Map(groupBy(items, keyOf).map((group) => [group[0] === undefined ? '' : keyOf(group[0]), group.length]));
}
