/** What `/token` answers that gives none: RFC 6749 beside the envelope of registries, and the words for a login that failed. */
import type { ErrorCode } from '../../distribution/error-codes.ts';
import type { TokenRefusal } from '../../token/refusal.ts';
import type { Front } from './front.ts';
import { idTokenSentence } from './id-token-words.ts';
import { type Answer, limitReached, loginHeld, sourceUnavailable, tooBusy, tryAgain } from './respond.ts';

export const wrongCredentials = 'incorrect username or password';
/** The same to everybody: who has no password is nobody's business. */
function wrongPassword({ tokenPage }: Pick<Front, 'tokenPage'>): string {
  if (tokenPage === undefined) return wrongCredentials;
  return `${wrongCredentials}; who logs in with the browser needs an access token, made at ${tokenPage}`;
}

/** What was issued goes on then. */
export function loginNeeded({ publicUrl }: Pick<Front, 'publicUrl'>): string {
  return `log in again at ${publicUrl}/ui/login`;
}

/** For clients that find only the session of `docker login` and cannot use it. */
export const passwordMissing =
  'no password was sent; a client that cannot use the session of "docker login" needs a password or an access token';

/** RFC 6749 section 5.2 beside the OCI envelope: docker reads only the latter. A 401 has its challenge (RFC 9110 15.5.2). */
export function tokenRefused(reason: TokenRefusal, front: Pick<Front, 'service' | 'publicUrl' | 'tokenPage'>): Answer {
  const { service } = front;
  const answer = tokenRefusalAnswer(reason, front);
  const challenge = answer.status === 401 ? { 'WWW-Authenticate': `Basic realm="${service}", charset="UTF-8"` } : {};
  return { ...answer, headers: { ...answer.headers, ...challenge, 'Cache-Control': 'no-store' } };
}

/** Message, error of RFC 6749 and, where it is no 401, status. */
type OAuthAnswer = readonly [message: string, error: string, status?: 400 | 401];
const wrong: OAuthAnswer = [wrongCredentials, 'invalid_grant'];
const ended: OAuthAnswer = ['the login has ended; log in again', 'invalid_grant'];
const oauthAnswers = {
  account_unknown: wrong,
  account_disabled: wrong,
  account_conflict: wrong,
  groups_too_many: wrong,
  password_wrong: wrong,
  password_too_long: wrong,
  secret_misplaced: wrong,
  secret_unknown: wrong,
  password_missing: [passwordMissing, 'invalid_grant'],
  secret_expired: ['the token has expired; make a new one', 'invalid_grant'],
  secret_ended: ['the token has ended; make a new one', 'invalid_grant'],
  session_unknown: ended,
  session_of_other_service: ended,
  session_account_gone: ended,
  session_password_changed: ended,
  session_ended: ended,
  credentials_missing: ['a user name and a password are needed', 'invalid_request'],
  credentials_malformed: ['the credentials cannot be read', 'invalid_request'],
  service_unknown: ['the service is not this registry', 'invalid_request', 400],
  grant_type_unsupported: ['the grant type is not supported', 'unsupported_grant_type', 400],
} as const satisfies Partial<Record<TokenRefusal['reason'], OAuthAnswer>>;

/** What a terminal is told that waits for a browser (RFC 8628, section 3.5). */
export function deviceRefused(reason: 'pending' | 'slow_down' | 'denied' | 'used' | 'unknown'): Answer {
  const answers = {
    pending: ['nobody has answered yet', 'authorization_pending'],
    slow_down: ['ask less often', 'slow_down'],
    denied: ['the login was refused', 'access_denied'],
    used: ['the login has been given out', 'invalid_grant'],
    unknown: ['the code has expired; begin again', 'expired_token'],
  } as const;
  const [message, error] = answers[reason];
  const answer = withOAuth(message, error, 400);
  return { ...answer, headers: { 'Cache-Control': 'no-store' } };
}

function tokenRefusalAnswer(given: TokenRefusal, front: Pick<Front, 'publicUrl' | 'tokenPage'>): Answer {
  switch (given.reason) {
    case 'login_needed':
      return withOAuth(loginNeeded(front), 'invalid_grant');
    case 'secret_malformed':
      return withOAuth(given.detail, 'invalid_grant');
    case 'id_token_refused':
      return withOAuth(idTokenSentence(given.refused), 'invalid_grant');
    case 'source_unavailable':
      return sourceUnavailable;
    case 'request_malformed':
      return withOAuth(given.detail, 'invalid_request', 400);
    case 'scopes_too_many': {
      const { fitting, requested } = given;
      const message = `too many scopes for one token: the first ${fitting} of ${requested} fit; ask for the rest in another`;
      return withOAuth(message, 'invalid_scope', 400);
    }
    case 'store_unavailable':
      return storeUnavailable;
    case 'hashing_busy':
      return tooBusy();
    case 'login_held':
      return loginHeld(given.waitMs);
    case 'limit_reached':
      return limitReached(given.principal, given.states);
    default: {
      const [message, ...rest]: OAuthAnswer = oauthAnswers[given.reason];
      return withOAuth(message === wrongCredentials ? wrongPassword(front) : message, ...rest);
    }
  }
}

function withOAuth(...[message, error, status = 401]: OAuthAnswer): Answer {
  const code: ErrorCode = status === 401 ? 'UNAUTHORIZED' : 'UNSUPPORTED';
  const body = JSON.stringify({ errors: [{ code, message }], error, error_description: message });
  return { status, body };
}

/** Sessions cannot be read or recorded. Never a 401: clients would throw good credentials away. */
const storeUnavailable = tryAgain('logins cannot be looked up at the moment; try again', 3);
