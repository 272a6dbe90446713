/** Gates on the way of a push: what they say of its manifest, as an answer and in the record. */
import { digestOf } from '../../distribution/digest.ts';
import { type Admitted, sentenceOf } from '../../gate/admit.ts';
import { type GateVerdict, concludeGates, judgeGates } from '../../gate/provenance.ts';
import type { AuditRecord } from '../../ports.ts';
import { gateUnknown, refusal } from '../front/respond.ts';
import type { Outcome } from './outcome.ts';
import { type ManifestPut, type WriteParts, tagsOf } from './tag-writer.ts';

interface PassedGates {
  readonly record: Partial<AuditRecord>;
  /** Names of shadow gates that would have refused. */
  readonly shadow: readonly string[];
}

export type Gated = { readonly refusal: Outcome } | PassedGates;

const ungated: PassedGates = { record: {}, shadow: [] };

/** By each tag that the push sets, or by none. A push of what a tag names already is a push: what may be there is judged now. */
export async function passGates(
  { gate, backend }: WriteParts,
  { caller, policy }: Admitted,
  route: ManifestPut,
  pushed: { readonly content: Buffer; readonly mediaType: string | undefined },
): Promise<Gated> {
  const { repository } = route;
  const tags = tagsOf(route);
  let passed = ungated;
  for (const tag of tags.length === 0 ? [undefined] : tags) {
    const gates = policy.gatesOf(caller.principal, repository, tag);
    if (gates.length === 0) continue;
    const written = { ...pushed, repository, tag, digest: digestOf(pushed.content) };
    const { decisive, shadow } = concludeGates(
      await judgeGates({ registry: backend.ask, ...gate.gates }, gates, written),
    );
    passed = { record: passed.record, shadow: [...new Set([...passed.shadow, ...shadow])] };
    if (decisive === undefined) continue;
    const record = recordOf(decisive, passed.shadow);
    if (decisive.kind === 'passed') passed = { ...passed, record };
    else if (decisive.kind === 'unknown') return { refusal: { answer: gateUnknown(decisive.from), record } };
    else {
      const answer = refusal('DENIED', sentenceOf(caller, { action: 'push', repository, tag }, decisive.why));
      return { refusal: { answer, record } };
    }
  }
  return passed;
}

function recordOf(verdict: GateVerdict, shadow: readonly string[]): Partial<AuditRecord> {
  const { standing, from, kind } = verdict;
  const named = { gate: standing.gate.name, gateFrom: from };
  if (kind === 'passed') return { ...named, reason: `gate_${verdict.how}` };
  const shadows = shadow.length === 0 ? {} : { shadow };
  if (kind === 'refused') return { ...named, ...shadows, decision: 'deny', reason: 'gate_refused' };
  return { ...named, ...shadows, decision: 'error', reason: 'gate_unknown', detail: `the registry: ${verdict.reason}` };
}
