/** oidc-provider as an issuer: somebody else's idea of discovery, keys and ID tokens. In the process of the test, over https. */
import { readFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { type Server, createServer, request } from 'node:https';
import { join } from 'node:path';
import { exportJWK } from 'jose';
import Provider from 'oidc-provider';
import { makeCertificate } from './certificate.ts';
import type { SigningKey } from './issuer.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

export interface OidcProvider {
  readonly url: string;
  /** PEM file of the authority of its certificate. */
  readonly ca: string;
  /** Logs somebody in by a browser's steps (code flow) and resolves with the ID token for the client of that name. */
  readonly idToken: (client: string, account: string) => Promise<string>;
  /** Signs by these from now on, the first of each algorithm, and publishes all. */
  readonly rotate: (keys: readonly SigningKey[]) => Promise<void>;
  /** Answers nobody any more. */
  readonly stop: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** A client for each algorithm, which has its name; `claimsOf`: what ID tokens say of an account. */
export async function startOidcProvider(
  algorithms: readonly string[],
  keys: readonly SigningKey[],
  claimsOf: (account: string) => object,
): Promise<OidcProvider> {
  const dir = await makeTempDir('oidc-provider');
  const ca = join(dir, 'cert.pem');
  await makeCertificate(ca, join(dir, 'key.pem'));
  const cert = await readFile(ca);
  let answer: RequestListener = () => {};
  const server = createServer({ cert, key: await readFile(join(dir, 'key.pem')) }, (asked, reply) =>
    answer(asked, reply),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  const url = `https://127.0.0.1:${port}`;
  const rotate = async (next: readonly SigningKey[]): Promise<void> => {
    answer = await answersOf(url, algorithms, next, claimsOf);
  };
  await rotate(keys);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= stopServer(server));
  return {
    url,
    ca,
    rotate,
    idToken: (client, account) => logIn({ url, cert }, client, account),
    stop,
    async close() {
      await stop();
      await removeTempDir(dir);
    },
  };
}

const secret = 'a secret of the client, long enough for everybody';
const redirectUri = 'https://client.example.com/back';

async function answersOf(
  url: string,
  algorithms: readonly string[],
  keys: readonly SigningKey[],
  claimsOf: (account: string) => object,
): Promise<RequestListener> {
  const jwks = await Promise.all(
    keys.map(async ({ kid, alg, privateKey }) => ({ ...(await exportJWK(privateKey)), kid, alg, use: 'sig' })),
  );
  const provider: Provider = new Provider(url, {
    jwks: { keys: jwks },
    clients: algorithms.map((alg) => ({
      client_id: alg,
      client_secret: secret,
      redirect_uris: [redirectUri],
      id_token_signed_response_alg: alg,
    })),
    cookies: { keys: ['any'] },
    claims: { openid: ['sub', ...Object.keys(claimsOf(''))] },
    conformIdTokenClaims: false,
    enabledJWA: { idTokenSigningAlgValues: algorithms },
    features: { devInteractions: { enabled: false } },
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId, ...claimsOf(accountId) }) }),
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    pkce: { required: () => false },
    ttl: { Grant: 600, IdToken: 300, Interaction: 60, Session: 60 },
    // Nobody is asked whether the client may know who it is.
    async loadExistingGrant({ oidc }) {
      const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid');
      await grant.save();
      return grant;
    },
  });
  const others = provider.callback();
  return (asked, reply) => {
    const account = asked.headers['x-account'];
    if (asked.url?.startsWith('/interaction/') !== true) others(asked, reply);
    else void provider.interactionFinished(asked, reply, { login: { accountId: String(account) } });
  };
}

interface Place {
  readonly url: string;
  readonly cert: Buffer;
}

/** OpenID Connect Core 1.0 section 3.1, with a jar for cookies. */
async function logIn(place: Place, client: string, account: string): Promise<string> {
  const cookies = new Map<string, string>();
  const query = { client_id: client, response_type: 'code', scope: 'openid', redirect_uri: redirectUri, state: 'x' };
  let at = `${place.url}/auth?${new URLSearchParams(query).toString()}`;
  for (let steps = 0; !at.startsWith(redirectUri); steps++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await ask(place, at, { cookie, 'x-account': account });
    for (const set of reply.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      cookies.set(name, value);
    }
    const { location } = reply.headers;
    if (location === undefined || steps > 5) throw new Error(`${at}: ${reply.status} ${reply.text}`);
    at = new URL(location, at).href;
  }
  const code = new URL(at).searchParams.get('code') ?? '';
  const form = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: redirectUri });
  const authorization = `Basic ${Buffer.from(`${client}:${encodeURIComponent(secret)}`).toString('base64')}`;
  const type = 'application/x-www-form-urlencoded';
  const reply = await ask(place, `${place.url}/token`, { authorization, 'content-type': type }, form.toString());
  const { id_token: token } = JSON.parse(reply.text) as { readonly id_token?: string };
  if (token === undefined) throw new Error(`no ID token: ${at} ${reply.text}`);
  return token;
}

function ask(
  { cert }: Place,
  url: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ca: cert, agent: false, headers, method: body === undefined ? 'GET' : 'POST' });
    asked.on('error', reject);
    asked.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    asked.end(body);
  });
}

async function stopServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
