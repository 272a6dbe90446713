/** What the gateway remembers for people to look at, connected: who is told of what, and who is asked. */
import { createImageFactsMemory } from '../adapters/memory/image-facts.ts';
import { type OpenBrowser, createBrowser } from '../browse/browser.ts';
import { createKnownCatalog } from '../browse/known-catalog.ts';
import { type WalkedNames, createRepositoryNames } from '../browse/repository-names.ts';
import { createSeen } from '../browse/seen.ts';
import { createTurns } from '../browse/turns.ts';
import type { UpstreamTerms } from '../config/upstreams.ts';
import type { Upstreams } from '../distribution/upstreams.ts';
import type { Clock, Registry, Seen, TagActivity } from '../ports.ts';
import { type Behind, listedAt } from '../http/backend/several.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Stores } from './stores.ts';

export interface Indexes {
  readonly activity: TagActivity;
  readonly names: WalkedNames;
  readonly browser: OpenBrowser;
  readonly seen: Seen;
  /** Lists of repositories for clients. */
  readonly catalog: Pick<Registry, 'repositories'>;
}

/** Questions to each registry for all pages together, walks among them. */
const askedAtOnce = 4;

/** Asks nothing before somebody looks. */
export function openIndexes(parts: {
  readonly backend: Pick<Behind, 'ask' | 'browse'>;
  readonly upstreams: Upstreams<UpstreamTerms>;
  readonly stores: Pick<Stores, 'tagActivity' | 'marks'>;
  readonly clock: Clock;
  readonly lifecycle: Pick<Lifecycle, 'opens'>;
}): Indexes {
  const { backend, upstreams, stores, clock, lifecycle } = parts;
  const { tagActivity: activity, marks } = stores;
  // Two prefixes may be of one registry.
  const origins = new Map(upstreams.all.map(({ name, url }) => [name, new URL(url).origin]));
  const turns = createTurns({
    each: askedAtOnce,
    registries: {
      of: (repository) => origins.get(upstreams.of(repository)?.name ?? ''),
      listedAt: (place) => origins.get(listedAt(upstreams, place) ?? ''),
    },
  });
  const names = lifecycle.opens(createRepositoryNames({ registry: backend.ask, turns, marks, clock }));
  const browser = createBrowser({ registry: backend.browse, turns, images: createImageFactsMemory(), clock });
  const seen = createSeen({ activity, names, forget: browser.forget, clock });
  return { activity, names, browser, seen, catalog: createKnownCatalog(backend.ask, names) };
}
