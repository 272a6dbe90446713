/** An issuer of ID tokens with keys and a certificate of its own, as CI systems and clusters are: https, in the process of the test. */
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
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

/** A whole answer, or whoever writes it. */
export type Instead =
  | { readonly status: number; readonly location?: string; readonly body?: string }
  | ((response: ServerResponse) => void);

export interface Issuer {
  readonly url: string;
  /** PEM file of the authority of its certificate. */
  readonly ca: string;
  /** Paths that were asked for. */
  readonly requests: string[];
  /** What it publishes now. */
  keys: readonly SigningKey[];
  /** What it answers instead, while it is set; undefined: as ever. */
  instead: ((path: string) => Instead | undefined) | undefined;
  readonly close: () => Promise<void>;
}

/** Signs these very bytes with an RS256 key, whatever they say. */
export async function signBytes(key: SigningKey, header: string, payload: string): Promise<string> {
  const signed = [header, payload].map((part) => Buffer.from(part).toString('base64url')).join('.');
  const signature = await crypto.subtle.sign('RSASSA-PKCS1-v1_5', key.privateKey, Buffer.from(signed));
  return `${signed}.${Buffer.from(signature).toString('base64url')}`;
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
    if (typeof instead === 'function') return instead(response);
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
