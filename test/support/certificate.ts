import { run } from './programs.ts';

/** A key and a certificate for 127.0.0.1 that signs itself, as files. Needs openssl. */
export async function makeCertificate(cert: string, key: string): Promise<void> {
  const made = await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '2'],
    ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
  ]);
  if (made.code !== 0) throw new Error(`openssl: ${made.stderr}`);
}
