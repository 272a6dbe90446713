/** Connections to directory servers, encrypted where they leave the machine, and their trust. */
import { X509Certificate } from 'node:crypto';
import { type Socket, connect as connectTcp, isIP } from 'node:net';
import { type SecureContext, connect as connectTls, createSecureContext } from 'node:tls';
import type { LdapServer } from '../../network/ldap-url.ts';
import { wordsOf } from '../failure.ts';
import { readBounded } from '../files/bounded-file.ts';
import { type Deadline, type Trouble, Wire } from './wire.ts';

/** Whose certificates are believed; undefined: those that the system trusts. */
export type Trust = () => Promise<{ readonly ok: true; readonly context: SecureContext | undefined } | Trouble>;

const maxCaBytes = 4 * 1024 * 1024;

/** Looks at the file each time, and reads it when it changed. */
export function createTrust(ca: string | undefined): Trust {
  let kept: { readonly text: string; readonly context: SecureContext } | undefined;
  return async () => {
    if (ca === undefined) return { ok: true, context: undefined };
    const reading = await readBounded(ca, maxCaBytes);
    if (!reading.ok) return refused(reading.detail);
    const { text } = reading;
    try {
      if (text !== kept?.text) {
        // Where there is no certificate at all the context would trust nobody, and say nothing.
        new X509Certificate(text);
        kept = { text, context: createSecureContext({ ca: text }) };
      }
      return { ok: true, context: kept.context };
    } catch (error) {
      return refused(`${ca} holds no certificates in PEM: ${wordsOf(error)}`);
    }
  };
}

function refused(detail: string): Trouble {
  return { ok: false, why: 'refused', detail };
}

export type Opened = { readonly ok: true; readonly wire: Wire } | Trouble;

/** Nobody has logged in on it yet. Nothing is left open where it fails. */
export async function openWire(
  server: LdapServer,
  { startTls, trust }: { readonly startTls: boolean; readonly trust: Trust },
  deadline: Deadline,
): Promise<Opened> {
  const { host, port, isTls } = server;
  const trusted = isTls || startTls ? await trust() : undefined;
  if (trusted?.ok === false) return trusted;
  // An address is compared with the certificate as `host`; as a name it may not be sent (RFC 6066, section 3).
  const named = {
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(trusted?.context === undefined ? {} : { secureContext: trusted.context }),
  };
  if (isTls) return ready(connectTls({ ...named, port }), 'secureConnect', deadline);
  const plain = await ready(connectTcp({ host, port }), 'connect', deadline);
  if (!plain.ok || !startTls) return plain;
  const granted = await plain.wire.startTls(deadline);
  return granted.ok ? ready(connectTls({ ...named, socket: granted.socket }), 'secureConnect', deadline) : granted;
}

function ready(socket: Socket, event: 'connect' | 'secureConnect', deadline: Deadline): Promise<Opened> {
  return new Promise((resolve) => {
    const fail = (why: Trouble['why'], detail: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ok: false, why, detail });
    };
    const onError = (error: Error): void => fail('cut', wordsOfConnection(error));
    const onClose = (): void => fail('cut', 'closed the connection');
    const late = event === 'connect' ? 'cannot be reached in time' : 'does not agree on TLS in time';
    const timer = setTimeout(() => fail('late', late), Math.max(0, deadline - performance.now()));
    socket.on('error', onError);
    socket.once('close', onClose);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off('error', onError);
      socket.off('close', onClose);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 30_000);
      resolve({ ok: true, wire: new Wire(socket) });
    });
  });
}

function wordsOfConnection(error: Error): string {
  const isCertificate = 'code' in error && /CERT|SIGNATURE|ISSUER/.test(String(error.code));
  // Of several addresses that were tried, each has a reason of its own.
  const words = error instanceof AggregateError ? error.errors.map(wordsOf).join(', ') : wordsOf(error);
  return isCertificate ? `${words}; name the authority of its certificate with logins.ldap.ca` : words;
}
