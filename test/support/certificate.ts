import { join } from 'node:path';
import { run } from './programs.ts';

/** A key and a certificate for 127.0.0.1 that signs itself, as files, good for so many days. Needs openssl. */
export async function makeCertificate(cert: string, key: string, days = 2): Promise<void> {
  const made = await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', String(days)],
    ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
  ]);
  if (made.code !== 0) throw new Error(`openssl: ${made.stderr}`);
}

/** An authority of the test's own, and a certificate of it for localhost and 127.0.0.1, as files in `dir`. Needs openssl. */
export async function makeAuthority(
  dir: string,
): Promise<{ readonly ca: string; readonly cert: string; readonly key: string }> {
  const [ca, caKey, cert, key] = ['ca.pem', 'ca.key', 'cert.pem', 'key.pem'].map((name) => join(dir, name));
  if (ca === undefined || caKey === undefined || cert === undefined || key === undefined)
    throw new Error('unreachable');
  const fresh = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '2'];
  const steps = [
    [...fresh, '-subj', '/CN=authority of a test', '-keyout', caKey, '-out', ca],
    [
      ...[...fresh, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ...['-CA', ca, '-CAkey', caKey, '-addext', 'basicConstraints=critical,CA:FALSE', '-keyout', key, '-out', cert],
    ],
  ];
  for (const step of steps) {
    const made = await run('openssl', step);
    if (made.code !== 0) throw new Error(`openssl: ${made.stderr}`);
  }
  return { ca, cert, key };
}
