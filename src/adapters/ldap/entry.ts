/** What an entry of a directory says of somebody: Active Directory, OpenLDAP and 389 each in their own attributes. */
import type { SearchEntry } from 'ldapts';
import type { EpochMs } from '../../time.ts';

export interface Entry {
  readonly dn: string;
  /** By any spelling of the attribute's name, which has no case. */
  bytes(attribute: string): readonly Buffer[];
  /** Those that are text. */
  texts(attribute: string): readonly string[];
}

/** What the library read, by names in lower case. */
export function entryOf({ name, attributes }: SearchEntry): Entry {
  const values = new Map<string, readonly Buffer[]>();
  for (const { type, parsedBuffers } of attributes) {
    const key = type.toLowerCase().replace(/;binary$/, '');
    values.set(key, [...(values.get(key) ?? []), ...parsedBuffers]);
  }
  const bytes = (attribute: string): readonly Buffer[] => values.get(attribute.toLowerCase()) ?? [];
  return { dn: name, bytes, texts: (attribute) => bytes(attribute).flatMap((value) => decode(value) ?? []) };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The one name of an entry. Of several values, which have no order, the one in its distinguished name, else the first of the
 * alphabet: somebody who chooses among names would have an account for each, and what is denied to one is not to the others.
 */
export function nameOf(entry: Entry, attribute: string): string | undefined {
  const names = [...entry.texts(attribute)].sort();
  if (names.length < 2) return names[0];
  const dn = entry.dn.toLowerCase();
  const isInDn = (name: string): boolean => {
    const own = `${attribute}=${name}`.toLowerCase();
    return dn.startsWith(own) && /^(?:[,+]|$)/.test(dn.slice(own.length));
  };
  return names.find(isInDn) ?? names[0];
}

/** The attributes that the functions below read: some servers give operational ones only to who names them. */
export const personAttributes = [
  ...['entryUUID', 'objectGUID', 'nsUniqueId', 'pwdChangedTime', 'pwdLastSet', 'userAccountControl', 'accountExpires'],
  ...['pwdAccountLockedTime', 'pwdEndTime', 'pwdReset', 'nsAccountLock'],
] as const;

/** By which an entry is told from a later one of the same name. undefined: it has none, or none that may be read. */
export function identifierOf(entry: Entry): string | undefined {
  const [uuid] = entry.texts('entryUUID');
  if (uuid !== undefined && uuid !== '') return uuid.toLowerCase();
  const [guid] = entry.bytes('objectGUID');
  if (guid?.length === 16) return guidInWords(guid);
  return entry.texts('nsUniqueId').find((id) => id !== '');
}

/** As Microsoft's tools print it: the first three groups are little-endian. */
function guidInWords(bytes: Buffer): string {
  const hex = (from: number, to: number): string => bytes.toString('hex', from, to);
  const swapped = Buffer.from([3, 2, 1, 0, 5, 4, 7, 6].map((at) => bytes[at] ?? 0)).toString('hex');
  return [swapped.slice(0, 8), swapped.slice(8, 12), swapped.slice(12), hex(8, 10), hex(10, 16)].join('-');
}

/** undefined where it cannot be read. */
export function passwordChangedOf(entry: Entry): EpochMs | undefined {
  const [changed] = entry.texts('pwdChangedTime');
  if (changed !== undefined) return generalizedTime(changed);
  const [set] = entry.texts('pwdLastSet');
  return set === undefined ? undefined : fileTime(set);
}

const accountDisabled = 0x2;
const lockedForGood = '000001010000Z';

/** Why the account is closed whatever the password, in words for operators; undefined when it is open. */
export function closedBecause(entry: Entry, now: EpochMs): string | undefined {
  const first = (attribute: string): string | undefined => entry.texts(attribute)[0];
  const control = first('userAccountControl') ?? '0';
  // Flags that cannot be read may say so.
  if (!/^-?\d{1,10}$/.test(control) || (Number(control) & accountDisabled) !== 0) return 'disabled';
  if (first('nsAccountLock')?.toLowerCase() === 'true') return 'disabled';
  if (first('pwdAccountLockedTime') === lockedForGood) return 'locked';
  const ends = fileTime(first('accountExpires') ?? '0') ?? generalizedTime(first('pwdEndTime') ?? '');
  if (ends !== undefined && ends <= now) return 'expired';
  if (first('pwdReset')?.toLowerCase() === 'true' || first('pwdLastSet') === '0') return 'must change the password';
  return undefined;
}

const fileTimeStart = 11_644_473_600_000n;
const never = 0x7fff_ffff_ffff_ffffn;

/** Of Windows: tenths of microseconds since 1601. undefined for 0, which is no time, and for what never comes. */
function fileTime(text: string): EpochMs | undefined {
  if (!/^\d{1,19}$/.test(text)) return undefined;
  const ticks = BigInt(text);
  return ticks === 0n || ticks >= never ? undefined : Number(ticks / 10_000n - fileTimeStart);
}

/** `20261126184500Z`, with or without a fraction. undefined for any other. */
function generalizedTime(text: string): EpochMs | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:[.,]\d+)?Z$/.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second = '00'] = parts;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? undefined : time;
}

/** By the number in the text of a refused login (`data 533`). */
const activeDirectoryReasons: Readonly<Record<string, string>> = {
  530: 'may not log in at this time',
  531: 'may not log in from here',
  532: 'the password has expired',
  533: 'disabled',
  568: 'is in too many groups',
  701: 'expired',
  773: 'must change the password',
  775: 'locked',
};

/** What Active Directory says beside "invalid credentials"; undefined where it says no more. */
export function activeDirectoryReason(text: string): string | undefined {
  return activeDirectoryReasons[/\bdata ([0-9a-f]{3,4})\b/i.exec(text)?.[1] ?? ''];
}
