/** Letting a terminal in: what it is, and the answer to it. */
import { z } from 'zod';
import { type DeviceLoginParts, answerDeviceLogin, lookAtDeviceLogin } from '../identity/device-login.ts';
import { type Operation, type Refusal, instant, operation } from './operation.ts';
import { type OwnTokensParts, madeFacts, personOf, storeAway, tooMany } from './own-tokens.ts';
import { readTerms, tokenTerms } from './reach-input.ts';

export interface DeviceParts extends OwnTokensParts, DeviceLoginParts {}

const code = z.string().min(1, 'type the code that the terminal shows').max(32).describe('as the terminal shows it');
const one = operation<DeviceParts>();
const unknownCode: Refusal = {
  ok: false,
  reason: 'unknown',
  detail: 'no terminal waits with this code; it is good for ten minutes and for one answer',
};

/** For the form alone. */
export const deviceTerms = one({
  method: 'GET',
  path: '/device-logins/terms',
  summary: 'How long an access token may live that lets a terminal in.',
  needs: 'person',
  input: z.object({}),
  answer: z.object({ longestSeconds: z.int() }),
  run: ({ personalMaxTtlSeconds }) => Promise.resolve({ ok: true, answer: { longestSeconds: personalMaxTtlSeconds } }),
});

export const lookAtDevice = one({
  method: 'POST',
  path: '/device-logins/look',
  summary: 'What terminal waits with this code.',
  needs: 'person',
  input: z.object({ code }),
  answer: z.object({
    code: z.string(),
    address: z.string().optional().describe('where the terminal is'),
    userAgent: z.string().optional(),
    asked: z.iso.datetime(),
    ownAddress: z.string().optional().describe('where you are'),
    longestSeconds: z.int(),
  }),
  async run(parts, viewer, { code: typed }) {
    const { account, asked: by } = personOf(viewer);
    const { address: ownAddress } = by;
    const found = await lookAtDeviceLogin(parts, typed, account, ownAddress);
    if (found.ok) {
      const { address, userAgent, asked } = found.asked;
      const { personalMaxTtlSeconds: longestSeconds } = parts;
      return {
        ok: true,
        answer: { code: typed, address, userAgent, asked: instant(asked), ownAddress, longestSeconds },
      };
    }
    if (found.reason === 'unavailable') return storeAway;
    if (found.reason === 'unknown') return unknownCode;
    parts.audit.record({ event: 'limit', decision: 'deny', reason: 'device_codes', account, ...by });
    const detail = `too many codes were typed; try again in ${found.waitSeconds} seconds`;
    return { ok: false, reason: 'forbidden', detail };
  },
});

export const answerDevice = one({
  method: 'POST',
  path: '/device-logins/answer',
  summary: 'Lets the terminal in that you have looked at, or not.',
  needs: 'person',
  input: z.object({ code, allow: z.boolean(), ...tokenTerms }),
  answer: z.object({ allowed: z.boolean() }),
  async run(parts, viewer, { code: typed, allow, ...given }) {
    const { account, caller, asked } = personOf(viewer);
    const read = readTerms(given, parts.personalMaxTtlSeconds);
    if (allow && !read.ok) return read;
    const terms = allow && read.ok ? read.terms : undefined;
    const answered = await answerDeviceLogin(parts, typed, caller, account, terms);
    if (!answered.ok) {
      if (answered.reason === 'unknown') return unknownCode;
      return answered.reason === 'too_many' ? tooMany : storeAway;
    }
    const facts = { event: 'session', decision: 'deny', reason: 'device_denied', account, kind: 'user' } as const;
    parts.audit.record({ ...(answered.id === undefined ? facts : madeFacts(account, answered.id)), ...asked });
    return { ok: true, answer: { allowed: allow } };
  },
});

export const deviceOperations: readonly Operation<DeviceParts>[] = [deviceTerms, lookAtDevice, answerDevice];
