/** Gates on the way of a promotion, asked as if everything but the tag were already in the target. */
import type { GateVerdict, Provenance, WrittenManifest } from '../gate/provenance.ts';
import type { StandingGate } from '../policy/gates.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Principal } from '../policy/model.ts';
import type { StoredManifest } from '../ports.ts';
import type { Closure } from './closure.ts';

/** One verdict for each gate. */
export type JudgeGates = (
  registry: Provenance,
  standing: readonly StandingGate[],
  written: WrittenManifest,
) => Promise<readonly GateVerdict[]>;

export interface Gated {
  readonly policy: CompiledPolicy;
  readonly principal: Principal;
  /** The target. */
  readonly repository: string;
}

export interface GateOutcome {
  /** Of gates that are enforced: they refused, or could not tell. */
  readonly failed: readonly GateVerdict[];
  readonly unknown: GateVerdict | undefined;
  /** Names of shadow gates that would have refused. */
  readonly shadow: readonly string[];
  /** The last that let pass. */
  readonly passed: GateVerdict | undefined;
}

/** What the target will hold: the registry's own, and what is about to be copied into it. */
export function withCopies(registry: Provenance, repository: string, from: string, closure: Closure): Provenance {
  const copyOf = (of: string, digest: string): StoredManifest | undefined =>
    of === repository ? (closure.images.get(digest) ?? closure.attachments.get(digest)) : undefined;
  return {
    resolveTag: (of, tag) => registry.resolveTag(of, tag),
    tags: (of, size, place) => registry.tags(of, size, place),
    async manifest(of, reference) {
      const manifest = copyOf(of, reference);
      return manifest === undefined ? registry.manifest(of, reference) : { ok: true, manifest };
    },
    async hasManifest(of, digest) {
      return copyOf(of, digest) === undefined ? registry.hasManifest(of, digest) : { ok: true, found: true };
    },
    openBlob: (of, digest) => registry.openBlob(of === repository && closure.blobs.has(digest) ? from : of, digest),
  };
}

/** The registry as it is, and as it will be. */
export interface Registries {
  readonly now: Provenance;
  readonly then: Provenance;
}

/**
 * Of every one of `written`. Where no gate stands nothing is asked. A gate that looks into the target itself asks what is
 * there now: a copy is no reason for itself.
 */
export async function passGates(
  judge: JudgeGates,
  { now, then }: Registries,
  { policy, principal, repository }: Gated,
  written: readonly (StoredManifest & { readonly tag: string | undefined })[],
): Promise<GateOutcome> {
  const verdicts: GateVerdict[] = [];
  for (const { digest, content, mediaType, tag } of written) {
    const standing = policy.gatesOf(principal, repository, tag);
    const looksInside = ({ sources }: StandingGate): boolean => sources.includes(repository);
    for (const isInside of [true, false]) {
      const gates = standing.filter((gate) => looksInside(gate) === isInside);
      if (gates.length === 0) continue;
      verdicts.push(...(await judge(isInside ? now : then, gates, { repository, digest, content, mediaType, tag })));
    }
  }
  const isEnforced = ({ standing }: GateVerdict): boolean => standing.gate.mode === 'enforce';
  const isRefusal = ({ kind }: GateVerdict): boolean => kind === 'refused';
  return {
    failed: verdicts.filter((verdict) => isRefusal(verdict) && isEnforced(verdict)),
    unknown: verdicts.find((verdict) => verdict.kind === 'unknown' && isEnforced(verdict)),
    shadow: verdicts
      .filter((verdict) => isRefusal(verdict) && !isEnforced(verdict))
      .map(({ standing }) => standing.gate.name),
    passed: verdicts.findLast(({ kind }) => kind === 'passed'),
  };
}
