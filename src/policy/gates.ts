/** Which gates a write passes through, and where each of them looks for what is written. */
import { type Gate, type GroupMember, type Principal } from './model.ts';
import { depthIn, matchPieces } from './pattern.ts';
import { names, subjectsOf } from './principal.ts';

/** A gate as one write meets it. */
export interface StandingGate {
  readonly gate: Gate;
  /** The repositories in which the image may be; at least one, sorted. */
  readonly sources: readonly string[];
}

/**
 * The gates that a write of somebody passes through, shadow ones too, by name; without a tag those that are about every
 * write. `gates` in the order in which they are to be named.
 */
export function gatesAt(
  gates: readonly Gate[],
  principal: Principal | GroupMember,
  repository: string,
  tag: string | undefined,
): readonly StandingGate[] {
  const subjects = subjectsOf(principal);
  return gates.flatMap((gate) => {
    const isTagged = gate.tags === undefined || (tag !== undefined && isNamed(gate.tags, tag));
    if (!isTagged || names(gate.except, subjects)) return [];
    const sources = sourcesOf(gate, repository);
    return sources.length === 0 ? [] : [{ gate, sources }];
  });
}

/** Where the gate looks for what is written to a repository; empty where it does not stand. */
export function sourcesOf(
  { repositories, from }: Pick<Gate, 'repositories' | 'from'>,
  repository: string,
): readonly string[] {
  const found = repositories.flatMap((pattern) => {
    const depth = depthIn(pattern, repository);
    return depth === undefined ? [] : from.map(({ text }) => text.replace('**', depth));
  });
  return [...new Set(found)].sort();
}

/** Whether the tag is one of those that a gate is about, or looks for. */
export function isNamed(tags: NonNullable<Gate['tags']>, tag: string): boolean {
  return tags.some(({ pieces }) => matchPieces(pieces, tag, undefined));
}
