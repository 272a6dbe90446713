/** Outcomes -> status, headers, body. The one place with status codes for what this gateway answers itself. */
import { type Access } from '../../distribution/access.ts';
import { formatChallenge } from '../../distribution/challenge.ts';
import { type ErrorCode, errorBody } from '../../distribution/error-codes.ts';
import type { RouteProblem } from '../../distribution/route.ts';
import { type LimitState, limitSentence, tightest } from '../../limits/spend.ts';
import type { Principal } from '../../policy/model.ts';
import { describeWait } from '../../policy/rate.ts';
import { bodyPending, endAfterBody } from './drain.ts';
import type { Exchange } from './exchange.ts';
import type { Front } from './front.ts';
import { limitHeaders, retryAfter } from './limit-headers.ts';
import { namedWhere } from './named-request.ts';
import { turnsEnd } from './turn.ts';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One whose body need not be text. */
export interface WholeAnswer extends Pick<Answer, 'status'> {
  /** Several of one name stand in a list. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer | string;
}

const statusOf: Readonly<Record<ErrorCode, number>> = {
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  SIZE_INVALID: 413,
  RANGE_INVALID: 416,
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_UNKNOWN: 404,
  PAGINATION_NUMBER_INVALID: 400,
};

/** The status is that of `code` unless `extra` says another (distribution-spec "Error Codes"). */
export function refusal(code: ErrorCode, message: string, extra: Partial<Answer> & { detail?: unknown } = {}): Answer {
  const { status = statusOf[code], headers = {}, detail } = extra;
  return { status, headers, body: errorBody(code, message, detail) };
}

/** Sends an answer that this gateway wrote itself, JSON unless its headers say otherwise; returns its status. An error names the request. On a request with an unread body the connection ends with it. */
export function send(exchange: Exchange, { status, headers = {}, body: said }: Answer | WholeAnswer): number {
  const { request, response, method } = exchange;
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return status;
  }
  const body = namedWhere(status >= 400, said, exchange);
  const closing = bodyPending(request);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...(exchange.target.startsWith('/v2') ? { 'Docker-Distribution-Api-Version': 'registry/2.0' } : {}),
    ...(closing ? { Connection: 'close' } : {}),
    ...headers,
  });
  const content = method === 'HEAD' ? '' : body;
  // Head and content in one write.
  if (!closing) void turnsEnd().then(() => response.destroyed || response.end(content));
  else {
    response.flushHeaders();
    response.write(content);
    endAfterBody(request, response);
  }
  return status;
}

/** `publicUrl`: the origin under which this client reaches the gateway. */
export function challenged(
  { publicUrl, service }: Pick<Front, 'publicUrl' | 'service'>,
  access: readonly Access[],
  error: 'invalid_token' | 'insufficient_scope' | undefined,
  message: string,
): Answer {
  const detail = access.flatMap(({ type, name, actions }) =>
    actions.map((action) => ({ Type: type, Class: '', Name: name, Action: action })),
  );
  return refusal('UNAUTHORIZED', message, {
    headers: {
      'WWW-Authenticate': formatChallenge({
        realm: `${publicUrl}/token`,
        service,
        access,
        error,
      }),
    },
    detail: detail.length === 0 ? undefined : detail,
  });
}

const unusableRoutes: Readonly<Record<Exclude<RouteProblem['reason'], 'method_not_allowed'>, [ErrorCode, string]>> = {
  target_malformed: ['NAME_INVALID', 'the request target is not a plain registry path'],
  query_malformed: ['NAME_INVALID', 'the query string is malformed'],
  parameter_repeated: ['NAME_INVALID', 'a query parameter is given twice'],
  name_invalid: [
    'NAME_INVALID',
    'invalid repository name: lower-case words separated by slashes, at most 255 characters',
  ],
  reference_invalid: ['MANIFEST_INVALID', 'invalid tag'],
  manifest_unknown: ['MANIFEST_UNKNOWN', 'there is no such manifest: its name is not a valid tag'],
  digest_invalid: ['DIGEST_INVALID', 'invalid digest: sha256, sha384 or sha512 in lower-case hexadecimal'],
  page_invalid: ['PAGINATION_NUMBER_INVALID', 'n must be a whole number, zero or more; a cursor stands for last'],
  upload_unknown: ['BLOB_UPLOAD_UNKNOWN', 'there is no such upload'],
  route_unknown: ['UNSUPPORTED', 'there is no such route'],
};

/** 400 for what cannot be read, 404 for what cannot be there, 405 with the methods that can be used. */
export function unusable(problem: RouteProblem): Answer {
  if (problem.reason === 'method_not_allowed')
    return refusal('UNSUPPORTED', 'the method is not supported here', {
      headers: { Allow: problem.allowed.join(', ') },
    });
  const [code, message] = unusableRoutes[problem.reason];
  return refusal(code, message, problem.reason === 'route_unknown' ? { status: 404 } : {});
}

/** It is no fault of the client's, and may be over in so many seconds. */
export function tryAgain(message: string, seconds: number, status = 503): Answer {
  return refusal('UNAVAILABLE', message, { status, headers: { 'Retry-After': String(seconds) } });
}

/** Whoever vouches for the account cannot be asked. Never a 401: clients would throw good credentials away. */
export const sourceUnavailable = tryAgain(
  'the server that knows this login cannot be asked at the moment; try again',
  5,
);

/** More logins than can be hashed in time; nothing was compared. In an upload 503, which clients take as a pause. */
export function tooBusy(isUpload = false): Answer {
  return refusal(
    isUpload ? 'UNAVAILABLE' : 'TOOMANYREQUESTS',
    'too many logins at the moment; try again in a few seconds',
    { headers: { 'Retry-After': '3' } },
  );
}

/** The same whether or not the account exists. */
export function loginHeld(waitMs: number): Answer {
  const seconds = waitMs / 1000;
  return refusal('TOOMANYREQUESTS', `too many failed logins; try again in ${describeWait(seconds)}`, {
    headers: { 'Retry-After': retryAfter(seconds) },
  });
}

/** A limit of the policy. `states` holds the one that refused. */
export function limitReached(principal: Principal, states: readonly LimitState[]): Answer {
  const state = tightest(states);
  const message = state === undefined ? 'too many requests' : limitSentence(principal, state);
  return refusal('TOOMANYREQUESTS', message, {
    headers: { ...limitHeaders(states), 'Retry-After': retryAfter(state?.waitSeconds ?? 1) },
  });
}

/** Another push or deletion did not end in time, or nobody can tell whether there is one. */
export function tagHeld(reason: 'busy' | 'unavailable'): Answer {
  if (reason === 'busy') return tryAgain('another push of this tag has not ended yet; try again', 3);
  return tryAgain('the store that keeps pushes of one tag apart cannot be reached; try again', 3);
}

/** Other gateways would go on to answer with what was there before. */
export const writeHeld: Answer = tryAgain(
  'the store by which other gateways learn of this change cannot be reached; try again',
  3,
);

/** A gate's answer hangs on what this repository holds, and nobody could tell. */
export function gateUnknown(repository: string): Answer {
  return tryAgain(`the registry did not say whether this image is in ${repository}; try again`, 5);
}

/** The connection ends with each: the rest of the body is not read. */
export function manifestRefused(reason: 'too_large' | 'stalled' | 'client_gone' | 'no_memory'): Answer {
  if (reason === 'no_memory') {
    const answer = tryAgain('too many manifests are being pushed at once; try again', 5);
    return { ...answer, headers: { ...answer.headers, Connection: 'close' } };
  }
  const headers = { Connection: 'close' };
  if (reason === 'too_large') return refusal('SIZE_INVALID', 'the manifest is larger than 4 MiB', { headers });
  return refusal('SIZE_INVALID', 'the manifest did not arrive', { status: 408, headers });
}

/** As the registry itself says it. */
export function repositoryUnknown(name: string): Answer {
  return refusal('NAME_UNKNOWN', 'repository name not known to registry', { detail: { name } });
}

/** As the registry itself says it. */
export const manifestUnknown: Answer = refusal('MANIFEST_UNKNOWN', 'manifest unknown to registry');

export const catalogUnsupported: Answer = refusal('UNSUPPORTED', 'the registry behind the gateway has no catalog', {
  status: 404,
});

/** The rest of a body did not come, while the registry was ready to take it. */
export const clientTimedOut: Answer = refusal('SIZE_INVALID', 'the request body did not arrive', { status: 408 });

export type UpstreamFailure = 'unreachable' | 'timeout' | 'broken' | 'login_failed' | 'limited' | 'no_memory';

const upstreamAnswers: Readonly<Record<UpstreamFailure, Answer>> = {
  unreachable: tryAgain('the registry behind the gateway cannot be reached', 5, 502),
  timeout: tryAgain('the registry behind the gateway does not answer', 5, 504),
  no_memory: tryAgain('too many manifests and lists wait for their clients at once; try again', 5),
  // skopeo sleeps as long as it is told to.
  limited: refusal('TOOMANYREQUESTS', 'the registry behind the gateway limits requests; try again later', {
    headers: { 'Retry-After': '60' },
  }),
  login_failed: refusal(
    'UNAVAILABLE',
    'the registry behind the gateway refuses the login that the gateway has for it',
    { status: 502 },
  ),
  broken: refusal('UNAVAILABLE', 'the registry behind the gateway gave an unusable answer', { status: 502 }),
};

/** Before the first byte of a reply; after it only the connection can be ended. */
export function upstreamFailed(failure: UpstreamFailure): Answer {
  return upstreamAnswers[failure];
}

/** Under `/v2` where the registry is elsewhere and verifies our tokens itself. */
export const tokensOnly: Answer = refusal(
  'UNSUPPORTED',
  'this address gives tokens only: pull from and push to the registry that sent you here',
  { status: 404 },
);

export const notFound: Answer = refusal('UNSUPPORTED', 'there is nothing here', { status: 404 });
export const internalError: Answer = refusal('UNKNOWN', 'the gateway failed; its log says why');
