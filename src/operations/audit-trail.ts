/** What the audit files say: of every gateway that writes to the same directory, as far back as they are kept. */
import { z } from 'zod';
import { choices, questionOf, sinceProblem } from '../audit/asked.ts';
import type { AuditTrail, Clock, TrailPlace } from '../ports.ts';
import { parseSince } from '../time.ts';
import { type Operation, always, operation } from './operation.ts';
import { wholeNumber } from './values.ts';

export interface AuditTrailParts {
  /** undefined where no `audit.directory` is set. */
  readonly auditTrail: AuditTrail | undefined;
  readonly clock: Clock;
}

const text = z.string().max(512).optional();

export const auditTrail = operation<AuditTrailParts>()({
  method: 'GET',
  path: '/audit',
  summary: 'Records of the audit files, the newest first, as `portcullis audit query` finds them.',
  needs: 'inspect',
  input: z.object({
    since: text.describe('24h, 7d, or an instant'),
    account: text,
    kind: z.enum(choices.kind).optional(),
    repository: text.describe('a pattern as policy files write it'),
    action: text,
    decision: z.enum(choices.decision).optional(),
    reason: text,
    address: text.describe('an address or a network'),
    cursor: z.string().max(65_536).optional().describe('next of an answer, with the same questions'),
    limit: wholeNumber
      .pipe(z.int().min(1).max(1000))
      .optional()
      .describe('at most so many, up to 1000; 100 when left out'),
  }),
  answer: z.object({
    records: z.array(z.record(z.string(), z.unknown())).describe('as `portcullis schema audit` describes them'),
    next: z
      .string()
      .optional()
      .describe('as cursor, for older ones; also of an answer without records, where much was looked through'),
    packed: z.array(z.string()).describe('files that were packed and not looked into: `audit query` reads them'),
  }),
  async run({ auditTrail: trail, clock }, _viewer, { since: from, cursor, limit = 100, ...asked }, isWanted = always) {
    if (trail === undefined)
      return { ok: false, reason: 'unknown', detail: 'this gateway keeps no audit files: set audit.directory' };
    const question = questionOf(asked);
    if ('problem' in question) return invalid(`${question.name}: ${question.problem}`);
    const since = from === undefined ? undefined : parseSince(from, clock());
    if (from !== undefined && since === undefined) return invalid(`since: ${sinceProblem}`);
    const place = cursor === undefined ? undefined : placeIn(cursor);
    if (cursor !== undefined && place === undefined) return invalid('cursor: this is no next of an answer');
    try {
      const { records, next, packed } = await trail.page(question, { since, limit, place, isWanted });
      return { ok: true, answer: { records: [...records], next: next && cursorOf(next), packed: [...packed] } };
    } catch {
      return {
        ok: false,
        reason: 'unavailable',
        detail: 'the audit files cannot be read: portcullis audit query, on the machine of the gateway, says why',
      };
    }
  },
});

export const auditTrailOperations: readonly Operation<AuditTrailParts>[] = [auditTrail];

function invalid(detail: string): { readonly ok: false; readonly reason: 'invalid'; readonly detail: string } {
  return { ok: false, reason: 'invalid', detail };
}

function cursorOf(place: TrailPlace): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

const placed = z.strictObject({
  asOf: z.iso.datetime(),
  day: z.iso.date(),
  ends: z.record(z.string().max(256), z.int().min(0)),
});

/** It needs no seal: it names files of the directory that everything may be read of. */
function placeIn(cursor: string): TrailPlace | undefined {
  try {
    return placed.safeParse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
