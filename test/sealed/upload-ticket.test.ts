import { describe, expect, test } from 'vitest';
import { createUploadTickets, maxUploadSeconds } from '../../src/sealed/upload-ticket.ts';
import { makeKey, ringOf } from '../support/keys.ts';

const now = 1_800_000_000;
const upload = { repository: 'sandbox/app', uploadId: '0d1e2f', account: 'dana' };

const [first, second] = await Promise.all([makeKey(), makeKey()]);

describe('the ticket of an upload', () => {
  const tickets = createUploadTickets(ringOf(first));
  const ticket = tickets.seal(upload, now);

  test('opens its own upload, as long as an upload may take', () => {
    for (const later of [0, 60, maxUploadSeconds]) expect(tickets.opens(ticket, upload, now + later)).toBe(true);
    expect(tickets.opens(ticket, upload, now + maxUploadSeconds + 1)).toBe(false);
  });

  test('opens on another replica with the same keys, also after a new key began to sign', () => {
    expect(createUploadTickets(ringOf(first)).opens(ticket, upload, now)).toBe(true);
    expect(createUploadTickets(ringOf(second, first)).opens(ticket, upload, now)).toBe(true);
    expect(createUploadTickets(ringOf(second)).opens(ticket, upload, now)).toBe(false);
  });

  test('holds what the registry wrote, and shows none of it', () => {
    const target = '/v2/sandbox/app/blobs/uploads/0d1e2f?state=a%2Fb==&_stateHash=x';
    const sealed = tickets.seal(upload, now, target);
    expect(tickets.open(sealed, upload, now + 5)).toEqual({ openedAt: now, target });
    expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toContain('state');
    const elsewhere = createUploadTickets(ringOf(first), () => 'http://other:5000');
    expect(elsewhere.open(sealed, upload, now)).toBeUndefined();
  });

  for (const other of [{ repository: 'sandbox/ap' }, { uploadId: '0d1e2e' }, { account: 'otto' }]) {
    test(`does not open an upload with ${JSON.stringify(other)}`, () => {
      expect(tickets.opens(ticket, { ...upload, ...other }, now)).toBe(false);
    });
  }

  test('does not open when fields change places', () => {
    const shifted = { repository: 'sandbox/app0', uploadId: 'd1e2f', account: 'dana' };
    expect(tickets.opens(ticket, shifted, now)).toBe(false);
  });

  for (const [what, text] of [
    ['is cut', ticket.slice(0, -1)],
    ['was touched', `${ticket.slice(0, 40)}${ticket[40] === 'A' ? 'B' : 'A'}${ticket.slice(41)}`],
    ['is from the future', tickets.seal(upload, now + 120)],
    ['is empty', ''],
    ['is something else', 'x'.repeat(54)],
  ] as const) {
    test(`does not open when it ${what}`, () => expect(tickets.opens(text, upload, now)).toBe(false));
  }
});
