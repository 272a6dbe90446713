/** Everything that is counted and measured, in the order of `/metrics`. */
import type { Log } from '../adapters/log/log.ts';
import type { UpstreamError } from '../http/backend/forwarding.ts';
import type { IdentityParts, LoginOutcome } from '../identity/identify.ts';
import type { AuthenticationMethod } from '../identity/source.ts';
import type { Spent } from '../limits/spend.ts';
import type { AuditLog, AuditRecord } from '../ports.ts';
import { type Times, timesOf } from './answer-times.ts';
import { type Metrics, createMetrics } from './metrics.ts';
import { followProcess } from './process-metrics.ts';
import type { Heard } from './upstreams.ts';
import { type Watched, watchedBy } from './watched.ts';

/** Runs something, and may time it. */
type Timed = <Result>(run: () => Result) => Result;

export interface Observed extends Omit<Times, 'decided' | 'upstreamAnswered'> {
  /** Counts each record on its way to the log. */
  readonly audit: AuditLog;
  readonly countHash: (scheme: string) => void;
  readonly behind: Heard;
  readonly countCache: (kind: string, result: string) => void;
  readonly countGate: (gate: string, result: string) => void;
  readonly countLogin: NonNullable<IdentityParts['onLogin']>;
  readonly countToken: (method: AuthenticationMethod | 'access-token' | undefined) => void;
  readonly countLimit: (limit: { readonly name: string }, spent: Spent) => void;
  /** Times one decision of 64. */
  readonly timeDecision: Timed;
  /** From now on `render` shows these as well. */
  watch(watched: Watched): void;
  /** The Prometheus text format. */
  readonly render: () => string;
  close(): void;
}

/** Counters begin at zero with each gateway. */
export function createObserved(log: Log): Observed {
  const metrics = createMetrics();
  let isGate: (name: string) => boolean = () => true;
  let revision: () => string | undefined = () => undefined;
  const { decisions, transferred, shadowed, ...counts } = countsOf(metrics, (name) => isGate(name));
  const { decided, upstreamAnswered, ...times } = timesOf(metrics);
  const ofProcess = followProcess(metrics);
  return {
    audit: {
      record(record) {
        const { event, decision, action, bytes } = record;
        decisions([event, decision]);
        if (bytes !== undefined && bytes > 0 && event !== 'promotion')
          transferred([action === 'push' ? 'in' : 'out'], bytes);
        const effect = shadowOf(record);
        if (effect !== undefined) shadowed([effect]);
        log.record(record.policy === undefined ? { ...record, policy: revision() } : record);
      },
      intend: log.intend,
    },
    countHash: (scheme) => counts.hashes([scheme]),
    ...times,
    timeDecision: sampled(decided),
    behind: {
      onFirstByte: upstreamAnswered,
      onError: (upstream, error) => counts.upstreamErrors([upstream, error]),
    },
    countCache: (kind, result) => counts.cached([kind, result]),
    countGate: (gate, result) => counts.gated([gate, result]),
    countLogin: (method, outcome) => counts.logins([method, outcome]),
    countToken: (method) => counts.tokens([method ?? 'anonymous']),
    countLimit: ({ name }, spent) => counts.limited([name, spent]),
    watch(watched) {
      const { policies } = watched.machine;
      revision = () => policies.current().policy.revision;
      isGate = (name) => policies.loaded().compiled.policy.gates.some((gate) => gate.name === name);
      watchedBy(metrics, watched);
      const dropped = 'Log lines lost because standard output or the audit directory did not take them.';
      metrics.total('portcullis_audit_dropped_total', dropped, log.dropped);
      ofProcess.show();
    },
    render: () => metrics.render(),
    close: () => ofProcess.close(),
  };
}

/** What shadow rules, limits and gates would have done instead. */
function shadowOf({ shadow, decision }: AuditRecord): 'deny' | 'allow' | undefined {
  if (shadow === undefined || shadow.length === 0) return undefined;
  return decision === 'deny' ? 'allow' : 'deny';
}

const sampledOf = 64;

/** Looking at the clock twice costs as much as a decision. */
function sampled(observe: (seconds: number) => void): Timed {
  let number = 0;
  return (run) => {
    if (number++ % sampledOf !== 0) return run();
    const begun = performance.now();
    const result = run();
    observe((performance.now() - begun) / 1000);
    return result;
  };
}

function countsOf({ counter }: Metrics, isGate: (name: string) => boolean) {
  return {
    decisions: counter<[event: string, decision: string]>(
      'portcullis_decisions_total',
      'Decisions by event and outcome.',
      ['event', 'decision'],
    ),
    transferred: counter<[direction: 'in' | 'out']>(
      'portcullis_transfer_bytes_total',
      'Bytes of content that clients sent (in) and got (out).',
      ['direction'],
    ),
    shadowed: counter<[effect: 'deny' | 'allow']>(
      'portcullis_shadow_total',
      'Requests that shadow rules, limits or gates would have decided otherwise, by what they would have done.',
      ['effect'],
    ),
    upstreamErrors: counter<[upstream: string, kind: UpstreamError]>(
      'portcullis_upstream_errors_total',
      'Forwarded requests that failed at the registry, by how.',
      ['upstream', 'kind'],
    ),
    ...loginCounts(counter),
    limited: counter<[limit: string, result: Spent]>(
      'portcullis_limit_requests_total',
      'Requests that limits counted or refused.',
      ['limit', 'result'],
      { most: 60, spare: { most: 3, of: ([, result]) => ['other', result] } },
    ),
    gated: counter<[gate: string, result: string]>(
      'portcullis_gate_total',
      'Images that gates judged, shadow gates among them.',
      ['gate', 'result'],
      { most: 60, isKept: ([gate = '']) => isGate(gate) },
    ),
    cached: counter<[kind: string, result: string]>(
      'portcullis_cache_requests_total',
      'Reads that memory might answer, by what it did.',
      ['kind', 'result'],
    ),
  };
}

function loginCounts(counter: Metrics['counter']) {
  return {
    hashes: counter<[scheme: string]>('portcullis_password_hashes_total', 'Password hashes computed, by scheme.', [
      'scheme',
    ]),
    logins: counter<[method: AuthenticationMethod, result: LoginOutcome]>(
      'portcullis_logins_total',
      'Passwords, secrets, ID tokens and sessions that were shown, by what became of them.',
      ['method', 'result'],
    ),
    tokens: counter<[grant: string]>('portcullis_tokens_issued_total', 'Access tokens, by what was shown for them.', [
      'grant',
    ]),
  };
}
