/**
 * A provider of OpenID Connect that can be told to do each thing wrongly; for what a good one does see web-provider.ts. In the
 * process of the test, over http on loopback. Whoever comes is `person`, and nobody is asked for a password.
 */
import { createHash, randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { freePort } from './free-port.mjs';
import { type SigningKey, makeSigningKey, signToken } from './issuer.ts';

export const clientId = 'portcullis';
export const clientSecret = 'a secret: of the client + all';

type Claims = Readonly<Record<string, unknown>>;

export interface Behaviour {
  /** Of the ID token, over what belongs there; undefined leaves out. */
  claims: Claims;
  userinfo: Claims | undefined;
  /** Over what the description says; undefined leaves out. */
  metadata: Claims;
  /** Over the parameters that browsers come back with; undefined leaves out. */
  back: Readonly<Record<string, string | undefined>>;
  /** Makes the ID token of these claims. */
  sign: ((claims: Claims, key: SigningKey) => Promise<string>) | undefined;
  /** Answers this path instead; true: it has. */
  answer: ((path: string, response: ServerResponse) => boolean) | undefined;
  /** Whether the verifier of PKCE must be that of the challenge. */
  checksVerifier: boolean;
}

export interface Idp extends Behaviour {
  readonly issuer: string;
  /** Paths that were asked for. */
  readonly asked: string[];
  readonly key: SigningKey;
  stop(): Promise<void>;
  /** At the same address as before. */
  start(): Promise<void>;
}

interface Code {
  readonly challenge: string | undefined;
  readonly nonce: string | undefined;
  readonly redirectUri: string;
}

/** Made once: it takes longer than all the rest. */
let sharedKey: Promise<SigningKey> | undefined;

export async function startIdp(): Promise<Idp> {
  const key = await (sharedKey ??= makeSigningKey('one'));
  const codes = new Map<string, Code>();
  let server = createServer();
  const port = await freePort();
  const begin = async (): Promise<void> => {
    server = createServer((request, response) => {
      answer(idp, codes, request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  };
  await begin();
  const idp: Idp = {
    issuer: `http://127.0.0.1:${port}/realms/one`,
    asked: [],
    key,
    claims: { sub: 'sub-1', preferred_username: 'olga', groups: ['dev-team', 'unheard-of'] },
    userinfo: undefined,
    metadata: {},
    back: {},
    sign: undefined,
    answer: undefined,
    checksVerifier: true,
    start: begin,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return idp;
}

async function answer(
  idp: Idp,
  codes: Map<string, Code>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { issuer } = idp;
  const { pathname, searchParams } = new URL(request.url ?? '', issuer);
  const path = pathname.replace('/realms/one', '');
  idp.asked.push(path);
  const json = (status: number, body: unknown): void =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (idp.answer?.(path, response) === true) return;
  switch (path) {
    case '/.well-known/openid-configuration':
      return json(200, { ...description(issuer), ...idp.metadata });
    case '/keys':
      return json(200, { keys: [idp.key.jwk] });
    case '/auth': {
      const code = randomUUID();
      const redirectUri = searchParams.get('redirect_uri') ?? '';
      codes.set(code, {
        challenge: searchParams.get('code_challenge') ?? undefined,
        nonce: searchParams.get('nonce') ?? undefined,
        redirectUri,
      });
      const back = { code, state: searchParams.get('state') ?? '', iss: issuer, ...idp.back };
      const given = Object.entries(back).filter((each): each is [string, string] => each[1] !== undefined);
      const location = `${redirectUri}?${new URLSearchParams(given).toString()}`;
      return void response.writeHead(302, { location }).end();
    }
    case '/token': {
      const form = new URLSearchParams(await textOf(request));
      const found = codes.get(form.get('code') ?? '');
      codes.delete(form.get('code') ?? '');
      if (request.headers.authorization !== basic) return json(401, { error: 'invalid_client' });
      const proved = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url');
      const isRight = found !== undefined && form.get('redirect_uri') === found.redirectUri;
      if (!isRight || (idp.checksVerifier && proved !== found.challenge))
        return json(400, { error: 'invalid_grant', error_description: 'code "x" <b>is not known</b>' });
      return json(200, {
        access_token: 'of-the-provider',
        token_type: 'Bearer',
        expires_in: 60,
        id_token: await idToken(idp, found.nonce),
      });
    }
    case '/userinfo':
      return json(200, idp.userinfo ?? { sub: idp.claims['sub'] });
    default:
      return json(404, {});
  }
}

const basic = `Basic ${Buffer.from([clientId, clientSecret].map(formEncoded).join(':')).toString('base64')}`;

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

function description(issuer: string): Claims {
  return {
    issuer,
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/keys`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
    authorization_response_iss_parameter_supported: true,
    code_challenge_methods_supported: ['S256'],
  };
}

async function idToken(idp: Idp, nonce: string | undefined): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: idp.issuer, aud: clientId, iat: now, exp: now + 300, nonce, ...idp.claims };
  return idp.sign === undefined ? signToken(idp.key, claims) : idp.sign(claims, idp.key);
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request as AsyncIterable<Buffer>) text += chunk.toString('utf8');
  return text;
}

/** Where the provider sends a browser back to that comes to `url`. */
export async function visit(url: string): Promise<URL> {
  const reply = await fetch(url, { redirect: 'manual' });
  const location = reply.headers.get('location');
  if (location === null) throw new Error(`${reply.status} ${await reply.text()}`);
  return new URL(location);
}
