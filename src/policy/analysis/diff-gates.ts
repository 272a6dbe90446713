/** What a change of policy does to gates, in words: which are new or gone, and which let pass more or less than before. */
import { describeOrigin, formatSubjects, listed } from '../describe.ts';
import { type Gate, type Policy, formatSubject } from '../model.ts';
import type { RepositoryPattern, TagPattern } from '../pattern.ts';
import { covers, coversTag } from './witness.ts';

/** `tightened`: it refuses what it let pass, and lets pass nothing that it refused; `loosened`: the other way round. */
export interface GateChange {
  readonly kind: 'added' | 'removed' | 'tightened' | 'loosened' | 'changed';
  /** As it is now; a removed one as it was. */
  readonly gate: Gate;
  /** Without the sign and the place. */
  readonly sentence: string;
}

/** In order of names; the same name before and after is the same gate, and so is one that only has another name. */
export function gateChanges(before: Policy, after: Policy): readonly GateChange[] {
  const old = new Map(before.gates.map((gate) => [gate.name, gate]));
  const young = new Map(after.gates.map((gate) => [gate.name, gate]));
  const names = [...new Set([...old.keys(), ...young.keys()])].sort();
  const single = (gates: typeof old, others: typeof old): ReadonlySet<string> =>
    new Set([...gates.values()].filter(({ name }) => !others.has(name)).map(inWords));
  const [gone, added] = [single(old, young), single(young, old)];
  return names.flatMap((name): readonly GateChange[] => {
    const [was, is] = [old.get(name), young.get(name)];
    if (was === undefined || is === undefined) {
      const gate = is ?? was;
      if (gate === undefined || (gone.has(inWords(gate)) && added.has(inWords(gate)))) return [];
      const kind = was === undefined ? 'added' : 'removed';
      const word = was === undefined ? 'is new' : 'is gone';
      return [{ kind, gate, sentence: `gate "${name}" ${word}: ${inWords(gate)}` }];
    }
    const parts = partsOf(was, is);
    if (parts.length === 0) return [];
    const kinds = new Set(parts.map(({ kind }) => kind));
    const [only] = kinds;
    const kind = kinds.size === 1 && only !== undefined ? only : 'changed';
    const word = { tightened: 'is tighter', loosened: 'is looser', changed: 'is another' }[kind];
    return [{ kind, gate: is, sentence: `gate "${name}" ${word}: ${parts.map(({ words }) => words).join('; ')}` }];
  });
}

/** `into release/** (tags v*) only what is in integration/** (under a tag approved-*)`. */
function inWords(gate: Gate): string {
  const notes = [
    ...(gate.attachments === 'deny' ? ['attachments too'] : []),
    ...(gate.except.length === 0 ? [] : [`but not for ${formatSubjects(gate.except)}`]),
    ...(gate.mode === 'shadow' ? ['in shadow mode'] : []),
  ];
  const origin = describeOrigin(gate, textsOf(gate.from));
  return [`into ${listed(textsOf(gate.repositories))}${tagsInWords(gate.tags)} only what is ${origin}`, ...notes].join(
    ', ',
  );
}

interface Part {
  readonly kind: 'tightened' | 'loosened' | 'changed';
  readonly words: string;
}

function partsOf(was: Gate, is: Gate): readonly Part[] {
  const onGates = (left: Gate, right: Gate): boolean =>
    right.repositories.every((inner) => left.repositories.some((outer) => covers(outer, inner)));
  const onTags = (left: Gate, right: Gate): boolean => areTagsIn(left.tags, right.tags);
  // Whoever finds images in more places lets pass more.
  const onFrom = (left: Gate, right: Gate): boolean =>
    left.from.every((inner) => right.from.some((outer) => covers(outer, inner)));
  const onFromTags = (left: Gate, right: Gate): boolean => areTagsIn(right.fromTags, left.fromTags);
  const onExcept = (left: Gate, right: Gate): boolean => {
    const names = new Set(right.except.map(formatSubject));
    return left.except.every((subject) => names.has(formatSubject(subject)));
  };
  const isStricter = { match: 'digest', attachments: 'deny', mode: 'enforce' } as const;
  const onWord = (key: keyof typeof isStricter) => (left: Gate, right: Gate) =>
    left[key] === right[key] || left[key] === isStricter[key];
  return [
    part(was, is, onGates, 'it stands over', ({ repositories }) => listed(textsOf(repositories))),
    part(was, is, onTags, 'it is about', ({ tags }) => (tags === undefined ? 'every write' : tagsIn(tags))),
    part(was, is, onFrom, 'it looks in', ({ from }) => listed(textsOf(from))),
    part(was, is, onFromTags, 'it looks under', ({ fromTags }) =>
      fromTags === undefined ? 'any tag' : tagsIn(fromTags),
    ),
    part(was, is, onExcept, 'it lets pass', ({ except }) => (except.length === 0 ? 'nobody' : formatSubjects(except))),
    part(was, is, onWord('match'), 'it takes', ({ match }) =>
      match === 'image' ? 'the same image' : 'the same digest only',
    ),
    part(was, is, onWord('attachments'), 'attachments of what is there', ({ attachments }) =>
      attachments === 'allow' ? 'pass' : 'must be there, too',
    ),
    part(was, is, onWord('mode'), 'it', ({ mode }) => (mode === 'enforce' ? 'is enforced' : 'is in shadow mode')),
  ].flat();
}

/** `isAsStrict`: whether `left` refuses all that `right` does, as far as this part goes. */
function part(
  was: Gate,
  is: Gate,
  isAsStrict: (left: Gate, right: Gate) => boolean,
  about: string,
  inWord: (gate: Gate) => string,
): readonly Part[] {
  const [now, then] = [isAsStrict(is, was), isAsStrict(was, is)];
  if (now && then) return [];
  const kind = now ? 'tightened' : then ? 'loosened' : 'changed';
  return [{ kind, words: `${about} ${inWord(is)} (before: ${inWord(was)})` }];
}

/** Whether every tag of `inner` is one of `outer`; undefined is every tag. */
function areTagsIn(outer: readonly TagPattern[] | undefined, inner: readonly TagPattern[] | undefined): boolean {
  if (outer === undefined) return true;
  return inner?.every((narrow) => outer.some((broad) => coversTag(broad, narrow))) === true;
}

function textsOf(patterns: readonly (RepositoryPattern | TagPattern)[]): readonly string[] {
  return patterns.map(({ text }) => text);
}

function tagsIn(tags: readonly TagPattern[]): string {
  return `tags ${listed(textsOf(tags))}`;
}

function tagsInWords(tags: readonly TagPattern[] | undefined): string {
  return tags === undefined ? '' : ` (${tagsIn(tags)})`;
}
