/** Circumstances that together show every way in which a set of `when` conditions can hold and fail. */
import { isIP } from 'node:net';
import { type Circumstances, type Conditions, failedCondition } from '../conditions.ts';

const quarterHour = 15 * 60_000;
const quartersOfWeek = 7 * 24 * 4;

/** More of them explain nothing to anybody. */
const maxCircumstances = 64;
const maxAbsoluteTimes = 12;

export interface RepresentativeCircumstances {
  readonly circumstances: readonly Circumstances[];
  /** False when there are more ways than were looked at. */
  readonly isComplete: boolean;
}

/** One for each combination of conditions that hold together, `now` being the first where it can be. */
export function representativeCircumstances(whens: readonly Conditions[], now: number): RepresentativeCircumstances {
  const found = new Map<string, Circumstances>();
  const addresses = exampleAddresses(whens);
  const { times, isComplete } = exampleTimes(whens, now);
  const timesByPattern = new Map<string, number>();
  for (const time of times) {
    const pattern = whens.map((when) => failedCondition(when, { now: time, address: addressIn(when) }) ?? '').join();
    if (!timesByPattern.has(pattern)) timesByPattern.set(pattern, time);
  }
  for (const time of timesByPattern.values()) {
    for (const address of addresses) {
      const circumstances = { now: time, address };
      const pattern = whens.map((when) => (failedCondition(when, circumstances) === undefined ? '1' : '0')).join('');
      if (found.has(pattern)) continue;
      if (found.size >= maxCircumstances) return { circumstances: [...found.values()], isComplete: false };
      found.set(pattern, circumstances);
    }
  }
  return { circumstances: [...found.values()], isComplete };
}

/** An address that the condition accepts, so that only time can make it fail. */
function addressIn({ addresses }: Conditions): string | undefined {
  return addresses?.[0]?.split('/')[0];
}

function exampleTimes(
  whens: readonly Conditions[],
  now: number,
): { readonly times: readonly number[]; readonly isComplete: boolean } {
  const edges = whens.flatMap(({ after, before }) => [after, before]).filter((edge) => edge !== undefined);
  const absolute = [...new Set([now, ...edges.flatMap((edge) => [edge, edge - 1])])];
  const minutes = whens.flatMap(({ days, hours }) => [
    ...(days === undefined ? [] : [0]),
    ...(hours === undefined ? [] : [hours.from, hours.until]),
  ]);
  // Zones are whole quarters of an hour apart: these minutes past a quarter meet every edge in every zone.
  const residues = [...new Set(minutes.map((minute) => minute % 15))];
  const times = [...absolute];
  for (const start of absolute.slice(0, maxAbsoluteTimes)) {
    const base = Math.ceil(start / quarterHour) * quarterHour;
    for (const residue of residues) {
      for (let quarter = 0; quarter < quartersOfWeek; quarter++) {
        times.push(base + quarter * quarterHour + residue * 60_000);
      }
    }
  }
  return { times, isComplete: residues.length === 0 || absolute.length <= maxAbsoluteTimes };
}

/** Addresses set aside for documentation (RFC 5737): outside of any network that somebody names in earnest. */
const outside = ['192.0.2.77', '198.51.100.77', '203.0.113.77'];

function exampleAddresses(whens: readonly Conditions[]): readonly (string | undefined)[] {
  const networks = [...new Set(whens.flatMap(({ addresses }) => addresses ?? []))];
  if (networks.length === 0) return [undefined];
  const inside = networks.flatMap((network) => {
    const [base = '', bits] = network.split('/');
    return bits !== undefined && isIP(base) === 4 ? [base, lastAddress(base, Number(bits))] : [base];
  });
  return [...outside, ...new Set(inside)];
}

/** So that a network and a smaller one at its beginning have an address apart. */
function lastAddress(base: string, bits: number): string {
  const value = base.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const size = 2 ** (32 - bits);
  const last = Math.floor(value / size) * size + size - 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(last / 2 ** shift) % 256).join('.');
}
