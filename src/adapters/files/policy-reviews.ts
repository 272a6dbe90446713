/** The review of the policy in force, worked out once when somebody first asks for it. */
import type { Clock } from '../../ports.ts';
import type { LoadedPolicy } from './policy-loading.ts';
import type { PolicyReview } from '../../policy/analysis/review.ts';
import { within } from '../../time.ts';
import { reviewInThread } from './policy-thread.ts';

export class Reviews {
  readonly #clock: Clock;
  #of: LoadedPolicy | undefined;
  #review: Promise<PolicyReview | undefined> = Promise.resolve(undefined);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** undefined when it is not there within so long; the next one to ask finds it. */
  async of(
    loaded: LoadedPolicy,
    before: LoadedPolicy | undefined,
    withinMs: number,
  ): Promise<PolicyReview | undefined> {
    if (this.#of !== loaded) {
      this.#of = loaded;
      this.#review = reviewInThread({ before: before?.files, after: loaded.files, now: this.#clock() });
    }
    return within(withinMs, this.#review, undefined);
  }
}
