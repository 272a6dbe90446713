/** When the times of a condition begin and end: the next instant at which it turns from holding to not, or back. */
import type { EpochMs } from '../time.ts';
import { type Conditions, failedCondition, localTime } from './conditions.ts';

const minuteMs = 60_000;
const dayMinutes = 24 * 60;
/** Clocks change at whole quarters of an hour, in every zone. */
const quarterMs = 15 * minuteMs;
/** A week of days and hours, and a day on which the clocks change, by quarters. */
const maxSteps = 200;

/** Whether the times hold, from wherever the caller comes. */
export function holdsAt(when: Conditions, at: EpochMs): boolean {
  return failedCondition({ ...when, addresses: undefined }, { now: at }) === undefined;
}

interface Turn {
  readonly from: EpochMs;
  readonly until: EpochMs | undefined;
}

const known = new WeakMap<Conditions, Turn>();

/** The first instant after `now` at which the times hold that did not, or no longer hold; undefined when there is none. */
export function nextTurn(when: Conditions, now: EpochMs): EpochMs | undefined {
  const last = known.get(when);
  if (last !== undefined && now >= last.from && now < (last.until ?? Infinity)) return last.until;
  const until = findTurn(when, now);
  known.set(when, { from: now, until });
  return until;
}

function findTurn(when: Conditions, now: EpochMs): EpochMs | undefined {
  const { after, before } = when;
  if (before !== undefined && now >= before) return undefined;
  const isHolding = holdsAt(when, now);
  let at = after !== undefined && now < after ? after - 1 : now;
  for (let step = 0; step < maxSteps; step++) {
    const next = nextEdge(when, at);
    if (next === undefined) return undefined;
    if (holdsAt(when, next) !== isHolding) return next;
    at = next;
  }
  return undefined;
}

/** The next instant at which one of the times may turn. */
function nextEdge(when: Conditions, at: EpochMs): EpochMs | undefined {
  const fixed = [when.after, when.before].filter((edge) => edge !== undefined && edge > at) as readonly EpochMs[];
  const edges = [...fixed, ...(when.days === undefined && when.hours === undefined ? [] : [nextOfDay(when, at)])];
  return edges.length === 0 ? undefined : Math.min(...edges);
}

function nextOfDay({ hours, zone = 'UTC' }: Conditions, at: EpochMs): EpochMs {
  const start = Math.floor(at / minuteMs) * minuteMs;
  const { minute } = localTime(start, zone);
  const minutes = hours === undefined ? [0] : [0, hours.from % dayMinutes, hours.until % dayMinutes];
  const waits = minutes.map((each) => (each - minute + dayMinutes) % dayMinutes || dayMinutes);
  const wait = Math.min(...waits);
  const next = start + wait * minuteMs;
  // On a day on which the clocks change the edge is earlier or later than it seems, or the change is one itself.
  const isAsMeant = localTime(next, zone).minute === (minute + wait) % dayMinutes;
  return isAsMeant ? next : Math.min(next, Math.floor(at / quarterMs) * quarterMs + quarterMs);
}
