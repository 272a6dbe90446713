/** The certificate of the main listener, renewed while it serves. */
import type { Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { followCertificate } from '../adapters/files/certificate-files.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import { certificateProblem } from '../http/front/tls.ts';
import type { Clock } from '../ports.ts';
import type { CertificateFiles } from './inputs.ts';
import type { Health, Part } from './readiness.ts';

const pollMs = 5000;

/** Puts each good pair on disk into use for new handshakes; `server` speaks TLS and has the first one. */
export function renewCertificate(
  server: Server,
  { files, texts }: CertificateFiles,
  { clock, log }: { readonly clock: Clock; readonly log: OperatorLog },
): { readonly part: Part; close(): void } {
  const followed = followCertificate(files, texts, {
    objection: (found) => certificateProblem(found, clock()),
    use(found) {
      (server as TlsServer).setSecureContext(found);
      log.info('the certificate was reloaded');
    },
    onProblem(detail) {
      if (detail === undefined) log.info('the certificate on disk is in use');
      else log.error('the certificate on disk cannot be used; the last good one stays', { detail });
    },
    pollMs,
  });
  const health = (): Health => ({ ok: followed.problem() === undefined, detail: followed.problem() });
  return { part: { name: 'certificate', health }, close: () => followed.close() };
}
