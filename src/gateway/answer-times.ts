/** How many answers there are, how long clients wait for them, and what for. */
import { type MethodName, type RouteName, methodNameOf, routeNameOf, routeNames } from '../distribution/route-name.ts';
import type { AnswerOutcome, AnswerWatch, Timing } from '../http/front/timed-response.ts';
import { type Metrics, bounds } from './metrics.ts';
import type { Heard } from './upstreams.ts';

export interface Times {
  /** Of the main listener; `onRejected` hears of the answer to what could not be read. */
  readonly answers: AnswerWatch & { readonly onRejected: (status: number) => void };
  readonly hashWaited: (seconds: number) => void;
  readonly hashTook: (seconds: number) => void;
  readonly storeAnswered: (op: string, seconds: number) => void;
  readonly decided: (seconds: number) => void;
  readonly upstreamAnswered: Heard['onFirstByte'];
}

/**
 * What anybody can make up by asking is bounded lower than the rest: whatever routes and methods somebody tries, how
 * answers end stays told apart.
 */
const byOutcome = { most: 30, spare: { most: 5, of: ([, outcome]: readonly string[]) => ['other', outcome ?? ''] } };
const byCode = {
  most: 120,
  spare: { most: 6, of: ([, , code = '']: readonly string[]) => ['other', 'other', `${code.slice(0, 1)}xx`] },
};

/** Registers all that has to do with time. */
export function timesOf(metrics: Metrics): Times {
  const { histogram } = metrics;
  const decided = histogram<[]>(
    'portcullis_decision_seconds',
    'Time to decide by the policy; one decision of 64.',
    [],
    bounds.toDecide,
  );
  const stored = histogram<[op: string]>(
    'portcullis_store_seconds',
    'Time of a call to Redis that was answered, by what it was about.',
    ['op'],
    bounds.toStore,
    { most: 12 },
  );
  return {
    ...answersOf(metrics),
    ...hashesOf(metrics),
    decided: (seconds) => decided([], seconds),
    storeAnswered: (op, seconds) => stored([op], seconds),
  };
}

function answersOf({ counter, gauges, histogram }: Metrics) {
  const requests = counter<[route: RouteName, method: MethodName, code: string]>(
    'portcullis_http_requests_total',
    'Answered requests by route, method and status code.',
    ['route', 'method', 'code'],
    byCode,
  );
  const inFlight = new Map<RouteName, number>(routeNames.map((route) => [route, 0]));
  gauges<[route: RouteName]>(
    'portcullis_http_in_flight',
    'Requests that have no complete answer yet.',
    ['route'],
    () => [...inFlight].map(([route, now]) => [[route], now]),
    routeNames.length,
  );
  const firstBytes = histogram<readonly [route: RouteName, outcome: AnswerOutcome]>(
    'portcullis_http_first_byte_seconds',
    'Time from the head of a request to the first byte of its answer.',
    ['route', 'outcome'],
    bounds.toAnswer,
    byOutcome,
  );
  const durations = histogram<readonly [route: RouteName, outcome: AnswerOutcome]>(
    'portcullis_http_request_duration_seconds',
    'Time from the head of a request to the last byte of its answer.',
    ['route', 'outcome'],
    bounds.toTransfer,
    byOutcome,
  );
  const upstream = histogram<[upstream: string, route: RouteName]>(
    'portcullis_upstream_first_byte_seconds',
    'Time from a request that is forwarded to the first byte of the answer to it.',
    ['upstream', 'route'],
    bounds.toAnswer,
  );
  const add = (route: RouteName, more: number): void => void inFlight.set(route, (inFlight.get(route) ?? 0) + more);
  const onAnswered = ({ method, route, status, outcome, firstByteSeconds, seconds }: Timing) => {
    add(route, -1);
    requests([route, methodNameOf(method), status === undefined ? 'none' : String(status)]);
    const labels = [route, outcome] as const;
    if (firstByteSeconds !== undefined) firstBytes(labels, firstByteSeconds);
    durations(labels, seconds);
  };
  return {
    answers: {
      onAnswered,
      onBegun: (route: RouteName) => add(route, 1),
      onRejected: (status: number) => requests(['other', 'other', String(status)]),
    },
    upstreamAnswered: (name: string, target: string, seconds: number) => upstream([name, routeNameOf(target)], seconds),
  };
}

function hashesOf({ histogram }: Metrics) {
  const waits = histogram<[]>(
    'portcullis_hash_queue_wait_seconds',
    'Time that logins waited for their turn to be hashed, also in vain.',
    [],
    bounds.toAnswer,
  );
  const hashes = histogram<[]>('portcullis_password_hash_seconds', 'Time of one password hash.', [], bounds.toHash);
  return {
    hashWaited: (seconds: number) => waits([], seconds),
    hashTook: (seconds: number) => hashes([], seconds),
  };
}
