/** Asking: may they ask at all, can what they send be read, what comes of it. The API and the page ask in this way alone. */
import { z } from 'zod';
import { didYouMean } from '../document/suggest.ts';
import { type Needed, unmetNeed } from './needs.ts';
import type { IsWanted, Operation, Outcome } from './operation.ts';
import type { Viewer } from './viewer.ts';

export type Asked<Answer> = Outcome<Answer> | Needed;

/**
 * Whoever may not ask learns nothing of what they sent. Throws where the answer is not what the operation promises: a bug.
 * What its schema does not name is left out.
 */
export async function ask<Parts, Input extends z.ZodType, Answer extends z.ZodType>(
  operation: Operation<Parts, Input, Answer>,
  parts: Parts,
  viewer: Viewer,
  given: Readonly<Record<string, unknown>>,
  isWanted?: IsWanted,
): Promise<Asked<z.output<Answer>>> {
  const unmet = unmetNeed(operation.needs, viewer);
  if (unmet !== undefined) return unmet;
  const read = readInput(operation.input, given);
  if (!read.ok) return { ok: false, reason: 'invalid', detail: read.problem };
  const outcome = await operation.run(parts, viewer, read.value, isWanted);
  return outcome.ok ? { ok: true, answer: operation.answer.parse(outcome.answer) } : outcome;
}

/** Operations together with what they work with. */
export interface Asking {
  readonly operations: readonly Operation<unknown>[];
  readonly parts: unknown;
}

/** The only way to put the two together: the operations get what they were made for. */
export function asking<Parts>(operations: readonly Operation<Parts>[], parts: Parts): Asking {
  return { operations, parts };
}

export type InputReading<Value> =
  | { readonly ok: true; readonly value: Value }
  /** On one line, for whoever asked. */
  | { readonly ok: false; readonly problem: string };

/** Names that the operation does not know are refused: what is misspelt is never taken for left out. */
function readInput<Input extends z.ZodType>(
  input: Input,
  given: Readonly<Record<string, unknown>>,
): InputReading<z.output<Input>> {
  const names = namesOf(input);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) return { ok: false, problem: unknownName(unknown, names) };
  const read = input.safeParse(given);
  return read.success
    ? { ok: true, value: read.data }
    : { ok: false, problem: read.error.issues.map(inWords).join('; ').slice(0, 500) };
}

/** What an operation takes, in the order of its schema. */
function namesOf(input: z.ZodType): readonly string[] {
  return input instanceof z.ZodObject ? Object.keys(input.shape) : [];
}

function unknownName(name: string, names: readonly string[]): string {
  const known = names.length === 0 ? 'it takes none' : `there are ${names.join(', ')}`;
  const meant = didYouMean(name, names);
  return `there is no parameter ${JSON.stringify(name.slice(0, 40))}${meant === '' ? `; ${known}` : `${meant} (${known})`}`;
}

function inWords({ path, message }: z.core.$ZodIssue): string {
  const said = message.replace(/^Invalid input: (?:expected \w+, received undefined$)?/, '') || 'it is missing';
  return path.length === 0 ? said : `${path.join('.')}: ${said}`;
}
