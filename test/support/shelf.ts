/** A registry as pages know it, in memory: what it has is what it says, unless it is away. */
import { createHash } from 'node:crypto';
import { digestOf } from '../../src/distribution/digest.ts';
import type { BrowseParts } from '../../src/operations/browse.ts';
import { LastSeen } from '../../src/operations/last-seen.ts';
import type { Looker } from '../../src/operations/viewer.ts';
import { policyOf } from '../../src/identity/identify.ts';
import type { CompiledPolicy } from '../../src/policy/evaluate.ts';
import type { Principal } from '../../src/policy/model.ts';
import type { Glance, ImageFacts, TagMove } from '../../src/ports.ts';
import { oneRegistry } from './ports.ts';

export const now = Date.UTC(2026, 10, 26, 12);

export interface Shelf {
  /** By repository, by tag: digests. `none`: listed, without a manifest. */
  readonly tags: Map<string, Map<string, string>>;
  readonly images: Map<string, ImageFacts>;
  /** By digest: what is attached to it. */
  readonly attached: Map<string, readonly string[]>;
  readonly moves: Map<string, TagMove[]>;
  isAway: boolean;
  readonly parts: BrowseParts;
}

/** Of an image with nothing special about it. */
export function factsOf(digest: string, more: Partial<ImageFacts> = {}): ImageFacts {
  const platform = { digest, name: 'linux/amd64', size: 1_000_000, layers: [] };
  return {
    ...{ digest, mediaType: 'application/vnd.oci.image.manifest.v1+json', size: 1_000_000, platforms: [platform] },
    ...{ attestations: [], annotations: {}, isWhole: true },
    ...more,
  };
}

/** A digest that is the same for the same text. */
export function digestFor(text: string): string {
  return digestOf(Buffer.from(text));
}

/** Empty at first. */
export function createShelf(): Shelf {
  const tags = new Map<string, Map<string, string>>();
  const images = new Map<string, ImageFacts>();
  const attached = new Map<string, readonly string[]>();
  const moves = new Map<string, TagMove[]>();
  const given = <T>(value: T): Promise<T | undefined> => Promise.resolve(shelf.isAway ? undefined : value);
  const glance = (): Glance => ({
    tags(repository) {
      const names = [...(tags.get(repository)?.keys() ?? [])].sort();
      return given({ names, isComplete: true, isUnknown: !tags.has(repository) });
    },
    digestOf(repository, tag) {
      const digest = tags.get(repository)?.get(tag) ?? 'none';
      return given(digest === 'none' ? digest : { digest });
    },
    image: (_repository, digest) => Promise.resolve(images.get(digest) ?? (shelf.isAway ? undefined : 'none')),
    attached: (_repository, digest) => given(attached.get(digest) ?? []),
    trouble: () => (shelf.isAway ? 'unreachable' : undefined),
    staleSince: () => undefined,
  });
  const shelf: Shelf = {
    ...{ tags, images, attached, moves },
    isAway: false,
    parts: {
      clock: () => now,
      browser: { glance },
      names: {
        current: () => ({ names: [...tags.keys()].sort(), at: now, complete: true }),
        ready: () => Promise.resolve(),
        noteWritten: () => {},
      },
      activity: {
        ...{ noteWritten: () => {}, noteDeleted: () => {}, notePulled: () => {}, close: () => Promise.resolve() },
        newest: (repository) => Promise.resolve(moves.get(repository)?.toSorted((a, b) => b.at - a.at) ?? []),
        of: (repository, names) =>
          Promise.resolve(
            new Map(
              names.map((tag) => [
                tag,
                { moves: (moves.get(repository) ?? []).filter((move) => move.tag === tag), lastPull: now },
              ]),
            ),
          ),
        lastWrites: (names) =>
          Promise.resolve(new Map(names.flatMap((name) => (moves.has(name) ? [[name, now] as const] : [])))),
      },
      lastSeen: new LastSeen(),
      upstreams: oneRegistry,
      showPushers: 'authenticated',
    },
  };
  return shelf;
}

/** Somebody who came by the page. */
export function looker(policy: CompiledPolicy, principal: Principal): Looker {
  const caller = { principal, validFrom: 0, mark: '', method: 'session' as const, bound: undefined };
  return {
    kind: 'caller',
    caller,
    policy: policyOf(caller, policy),
    circumstances: { now, address: '192.0.2.1' },
    isInPerson: true,
  };
}

/** Numbers that look like any, the same for the same seed. */
export function numbers(seed: string): (below: number) => number {
  let count = 0;
  return (below) => createHash('sha256').update(`${seed} ${count++}`).digest().readUInt32BE() % below;
}
