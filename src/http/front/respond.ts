/** Outcomes -> status, headers, body. The one place with status codes for what this gateway answers itself. */
import { type Access } from '../../distribution/access.ts';
import { formatChallenge } from '../../distribution/challenge.ts';
import { type ErrorCode, errorBody } from '../../distribution/error-codes.ts';
import type { RouteProblem } from '../../distribution/route.ts';
import { type LimitState, limitSentence, tightest } from '../../limits/spend.ts';
import type { Principal } from '../../policy/model.ts';
import { describeWait } from '../../policy/rate.ts';
import type { TokenRefusal } from '../../token/refusal.ts';
import { bodyPending, endAfterBody } from './drain.ts';
import type { Exchange } from './exchange.ts';
import type { Front } from './front.ts';
import { limitHeaders, retryAfter } from './limit-headers.ts';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
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

/** Sends a JSON answer that this gateway wrote itself; returns its status. On a request with an unread body the connection ends with it. */
export function send(exchange: Exchange, { status, headers = {}, body }: Answer): number {
  const { request, response, method } = exchange;
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return status;
  }
  const bytes = Buffer.from(body);
  const closing = bodyPending(request);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': bytes.length,
    ...(exchange.target.startsWith('/v2') ? { 'Docker-Distribution-Api-Version': 'registry/2.0' } : {}),
    ...(closing ? { Connection: 'close' } : {}),
    ...headers,
  });
  if (method === 'HEAD') response.flushHeaders();
  else response.write(bytes);
  if (closing) endAfterBody(request, response);
  else response.end();
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
        ...(error === undefined ? {} : { error }),
      }),
    },
    ...(detail.length === 0 ? {} : { detail }),
  });
}

/** 400 for what cannot be read, 404 for what cannot be there, 405 with the methods that can be used. */
export function unusable(problem: RouteProblem): Answer {
  switch (problem.reason) {
    case 'target_malformed':
      return refusal('NAME_INVALID', 'the request target is not a plain registry path');
    case 'query_malformed':
      return refusal('NAME_INVALID', 'the query string is malformed');
    case 'parameter_repeated':
      return refusal('NAME_INVALID', 'a query parameter is given twice');
    case 'name_invalid':
      return refusal(
        'NAME_INVALID',
        'invalid repository name: lower-case words separated by slashes, at most 255 characters',
      );
    case 'reference_invalid':
      return refusal('MANIFEST_INVALID', 'invalid tag');
    case 'manifest_unknown':
      return refusal('MANIFEST_UNKNOWN', 'there is no such manifest: its name is not a valid tag');
    case 'digest_invalid':
      return refusal('DIGEST_INVALID', 'invalid digest: sha256, sha384 or sha512 in lower-case hexadecimal');
    case 'page_invalid':
      return refusal('PAGINATION_NUMBER_INVALID', 'n must be a whole number, zero or more; a cursor stands for last');
    case 'upload_unknown':
      return refusal('BLOB_UPLOAD_UNKNOWN', 'there is no such upload');
    case 'method_not_allowed':
      return refusal('UNSUPPORTED', 'the method is not supported here', {
        headers: { Allow: problem.allowed.join(', ') },
      });
    case 'route_unknown':
      return refusal('UNSUPPORTED', 'there is no such route', { status: 404 });
  }
}

export const wrongCredentials = 'incorrect username or password';
/** For clients that find only the session of `docker login` and cannot use it. */
export const passwordMissing =
  'no password was sent; a client that cannot use the session of "docker login" needs a password or an access token';

/** RFC 6749 section 5.2 beside the OCI envelope: docker reads only the latter. A 401 has its challenge (RFC 9110 15.5.2). */
export function tokenRefused(reason: TokenRefusal, { service }: Pick<Front, 'service'>): Answer {
  const answer = tokenRefusalAnswer(reason);
  const challenge = answer.status === 401 ? { 'WWW-Authenticate': `Basic realm="${service}", charset="UTF-8"` } : {};
  return { ...answer, headers: { ...answer.headers, ...challenge, 'Cache-Control': 'no-store' } };
}

function tokenRefusalAnswer(given: TokenRefusal): Answer {
  switch (given.reason) {
    case 'account_unknown':
    case 'account_disabled':
    case 'password_wrong':
    case 'password_too_long':
    case 'secret_misplaced':
    case 'secret_unknown':
      return withOAuth('UNAUTHORIZED', wrongCredentials, 'invalid_grant');
    case 'password_missing':
      return withOAuth('UNAUTHORIZED', passwordMissing, 'invalid_grant');
    case 'secret_malformed':
      return withOAuth('UNAUTHORIZED', given.detail, 'invalid_grant');
    case 'secret_expired':
      return withOAuth('UNAUTHORIZED', 'the token has expired; make a new one', 'invalid_grant');
    case 'session_unknown':
    case 'session_of_other_service':
    case 'session_account_gone':
    case 'session_password_changed':
    case 'session_ended':
      return withOAuth('UNAUTHORIZED', 'the login has ended; log in again', 'invalid_grant');
    case 'store_unavailable':
      return storeUnavailable;
    case 'credentials_missing':
      return withOAuth('UNAUTHORIZED', 'a user name and a password are needed', 'invalid_request');
    case 'credentials_malformed':
      return withOAuth('UNAUTHORIZED', 'the credentials cannot be read', 'invalid_request');
    case 'hashing_busy':
      return tooBusy();
    case 'login_held':
      return loginHeld(given.waitMs);
    case 'limit_reached':
      return limitReached(given.principal, given.states);
    case 'service_unknown':
      return withOAuth('UNSUPPORTED', 'the service is not this registry', 'invalid_request', 400);
    case 'scopes_too_many':
      return withOAuth(
        'UNSUPPORTED',
        `too many scopes for one token: the first ${given.fitting} of ${given.requested} fit; ask for the rest in another`,
        'invalid_scope',
        400,
      );
    case 'request_malformed':
      return withOAuth('UNSUPPORTED', given.detail, 'invalid_request', 400);
    case 'grant_type_unsupported':
      return withOAuth('UNSUPPORTED', 'the grant type is not supported', 'unsupported_grant_type', 400);
  }
}

function withOAuth(code: ErrorCode, message: string, error: string, status = statusOf[code]): Answer {
  const body = JSON.stringify({ errors: [{ code, message }], error, error_description: message });
  return { status, body };
}

/** Sessions cannot be read or recorded. Never a 401: clients would throw good credentials away. */
export const storeUnavailable: Answer = refusal('UNAVAILABLE', 'logins cannot be looked up at the moment; try again', {
  headers: { 'Retry-After': '3' },
});

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
  const message =
    reason === 'busy'
      ? 'another push of this tag has not ended yet; try again'
      : 'the store that keeps pushes of one tag apart cannot be reached; try again';
  return refusal('UNAVAILABLE', message, { headers: { 'Retry-After': '3' } });
}

/** The connection ends with each: the rest of the body is not read. */
export function manifestRefused(reason: 'too_large' | 'stalled' | 'client_gone' | 'no_memory'): Answer {
  switch (reason) {
    case 'no_memory':
      return refusal('UNAVAILABLE', 'too many manifests are being pushed at once; try again', {
        headers: { 'Retry-After': '5', Connection: 'close' },
      });
    case 'too_large':
      return refusal('SIZE_INVALID', 'the manifest is larger than 4 MiB', { headers: { Connection: 'close' } });
    case 'stalled':
    case 'client_gone':
      return refusal('SIZE_INVALID', 'the manifest did not arrive', { status: 408, headers: { Connection: 'close' } });
  }
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

export type UpstreamFailure = 'unreachable' | 'timeout' | 'broken' | 'no_memory';

/** 502 or 504, before the first byte of a reply; after it only the connection can be ended. */
export function upstreamFailed(failure: UpstreamFailure): Answer {
  switch (failure) {
    case 'unreachable':
      return refusal('UNAVAILABLE', 'the registry behind the gateway cannot be reached', {
        status: 502,
        headers: { 'Retry-After': '5' },
      });
    case 'timeout':
      return refusal('UNAVAILABLE', 'the registry behind the gateway does not answer', {
        status: 504,
        headers: { 'Retry-After': '5' },
      });
    case 'no_memory':
      return refusal('UNAVAILABLE', 'too many manifests and lists wait for their clients at once; try again', {
        headers: { 'Retry-After': '5' },
      });
    case 'broken':
      return refusal('UNAVAILABLE', 'the registry behind the gateway gave an unusable answer', { status: 502 });
  }
}

export const notFound: Answer = refusal('UNSUPPORTED', 'there is nothing here', { status: 404 });
export const internalError: Answer = refusal('UNKNOWN', 'the gateway failed; its log says why');
