/** One thing that the admin API does: how it is asked for, what it answers, and a function that knows nothing of HTTP. */
import type { z } from 'zod';

export interface Operation<Parts> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `{id}` stands for one segment. */
  readonly path: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly answer: z.ZodType;
  readonly run: (parts: Parts, given: Given) => Promise<Result>;
}

export interface Given {
  readonly id: string;
  readonly query: URLSearchParams;
}

export type Result =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly reason: 'invalid' | 'unknown' | 'unavailable'; readonly detail: string };

/** For a log or a reply, in ISO 8601. */
export function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
