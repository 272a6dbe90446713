/** Everything that is counted and measured, in the order of `/metrics`. */
import { existsSync, readdirSync } from 'node:fs';
import type { Log } from '../adapters/log/log.ts';
import type { Spent } from '../limits/spend.ts';
import type { AuditLog } from '../ports.ts';
import type { Machine } from './machine.ts';
import type { IdentityParts, LoginOutcome } from '../identity/identify.ts';
import type { AuthenticationMethod } from '../identity/source.ts';
import type { AnswerOutcome, Timing } from '../http/front/timed-response.ts';
import { type RouteName, routeNameOf } from '../distribution/route-name.ts';
import { bounds, createMetrics } from './metrics.ts';
import type { Part } from './readiness.ts';

export interface Observed {
  /** Counts each record on its way to the log. */
  readonly audit: AuditLog;
  readonly countHash: (scheme: string) => void;
  readonly hashWaited: (seconds: number) => void;
  /** An answer of the main listener has ended. */
  readonly answered: (timing: Timing) => void;
  /** The registry called `upstream` began to answer a request for `target`. */
  readonly upstreamAnswered: (upstream: string, target: string, seconds: number) => void;
  readonly countCache: (kind: string, result: string) => void;
  readonly countGate: (gate: string, result: string) => void;
  readonly countLogin: NonNullable<IdentityParts['onLogin']>;
  readonly countLimit: (limit: { readonly name: string }, spent: Spent) => void;
  /** From now on `render` shows these as well. */
  watch(watched: Watched): void;
  /** The Prometheus text format. */
  readonly render: () => string;
}

export interface Watched {
  readonly machine: Machine;
  readonly upstreams: readonly { readonly name: string; readonly part: Part }[];
  readonly certificate: Part | undefined;
  /** Whoever vouches for accounts and can be asked, each name once. */
  readonly loginSources: () => readonly LoginSource[];
  readonly transfers: () => number;
  readonly cachedBytes: () => number;
}

/** `name`: as the configuration or the policy names it. */
export interface LoginSource {
  readonly name: string;
  /** Answered when it was last asked. */
  readonly isUp: boolean;
}

/** Linux; other systems have no number to show. */
const descriptors = '/proc/self/fd';

/** Counters begin at zero with each gateway. */
export function createObserved(log: Log): Observed {
  const metrics = createMetrics();
  let isGate: (name: string) => boolean = () => true;
  let revision: () => string | undefined = () => undefined;
  const { decisions, statuses, transferred, ...counts } = countsOf(metrics, (name) => isGate(name));
  const sound = (name: string, help: string, { health }: Part): void =>
    metrics.gauge(name, help, () => (health().ok ? 1 : 0));
  return {
    audit: {
      record(record) {
        const { event, decision, status, action, bytes } = record;
        decisions([event, decision]);
        if (status !== undefined) statuses([String(status)]);
        if (bytes !== undefined && bytes > 0 && event !== 'promotion')
          transferred([action === 'push' ? 'in' : 'out'], bytes);
        log.record(record.policy === undefined ? { ...record, policy: revision() } : record);
      },
      intend: log.intend,
    },
    countHash: (scheme) => counts.hashes([scheme]),
    ...timesOf(metrics),
    countCache: (kind, result) => counts.cached([kind, result]),
    countGate: (gate, result) => counts.gated([gate, result]),
    countLogin: (method, outcome) => counts.logins([method, outcome]),
    countLimit: ({ name }, spent) => counts.limited([name, spent]),
    watch({ machine: { policies, stores, parts }, upstreams, certificate, loginSources, ...sizes }) {
      const { gauge, gauges, total } = metrics;
      revision = () => policies.current().policy.revision;
      isGate = (name) => policies.loaded().compiled.policy.gates.some((gate) => gate.name === name);
      gauge('portcullis_policy_rules', 'Rules in force.', () => policies.loaded().compiled.policy.rules.length);
      sound('portcullis_policy_last_reload_successful', '1 when the newest policy files are in force.', parts.policy);
      sound('portcullis_keys_last_reload_successful', '1 when the newest signing keys are in use.', parts.keys);
      if (certificate !== undefined)
        sound('portcullis_certificate_last_reload_successful', '1 when the newest certificate is in use.', certificate);
      gauges<[upstream: string]>('portcullis_upstream_up', '1 when the registry answered last.', ['upstream'], () =>
        upstreams.map(({ name, part }) => [[name], part.health().ok ? 1 : 0]),
      );
      sound('portcullis_store_up', '1 when sessions can be read and recorded.', parts.store);
      const sources = 'By whom accounts are vouched for: 1 when it answered when it was last asked.';
      gauges<[source: string]>('portcullis_login_source_up', sources, ['source'], () =>
        loginSources().map(({ name, isUp }) => [[name], isUp ? 1 : 0]),
      );
      gauge('portcullis_transfers_in_flight', 'Requests being forwarded.', sizes.transfers);
      gauge('portcullis_cache_bytes', 'Bytes of manifests and small blobs in memory.', sizes.cachedBytes);
      gauge('portcullis_gateways', 'Gateways that share the store, at the last answer.', stores.gateways);
      const skew = 'Seconds by which the clock here is ahead of that of Redis.';
      gauge('portcullis_clock_skew_seconds', skew, () => stores.clockSkewMs() / 1000);
      const fallbacks = 'Requests that limits counted in this process because Redis was away.';
      total('portcullis_limit_fallback_total', fallbacks, stores.limitFallbacks);
      const dropped = 'Log lines lost because standard output or the audit directory did not take them.';
      total('portcullis_audit_dropped_total', dropped, log.dropped);
      gauge('process_resident_memory_bytes', 'Memory of the process.', () => process.memoryUsage.rss());
      gauge('nodejs_heap_size_used_bytes', 'Objects in the JavaScript heap.', () => process.memoryUsage().heapUsed);
      if (existsSync(descriptors))
        gauge('process_open_fds', 'Open file descriptors.', () => readdirSync(descriptors).length);
    },
    render: () => metrics.render(),
  };
}

type Metrics = ReturnType<typeof createMetrics>;

function countsOf({ counter }: Metrics, isGate: (name: string) => boolean) {
  return {
    decisions: counter<[event: string, decision: string]>(
      'portcullis_decisions_total',
      'Decisions by event and outcome.',
      ['event', 'decision'],
    ),
    statuses: counter<[code: string]>('portcullis_http_requests_total', 'Answered requests by status code.', ['code']),
    transferred: counter<[direction: 'in' | 'out']>(
      'portcullis_transfer_bytes_total',
      'Bytes of content that clients sent (in) and got (out).',
      ['direction'],
    ),
    hashes: counter<[scheme: string]>('portcullis_password_hashes_total', 'Password hashes computed, by scheme.', [
      'scheme',
    ]),
    logins: counter<[method: AuthenticationMethod, result: LoginOutcome]>(
      'portcullis_logins_total',
      'Passwords, secrets, ID tokens and sessions that were shown, by what became of them.',
      ['method', 'result'],
    ),
    limited: counter<[limit: string, result: Spent]>(
      'portcullis_limit_requests_total',
      'Requests that limits counted or refused.',
      ['limit', 'result'],
    ),
    gated: counter<[gate: string, result: string]>(
      'portcullis_gate_total',
      'Images that gates judged, shadow gates among them.',
      ['gate', 'result'],
      ([gate = '']) => isGate(gate),
    ),
    cached: counter<[kind: string, result: string]>(
      'portcullis_cache_requests_total',
      'Reads that memory might answer, by what it did.',
      ['kind', 'result'],
    ),
  };
}

/** How long clients wait, and what for. */
function timesOf({ histogram }: Metrics): Pick<Observed, 'answered' | 'upstreamAnswered' | 'hashWaited'> {
  const firstBytes = histogram<readonly [route: RouteName, outcome: AnswerOutcome]>(
    'portcullis_http_first_byte_seconds',
    'Time from the head of a request to the first byte of its answer.',
    ['route', 'outcome'],
    bounds.toAnswer,
  );
  const durations = histogram<readonly [route: RouteName, outcome: AnswerOutcome]>(
    'portcullis_http_request_duration_seconds',
    'Time from the head of a request to the last byte of its answer.',
    ['route', 'outcome'],
    bounds.toTransfer,
  );
  const upstream = histogram<[upstream: string, route: RouteName]>(
    'portcullis_upstream_first_byte_seconds',
    'Time from a request that is forwarded to the first byte of the answer to it.',
    ['upstream', 'route'],
    bounds.toAnswer,
  );
  const hashWaits = histogram<[]>(
    'portcullis_hash_queue_wait_seconds',
    'Time that logins waited for their turn to be hashed, also in vain.',
    [],
    bounds.toAnswer,
  );
  return {
    hashWaited: (seconds) => hashWaits([], seconds),
    answered({ target, outcome, firstByteSeconds, seconds }) {
      const labels = [routeNameOf(target), outcome] as const;
      if (firstByteSeconds !== undefined) firstBytes(labels, firstByteSeconds);
      durations(labels, seconds);
    },
    upstreamAnswered: (name, target, seconds) => upstream([name, routeNameOf(target)], seconds),
  };
}
