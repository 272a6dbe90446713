/** What a page is: one operation asked, its answer drawn. */
import type { VNode } from 'preact';
import type { z } from 'zod';
import type { Operation, Refusal } from '../../operations/operation.ts';

/** What every page needs beside its answer. */
export interface Frame {
  readonly viewer: {
    /** '' for nobody in particular. */
    readonly name: string;
    readonly isKnown: boolean;
    /** Where they may inspect anything, or everything. */
    readonly mayInspect: boolean;
    readonly mayInspectAll: boolean;
    readonly mayAdminister: boolean;
  };
  /** As commands name it, from `publicUrl`. */
  readonly host: string;
  /** `https://registry.example.com`. */
  readonly publicUrl: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The value of the field `csrf` of a form that posts to this path. */
  readonly csrf: (path: string) => string;
  /** What was asked for: path and query. */
  readonly at: string;
  /** Whether a page of ours led here: what only an address says, anybody may have written. */
  readonly isFromOwnPage: boolean;
  readonly assets: Readonly<Record<'page.css' | 'page.js' | 'icon.svg', string>>;
  /** Whether a login is possible at all: never over `http://` that is not loopback. */
  readonly canLogIn: boolean;
  /** Shown to known accounts. */
  readonly version: string;
  readonly revision: string;
  /** What stands over every page of an administrator: a policy edit that was refused. */
  readonly warning?: string | undefined;
}

/** `rest`: behind the path of a page that ends with `/`; of no other is there any. */
export interface Asked {
  readonly rest: string;
  readonly query: URLSearchParams;
}

export interface Page<Parts, Input extends z.ZodType = z.ZodType, Answer extends z.ZodType = z.ZodType> {
  /** `/ui/access`; one that ends with `/` takes whatever is behind it. */
  readonly path: string;
  readonly operation: Operation<Parts, Input, Answer>;
  /** Of the operation, before it is checked. */
  input(asked: Asked): Readonly<Record<string, unknown>>;
  view(answer: z.output<Answer>, frame: Frame, asked: Asked): VNode;
  /** Absent, or undefined: the page of errors. */
  failed?(outcome: Refusal, frame: Frame, asked: Asked): VNode | undefined;
}

/** What a POST does, and where the browser goes then (303), or what it is shown. */
export interface Form<Parts, Input extends z.ZodType = z.ZodType, Answer extends z.ZodType = z.ZodType> {
  readonly path: string;
  readonly operation: Operation<Parts, Input, Answer>;
  input(fields: URLSearchParams): Readonly<Record<string, unknown>>;
  done(
    answer: z.output<Answer>,
    frame: Frame,
    fields: URLSearchParams,
  ): { readonly to: string } | { readonly view: VNode };
  /** Absent: the page of errors. */
  failed?(outcome: Refusal, frame: Frame, fields: URLSearchParams): VNode | undefined;
}
