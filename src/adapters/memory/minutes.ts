/** The last hour of this process in sixty pieces, for charts. Adding to it takes no memory but for names of repositories. */
import type { BusyRepository, MinuteFacts, Minutes } from '../../ports.ts';

const minuteMs = 60_000;
const count = 60;
/** Names that are counted in one minute; what comes on top is counted without. */
const maxNames = 500;
/** Of the histogram of one minute: from a tenth of a millisecond, each bound a fifth above the one before, to ten seconds. */
const steps = 64;
const firstSeconds = 0.0001;
const growth = Math.log(1.2);

interface Minute {
  /** Since 1970; none yet. */
  number: number;
  requests: number;
  refusals: number;
  bytesOut: number;
  readonly manifests: Uint32Array;
  readonly busy: Map<string, { pulls: number; bytes: number }>;
}

/** Whatever comes with a time of before the last hour is left out. */
export function createMinutes(): Minutes {
  const ring = Array.from({ length: count }, emptyMinute);

  /** undefined for what is over: clocks are set back. */
  function at(ms: number): Minute | undefined {
    const number = Math.floor(ms / minuteMs);
    const minute = ring[number % count];
    if (minute === undefined || minute.number === number) return minute;
    if (minute.number > number) return undefined;
    Object.assign(minute, { number, requests: 0, refusals: 0, bytesOut: 0 });
    minute.manifests.fill(0);
    minute.busy.clear();
    return minute;
  }

  /** Oldest first, without those that nothing was noted in. */
  function lastHour(now: number): readonly (Minute | undefined)[] {
    const current = Math.floor(now / minuteMs);
    return Array.from({ length: count }, (_, back) => {
      const number = current - count + 1 + back;
      const minute = ring[((number % count) + count) % count];
      return minute?.number === number ? minute : undefined;
    });
  }

  return {
    note(kind, ms) {
      const minute = at(ms);
      if (minute === undefined) return;
      if (kind === 'request') minute.requests++;
      else minute.refusals++;
    },
    noteManifestPull(seconds, ms) {
      const minute = at(ms);
      if (minute === undefined) return;
      const step = stepOf(seconds);
      minute.manifests[step] = (minute.manifests[step] ?? 0) + 1;
    },
    noteSent(repository, pulls, bytes, ms) {
      const minute = at(ms);
      if (minute === undefined) return;
      minute.bytesOut += bytes;
      if (repository === undefined) return;
      const known = minute.busy.get(repository);
      if (known !== undefined) {
        known.pulls += pulls;
        known.bytes += bytes;
      } else if (minute.busy.size < maxNames) {
        // A copy: a name is a part of the request that it came with.
        minute.busy.set(Buffer.from(repository).toString(), { pulls, bytes });
      }
    },
    list: (now) => lastHour(now).map((minute) => (minute === undefined ? nothing : factsOf(minute))),
    busiest(now, limit, isShown) {
      const sums = new Map<string, { pulls: number; bytes: number }>();
      for (const minute of lastHour(now))
        for (const [repository, { pulls, bytes }] of minute?.busy ?? []) {
          const sum = sums.get(repository) ?? { pulls: 0, bytes: 0 };
          sums.set(repository, { pulls: sum.pulls + pulls, bytes: sum.bytes + bytes });
        }
      const sorted = [...sums].sort(([, left], [, right]) => right.pulls - left.pulls || right.bytes - left.bytes);
      const shown: BusyRepository[] = [];
      for (const [repository, sum] of sorted) {
        if (shown.length === limit) break;
        if (isShown(repository)) shown.push({ repository, ...sum });
      }
      return shown;
    },
  };
}

function emptyMinute(): Minute {
  const manifests = new Uint32Array(steps);
  return { number: -1, requests: 0, refusals: 0, bytesOut: 0, manifests, busy: new Map() };
}

const nothing: MinuteFacts = { requests: 0, refusals: 0, bytesOut: 0, manifestP95: undefined };

function factsOf({ requests, refusals, bytesOut, manifests }: Minute): MinuteFacts {
  return { requests, refusals, bytesOut, manifestP95: p95Of(manifests) };
}

function stepOf(seconds: number): number {
  const step = Math.ceil(Math.log(seconds / firstSeconds) / growth);
  return step > 0 ? Math.min(step, steps - 1) : 0;
}

/** The bound below which 95 % of them are. */
function p95Of(manifests: Uint32Array): number | undefined {
  const all = manifests.reduce((sum, each) => sum + each, 0);
  if (all === 0) return undefined;
  let below = 0;
  const at = manifests.findIndex((each) => (below += each) >= 0.95 * all);
  return firstSeconds * Math.exp(at * growth);
}
