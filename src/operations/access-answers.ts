/** What is answered about who may do what: for one account, and for everybody. */
import { z } from 'zod';
import { actions } from '../policy/model.ts';

const place = z.object({ file: z.string(), line: z.number() });

const ruleNamed = z.object({
  name: z.string(),
  effect: z.enum(['allow', 'deny']),
  /** null for who may only ask about themselves. */
  place: place.nullable(),
});

export const explanation = z.object({
  subject: z.string(),
  action: z.enum(actions),
  repository: z.string(),
  tag: z.string().nullable(),
  allowed: z.boolean(),
  sentence: z.string(),
  /** Why, in one line. */
  reason: z.string(),
  /** What else is to be known of it. */
  notes: z.array(z.string()),
  rule: ruleNamed.nullable(),
  groups: z.array(z.object({ name: z.string(), place: place.nullable() })),
  nearMisses: z.array(z.object({ rule: ruleNamed, why: z.array(z.string()) })),
  moreMisses: z.number(),
  shadow: z.array(ruleNamed),
});

/** `why`: what stands in the way where no line of a file does it. */
const allowing = z.object({
  why: z.string().nullable(),
  lines: z.string(),
  instead: z.array(z.string()),
  gains: z.array(z.string()),
  moreGains: z.boolean(),
  failing: z.array(z.object({ test: z.string(), place: place })),
  moreFailing: z.number(),
});

const cell = z.object({
  answer: z.enum(['yes', 'no', 'none', 'sometimes']),
  rule: z.string().nullable(),
  note: z.string().nullable(),
});

const row = z.object({
  asked: z.string(),
  subjects: z.array(z.string()),
  people: z.array(z.string()),
  count: z.number(),
  from: z.array(z.string()),
  cells: z.array(cell),
});

export const accessAnswer = z.object({
  repository: z.string(),
  tag: z.string().nullable(),
  /** `yourself`: who may not inspect the repository is told of themselves only. */
  about: z.enum(['everybody', 'yourself']),
  viewer: z.string().nullable(),
  actions: z.array(z.enum(actions)),
  rows: z.array(row),
  moreRows: z.number(),
  /** Accounts that may do nothing here. */
  others: z.number(),
  explained: explanation.nullable(),
  allowing: allowing.nullable(),
  rules: z.array(
    ruleNamed.extend({
      isShadow: z.boolean(),
      text: z.string(),
      /** What its `when` says, in words. */
      applies: z.string().nullable(),
      would: z.string().nullable(),
    }),
  ),
  refusals: z.array(
    z.object({
      subject: z.string(),
      action: z.string(),
      target: z.string(),
      tag: z.string().nullable(),
      reason: z.string(),
      times: z.number(),
      /** Milliseconds since 1970. */
      last: z.number(),
      client: z.string(),
    }),
  ),
  moreRefusals: z.number(),
  /** `in the last 24 hours`: how far back refusals and effects of shadow rules are known. */
  lately: z.string(),
});

export type Explained = z.infer<typeof explanation>;
export type AccessAnswer = z.infer<typeof accessAnswer>;
