/** What the gateway remembers for people to look at, connected: who is told of what, and who is asked. */
import { createImageFactsMemory } from '../adapters/memory/image-facts.ts';
import { type OpenBrowser, createBrowser } from '../browse/browser.ts';
import { type WalkedNames, createRepositoryNames } from '../browse/repository-names.ts';
import { createSeen } from '../browse/seen.ts';
import { AtOnce } from '../gate/at-once.ts';
import type { Clock, Registry, Seen, TagActivity } from '../ports.ts';
import type { Lifecycle } from './lifecycle.ts';

export interface Indexes {
  readonly activity: TagActivity;
  readonly names: WalkedNames;
  readonly browser: OpenBrowser;
  readonly seen: Seen;
}

/** Questions to registries for all pages together, walks among them. */
const askedAtOnce = 4;

/** Asks nothing before somebody looks. `registry`: asked for people, apart from what decides. */
export function openIndexes(parts: {
  readonly registry: Registry;
  readonly activity: TagActivity;
  readonly clock: Clock;
  readonly lifecycle: Pick<Lifecycle, 'opens'>;
}): Indexes {
  const { registry, activity, clock, lifecycle } = parts;
  const turns = new AtOnce(askedAtOnce);
  const names = lifecycle.opens(createRepositoryNames({ registry, turns, clock }));
  const browser = createBrowser({ registry, turns, images: createImageFactsMemory(), clock });
  return { activity, names, browser, seen: createSeen({ activity, names, forget: browser.forget, clock }) };
}
