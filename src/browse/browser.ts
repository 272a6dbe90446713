/**
 * What the registry is asked for people who look: few questions at once for all of them, remembered for a while, and no page
 * waits long. An answer that comes late is there for the next page.
 */
import type { Browser, Clock, Glance, GlanceTrouble, ImageFactsMemory, RegistryFailure, TagNames } from '../ports.ts';
import type { EpochMs } from '../time.ts';
import { readAttached } from './attached-digests.ts';
import { readImage } from './image-reader.ts';
import { type Browsed, Questions, isFailure } from './questions.ts';
import { Remembered } from './remembered.ts';
import { readTagNames } from './tag-names.ts';
import type { Turns } from './turns.ts';

export interface BrowserParts {
  readonly registry: Browsed;
  /** Of all pages. */
  readonly turns: Turns;
  readonly images: ImageFactsMemory;
  readonly clock: Clock;
}

export interface OpenBrowser extends Browser {
  /** Its tags were written. */
  readonly forget: (repository: string) => void;
}

type Named = { readonly digest: string } | 'none';

interface Known extends Pick<BrowserParts, 'images' | 'clock'> {
  readonly questions: Questions;
  readonly tags: Remembered<TagNames>;
  readonly named: Remembered<Named>;
  readonly attached: Remembered<readonly string[]>;
}

const pageMs = 2000;
/** For lists of tags and what tags name, which somebody may change past this gateway. */
const freshMs = 15_000;
/** Names in all lists of tags, and what is known of single tags and images. */
const maxTagNames = 200_000;
const maxNamed = 50_000;

/** Asks nothing before a page does. */
export function createBrowser({ registry, turns, images, clock }: BrowserParts): OpenBrowser {
  const known: Known = {
    ...{ images, clock },
    questions: new Questions(registry, turns),
    tags: new Remembered('tags', maxTagNames, ({ names }) => 1 + names.length),
    named: new Remembered('named', maxNamed),
    attached: new Remembered('attached', maxNamed, (digests) => 1 + digests.length),
  };
  return {
    glance: (withinMs = pageMs) => new Page(known, withinMs),
    forget(repository) {
      for (const memory of [known.tags, known.named, known.attached]) memory.forget(repository);
    },
  };
}

/** One page's view of it. */
class Page implements Glance {
  readonly #known: Known;
  readonly #until: number;
  readonly #late: Promise<'late'>;
  #trouble: GlanceTrouble | undefined;
  #staleSince: EpochMs | undefined;

  constructor(known: Known, withinMs: number) {
    this.#known = known;
    this.#until = performance.now() + withinMs;
    this.#late = new Promise((resolve) => setTimeout(resolve, withinMs, 'late').unref());
  }

  tags(repository: string): Promise<TagNames | undefined> {
    return this.#learn(this.#known.tags, repository, '', (registry) => readTagNames(registry, repository));
  }

  digestOf(repository: string, tag: string): Promise<Named | undefined> {
    return this.#learn(this.#known.named, repository, tag, async (registry) => {
      const found = await registry.resolveTag(repository, tag);
      if (!found.ok) return found;
      return found.digest === undefined ? 'none' : { digest: found.digest };
    });
  }

  attached(repository: string, digest: string): Promise<readonly string[] | undefined> {
    return this.#learn(this.#known.attached, repository, digest, (registry) =>
      readAttached(registry, repository, digest),
    );
  }

  async image(repository: string, digest: string, wish: 'row' | 'whole'): ReturnType<Glance['image']> {
    const { images, questions } = this.#known;
    const kept = images.get(repository, digest);
    if (kept !== undefined && (wish === 'row' || kept.isWhole)) return kept;
    const asked = questions.once(`image ${wish} ${repository}@${digest}`, this.#until, async (registry) => {
      const facts = await readImage(registry, repository, digest, wish === 'whole');
      if (facts !== 'none' && !isFailure(facts)) images.put(repository, facts);
      return facts;
    });
    return this.#inTime(asked);
  }

  trouble(): GlanceTrouble | undefined {
    return this.#trouble;
  }

  staleSince(): EpochMs | undefined {
    return this.#staleSince;
  }

  async #learn<T>(
    memory: Remembered<T>,
    repository: string,
    name: string,
    ask: (registry: Browsed) => Promise<T | RegistryFailure>,
  ): Promise<T | undefined> {
    const { questions, clock } = this.#known;
    const before = memory.get(repository, name);
    const asking = clock();
    if (before !== undefined && Math.abs(asking - before.at) < freshMs) return before.value;
    const key = `${memory.of} ${repository} ${name}`;
    const asked = questions.once(key, this.#until, async (registry) => {
      const learned = await ask(registry);
      if (!isFailure(learned)) memory.set(repository, name, learned, asking);
      return learned;
    });
    const answer = await this.#inTime(asked);
    if (answer !== undefined || before === undefined) return answer;
    this.#staleSince = Math.min(before.at, this.#staleSince ?? Infinity);
    return before.value;
  }

  async #inTime<T>(asked: Promise<T | RegistryFailure>): Promise<T | undefined> {
    const answered = await Promise.race([asked.then((answer) => ({ answer })), this.#late]);
    if (answered === 'late') this.#trouble ??= answered;
    else if (isFailure(answered.answer)) this.#trouble ??= answered.answer.reason;
    else return answered.answer;
    return undefined;
  }
}
