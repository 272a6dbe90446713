/** Which pulls are worth a note: a tag that is pulled a thousand times a minute is noted once. */
import type { EpochMs } from '../time.ts';

const pauseMs = 60_000;
/** Beyond it the tags noted longest ago may be noted once more before their minute is over. */
const maxTags = 20_000;

export class PullNotes {
  readonly #noted = new Map<string, EpochMs>();

  /** Whether a pull now is the first of its minute; it counts as noted then. */
  isDue(repository: string, tag: string, at: EpochMs): boolean {
    const name = `${repository}:${tag}`;
    const last = this.#noted.get(name);
    // A clock that was set back does not silence a tag.
    if (last !== undefined && Math.abs(at - last) < pauseMs) return false;
    this.#noted.delete(name);
    this.#noted.set(name, at);
    const [oldest] = this.#noted.keys();
    if (this.#noted.size > maxTags && oldest !== undefined) this.#noted.delete(oldest);
    return true;
  }
}
