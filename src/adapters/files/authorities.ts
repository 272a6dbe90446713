/** Authorities of certificates from a file, beside those that are trusted anyway. */
import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';

/** Throws for a file that cannot be read, or holds no certificate. */
export function readAuthorities(path: string): tls.SecureContext {
  return tls.createSecureContext({ ca: [...trustedAnyway(), readFileSync(path)] });
}

/** Naming any takes the place of all: what this Node.js would trust has to be named as well. */
function trustedAnyway(): readonly (string | Buffer)[] {
  // From Node.js 22.15 on.
  if ('getCACertificates' in tls) return (tls.getCACertificates as () => string[])();
  const extra = process.env['NODE_EXTRA_CA_CERTS'] ?? '';
  try {
    return extra === '' ? tls.rootCertificates : [...tls.rootCertificates, readFileSync(extra)];
  } catch {
    // Node.js warns of it, and goes on without.
    return tls.rootCertificates;
  }
}
