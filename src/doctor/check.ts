/** What a check is, and what it can say. */
import type { Context } from './context.ts';

export type State = 'ok' | 'warn' | 'FAIL' | 'skip';

export interface Outcome {
  readonly state: State;
  /** What there is, in words. */
  readonly found: string;
  /** What to do; absent where that is nothing. */
  readonly fix?: string | undefined;
}

export interface Check {
  readonly number: number;
  readonly name: string;
  /** URLs without which there is nothing to say: with --offline, any beyond this machine is a reason to skip. */
  readonly asks?: (context: Context) => readonly string[];
  /** It and others would disturb each other: it is done before they begin. */
  readonly isAlone?: true;
  readonly run: (context: Context) => Outcome | Promise<Outcome>;
}

/** All is well. */
export function ok(found: string): Outcome {
  return { state: 'ok', found };
}

/** It works, and should be seen to. */
export function warn(found: string, fix: string): Outcome {
  return { state: 'warn', found, fix };
}

/** It does not work, or is not safe. */
export function fail(found: string, fix: string): Outcome {
  return { state: 'FAIL', found, fix };
}

/** Nothing can be said; `fix` is what would let it be said. */
export function skip(found: string, fix?: string): Outcome {
  return { state: 'skip', found, fix };
}

const order: readonly State[] = ['FAIL', 'warn', 'ok', 'skip'];

/** Of several outcomes about the same, the worst with all that is as bad as that. */
export function worst(outcomes: readonly Outcome[]): Outcome {
  const state = order.find((each) => outcomes.some((outcome) => outcome.state === each)) ?? 'skip';
  const those = outcomes.filter((outcome) => outcome.state === state);
  const fixes = [...new Set(those.flatMap(({ fix }) => fix ?? []))];
  const found = [...new Set(those.map((each) => each.found))].join('; ');
  return { state, found, fix: fixes.length === 0 ? undefined : fixes.join('; ') };
}
