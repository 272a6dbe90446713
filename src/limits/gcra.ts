/**
 * GCRA, the generic cell rate algorithm (ITU-T I.371): a budget is one number, the time until it is full again. Every
 * request adds the time that one request is worth; it is refused when that would owe more than the whole burst. There are
 * no windows to wait for, so the next free place is always near. `adapters/redis/limit-scripts.ts` says the same in Lua.
 *
 * All times are whole microseconds, so that sums are exact and a burst of n lets exactly n through.
 */
import type { Rate } from '../policy/rate.ts';

export interface Quota {
  /** Microseconds that one request is worth. */
  readonly intervalUs: number;
  /** Requests that may come at once. */
  readonly burst: number;
}

/** Rounds the interval up: never more than the rate says. */
export function quotaOf(rate: Rate, burst: number): Quota {
  return { intervalUs: Math.ceil((rate.seconds * 1_000_000) / rate.amount), burst };
}

/**
 * `debtUs` after a request that counts `cost` times. What is owed never exceeds the burst, also when a policy edit made
 * the limit smaller meanwhile: a store keeps `debtUs` of a refused request too, or the rest would have to be waited for. A
 * request that costs more than a whole burst fits into an untouched budget only.
 */
export function charge(
  debtUs: number,
  { intervalUs, burst }: Quota,
  cost = 1,
): { readonly fits: boolean; readonly debtUs: number } {
  const most = Math.max(burst, cost) * intervalUs;
  const owed = owedOf(debtUs, { intervalUs, burst }, cost);
  const next = owed + cost * intervalUs;
  return next <= most ? { fits: true, debtUs: next } : { fits: false, debtUs: owed };
}

/** The part of a debt that this quota can ask back. */
export function owedOf(debtUs: number, { intervalUs, burst }: Quota, cost = 1): number {
  return Math.min(Math.max(debtUs, 0), Math.max(burst, cost) * intervalUs);
}

export interface Room {
  /** Requests that would fit now. */
  readonly remaining: number;
  /** Microseconds until one fits; 0 when one does. */
  readonly waitUs: number;
}

/** What a debt leaves for requests that count `cost` each. */
export function roomOf(debtUs: number, { intervalUs, burst }: Quota, cost = 1): Room {
  const most = Math.max(burst, cost) * intervalUs;
  const owed = owedOf(debtUs, { intervalUs, burst }, cost);
  return {
    remaining: Math.floor((most - owed) / (cost * intervalUs)),
    waitUs: Math.max(0, owed + cost * intervalUs - most),
  };
}
