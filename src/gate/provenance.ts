/** What gates say of an image that is about to be written: whether the repositories they name hold it already. */
import { digestOf } from '../distribution/digest.ts';
import type { StandingGate } from '../policy/gates.ts';
import type { Registry, RegistryFailure } from '../ports.ts';

/** A manifest about to be written to a repository, in which everything it names is already. */
export interface WrittenManifest {
  readonly repository: string;
  /** Of the content. */
  readonly digest: string;
  readonly content: Buffer;
  readonly mediaType: string | undefined;
  /** undefined for a write by digest alone. */
  readonly tag: string | undefined;
}

export type Provenance = Pick<Registry, 'resolveTag' | 'manifest' | 'tags' | 'hasManifest' | 'openBlob'>;

/** How one gate answers. `from`: where it was found; else the first of the repositories in which it was looked for. */
export type GateVerdict = { readonly standing: StandingGate; readonly from: string } & (
  | { readonly kind: 'passed'; readonly how: 'same_digest' | 'same_image' | 'attachment' }
  /** `why` in the words of the refusal: `this image is not in integration/app; push the image you pulled, or use promote`. */
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'unknown'; readonly reason: RegistryFailure['reason'] }
);

/** What a judgement came to, in a word for metrics. */
export type GateResult = Extract<GateVerdict, { kind: 'passed' }>['how'] | 'refused' | 'unknown';

export interface GateParts {
  readonly registry: Provenance;
  /** Hears of every judgement. */
  readonly count: (gate: string, result: GateResult) => void;
}

/** What each of the gates says, shadow ones too, in their order. Asks the registry, never memory, what it has now. */
export async function judgeGates(
  { registry, count }: GateParts,
  gates: readonly StandingGate[],
  written: WrittenManifest,
): Promise<readonly GateVerdict[]> {
  const verdicts = await Promise.all(gates.map((standing) => judgeGate(registry, standing, written)));
  for (const verdict of verdicts) count(verdict.standing.gate.name, resultOf(verdict));
  return verdicts;
}

function resultOf(verdict: GateVerdict): GateResult {
  return verdict.kind === 'passed' ? verdict.how : verdict.kind;
}

async function judgeGate(
  registry: Provenance,
  standing: StandingGate,
  { content }: WrittenManifest,
): Promise<GateVerdict> {
  const [first = ''] = standing.sources;
  for (const from of standing.sources) {
    const has = await registry.hasManifest(from, digestOf(content));
    if (!has.ok) return { standing, from, kind: 'unknown', reason: has.reason };
    if (has.found) return { standing, from, kind: 'passed', how: 'same_digest' };
  }
  const why = `this image is not in ${first}; push the image you pulled, or use promote`;
  return { standing, from: first, kind: 'refused', why };
}

/** What the verdicts of all gates come to. A refusal outweighs what nobody could tell. */
export interface GatesConclusion {
  /** The gate that refuses or cannot tell, else the last that let pass; undefined where no gate is enforced. */
  readonly decisive: GateVerdict | undefined;
  /** Names of shadow gates that would not have let it pass. */
  readonly shadow: readonly string[];
}

/** Shadow gates decide nothing. */
export function concludeGates(verdicts: readonly GateVerdict[]): GatesConclusion {
  const isEnforced = ({ standing }: GateVerdict): boolean => standing.gate.mode === 'enforce';
  const enforced = verdicts.filter(isEnforced);
  const of = (kind: GateVerdict['kind']) => enforced.find((verdict) => verdict.kind === kind);
  return {
    decisive: of('refused') ?? of('unknown') ?? enforced.at(-1),
    shadow: verdicts
      .filter((verdict) => !isEnforced(verdict) && verdict.kind !== 'passed')
      .map(({ standing }) => standing.gate.name),
  };
}
