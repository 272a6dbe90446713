/** Public keys of token issuers: asked for when they are needed, remembered, and asked for again when a token names a new one. */
import { field, parseJson } from '../distribution/json.ts';
import type { Clock, IssuerDocuments } from '../ports.ts';
import type { EpochMs } from '../time.ts';

/** By whose keys a token is checked. */
export interface Trust {
  readonly issuer: string;
  /** File of the keys; absent: the issuer is asked. */
  readonly jwks?: string | undefined;
  readonly ca?: string | undefined;
}

/** One reading; another one is another object. */
export interface IssuerKeySet {
  readonly keys: readonly object[];
  readonly readAt: EpochMs;
}

export type KeysFound =
  | { readonly ok: true; readonly set: IssuerKeySet; readonly isNew: boolean }
  /** The issuer cannot be asked: nothing is known of its tokens. */
  | { readonly ok: false; readonly detail: string };

export interface IssuerKeys {
  /** Rejects for nothing, and waits for the issuer at most as long as its documents take. */
  keysOf(trust: Trust): Promise<KeysFound>;
  /**
   * For a token whose key is not in `found`: newer keys, if there are any or the issuer may be asked again. undefined: there
   * is no such key.
   */
  newerThan(trust: Trust, found: KeysFound & { readonly ok: true }): Promise<KeysFound | undefined>;
  /** Whether the keys could be read when that was last tried; undefined: never, or it failed too long ago to say. */
  isReadable(trust: Trust): boolean | undefined;
}

interface Pace {
  /** Milliseconds for which keys are used without being read again. */
  readonly goodMs: number;
  /** From one reading for an unknown key, or after a failure, to the next. */
  readonly againMs: number;
  /** After a failure while there are no keys at all. */
  readonly emptyMs: number;
}

const asked: Pace = { goodMs: 600_000, againMs: 30_000, emptyMs: 5000 };
/** Reading a file costs nobody anything. */
const read: Pace = { goodMs: 5000, againMs: 1000, emptyMs: 1000 };
/** Keys are used for so long while they cannot be read again. */
const staleMs = 24 * 3600 * 1000;
/** Milliseconds for which an issuer is believed where its keys are. */
const placeMs = 3_600_000;
/** Issuers remembered; a policy names a few. */
const maxIssuers = 1000;

interface Known {
  set?: IssuerKeySet;
  place?: { readonly url: string; readonly readAt: EpochMs } | undefined;
  failure?: { readonly detail: string; readonly at: EpochMs } | undefined;
  unknownAt?: EpochMs;
  reading?: Promise<KeysFound> | undefined;
}

/** `onFailure` hears of every reading that failed. */
export function createIssuerKeys(
  documents: IssuerDocuments,
  clock: Clock,
  onFailure: (issuer: string, detail: string) => void = () => {},
): IssuerKeys {
  const issuers = new Map<string, Known>();

  function knownOf(trust: Trust): Known {
    const name = nameOf(trust);
    const known = issuers.get(name) ?? {};
    if (!issuers.has(name) && issuers.size >= maxIssuers) issuers.delete(issuers.keys().next().value ?? '');
    issuers.set(name, known);
    return known;
  }

  /** One reading at a time, for all who wait. */
  function readNow(trust: Trust, known: Known): Promise<KeysFound> {
    known.reading ??= readKeys(documents, trust, known, clock).then((keys): KeysFound => {
      known.reading = undefined;
      const now = clock();
      if (typeof keys === 'string') {
        known.failure = { detail: keys, at: now };
        known.place = undefined;
        onFailure(trust.issuer, keys);
        return { ok: false, detail: keys };
      }
      known.failure = undefined;
      known.set = { keys, readAt: now };
      return { ok: true, set: known.set, isNew: true };
    });
    return known.reading;
  }

  return {
    async keysOf(trust) {
      const known = knownOf(trust);
      const { goodMs, againMs, emptyMs } = trust.jwks === undefined ? asked : read;
      const now = clock();
      const { set, failure } = known;
      if (set !== undefined && isWithin(set.readAt, goodMs, now)) return { ok: true, set, isNew: false };
      const isStale = set !== undefined && isWithin(set.readAt, staleMs, now);
      if (failure === undefined || !isWithin(failure.at, isStale ? againMs : emptyMs, now)) {
        const found = await readNow(trust, known);
        if (found.ok || !isStale) return found;
      }
      if (isStale) return { ok: true, set, isNew: false };
      return { ok: false, detail: failure?.detail ?? '' };
    },
    async newerThan(trust, { set, isNew }) {
      const known = knownOf(trust);
      const { againMs } = trust.jwks === undefined ? asked : read;
      if (known.set !== undefined && known.set !== set) return { ok: true, set: known.set, isNew: true };
      if (known.reading !== undefined) return known.reading;
      const now = clock();
      const isPaused = known.unknownAt !== undefined && isWithin(known.unknownAt, againMs, now);
      if (!isPaused) known.unknownAt = now;
      // What was read for this very token need not be read once more.
      if (!isPaused && !isNew) return readNow(trust, known);
      const { failure } = known;
      return failure === undefined ? undefined : { ok: false, detail: failure.detail };
    },
    isReadable(trust) {
      const { set, failure } = issuers.get(nameOf(trust)) ?? {};
      if (failure !== undefined) return isWithin(failure.at, asked.goodMs, clock()) ? false : undefined;
      return set === undefined ? undefined : true;
    },
  };
}

function nameOf({ issuer, jwks = '', ca = '' }: Trust): string {
  return JSON.stringify([issuer, jwks, ca]);
}

function isWithin(from: EpochMs, ms: number, now: EpochMs): boolean {
  return Math.abs(now - from) < ms;
}

/** The keys, or why there are none. Remembers where they are. */
async function readKeys(
  documents: IssuerDocuments,
  { issuer, jwks, ca }: Trust,
  known: Known,
  clock: Clock,
): Promise<readonly object[] | string> {
  if (jwks !== undefined) return keysIn(await documents.read(jwks), jwks);
  if (known.place === undefined || !isWithin(known.place.readAt, placeMs, clock())) {
    const url = await placeOf(documents, issuer, ca);
    if (typeof url !== 'string') return url.problem;
    known.place = { url, readAt: clock() };
  }
  const { url } = known.place;
  return keysIn(await documents.get(url, ca), url);
}

/** OpenID Connect Discovery 1.0 section 4: the document must be about the very issuer that it was asked of. */
async function placeOf(
  documents: IssuerDocuments,
  issuer: string,
  ca: string | undefined,
): Promise<string | { readonly problem: string }> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const reading = await documents.get(address, ca);
  if (!reading.ok) return { problem: reading.detail };
  const document = parseJson(reading.text);
  const said = field(document, 'issuer');
  if (said !== issuer) return { problem: `${address} is about ${shown(said)}, not about ${shown(issuer)}` };
  const url = field(document, 'jwks_uri');
  if (typeof url === 'string' && url.startsWith('https://') && URL.canParse(url)) return url;
  return { problem: `${address} names no https address of keys (jwks_uri)` };
}

function keysIn(reading: Awaited<ReturnType<IssuerDocuments['get']>>, from: string): readonly object[] | string {
  if (!reading.ok) return reading.detail;
  const keys = field(parseJson(reading.text), 'keys');
  if (!Array.isArray(keys)) return `${from} is no set of keys (JWKS)`;
  const found = (keys as readonly unknown[]).filter((key) => typeof key === 'object' && key !== null);
  // With what is published here anybody could sign (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1).
  const open = found.filter((key) => !('d' in key) && !('k' in key));
  return open.length === 0 ? `${from} holds no public key` : open;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nobody').slice(0, 100);
}
