/** Gauges of what the gateway is made of, read when somebody asks. */
import { shortRevision } from '../adapters/files/policy-loading.ts';
import type { RenewedCertificate } from './certificate.ts';
import type { Machine } from './machine.ts';
import type { Metrics } from './metrics.ts';
import type { Part } from './readiness.ts';
import type { UpstreamHealth } from './upstreams.ts';

export interface Watched {
  readonly machine: Machine;
  readonly upstreams: readonly UpstreamHealth[];
  readonly certificate: RenewedCertificate | undefined;
  /** Whoever vouches for accounts and can be asked, each name once. */
  readonly loginSources: () => readonly LoginSource[];
  readonly transfers: () => number;
  readonly cachedBytes: () => number;
  /** Logins that wait for their turn to be hashed. */
  readonly hashesWaiting: () => number;
}

/** `name`: as the configuration or the policy names it. */
export interface LoginSource {
  readonly name: string;
  /** Answered when it was last asked. */
  readonly isUp: boolean;
}

/** Registers all of it. */
export function watchedBy(metrics: Metrics, watched: Watched): void {
  const { gauge } = metrics;
  ofPolicy(metrics, watched);
  ofKeys(metrics, watched);
  ofOthers(metrics, watched);
  gauge('portcullis_hash_queue_length', 'Logins waiting for their turn to be hashed.', watched.hashesWaiting);
  gauge('portcullis_transfers_in_flight', 'Requests being forwarded.', watched.transfers);
  gauge('portcullis_cache_bytes', 'Bytes of manifests and small blobs in memory.', watched.cachedBytes);
}

function sound({ gauge }: Metrics, name: string, help: string, { health }: Part): void {
  gauge(name, help, () => (health().ok ? 1 : 0));
}

function ofPolicy(metrics: Metrics, { machine: { policies, parts } }: Watched): void {
  const { gauge, gauges } = metrics;
  gauge('portcullis_policy_rules', 'Rules in force.', () => policies.loaded().compiled.policy.rules.length);
  const files = '1 when the newest policy files are in force.';
  sound(metrics, 'portcullis_policy_last_reload_successful', files, parts.policy);
  gauge(
    'portcullis_policy_last_reload_success_timestamp_seconds',
    'When the policy in force was put into force.',
    () => policies.since().at / 1000,
  );
  gauge(
    'portcullis_policy_problems',
    'Problems of the newest policy files, none while they are in force.',
    () => policies.problems().length,
  );
  const info = 'Always 1; the label is the revision of the policy in force.';
  gauges<[revision: string]>(
    'portcullis_policy_info',
    info,
    ['revision'],
    () => [[[shortRevision(policies.loaded().revision)], 1]],
    1,
  );
}

function ofKeys(metrics: Metrics, { machine: { keys, parts }, certificate }: Watched): void {
  const { gauge } = metrics;
  sound(metrics, 'portcullis_keys_last_reload_successful', '1 when the newest signing keys are in use.', parts.keys);
  gauge('portcullis_signing_key_age_seconds', 'Age of the key that signs now.', () => {
    const since = keys.signingSince();
    return since === undefined ? undefined : Math.max(0, Date.now() - since) / 1000;
  });
  if (certificate === undefined) return;
  const files = '1 when the newest certificate is in use.';
  sound(metrics, 'portcullis_certificate_last_reload_successful', files, certificate.part);
  const ends = 'When the certificate in use ends, or the first of its chain, in seconds since 1970.';
  gauge('portcullis_certificate_not_after_seconds', ends, () => certificate.notAfter() / 1000);
}

function ofOthers(metrics: Metrics, { machine: { stores, parts }, upstreams, loginSources }: Watched): void {
  const { gauge, gauges, total } = metrics;
  gauges<[upstream: string]>(
    'portcullis_upstream_up',
    '1 when the registry answered last.',
    ['upstream'],
    () => upstreams.map(({ name, part }) => [[name], part.health().ok ? 1 : 0]),
    upstreams.length,
  );
  const sources = 'By whom accounts are vouched for: 1 when it answered when it was last asked.';
  gauges<[source: string]>('portcullis_login_source_up', sources, ['source'], () =>
    loginSources().map(({ name, isUp }) => [[name], isUp ? 1 : 0]),
  );
  sound(metrics, 'portcullis_store_up', '1 when sessions can be read and recorded.', parts.store);
  gauge('portcullis_sessions', 'Logins that last, of all gateways that share the store.', () =>
    stores.sessions.count(),
  );
  gauge('portcullis_gateways', 'Gateways that share the store, at the last answer.', stores.gateways);
  const skew = 'Seconds by which the clock here is ahead of that of Redis, or else of the registry.';
  const ofRegistry = (): number | undefined => upstreams.map((each) => each.clockAheadMs()).find(isKnown);
  gauge('portcullis_clock_skew_seconds', skew, () => {
    const ms = stores.clockSkewMs() ?? ofRegistry();
    return ms === undefined ? undefined : ms / 1000;
  });
  const fallbacks = 'Requests that limits counted in this process because Redis was away.';
  total('portcullis_limit_fallback_total', fallbacks, stores.limitFallbacks);
}

function isKnown(ms: number | undefined): boolean {
  return ms !== undefined;
}
