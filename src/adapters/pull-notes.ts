/** Which pulls are worth a note: a tag that is pulled a thousand times a minute is noted once. */
import type { EpochMs } from '../time.ts';

const pauseMs = 60_000;
/** Beyond twice as many, tags noted longest ago may be noted once more before their minute is over. */
const maxTags = 10_000;

/** In two halves, of which the older is let go as a whole: a pull is to cost nothing that grows. */
export class PullNotes {
  #young = new Map<string, EpochMs>();
  #old = new Map<string, EpochMs>();

  /** Whether a pull now is the first of its minute; it counts as noted then. */
  isDue(repository: string, tag: string, at: EpochMs): boolean {
    const name = `${repository}:${tag}`;
    const last = this.#young.get(name) ?? this.#old.get(name);
    // A clock that was set back does not silence a tag.
    if (last !== undefined && Math.abs(at - last) < pauseMs) return false;
    if (this.#young.size >= maxTags) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(name, at);
    return true;
  }
}
