/** Our own endpoints on the main listener, as an Express app. Paths were matched byte for byte before it is asked. */
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { exportJWK } from 'jose';
import type { KeyRing } from '../ports.ts';
import { type Exchange, exchangeFacts } from './front/exchange.ts';
import { internalError, notFound, refusal, send, tokenRefused } from './front/respond.ts';
import { type TokenEndpointParts, type TokenIdentity, getToken, postRevocation, postToken } from './token-endpoint.ts';

export interface EndpointParts extends TokenEndpointParts {
  readonly identity: TokenIdentity & { readonly keys: KeyRing };
}

export const endpointPaths: ReadonlySet<string> = new Set(['/token', '/token/revoke', '/.well-known/jwks.json']);

/** As much as a URL may hold: what a token cannot carry is to be counted, not cut. */
const maxFormBytes = 65_536;
/** A form of that size full of scopes. */
const maxFormParameters = 4096;
/** Milliseconds for the whole form: the parser waits as long as a client likes. */
const formMs = 10_000;

/** The exchange travels beside Express, which must not wrap or re-read what the gateway has judged. */
export function createEndpoints(parts: EndpointParts): (exchange: Exchange) => void {
  const exchanges = new WeakMap<object, Exchange>();
  const exchangeOf = (request: object): Exchange => {
    const exchange = exchanges.get(request);
    if (exchange === undefined) throw new Error('a request without an exchange');
    return exchange;
  };
  const only = (...methods: readonly string[]): RequestHandler => {
    const answer = refusal('UNSUPPORTED', `use ${methods.join(' or ')}`, { headers: { Allow: methods.join(', ') } });
    return (request) => void send(exchangeOf(request), answer);
  };
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.set('query parser', false);

  const form = express.urlencoded({ extended: false, limit: maxFormBytes, parameterLimit: maxFormParameters });
  app
    .route('/token')
    .get((request) => getToken(parts, exchangeOf(request)))
    .post(form, (request) => postToken(parts, exchangeOf(request), request.body))
    .all(only('GET', 'POST'));

  app
    .route('/token/revoke')
    .post(form, (request) => postRevocation(parts, exchangeOf(request), request.body))
    .all(only('POST'));

  app.get('/.well-known/jwks.json', async (request) => {
    const keys = await Promise.all(
      parts.identity.keys.keys().map(async (key) => ({
        ...(await exportJWK(key.publicKey)),
        kid: key.kid,
        alg: key.algorithm,
        use: 'sig',
      })),
    );
    send(exchangeOf(request), {
      status: 200,
      headers: { 'Cache-Control': 'public, max-age=300' },
      body: JSON.stringify({ keys }),
    });
  });

  app.use((request) => void send(exchangeOf(request), notFound));

  app.use(onErrorOf(parts, exchangeOf));
  return (exchange) => {
    const { request, response } = exchange;
    if (exchange.expectsContinue) response.writeContinue();
    exchanges.set(request, exchange);
    const timer = setTimeout(() => request.complete || response.destroy(), formMs);
    response.once('close', () => clearTimeout(timer));
    app(request, response);
  };
}

function onErrorOf({ front }: EndpointParts, exchangeOf: (request: object) => Exchange): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  return (error: unknown, request, _response, _next) => {
    const exchange = exchangeOf(request);
    const malformed = { reason: 'request_malformed', detail: 'the body cannot be read as a form' } as const;
    const isClients = isClientError(error);
    if (!isClients) front.onError(error, exchange);
    const refused = tokenRefused(malformed, front);
    const status = send(exchange, isClients ? refused : internalError);
    front.audit.record({
      event: 'token',
      decision: isClients ? 'deny' : 'error',
      reason: isClients ? 'request_malformed' : 'internal_error',
      ...exchangeFacts(exchange, front.clock()),
      status,
    });
  };
}

/** The body parser marks what the client did wrong with a 4xx status. */
function isClientError(error: unknown): boolean {
  const status: unknown = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  return typeof status === 'number' && status >= 400 && status < 500;
}
