/** What a promotion is made with, who asks for it, and all that can come of it. */
import type { Access } from '../distribution/access.ts';
import type { KnownParts } from '../gate/known-parts.ts';
import type { GateVerdict } from '../gate/provenance.ts';
import type { Caller, Identity } from '../identity/identify.ts';
import type { NoLonger } from '../identity/refusal.ts';
import type { LimitState, Limits } from '../limits/spend.ts';
import type { CompiledPolicy, Decision } from '../policy/evaluate.ts';
import type { Clock, Promotion, Registry, Unavailable } from '../ports.ts';
import type { CopyParts } from './copy.ts';
import { type Fault, registryFault } from './fault.ts';
import type { GateOutcome, JudgeGates } from './gates.ts';
import type { PromotionRequest } from './request.ts';
import type { TargetJudgement } from './rights.ts';

export interface PromotionParts extends CopyParts {
  readonly registry: Registry;
  readonly identity: Pick<Identity, 'again'>;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly knownParts: KnownParts;
  readonly judgeGates: JudgeGates;
  /** The same, where they were asked before: counted once. */
  readonly judgeGatesAgain: JudgeGates;
  /** Runs what writes manifests to a repository, so that no cache goes on with what was there. */
  readonly around: <T>(
    repository: string,
    task: () => Promise<T>,
    isOver: (value: T) => boolean,
  ) => Promise<{ readonly ok: true; readonly value: T } | Unavailable>;
}

export interface PromotionAsk {
  readonly request: PromotionRequest;
  readonly caller: Caller;
  /** As the caller's credentials see it. */
  readonly policy: CompiledPolicy;
  readonly address: string | undefined;
}

export type PromotionOutcome = PromotionEnd & {
  readonly digest?: string | undefined;
  /** Names of shadow limits and gates that would have refused. */
  readonly shadow?: readonly string[];
  readonly gate?: GateVerdict | undefined;
};

export interface Done {
  readonly promotion: Promotion;
  /** Blobs that the registry has none of, since their manifest names other places for them. */
  readonly left: readonly string[];
  readonly decision: Decision;
  readonly writes: 'create' | 'overwrite' | 'repeat';
  readonly states: readonly LimitState[];
}

type PromotionEnd =
  /** `repeated`: the target had it already. `planned`: nothing was to be written. */
  | ({ readonly kind: 'promoted' | 'repeated' | 'planned' } & Done)
  | { readonly kind: 'source_unknown' }
  | { readonly kind: 'scope_insufficient'; readonly access: readonly Access[] }
  | { readonly kind: 'login_ended'; readonly refusal: NoLonger }
  | {
      readonly kind: 'not_allowed' | 'tag_taken';
      readonly caller: Caller;
      readonly tag: string;
      readonly decision: Decision;
    }
  | { readonly kind: 'gate_failed'; readonly failed: readonly GateVerdict[] }
  | { readonly kind: 'limit_reached'; readonly states: readonly LimitState[] }
  /** Another write of the tag does not end, or nobody can tell; or other gateways could not be told. */
  | { readonly kind: 'tag_busy' | 'locks_unavailable' | 'marks_unavailable' }
  | Fault;

/** undefined where the target may be written. */
export function refusedBy(judged: TargetJudgement, caller: Caller, tag: string): PromotionOutcome | undefined {
  switch (judged.kind) {
    case 'unknown':
      return registryFault(judged.failure, 'reading the tag of the target');
    case 'taken':
      return { kind: 'tag_taken', caller, tag, decision: judged.decision };
    case 'denied':
      return { kind: 'not_allowed', caller, tag, decision: judged.decision };
    case 'free':
    case 'same':
      return undefined;
  }
}

/** undefined where all that were asked let pass. */
export function refusedByGates(gates: GateOutcome): PromotionOutcome | undefined {
  const { failed, unknown } = gates;
  const [gate] = failed;
  if (gate !== undefined) return { kind: 'gate_failed', failed, gate };
  if (unknown?.kind !== 'unknown') return undefined;
  const detail = `gate ${unknown.standing.gate.name} could not be asked`;
  return { kind: 'registry', reason: unknown.reason, detail, gate: unknown };
}

/** Which gate let pass, and which in shadow would not have. */
export function gateFacts({ passed, shadow }: GateOutcome): Pick<PromotionOutcome, 'gate' | 'shadow'> {
  return { gate: passed, ...(shadow.length === 0 ? {} : { shadow }) };
}
