/** Logins that a terminal asks for and a browser answers (RFC 8628), while they last. */
import type { EpochMs } from '../time.ts';

/** Whoever asks, for the person who answers. */
export interface DeviceAsked {
  /** Of the access token that the terminal will have. */
  readonly tokenHash: string;
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly asked: EpochMs;
}

export interface DeviceGranted {
  readonly account: string;
  /** Id of the access token. */
  readonly id: string;
  readonly expires: EpochMs;
}

type Unavailable = { readonly ok: false; readonly reason: 'unavailable' };
export type DeviceFound =
  { readonly ok: true; readonly asked: DeviceAsked } | { readonly ok: false; readonly reason: 'unknown' } | Unavailable;

/** Every call is one atomic step; none throws for a store that is away. What began is forgotten ten minutes later. */
export interface DeviceLogins {
  /** `taken`: another one has this user code. */
  begin(
    codes: { readonly deviceHash: string; readonly userCode: string },
    asked: DeviceAsked,
  ): Promise<{ readonly ok: true } | { readonly ok: false; readonly reason: 'taken' } | Unavailable>;
  /** What waits for an answer. Whoever looked at it last may claim it. */
  look(userCode: string, account: string): Promise<DeviceFound>;
  /** It is this account's to answer from now on: once, whoever else tries. */
  claim(userCode: string, account: string): Promise<DeviceFound>;
  /** The answer to what was claimed. */
  settle(
    userCode: string,
    answer: DeviceGranted | 'denied',
  ): Promise<{ readonly ok: true } | { readonly ok: false; readonly reason: 'unknown' } | Unavailable>;
  /**
   * The answer, told once: then it is `used`. `slow_down`: asked sooner than so many seconds after the last time, five more
   * with each.
   */
  poll(
    deviceHash: string,
  ): Promise<
    | { readonly ok: true; readonly granted: DeviceGranted }
    | { readonly ok: false; readonly reason: 'pending' | 'slow_down' | 'denied' | 'used' | 'unknown' }
    | Unavailable
  >;
}
