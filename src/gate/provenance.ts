/** What gates say of an image that is about to be written: whether the repositories they name hold it already. */
import type { StandingGate } from '../policy/gates.ts';
import type { RegistryFailure } from '../ports.ts';
import type { GateMemory } from './gate-memory.ts';
import { type Answer, type FinalAnswer, ImageJudge, type WrittenManifest } from './image-judge.ts';
import { compareLayers, maxUnpacked } from './layer-content.ts';
import { Moment, type Provenance } from './moment.ts';
import { within } from '../time.ts';

export type { Provenance, WrittenManifest };

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
  readonly memory: GateMemory;
  /** Hears of every judgement. */
  readonly count: (gate: string, result: GateResult) => void;
  readonly patience?: Patience;
}

/** Milliseconds that an answer is waited for; what was begun goes on behind it, so that the next one comes sooner. */
export interface Patience {
  /** Questions, and the tags of all sources. */
  readonly answerMs: number;
  /** Layers that have to be unpacked. */
  readonly compareMs: number;
}

const late = { kind: 'unknown', reason: 'timeout' } as const;
const usual: Patience = { answerMs: 5000, compareMs: 20_000 };

/** What each of the gates says, shadow ones too, in their order. Asks the registry, never memory, what it has now. */
export async function judgeGates(
  { registry, memory, count, patience = usual }: GateParts,
  gates: readonly StandingGate[],
  written: WrittenManifest,
): Promise<readonly GateVerdict[]> {
  const moment = new Moment(registry, memory, patience.answerMs);
  const verdicts = await Promise.all(gates.map((standing) => judgeGate(moment, standing, written, patience)));
  for (const verdict of verdicts) count(verdict.standing.gate.name, resultOf(verdict));
  return verdicts;
}

function resultOf(verdict: GateVerdict): GateResult {
  return verdict.kind === 'passed' ? verdict.how : verdict.kind;
}

async function judgeGate(
  moment: Moment,
  standing: StandingGate,
  written: WrittenManifest,
  { answerMs, compareMs }: Patience,
): Promise<GateVerdict> {
  const [first = ''] = standing.sources;
  const asked = await within(answerMs, new ImageJudge(moment, standing, written).judge(), late);
  const answer = asked.kind === 'compare' ? await within(compareMs, compareAll(moment, asked, written), late) : asked;
  return answer.kind === 'passed' ? { standing, ...answer } : { standing, from: first, ...answer };
}

async function compareAll(
  { registry, memory }: Moment,
  { from, alike, unknown }: Extract<Answer, { kind: 'compare' }>,
  { repository }: WrittenManifest,
): Promise<FinalAnswer> {
  const budget = { left: maxUnpacked };
  for (const { image, approved } of alike) {
    const compared = await compareLayers({ registry, memory, repository }, image, approved, budget);
    if (compared.kind === 'unknown') return compared;
    if (compared.kind === 'differ') {
      return unknown === undefined ? { kind: 'refused', why: compared.why } : { kind: 'unknown', reason: unknown };
    }
  }
  return { kind: 'passed', how: 'same_image', from };
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
