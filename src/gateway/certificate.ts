/**
 * The certificate of the main listener, renewed while it serves. It is checked before it is used: a server accepts an empty
 * one and then fails every handshake.
 */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import { wordsOf } from '../adapters/failure.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import type { Clock } from '../ports.ts';
import type { EpochMs } from '../time.ts';
import type { Part } from './readiness.ts';

/** In PEM, or the paths of both. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateFiles {
  readonly files: Certificate;
  readonly texts: Certificate;
}

const pollMs = 5000;

/** Throws when one of the files cannot be read. */
export function readCertificate(files: Certificate): Certificate {
  return { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') };
}

/** Why this pair must not be served, or undefined. `now` in milliseconds since 1970. */
export function certificateProblem({ cert, key }: Certificate, now: number): string | undefined {
  try {
    const certificate = new X509Certificate(cert);
    if (!certificate.checkPrivateKey(createPrivateKey(key))) return 'the key does not belong to the certificate';
    // What only TLS looks at: too short a key, the rest of the chain.
    createSecureContext({ cert, key });
    if (Date.parse(certificate.validTo) <= now) return `the certificate expired on ${certificate.validTo}`;
    return undefined;
  } catch (error) {
    return `the certificate or key cannot be read: ${wordsOf(error)}`;
  }
}

export interface RenewedCertificate {
  readonly part: Part;
  /** When the first certificate of the chain in use ends. */
  readonly notAfter: () => EpochMs;
}

/** When the first one of a chain that can be read ends. */
function endOf(chain: string): EpochMs {
  const each = chain.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? [];
  return Math.min(...each.map((pem) => Date.parse(new X509Certificate(pem).validTo)));
}

/**
 * Puts each good pair on disk into use for new handshakes; `server` speaks TLS and has the first one. Polls, because secrets
 * are mounted through symlinks; a bad pair leaves the last good one in use.
 */
export function renewCertificate(
  server: Server,
  { files, texts }: CertificateFiles,
  { clock, log }: { readonly clock: Clock; readonly log: OperatorLog },
): RenewedCertificate & { close(): void } {
  let used = texts;
  let ends = endOf(texts.cert);
  let problem: string | undefined;

  function look(): string | undefined {
    try {
      const found = readCertificate(files);
      const objection = certificateProblem(found, clock());
      if (objection !== undefined || (found.cert === used.cert && found.key === used.key)) return objection;
      (server as TlsServer).setSecureContext(found);
      used = found;
      ends = endOf(found.cert);
      log.info('the certificate was reloaded');
      return undefined;
    } catch (error) {
      return wordsOf(error);
    }
  }

  const timer = setInterval(() => {
    const before = problem;
    problem = look();
    if (problem === before) return;
    if (problem === undefined) log.info('the certificate on disk is in use');
    else log.error('the certificate on disk cannot be used; the last good one stays', { detail: problem });
  }, pollMs).unref();
  return {
    part: { name: 'certificate', health: () => ({ ok: problem === undefined, detail: problem }) },
    notAfter: () => ends,
    close: () => clearInterval(timer),
  };
}
