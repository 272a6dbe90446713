/** `POST /device` (RFC 8628, section 3.1), and what a terminal that waits is told at the token endpoint (section 3.5). */
import { type DeviceLoginParts, beginDeviceLogin, deviceSeconds, pollDeviceLogin } from '../identity/device-login.ts';
import type { Exchange } from './front/exchange.ts';
import type { AuditRecord } from '../ports.ts';
import { type Answer, loginHeld, sourceUnavailable } from './front/respond.ts';
import { deviceRefused } from './front/token-answers.ts';

export type DeviceEndpointParts = Pick<DeviceLoginParts, 'devices' | 'limiter' | 'clock'>;

interface DeviceReply {
  readonly answer: Answer;
  readonly record: AuditRecord;
  readonly isPending?: boolean;
}

export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

/** Anybody may ask, a little more often than they can log in. */
export async function postDevice(parts: DeviceEndpointParts, exchange: Exchange): Promise<DeviceReply> {
  const { address, userAgent, publicUrl } = exchange;
  const begun = await beginDeviceLogin(parts, { address, userAgent });
  if (begun.ok) {
    const body = {
      device_code: begun.deviceCode,
      user_code: begun.userCode,
      // Never with the code: addresses are logged and kept by browsers.
      verification_uri: `${publicUrl}/ui/device`,
      expires_in: deviceSeconds.lives,
      interval: deviceSeconds.interval,
    };
    const answer = { status: 200, headers: { 'Cache-Control': 'no-store' }, body: JSON.stringify(body) };
    return { answer, record: { event: 'login', decision: 'allow', reason: 'device_begun' }, isPending: true };
  }
  if (begun.reason === 'limited') {
    const answer = loginHeld(begun.waitSeconds * 1000);
    return { answer, record: { event: 'limit', decision: 'deny', reason: 'device_logins' } };
  }
  return { answer: sourceUnavailable, record: { event: 'login', decision: 'error', reason: 'store_unavailable' } };
}

/** The access token is no JWT and no bearer token: it stands in `secret`, and `token_type` says so (RFC 8693, section 2.2.1). */
export async function pollDevice(parts: DeviceEndpointParts, deviceCode: string): Promise<DeviceReply> {
  const polled = await pollDeviceLogin(parts, deviceCode);
  if (polled.ok) {
    const { account, id, expires } = polled.granted;
    const expiresIn = Math.max(0, Math.floor((expires - parts.clock()) / 1000));
    const body = { token_type: 'N_A', account, secret: polled.secret, expires_in: expiresIn };
    const answer = { status: 200, headers: { 'Cache-Control': 'no-store' }, body: JSON.stringify(body) };
    const who = { account, kind: 'user', method: 'personal-token', secret: id } as const;
    return { answer, record: { event: 'login', decision: 'allow', reason: 'device_granted', ...who }, isPending: true };
  }
  const { reason } = polled;
  const isAway = reason === 'unavailable';
  return {
    answer: isAway ? sourceUnavailable : deviceRefused(reason),
    record: {
      event: 'login',
      decision: isAway ? 'error' : 'deny',
      reason: isAway ? 'store_unavailable' : `device_${reason}`,
    },
  };
}
