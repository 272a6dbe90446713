/** The registries behind: a backend for each, and all of them as one. */
import type { UpstreamTerms } from '../config/upstreams.ts';
import { type Upstreams, isPlain } from '../distribution/upstreams.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import { type Backend, type BackendOptions, createBackend } from '../http/backend/backend.ts';
import { type CacheParts, cachedBackend, passingBudget } from '../http/backend/cache.ts';
import type { UpstreamError } from '../http/backend/forwarding.ts';
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
  readonly heard: Heard;
  readonly cache: Pick<CacheParts, 'marks' | 'count'> & { readonly terms: Omit<CacheParts['terms'], 'patienceMs'> };
  readonly lifecycle: Pick<Lifecycle, 'opens'>;
  readonly log: OperatorLog;
}

/** Hears how each request that is forwarded fares. */
export interface Heard {
  readonly onFirstByte: (upstream: string, target: string, seconds: number) => void;
  readonly onError: (upstream: string, error: UpstreamError) => void;
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
  /** Milliseconds by which the clock here is ahead of the registry's; undefined where it does not tell. */
  readonly clockAheadMs: () => number | undefined;
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
        [...raw].map(async ([{ name, url }, backend]) => {
          const line = raw.size === 1 ? 'upstream' : `upstream ${name}`;
          const followed = await followRegistry(backend, { url, name: line, log });
          const { part, clockAheadMs } = lifecycle.opens(followed);
          return { name, part, clockAheadMs };
        }),
      ),
  };
}

function openOne({ common, heard, upstreams, log }: UpstreamParts, upstream: UpstreamTerms): Backend {
  const { name, url, timeouts, redirects } = upstream;
  return createBackend({
    ...common,
    ...timeouts,
    ...{ url, redirects: { ...redirects, registries: othersThan(upstream, upstreams.all) } },
    ...loginAt(upstream, log),
    onFirstByte: (target, seconds) => heard.onFirstByte(name, target, seconds),
    onError: (error) => heard.onError(name, error),
  });
}

function othersThan(upstream: UpstreamTerms, all: readonly UpstreamTerms[]): readonly URL[] {
  return all.filter((each) => each !== upstream).map(({ url }) => new URL(url));
}
