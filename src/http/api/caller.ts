/** What the API answers, and what is written down of it. */
import type { AuditRecord } from '../../ports.ts';
import type { Answer } from '../front/respond.ts';
import { refusalOf } from '../registry/refusals.ts';
import { asProblem } from './problems.ts';

export interface ApiReply {
  readonly answer: Answer;
  readonly record: Partial<AuditRecord>;
  /** The same was written down a moment ago. */
  readonly isNoted?: boolean;
}

/** A refusal of the gate as the API puts it. */
export function problemOf(
  refused: Parameters<typeof refusalOf>[0],
  asked: { readonly service: string; readonly publicUrl: string },
): ApiReply {
  const { answer, record } = refusalOf(refused, { ...asked, isLookingForBlob: false });
  return { answer: asProblem(answer ?? { status: 503, body: '' }), record };
}
