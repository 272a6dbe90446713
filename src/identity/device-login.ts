/**
 * A login that a terminal begins and a browser ends (RFC 8628): the terminal shows a short code, its person types that code at
 * the page and says yes, and the terminal has an access token of theirs. Of the token only the hash is ever kept: the terminal's
 * long code tells it.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { clientNetwork } from '../limits/client-network.ts';
import type { DeviceAsked, DeviceGranted, DeviceLogins, RateLimiter } from '../ports.ts';
import { secretFrom, secretHash } from './carried-secret.ts';
import { type OwnTokenParts, type OwnTokenTerms, openOwnToken } from './own-tokens.ts';
import type { Login } from './source.ts';

export interface DeviceLoginParts extends OwnTokenParts {
  readonly devices: DeviceLogins;
  readonly limiter: Pick<RateLimiter, 'charge'>;
}

export const deviceSeconds = { lives: 600, interval: 5 } as const;

/** Consonants that nobody takes for another, and that make no words (RFC 8628, section 6.1). */
const alphabet = 'BCDFGHJKLMNPQRSTVWXZ';
const codeLength = 8;

type Unavailable = { readonly ok: false; readonly reason: 'unavailable' };
interface Limited {
  readonly ok: false;
  readonly reason: 'limited';
  readonly waitSeconds: number;
}

export interface DeviceBegun {
  readonly ok: true;
  readonly deviceCode: string;
  /** `BCDF-GHJK`. */
  readonly userCode: string;
}

interface Client {
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

/** As often as people log in, and a little more. */
export async function beginDeviceLogin(
  { devices, limiter, clock }: Pick<DeviceLoginParts, 'devices' | 'limiter' | 'clock'>,
  { address, userAgent }: Client,
): Promise<DeviceBegun | Limited | Unavailable> {
  const wait = await charge(limiter, [budget('begin', clientNetwork(address), 20, 30)]);
  if (wait > 0) return { ok: false, reason: 'limited', waitSeconds: wait };
  const deviceCode = randomBytes(32).toString('base64url');
  const asked: DeviceAsked = {
    tokenHash: secretHash(secretFrom(deviceCode).text),
    address,
    userAgent: userAgent?.slice(0, 256),
    asked: clock(),
  };
  for (let attempt = 0; attempt < 5; attempt++) {
    const letters = Array.from({ length: codeLength }, () => alphabet[randomInt(alphabet.length)] ?? '').join('');
    const begun = await devices.begin({ deviceHash: secretHash(deviceCode), userCode: letters }, asked);
    if (begun.ok) return { ok: true, deviceCode, userCode: `${letters.slice(0, 4)}-${letters.slice(4)}` };
    if (begun.reason === 'unavailable') return begun;
  }
  return { ok: false, reason: 'unavailable' };
}

export type DevicePolled =
  | { readonly ok: true; readonly granted: DeviceGranted; readonly secret: string }
  | Exclude<Awaited<ReturnType<DeviceLogins['poll']>>, { readonly ok: true }>;

/** What has become of it; the token, once. */
export async function pollDeviceLogin(
  { devices }: Pick<DeviceLoginParts, 'devices'>,
  deviceCode: string,
): Promise<DevicePolled> {
  const polled = await devices.poll(secretHash(deviceCode));
  return polled.ok ? { ...polled, secret: secretFrom(deviceCode).text } : polled;
}

export type DeviceLooked =
  | { readonly ok: true; readonly asked: DeviceAsked }
  | { readonly ok: false; readonly reason: 'unknown' }
  | Limited
  | Unavailable;

/** Ten codes at once, of one account and from one network, then one a minute: nobody finds another's by trying. */
export async function lookAtDeviceLogin(
  { devices, limiter }: Pick<DeviceLoginParts, 'devices' | 'limiter'>,
  typed: string,
  account: string,
  address: string | undefined,
): Promise<DeviceLooked> {
  const budgets = [budget('account', account, 10, 60), budget('network', clientNetwork(address), 10, 60)];
  const wait = await charge(limiter, budgets);
  if (wait > 0) return { ok: false, reason: 'limited', waitSeconds: wait };
  return devices.look(lettersOf(typed), account);
}

export type DeviceAnswered =
  | { readonly ok: true; readonly id?: string }
  | { readonly ok: false; readonly reason: 'unknown' | 'too_many' }
  | Unavailable;

/** Of whoever looked at it before: no code is tried here. `terms` undefined: no. */
export async function answerDeviceLogin(
  parts: DeviceLoginParts,
  typed: string,
  holder: Login,
  account: string,
  terms: Omit<OwnTokenTerms, 'address' | 'userAgent'> | undefined,
): Promise<DeviceAnswered> {
  const { devices, sessions, clock } = parts;
  const userCode = lettersOf(typed);
  const claimed = await devices.claim(userCode, account);
  if (!claimed.ok) return claimed;
  const { tokenHash, address, userAgent } = claimed.asked;
  const made = terms && (await openOwnToken(parts, holder, { ...terms, address, userAgent }, tokenHash));
  const granted =
    made?.ok === true ? { account, id: made.session.id, expires: made.session.expires ?? 0 } : ('denied' as const);
  const settled = await devices.settle(userCode, granted);
  if (made?.ok === false) return { ok: false, reason: made.reason };
  if (settled.ok) return made === undefined ? { ok: true } : { ok: true, id: made.session.id };
  // The terminal never hears of it.
  if (made !== undefined) await sessions.revoke({ id: made.session.id }, clock());
  return settled;
}

/** As it was typed: in small letters, with a line or spaces between. */
function lettersOf(typed: string): string {
  return typed
    .toUpperCase()
    .replace(/[^A-Z]/g, '')
    .slice(0, codeLength + 1);
}

function budget(what: string, source: string, burst: number, seconds: number) {
  // Counters of limits begin with their name, and no limit has an empty one.
  return { counter: `\ndevice ${what}\n${source}`, intervalUs: seconds * 1_000_000, burst, isEnforced: true };
}

/** Seconds to wait; 0 when it was counted. */
async function charge(
  limiter: Pick<RateLimiter, 'charge'>,
  budgets: Parameters<RateLimiter['charge']>[0],
): Promise<number> {
  const { admitted, balances } = await limiter.charge(budgets);
  return admitted ? 0 : Math.max(1, Math.ceil(Math.max(...balances.map(({ waitUs }) => waitUs)) / 1_000_000));
}
