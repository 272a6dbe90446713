/** Everything that is counted and measured, in the order of `/metrics`. */
import { existsSync, readdirSync } from 'node:fs';
import type { Log } from '../adapters/log/log.ts';
import type { Spent } from '../limits/spend.ts';
import type { AuditLog } from '../ports.ts';
import type { Machine } from './machine.ts';
import { createMetrics } from './metrics.ts';
import type { Part } from './readiness.ts';

export interface Observed {
  /** Counts each record on its way to the log. */
  readonly audit: AuditLog;
  readonly countHash: (scheme: string) => void;
  readonly countCache: (kind: string, result: string) => void;
  readonly countLimit: (limit: { readonly name: string }, spent: Spent) => void;
  /** From now on `render` shows these as well. */
  watch(watched: Watched): void;
  /** The Prometheus text format. */
  readonly render: () => string;
}

export interface Watched {
  readonly machine: Machine;
  readonly upstream: Part;
  readonly certificate: Part | undefined;
  readonly transfers: () => number;
  readonly cachedBytes: () => number;
}

/** Linux; other systems have no number to show. */
const descriptors = '/proc/self/fd';

/** Counters begin at zero with each gateway. */
export function createObserved(log: Log): Observed {
  const metrics = createMetrics();
  const countHash = metrics.family('portcullis_password_hashes_total', 'Password hashes computed, by scheme.');
  const countLimit = metrics.family('portcullis_limit_requests_total', 'Requests that limits counted or refused.');
  const countCache = metrics.family(
    'portcullis_cache_requests_total',
    'Reads that memory might answer, by what it did.',
  );
  const sound = (name: string, help: string, { health }: Part): void =>
    metrics.gauge(name, help, () => (health().ok ? 1 : 0));
  return {
    audit: {
      record(record) {
        metrics.record(record);
        log.record(record);
      },
    },
    countHash: (scheme) => countHash(`scheme="${scheme}"`),
    countCache: (kind, result) => countCache(`kind="${kind}",result="${result}"`),
    countLimit: ({ name }, spent) => countLimit(`limit="${name}",result="${spent}"`),
    watch({ machine: { policies, stores, parts }, upstream, certificate, transfers, cachedBytes }) {
      const { gauge, counter } = metrics;
      gauge('portcullis_policy_rules', 'Rules in force.', () => policies.loaded().compiled.policy.rules.length);
      sound('portcullis_policy_last_reload_successful', '1 when the newest policy files are in force.', parts.policy);
      sound('portcullis_keys_last_reload_successful', '1 when the newest signing keys are in use.', parts.keys);
      if (certificate !== undefined)
        sound('portcullis_certificate_last_reload_successful', '1 when the newest certificate is in use.', certificate);
      sound('portcullis_upstream_up', '1 when the registry answered last.', upstream);
      sound('portcullis_store_up', '1 when sessions can be read and recorded.', parts.store);
      gauge('portcullis_transfers_in_flight', 'Requests being forwarded.', transfers);
      gauge('portcullis_cache_bytes', 'Bytes of manifests and small blobs in memory.', cachedBytes);
      gauge('portcullis_gateways', 'Gateways that share the store, at the last answer.', stores.gateways);
      const skew = 'Seconds by which the clock here is ahead of that of Redis.';
      gauge('portcullis_clock_skew_seconds', skew, () => stores.clockSkewMs() / 1000);
      const fallbacks = 'Requests that limits counted in this process because Redis was away.';
      counter('portcullis_limit_fallback_total', fallbacks, stores.limitFallbacks);
      const dropped = 'Log lines lost because standard output did not take them.';
      counter('portcullis_audit_dropped_total', dropped, log.dropped);
      gauge('process_resident_memory_bytes', 'Memory of the process.', () => process.memoryUsage.rss());
      gauge('nodejs_heap_size_used_bytes', 'Objects in the JavaScript heap.', () => process.memoryUsage().heapUsed);
      if (existsSync(descriptors))
        gauge('process_open_fds', 'Open file descriptors.', () => readdirSync(descriptors).length);
    },
    render: () => metrics.render(),
  };
}
