/** Our own endpoints on the main listener, as an Express app. Paths were matched byte for byte before it is asked. */
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { exportJWK } from 'jose';
import type { KeyRing, TokenKey } from '../ports.ts';
import { postDevice } from './device-endpoint.ts';
import { type Exchange, exchangeFacts } from './front/exchange.ts';
import type { Front } from './front/front.ts';
import { type Answer, internalError, notFound, refusal, send } from './front/respond.ts';
import { isWrittenFirst } from './front/written-first.ts';
import {
  type TokenEndpointParts,
  type TokenIssuer,
  type TokenReply,
  getToken,
  notWritten,
  postRevocation,
  postToken,
  refuse,
} from './token-endpoint.ts';

export interface EndpointParts extends TokenEndpointParts {
  readonly front: Front;
  readonly issuer: TokenIssuer & { readonly keys: KeyRing };
}

const paths: ReadonlySet<string> = new Set(['/token', '/token/revoke', '/device', '/.well-known/jwks.json']);

/** Whether a path, byte for byte, is one of ours. */
export function isEndpoint(path: string): boolean {
  return paths.has(path);
}

/** As much as a URL may hold: what a token cannot carry is to be counted, not cut. */
const maxFormBytes = 65_536;
/** A form of that size full of scopes. */
const maxFormParameters = 4096;
/** Milliseconds for the whole form: the parser waits as long as a client likes. */
const formMs = 10_000;

const malformed = { reason: 'request_malformed', detail: 'the body cannot be read as a form' } as const;
const failed: TokenReply = {
  answer: internalError,
  record: { event: 'token', decision: 'error', reason: 'internal_error' },
};

/** The exchange travels beside Express, which must not wrap or re-read what the gateway has judged. */
export function createEndpoints(parts: EndpointParts): (exchange: Exchange) => void {
  const { front } = parts;
  const exchanges = new WeakMap<object, Exchange>();
  const exchangeOf = (request: object): Exchange => {
    const exchange = exchanges.get(request);
    if (exchange === undefined) throw new Error('a request without an exchange');
    return exchange;
  };
  const reply = async (request: object, made: TokenReply): Promise<void> => {
    const exchange = exchangeOf(request);
    const { answer, record } = (await isToBeSent(front, made, exchange)) ? made : notWritten({ event: 'login' });
    const status = send(exchange, answer);
    front.audit.record({ ...record, ...exchangeFacts(exchange, front.clock()), status });
  };
  const only = (...methods: readonly string[]): RequestHandler => {
    const answer = refusal('UNSUPPORTED', `use ${methods.join(' or ')}`, { headers: { Allow: methods.join(', ') } });
    const record = { event: 'access', decision: 'deny', reason: 'method_not_allowed' } as const;
    return (request) => reply(request, { answer, record });
  };
  const app = plainApp();
  const form = express.urlencoded({ extended: false, limit: maxFormBytes, parameterLimit: maxFormParameters });
  app
    .route('/token')
    .get(async (request) => reply(request, await getToken(parts, exchangeOf(request))))
    .post(form, async (request) => reply(request, await postToken(parts, exchangeOf(request), request.body)))
    .all(only('GET', 'POST'));

  app
    .route('/token/revoke')
    .post(form, async (request) => reply(request, await postRevocation(parts, exchangeOf(request), request.body)))
    .all(only('POST'));

  const { terminals } = parts;
  if (terminals !== undefined) {
    app
      .route('/device')
      .post(form, async (request) => reply(request, await postDevice(terminals, exchangeOf(request))))
      .all(only('POST'));
  }

  app.get('/.well-known/jwks.json', async (request) => {
    send(exchangeOf(request), await keySet(parts.issuer.keys.keys()));
  });

  app.use((request) => void send(exchangeOf(request), notFound));

  const onFailure = (error: unknown, request: object): Promise<void> => {
    const exchange = exchangeOf(request);
    front.onError(error, exchange);
    return reply(request, failed);
  };

  // Express knows an error handler by its four parameters.
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  const onError: ErrorRequestHandler = async (error: unknown, request, _response, _next) => {
    if (isClientError(error)) return reply(request, refuse(front, malformed));
    await onFailure(error, request);
  };
  app.use(onError);
  return (exchange) => {
    const { request, response, target } = exchange;
    if (exchange.expectsContinue) response.writeContinue();
    exchanges.set(request, exchange);
    // Without a body there is nothing for Express to read: what every login and pull begins with goes without it.
    if (request.method === 'GET' && target.split('?', 1)[0] === '/token') {
      getToken(parts, exchange)
        .then((answer) => reply(request, answer))
        .catch((error: unknown) => onFailure(error, request));
      return;
    }
    const timer = setTimeout(() => request.complete || response.destroy(), formMs);
    response.once('close', () => clearTimeout(timer));
    app(request, response);
  };
}

/** What of a login was only kept did not happen where its line cannot be written: nothing of it has left. */
async function isToBeSent(front: Front, { record, isPending }: TokenReply, exchange: Exchange): Promise<boolean> {
  if (isPending !== true) return true;
  return isWrittenFirst(front.audit, { ...record, ...exchangeFacts(exchange, front.clock()) });
}

function plainApp(): express.Express {
  const app = express();
  app.disable('x-powered-by').disable('etag');
  app.enable('case sensitive routing').enable('strict routing');
  return app.set('query parser', false);
}

/** RFC 7517. */
async function keySet(live: readonly TokenKey[]): Promise<Answer> {
  const keys = await Promise.all(
    live.map(async ({ publicKey, kid, algorithm }) => ({
      ...(await exportJWK(publicKey)),
      kid,
      alg: algorithm,
      use: 'sig',
    })),
  );
  return { status: 200, headers: { 'Cache-Control': 'public, max-age=300' }, body: JSON.stringify({ keys }) };
}

/** The body parser marks what the client did wrong with a 4xx status. */
function isClientError(error: unknown): boolean {
  const status: unknown = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  return typeof status === 'number' && status >= 400 && status < 500;
}
