/**
 * Tags that clients asked for by HEAD. containerd resolves a tag so and gets the manifest by its digest: only the two
 * together are a pull of the tag. Within one gateway; what it has no room for is not known to be a pull.
 */
import type { EpochMs } from '../time.ts';

const pullMs = 10_000;
/** Beyond twice as many, those asked for longest ago leave before their time. */
const maxResolved = 1000;
/** Of one digest. */
const maxTags = 8;

interface Resolved {
  readonly tag: string;
  readonly at: EpochMs;
}

/** In two halves, of which the older is let go as a whole: a request is to cost nothing that grows. */
export class ResolvedTags {
  #young = new Map<string, readonly Resolved[]>();
  #old = new Map<string, readonly Resolved[]>();

  /** `by`: the account, as the log names it. */
  note(by: string, repository: string, { tag, digest }: { tag: string; digest: string }, at: EpochMs): void {
    const key = keyOf(by, repository, digest);
    const others = (this.#of(key) ?? []).filter((each) => each.tag !== tag && isRecent(each, at));
    if (this.#young.size >= maxResolved) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, [...others, { tag, at }].slice(-maxTags));
  }

  /** What the same account asked for a moment ago and was told to be of this digest. */
  of(by: string, repository: string, digest: string, at: EpochMs): readonly string[] {
    if (this.#young.size + this.#old.size === 0) return [];
    return (this.#of(keyOf(by, repository, digest)) ?? []).filter((each) => isRecent(each, at)).map(({ tag }) => tag);
  }

  #of(key: string): readonly Resolved[] | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }
}

function keyOf(by: string, repository: string, digest: string): string {
  return `${digest}${repository}\n${by}`;
}

/** A clock that was set back does not make of a look long ago a pull. */
function isRecent({ at }: Resolved, now: EpochMs): boolean {
  return Math.abs(now - at) <= pullMs;
}
