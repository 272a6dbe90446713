/** Gates as people ask about them: which stand in the way of a write, whom they leave out, and what they ask for in words. */
import type { PolicyByName } from '../by-name.ts';
import { describeGate, describeOrigin, listed } from '../describe.ts';
import { type StandingGate, isNamed, sourcesOf } from '../gates.ts';
import { type Gate, formatSubject, isWrite } from '../model.ts';
import type { Inquiry } from './consider.ts';

/** A gate over the repository that somebody writes to. */
export interface GateAbout extends StandingGate {
  /** `group:break-glass`, of its `except`, for somebody whom it does not stop. */
  readonly exempted: string | undefined;
  /** No tag is asked about, and the gate is about certain ones only. */
  readonly isOfTags: boolean;
}

/** By name; none for what writes nothing, and none that is about other tags than the one asked about. */
export function gatesAbout(
  compiled: PolicyByName,
  { principal, action, repository, tag }: Inquiry,
): readonly GateAbout[] {
  const subjects = compiled.subjectsOf(principal);
  if (subjects === undefined || !isWrite(action)) return [];
  return compiled.policy.gates
    .toSorted((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((gate): readonly GateAbout[] => {
      const sources = sourcesOf(gate, repository);
      const isOfTags = gate.tags !== undefined && tag === undefined;
      const isElsewhere = gate.tags !== undefined && tag !== undefined && !isNamed(gate.tags, tag);
      if (sources.length === 0 || isElsewhere) return [];
      const exempted = gate.except.map(formatSubject).find((subject) => subjects.includes(subject));
      return [{ gate, sources, exempted, isOfTags }];
    });
}

/** Whether it refuses what it does not find, here and to who asks. */
export function isInTheWay({ gate, exempted, isOfTags }: GateAbout): boolean {
  return gate.mode === 'enforce' && exempted === undefined && !isOfTags;
}

/** What must hold beside the rules, to be read behind what somebody may: `if the image is in integration/app`. */
export function ifInWords({ gate, sources }: StandingGate): string {
  return `if the image is ${describeOrigin(gate, sources)}`;
}

/** `gate "x" (file:2): the image must be in integration/app (under a tag approved-*); not for group:break-glass`. */
export function gateLine({ gate, sources, exempted, isOfTags }: GateAbout): string {
  const others = gate.except.map(formatSubject).filter((subject) => subject !== exempted);
  const notes = [
    ...(isOfTags ? [`for tags ${tagsOf(gate)} only`] : []),
    ...(exempted === undefined ? [] : [`not here: its \`except\` names ${exempted}`]),
    ...(others.length === 0 ? [] : [`not for ${listed(others)}`]),
    ...(gate.mode === 'shadow' ? ['in shadow mode: it refuses nothing'] : []),
  ];
  return [`${describeGate(gate)}: the image must be ${describeOrigin(gate, sources)}`, ...notes].join('; ');
}

/** `v*, latest`; all tags where the gate names none. */
export function tagsOf({ tags }: Gate): string {
  return tags === undefined ? '*' : listed(tags.map(({ text }) => text));
}

/** What an image must be, in words; empty where anything may be written. */
export function conditionsOf(gates: readonly GateAbout[]): readonly string[] {
  return gates.filter(isInTheWay).map(ifInWords);
}
