/** Gates on the way of a push: what they say of its manifest, as an answer and in the record. */
import { digestOf } from '../../distribution/digest.ts';
import { type Admitted, sentenceOf } from '../../gate/admit.ts';
import { type GateVerdict, concludeGates, judgeGates } from '../../gate/provenance.ts';
import type { AuditRecord } from '../../ports.ts';
import { type Answer, gateUnknown, refusal } from '../front/respond.ts';
import { type ManifestPut, type WriteParts, tagsOf } from './tag-writer.ts';

export interface Gated {
  /** undefined: all let pass. */
  readonly refusal?: Answer;
  readonly record: Partial<AuditRecord>;
  /** Names of shadow gates that would have refused. */
  readonly shadow: readonly string[];
}

const ungated: Gated = { record: {}, shadow: [] };

/** By each tag that the push sets, or by none. A push of what a tag names already is a push: what may be there is judged now. */
export async function passGates(
  { gate, backend }: WriteParts,
  { caller, policy }: Admitted,
  route: ManifestPut,
  pushed: { readonly content: Buffer; readonly mediaType: string | undefined },
): Promise<Gated> {
  const { repository } = route;
  const tags = tagsOf(route);
  let gated = ungated;
  for (const tag of tags.length === 0 ? [undefined] : tags) {
    const gates = policy.gatesOf(caller.principal, repository, tag);
    if (gates.length === 0) continue;
    const written = { ...pushed, repository, tag, digest: digestOf(pushed.content) };
    const verdicts = await judgeGates({ registry: backend.ask, ...gate.gates }, gates, written);
    const { decisive, shadow } = concludeGates(verdicts);
    gated = { ...gated, shadow: [...new Set([...gated.shadow, ...shadow])] };
    if (decisive === undefined) continue;
    gated = { ...gated, record: recordOf(decisive) };
    if (decisive.kind === 'unknown') return { ...gated, refusal: gateUnknown(decisive.from) };
    if (decisive.kind === 'refused') {
      const sentence = sentenceOf(caller, { action: 'push', repository, tag }, decisive.why);
      return { ...gated, refusal: refusal('DENIED', sentence) };
    }
  }
  return gated;
}

function recordOf(verdict: GateVerdict): Partial<AuditRecord> {
  const named = { gate: verdict.standing.gate.name, gateFrom: verdict.from };
  switch (verdict.kind) {
    case 'passed':
      return { ...named, reason: `gate_${verdict.how}` };
    case 'refused':
      return { ...named, decision: 'deny', reason: 'gate_refused' };
    case 'unknown':
      return { ...named, decision: 'error', reason: 'gate_unknown', detail: `the registry: ${verdict.reason}` };
  }
}
