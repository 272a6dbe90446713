/** What clients see of TLS. */
import { isLoopback } from '../network/host.ts';
import { type Check, type Outcome, fail, ok, warn } from './check.ts';
import { type Context, isFailure } from './context.ts';

const dayMs = 86_400_000;
const renewDays = 14;

export const certificateCheck: Check = {
  number: 10,
  name: 'TLS',
  asks: ({ config }) => (config.publicUrl.startsWith('https:') ? [config.publicUrl] : []),
  run: judgeCertificate,
};

async function judgeCertificate({ config, web, certificateProblem, now }: Context): Promise<Outcome> {
  const { publicUrl } = config;
  const unfit = certificateProblem();
  if (unfit !== undefined) return fail(unfit, 'put a certificate and its own key at tls.cert and tls.key');
  const { protocol, hostname } = new URL(publicUrl);
  if (protocol === 'http:' && isLoopback(hostname)) return ok('plain HTTP, which stays on this machine');
  if (protocol === 'http:')
    return fail(
      'passwords and tokens cross the network in clear',
      'serve https, by tls or a proxy, and write it in publicUrl',
    );
  const found = await web.certificate(publicUrl);
  if (isFailure(found))
    return fail(
      `no TLS at ${publicUrl}: ${found.failed}`,
      'give the gateway tls.cert and tls.key, or its proxy a certificate',
    );
  const { distrust, validTo, speaksOld } = found;
  if (validTo <= now())
    return fail(`the certificate expired on ${new Date(validTo).toISOString().slice(0, 10)}`, 'renew it');
  if (distrust !== undefined) {
    const fix = 'serve the whole chain, for this name, of an authority that clients know (NODE_EXTRA_CA_CERTS here)';
    return fail(`the certificate of ${hostname} is not believed: ${distrust}`, fix);
  }
  if (speaksOld) return fail('TLS 1.1 is spoken as well', 'let the proxy speak TLS 1.2 and newer only');
  const days = Math.floor((validTo - now()) / dayMs);
  if (days < renewDays)
    return warn(`the certificate ends in ${days} days`, 'renew it; the gateway reads it again by itself');
  return ok(`${found.protocol}, the certificate is good for ${days} days`);
}
