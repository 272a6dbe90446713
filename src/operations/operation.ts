/**
 * One thing that can be asked of a running gateway: what it takes, what it answers, who may ask, and a function that knows
 * nothing of HTTP. `/api/v1` gives its answer as JSON, the page as HTML.
 */
import type { z } from 'zod';
import type { Viewer } from './viewer.ts';

/**
 * Who may ask at all; the function judges the rest. `anybody`: also nobody in particular, where the page shows itself to
 * them. `account`: a known account, or an operator. `person`: somebody by password or the page, for what is their own.
 * `inspect`, `administer`: in every repository.
 */
export type Needs = 'anybody' | 'account' | 'person' | 'inspect' | 'administer';

export type Outcome<Answer> =
  | { readonly ok: true; readonly answer: Answer }
  | {
      readonly ok: false;
      readonly reason: 'invalid' | 'unknown' | 'forbidden' | 'conflict' | 'unavailable';
      /** A sentence for whoever asked. */
      readonly detail: string;
      /** The `type` of the problem, where a program matches one of its own. */
      readonly type?: 'promotion-unknown' | 'busy';
    };

/** That there is no answer. */
export type Refusal = Extract<Outcome<never>, { readonly ok: false }>;

/** Whether anybody waits for the answer still: what takes long ends when nobody does. */
export type IsWanted = () => boolean;

/** Of what nobody can leave. */
export const always: IsWanted = () => true;

export interface Operation<Parts, Input extends z.ZodType = z.ZodType, Answer extends z.ZodType = z.ZodType> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below `/api/v1`: `/repositories`. `{id}` at its end stands for one segment, which the input has as `id`. */
  readonly path: string;
  readonly summary: string;
  readonly needs: Needs;
  /** Of the query; of a POST, of its JSON body. A page's form has the same fields. */
  readonly input: Input;
  readonly answer: Answer;
  run(parts: Parts, viewer: Viewer, input: z.output<Input>, isWanted?: IsWanted): Promise<Outcome<z.output<Answer>>>;
}

/** Keeps the types of what it takes and answers together. */
export function operation<Parts>() {
  return <Input extends z.ZodType, Answer extends z.ZodType>(
    one: Operation<Parts, Input, Answer>,
  ): Operation<Parts, Input, Answer> => one;
}

/** For a log or a reply, in ISO 8601. */
export function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** The same of what may be unknown. */
export function instantOf(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : instant(milliseconds);
}
