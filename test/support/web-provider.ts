/** oidc-provider as the place where people log in: a form for browsers, claims and groups; in the process of the test, over https. */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Server, createServer, request } from 'node:https';
import { join } from 'node:path';
import { exportJWK } from 'jose';
import Provider from 'oidc-provider';
import { makeCertificate } from './certificate.ts';
import { freePort } from './free-port.mjs';
import { makeSigningKey } from './issuer.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

export interface WebProvider {
  readonly url: string;
  /** PEM file of the authority of its certificate. */
  readonly ca: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Logs somebody in without a browser: where they are sent back to from the address that they were sent to. */
  readonly logIn: (address: string, account: string) => Promise<URL>;
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface WebProviderOptions {
  readonly redirectUri: string;
  /** Of an account: what the provider says beside the subject. */
  readonly claimsOf: (account: string) => object;
  /** Claims are in the userinfo only, as OpenID Connect has it by default. */
  readonly isConform?: boolean;
}

const clientId = 'portcullis';
const clientSecret = 'a secret of the client, long enough for everybody';

export async function startWebProvider(options: WebProviderOptions): Promise<WebProvider> {
  const dir = await makeTempDir('web-provider');
  const ca = join(dir, 'cert.pem');
  await makeCertificate(ca, join(dir, 'key.pem'));
  const tls = { cert: await readFile(ca), key: await readFile(join(dir, 'key.pem')) };
  let server: Server | undefined;
  const port = await freePort();
  let answer: (asked: IncomingMessage, reply: ServerResponse) => void = () => {};
  const start = async (): Promise<void> => {
    const begun = createServer(tls, (asked, reply) => answer(asked, reply));
    await new Promise<void>((resolve) => begun.listen(port, '127.0.0.1', resolve));
    server = begun;
  };
  const stop = async (): Promise<void> => {
    const ending = server;
    server = undefined;
    ending?.closeAllConnections();
    await new Promise((resolve) => (ending === undefined ? resolve(undefined) : ending.close(resolve)));
  };
  await start();
  const url = `https://127.0.0.1:${port}`;
  answer = answersOf(url, await makeSigningKey('web'), options);
  return {
    ...{ url, ca, clientId, clientSecret, start, stop },
    logIn: (address, account) => logIn(tls.cert, address, account, options.redirectUri),
    async close() {
      await stop();
      await removeTempDir(dir);
    },
  };
}

function answersOf(
  url: string,
  key: Awaited<ReturnType<typeof makeSigningKey>>,
  { redirectUri, claimsOf, isConform = false }: WebProviderOptions,
) {
  const jwk = exportJWK(key.privateKey);
  let provider: Provider | undefined;
  const made = jwk.then((exported) => {
    const created: Provider = new Provider(url, {
      jwks: { keys: [{ ...exported, kid: key.kid, alg: key.alg, use: 'sig' }] },
      clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
      cookies: { keys: ['any'] },
      claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
      scopes: ['openid', 'profile', 'groups'],
      conformIdTokenClaims: isConform,
      features: { devInteractions: { enabled: false } },
      findAccount: (_context, accountId) => ({
        accountId,
        claims: () => ({ sub: `sub of ${accountId}`, ...claimsOf(accountId) }),
      }),
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      pkce: { required: () => true },
      ttl: { AccessToken: 60, Grant: 600, IdToken: 300, Interaction: 60, Session: 60 },
      async loadExistingGrant({ oidc }) {
        const grant = new created.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
        grant.addOIDCScope('openid profile groups');
        await grant.save();
        return grant;
      },
    });
    provider = created;
    return created;
  });
  return (asked: IncomingMessage, reply: ServerResponse): void => {
    void (async () => {
      const ready = provider ?? (await made);
      if (asked.url?.startsWith('/interaction/') !== true) return ready.callback()(asked, reply);
      const account = asked.headers['x-account'] ?? (asked.method === 'POST' ? await accountIn(asked) : undefined);
      if (account !== undefined)
        return ready.interactionFinished(asked, reply, { login: { accountId: String(account) } });
      reply.writeHead(200, { 'content-type': 'text/html' });
      reply.end('<title>Provider</title><form method="post"><input name="account"><button>Go on</button></form>');
    })().catch((error: unknown) => reply.destroy(error as Error));
  };
}

async function accountIn(asked: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of asked as AsyncIterable<Buffer>) text += chunk.toString('utf8');
  return new URLSearchParams(text).get('account') ?? '';
}

/** A browser's steps, with a jar for cookies. */
async function logIn(cert: Buffer, address: string, account: string, redirectUri: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let at = address;
  for (let steps = 0; !at.startsWith(redirectUri); steps++) {
    if (steps > 6) throw new Error(`${at}: too many steps`);
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    at = await new Promise<string>((resolve, reject) => {
      const asked = request(at, { ca: cert, agent: false, headers: { cookie, 'x-account': account } });
      asked.on('error', reject);
      asked.on('response', (reply) => {
        reply.resume();
        for (const set of reply.headers['set-cookie'] ?? []) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
          cookies.set(name, value);
        }
        const { location } = reply.headers;
        if (location === undefined) reject(new Error(`${at}: ${reply.statusCode}`));
        else resolve(new URL(location, at).href);
      });
      asked.end();
    });
  }
  return new URL(at);
}
