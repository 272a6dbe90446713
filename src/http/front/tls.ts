/** Serving certificates: checked before they are used, since a server accepts an empty one and then fails every handshake. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { createSecureContext } from 'node:tls';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
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
    return `the certificate or key cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}
