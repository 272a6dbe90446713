/** The last audit records of this process, for people to look at: a ring, a day at most. */
import type { AuditRecord, Clock, Recent, RecentRecord } from '../../ports.ts';

const maxRecent = 5000;
const dayMs = 86_400_000;
/** Characters of a text that is kept: names and references have fewer, what a client makes up may have 64 KiB. */
const maxText = 256;

/** Bounded in memory whatever clients send: texts are cut, and kept apart from the requests that they were read from. */
export function createRecent(clock: Clock, most = maxRecent): Recent {
  const ring: RecentRecord[] = [];
  let next = 0;
  let last = 0;
  let wholeSince = clock();
  return {
    note(record, at) {
      // Microseconds of a kind: they grow, and say no more than the time does, neither how many there are in between.
      last = Math.max(last + 1, at * 1000);
      wholeSince = ring[next]?.at ?? wholeSince;
      ring[next] = { number: last, at, record: kept(record) };
      next = (next + 1) % most;
    },
    list({ limit, matches, after = 0, before = Infinity }) {
      const found: RecentRecord[] = [];
      const oldest = clock() - dayMs;
      for (let back = 1; back <= ring.length && found.length < limit; back++) {
        const each = ring[(next - back + most) % most];
        if (each === undefined || each.number <= after || each.at < oldest) break;
        if (each.number < before && matches?.(each.record, each.at) !== false) found.push(each);
      }
      return found;
    },
    since: () => Math.max(wholeSince, clock() - dayMs),
  };
}

/** What there is to look at: no claims and groups of people, which may be long. Written out, as it is done for every request. */
function kept(record: AuditRecord): AuditRecord {
  return {
    event: record.event,
    decision: record.decision,
    reason: record.reason,
    rule: record.rule,
    source: record.source,
    shadow: record.shadow,
    gate: record.gate,
    gateFrom: own(record.gateFrom),
    account: own(record.account),
    kind: record.kind,
    method: record.method,
    route: record.route,
    repository: own(record.repository),
    upstream: record.upstream,
    action: record.action,
    reference: own(record.reference),
    digest: own(record.digest),
    from: own(record.from),
    scope: own(record.scope),
    address: own(record.address),
    userAgent: own(record.userAgent),
    requestId: record.requestId,
    status: record.status,
    cache: record.cache,
    bytes: record.bytes,
    durationMs: record.durationMs,
    detail: own(record.detail),
  };
}

/**
 * A copy of its first characters: a part of a text holds the whole of it, such as all header lines of a request. Cutting the
 * end off something put together makes a text of its own first.
 */
function own(text: string | undefined): string | undefined {
  return text === undefined || text.length < minPart ? text : ` ${text.slice(0, maxText)}`.slice(1);
}

/** Shorter parts are copies anyway. */
const minPart = 13;
