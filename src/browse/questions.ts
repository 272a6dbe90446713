/**
 * Questions to the registry in turns: each is asked once however many wait for it, and not at all when nobody does any longer
 * once its turn comes. One that began goes on to its end, so that whoever comes next has its answer.
 */
import type { Registry, RegistryFailure } from '../ports.ts';
import type { Turns } from './turns.ts';

/** What pages ask. */
export type Browsed = Pick<Registry, 'tags' | 'resolveTag' | 'manifest' | 'openBlob' | 'referrers'>;

export class Questions {
  readonly #registry: Browsed;
  readonly #turns: Turns;
  readonly #underWay = new Map<string, Question>();

  constructor(registry: Browsed, turns: Turns) {
    this.#registry = registry;
    this.#turns = turns;
  }

  /** `until`: how long the asker waits, in milliseconds of `performance.now`. `ask` rejects never. */
  once<T>(key: string, until: number, ask: (registry: Browsed) => Promise<T>): Promise<T> {
    const known = this.#underWay.get(key);
    if (known !== undefined) {
      known.until = Math.max(known.until, until);
      return known.answer as Promise<T>;
    }
    const question: Question = { until, answer: undefined };
    const answer = ask(this.#inTurn(question)).finally(() => this.#underWay.delete(key));
    question.answer = answer;
    this.#underWay.set(key, question);
    return answer;
  }

  /** The steps of one question. After one failed the others are not asked: they would wait for the same registry. */
  #inTurn(question: Question): Browsed {
    let hasBegun = false;
    let failure: RegistryFailure | undefined;
    const step = <T>(repository: string, ask: () => Promise<T | RegistryFailure>): Promise<T | RegistryFailure> =>
      this.#turns.about(repository, async () => {
        if (failure !== undefined) return failure;
        if (!hasBegun && performance.now() > question.until) return (failure = unasked);
        hasBegun = true;
        const answer = await ask();
        if (isFailure(answer)) failure = answer;
        return answer;
      });
    const registry = this.#registry;
    return {
      tags: (...asked) => step(asked[0], () => registry.tags(...asked)),
      resolveTag: (...asked) => step(asked[0], () => registry.resolveTag(...asked)),
      manifest: (...asked) => step(asked[0], () => registry.manifest(...asked)),
      openBlob: (...asked) => step(asked[0], () => registry.openBlob(...asked)),
      referrers: (...asked) => step(asked[0], () => registry.referrers(...asked)),
    };
  }
}

interface Question {
  until: number;
  answer: Promise<unknown> | undefined;
}

const unasked: RegistryFailure = { ok: false, reason: 'timeout' };
const failures: ReadonlySet<unknown> = new Set(['unreachable', 'timeout', 'broken', 'login_failed', 'limited']);

/** Whether it is one, and no answer of another kind. */
export function isFailure(answer: unknown): answer is RegistryFailure {
  return typeof answer === 'object' && answer !== null && 'reason' in answer && failures.has(answer.reason);
}
