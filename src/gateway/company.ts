/** What other gateways on the same Redis reach: the one thing by which it can help that this one leaves the balancer. */
import type { ReplicaFacts } from '../ports/doctor.ts';

/** For so long a registry must not have answered. */
const patienceMs = 30_000;
/** What others said is of now for so long, and of nothing then. */
const freshMs = 10_000;

export type Company = ReturnType<typeof createCompany>;

/**
 * `now` in milliseconds, of a clock that nobody sets. Of two gateways that both lack something neither leaves: one leaves
 * for another that reaches all that it reaches itself, and more. Unknown is as if nobody else were there.
 */
export function createCompany(isDraining: () => boolean, now: () => number = () => performance.now()) {
  /** By the name of a registry; undefined: it answers. */
  const silentSince = new Map<string, number | undefined>();
  let others: readonly (readonly string[])[] = [];
  let heardAt = -Infinity;

  const reached = (): readonly string[] =>
    [...silentSince].filter(([, since]) => since === undefined).map(([name]) => name);

  /** How many gateways in service reach this registry, for which this one leaves; 0: it stays. */
  function betterOff(name: string): number {
    const since = silentSince.get(name);
    if (since === undefined || now() - since < patienceMs || now() - heardAt > freshMs) return 0;
    const own = reached();
    return others.filter((their) => their.includes(name) && own.every((each) => their.includes(each))).length;
  }

  return {
    betterOff,
    /** Of each question whether a registry answers. */
    note(name: string, answers: boolean): void {
      silentSince.set(name, answers ? undefined : (silentSince.get(name) ?? now()));
    },
    /** What all others said within `freshMs`. */
    hear(replicas: readonly Pick<ReplicaFacts, 'reaches'>[]): void {
      others = replicas.map(({ reaches = [] }) => reaches);
      heardAt = now();
    },
    /** What clients can reach by this one: nothing while it is not in service. */
    reaches(): readonly string[] {
      const isOut = isDraining() || [...silentSince.keys()].some((name) => betterOff(name) > 0);
      return isOut ? [] : reached();
    },
  };
}
