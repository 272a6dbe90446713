/** The `when` of a rule: addresses and time. All parts must hold; within a part one of its values must. */
import { BlockList, isIP } from 'node:net';
import type { EpochMs } from '../time.ts';

export type Day = 'sun' | 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat';
export const days: readonly Day[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

export interface Conditions {
  readonly addresses?: readonly string[] | undefined;
  readonly after?: EpochMs | undefined;
  readonly before?: EpochMs | undefined;
  readonly days?: readonly Day[] | undefined;
  /** Minutes since midnight; `until` before `from` runs over midnight. `until` itself is outside. */
  readonly hours?: { readonly from: number; readonly until: number } | undefined;
  /** IANA zone for days and hours; UTC when absent. */
  readonly zone?: string | undefined;
}

export interface Circumstances {
  /** The client's address; undefined when it is not known, which no `addresses` condition accepts. */
  readonly address?: string | undefined;
  readonly now: EpochMs;
}

/** The first part that does not hold, or undefined when all do. */
export type FailedCondition = 'addresses' | 'after' | 'before' | 'days' | 'hours';

/** An unknown address is in no network. */
export function failedCondition(when: Conditions, { address, now }: Circumstances): FailedCondition | undefined {
  if (when.after !== undefined && now < when.after) return 'after';
  if (when.before !== undefined && now >= when.before) return 'before';
  if (when.addresses !== undefined && !inNetworks(when.addresses, address)) return 'addresses';
  if (when.days === undefined && when.hours === undefined) return undefined;
  const { day, minute } = localTime(now, when.zone ?? 'UTC');
  if (when.days !== undefined && !when.days.includes(day)) return 'days';
  return when.hours === undefined || isWithin(when.hours, minute) ? undefined : 'hours';
}

/** Whether a minute of a day lies in the hours. */
export function isWithin({ from, until }: { from: number; until: number }, minute: number): boolean {
  return from <= until ? minute >= from && minute < until : minute >= from || minute < until;
}

const networks = new WeakMap<readonly string[], BlockList>();

/** IPv4-mapped IPv6 addresses count as IPv4. Malformed addresses match nothing. */
export function inNetworks(list: readonly string[], address: string | undefined): boolean {
  if (address === undefined || list.length === 0) return false;
  const version = isIP(address);
  if (version === 0) return false;
  let block = networks.get(list);
  if (block === undefined) {
    block = buildBlockList(list);
    networks.set(list, block);
  }
  return block.check(address, version === 6 ? 'ipv6' : 'ipv4');
}

function buildBlockList(list: readonly string[]): BlockList {
  const block = new BlockList();
  for (const network of list) {
    const [base = '', bits] = network.split('/');
    const family = isIP(base) === 6 ? 'ipv6' : 'ipv4';
    block.addSubnet(base, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  }
  return block;
}

interface LocalTime {
  readonly day: Day;
  /** Since midnight. */
  readonly minute: number;
}

interface Zone {
  readonly format: Intl.DateTimeFormat;
  /** In which minute since 1970 `time` was read. */
  readonly at: number;
  readonly time: LocalTime;
}

const zones = new Map<string, Zone>();

/**
 * At `now` in an IANA zone. Read once a minute: a reading takes as long as some ten decisions, and no zone has been apart
 * from UTC by part of a minute since 1972.
 */
export function localTime(now: EpochMs, zone: string): LocalTime {
  const at = Math.floor(now / 60_000);
  const known = zones.get(zone);
  if (known?.at === at) return known.time;
  const format = known?.format ?? formatIn(zone);
  const time = readTime(format, now);
  zones.set(zone, { format, at, time });
  return time;
}

function formatIn(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
}

function readTime(format: Intl.DateTimeFormat, now: EpochMs): LocalTime {
  const parts = new Map(format.formatToParts(now).map((part) => [part.type, part.value]));
  const weekday = (parts.get('weekday') ?? '').toLowerCase().slice(0, 3);
  const minute = Number(parts.get('hour')) * 60 + Number(parts.get('minute'));
  return { day: days.find((candidate) => candidate === weekday) ?? 'sun', minute };
}

/** A network in CIDR notation or a single address, strictly; undefined otherwise. */
export function isNetwork(text: string): boolean {
  const [base = '', bits, ...rest] = text.split('/');
  const version = isIP(base);
  if (version === 0 || rest.length > 0 || base.includes('%')) return false;
  return bits === undefined || (/^(0|[1-9][0-9]{0,2})$/.test(bits) && Number(bits) <= (version === 6 ? 128 : 32));
}

/** Whether this system's time zone data has it. */
export function isZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}
