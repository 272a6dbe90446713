/** The registries behind: a backend for each, and all of them as one. */
import type { UpstreamTerms } from '../config/upstreams.ts';
import { type Upstreams, isPlain } from '../distribution/upstreams.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import { type Backend, type BackendOptions, createBackend } from '../http/backend/backend.ts';
import { type CacheParts, cachedBackend, passingBudget } from '../http/backend/cache.ts';
import { KeptReplies } from '../http/backend/kept-replies.ts';
import { renamedBackend } from '../http/backend/renamed.ts';
import { type Behind, severalBackends } from '../http/backend/several.ts';
import { createMemoryBudget } from '../limits/memory-budget.ts';
import type { Lifecycle } from './lifecycle.ts';
import { type Part, followRegistry } from './readiness.ts';
import { loginAt } from './upstream-login.ts';

export interface UpstreamParts {
  readonly upstreams: Upstreams<UpstreamTerms>;
  /** What all have in common. */
  readonly common: Pick<BackendOptions, 'publicUrl' | 'askMs' | 'sendQueues' | 'contentMemory'>;
  readonly onFirstByte: (upstream: string, target: string, seconds: number) => void;
  readonly cache: Pick<CacheParts, 'marks' | 'count'> & { readonly terms: Omit<CacheParts['terms'], 'patienceMs'> };
  readonly lifecycle: Pick<Lifecycle, 'opens'>;
  readonly log: OperatorLog;
}

export interface OpenedUpstreams {
  readonly backend: Behind;
  readonly cachedBytes: () => number;
  /** Asks each how it is from now on. */
  follow(): Promise<readonly UpstreamHealth[]>;
}

export interface UpstreamHealth {
  readonly name: string;
  readonly part: Part;
}

/** All share one memory for what they answered. */
export function openUpstreams(parts: UpstreamParts): OpenedUpstreams {
  const { upstreams, cache, lifecycle, log } = parts;
  const { memoryBytes } = cache.terms;
  const shared =
    memoryBytes === 0 ? undefined : { kept: new KeptReplies(memoryBytes), passing: createMemoryBudget(passingBudget) };
  const raw = new Map(upstreams.all.map((upstream) => [upstream, lifecycle.opens(openOne(parts, upstream))]));
  const behind = new Map<string, Behind>();
  for (const [upstream, backend] of raw) {
    const { connectMs: patienceMs } = upstream.timeouts;
    const named = raw.size === 1 && isPlain(upstream) ? backend : renamedBackend(backend, upstreams, upstream);
    const terms = { ...cache.terms, patienceMs };
    behind.set(upstream.name, cachedBackend(named, { ...cache, ...shared, terms }));
  }
  const [first] = upstreams.all;
  const only = first !== undefined && upstreams.all.length === 1 && isPlain(first) ? behind.get(first.name) : undefined;
  return {
    backend: only ?? severalBackends(upstreams, behind),
    cachedBytes: () => shared?.kept.bytes ?? 0,
    follow: () =>
      Promise.all(
        [...raw].map(async ([{ name, url }, { ask }]) => {
          const part = raw.size === 1 ? 'upstream' : `upstream ${name}`;
          const followed = await followRegistry(ask, { url, name: part, log });
          return { name, part: lifecycle.opens(followed).part };
        }),
      ),
  };
}

function openOne({ common, onFirstByte, upstreams, log }: UpstreamParts, upstream: UpstreamTerms): Backend {
  const { name, url, timeouts, redirects } = upstream;
  return createBackend({
    ...common,
    ...timeouts,
    ...{ url, redirects: { ...redirects, registries: othersThan(upstream, upstreams.all) } },
    ...loginAt(upstream, log),
    onFirstByte: (target, seconds) => onFirstByte(name, target, seconds),
  });
}

function othersThan(upstream: UpstreamTerms, all: readonly UpstreamTerms[]): readonly URL[] {
  return all.filter((each) => each !== upstream).map(({ url }) => new URL(url));
}
