/** An issuer of ID tokens with keys and a certificate of its own, as CI systems and clusters are: https, in the process of the test. */
import { readFile } from 'node:fs/promises';
import { type Server, createServer } from 'node:https';
import { join } from 'node:path';
import { type CryptoKey, type JWK, SignJWT, exportJWK, generateKeyPair } from 'jose';
import { makeCertificate } from './certificate.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export async function makeSigningKey(kid: string, alg = 'RS256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Signs these claims; `undefined` ones are left out. */
export function signToken(key: SigningKey, claims: object, header: object = { kid: key.kid }): Promise<string> {
  const stated = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
  return new SignJWT(stated).setProtectedHeader({ alg: key.alg, ...header }).sign(key.privateKey);
}

export interface Issuer {
  readonly url: string;
  /** PEM file of the authority of its certificate. */
  readonly ca: string;
  /** Paths that were asked for. */
  readonly requests: string[];
  /** What it publishes now. */
  keys: readonly SigningKey[];
  /** What it answers instead, while it is set. */
  instead:
    ((path: string) => { readonly status: number; readonly location?: string; readonly body?: string }) | undefined;
  readonly close: () => Promise<void>;
}

export async function startIssuer(keys: readonly SigningKey[]): Promise<Issuer> {
  const dir = await makeTempDir('issuer');
  const ca = join(dir, 'cert.pem');
  await makeCertificate(ca, join(dir, 'key.pem'));
  const tls = { cert: await readFile(ca), key: await readFile(join(dir, 'key.pem')) };
  const server: Server = createServer(tls, (request, response) => {
    const path = request.url ?? '';
    issuer.requests.push(path);
    const instead = issuer.instead?.(path);
    if (instead !== undefined) {
      response.writeHead(instead.status, instead.location === undefined ? {} : { location: instead.location });
      response.end(instead.body);
      return;
    }
    const document =
      path === '/.well-known/openid-configuration'
        ? { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` }
        : { keys: issuer.keys.map(({ jwk }) => jwk) };
    response.end(JSON.stringify(document));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const issuer: Issuer = {
    url: `https://127.0.0.1:${port}`,
    ca,
    requests: [],
    keys,
    instead: undefined,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await removeTempDir(dir);
    },
  };
  return issuer;
}
