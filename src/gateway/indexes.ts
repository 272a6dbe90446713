/** What the gateway remembers for people to look at, connected: who is told of what, and who is asked. */
import { createImageFactsMemory } from '../adapters/memory/image-facts.ts';
import { type OpenBrowser, createBrowser } from '../browse/browser.ts';
import { createKnownCatalog } from '../browse/known-catalog.ts';
import { type WalkedNames, createRepositoryNames } from '../browse/repository-names.ts';
import { createSeen } from '../browse/seen.ts';
import { AtOnce } from '../gate/at-once.ts';
import type { Clock, Registry, Seen, TagActivity } from '../ports.ts';
import type { Behind } from '../http/backend/several.ts';
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

/** Questions to registries for all pages together, walks among them. */
const askedAtOnce = 4;

/** Asks nothing before somebody looks. */
export function openIndexes(parts: {
  readonly backend: Pick<Behind, 'ask' | 'browse'>;
  readonly stores: Pick<Stores, 'tagActivity' | 'marks'>;
  readonly clock: Clock;
  readonly lifecycle: Pick<Lifecycle, 'opens'>;
}): Indexes {
  const { backend, stores, clock, lifecycle } = parts;
  const { tagActivity: activity, marks } = stores;
  const turns = new AtOnce(askedAtOnce);
  const names = lifecycle.opens(createRepositoryNames({ registry: backend.ask, turns, marks, clock }));
  const browser = createBrowser({ registry: backend.browse, turns, images: createImageFactsMemory(), clock });
  const seen = createSeen({ activity, names, forget: browser.forget, clock });
  return { activity, names, browser, seen, catalog: createKnownCatalog(backend.ask, names) };
}
