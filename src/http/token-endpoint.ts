/** `GET /token` and `POST /token`: distribution's spec/auth/token.md and oauth.md. */
import { parseAuthorization } from '../distribution/credentials.ts';
import { formatScopes } from '../distribution/scope.ts';
import type { AuditRecord, SessionStore } from '../ports.ts';
import { type AccessTokens, clockLeewaySeconds } from '../token/access-token.ts';
import { parseSecret, secretHash } from '../identity/carried-secret.ts';
import type { Shown } from '../identity/identify.ts';
import type { TokenGrant, TokenRequest, TokenService } from '../token/service.ts';
import { maxUploadSeconds } from '../sealed/upload-ticket.ts';
import type { TokenRefusal } from '../token/refusal.ts';
import { type DeviceEndpointParts, deviceGrant, pollDevice } from './device-endpoint.ts';
import { type Exchange, exchangeFacts } from './front/exchange.ts';
import type { Front } from './front/front.ts';
import { heldDetail, limitRule, shadowLimits } from './front/limit-audit.ts';
import { idTokenFacts } from './front/id-token-words.ts';
import { limitHeaders } from './front/limit-headers.ts';
import { isWrittenFirst, notWrittenAnswer, notWrittenDown } from './front/written-first.ts';
import { personFacts } from './registry/audit-facts.ts';
import type { Answer } from './front/respond.ts';
import { tokenRefused } from './front/token-answers.ts';
import { type EpochMs, inSeconds } from '../time.ts';

export interface TokenEndpointParts {
  readonly issuer: TokenIssuer;
  /** Absent: there is no page to let terminals in. */
  readonly terminals?: DeviceEndpointParts | undefined;
  readonly front: Front;
}

/** Makes tokens, and ends what they stand for. */
export interface TokenIssuer {
  readonly tokenService: TokenService;
  readonly tokens: Pick<AccessTokens, 'verify'>;
  readonly sessions: Pick<SessionStore, 'revoke'>;
}

/** Parameters of a request, each once but for the repeatable `scope`. */
type Parameters = { readonly one: (name: string) => string | undefined; readonly scopes: readonly string[] };

/** What a request is answered, and what the audit log says of it beside the facts of the exchange. */
export interface TokenReply {
  readonly answer: Answer;
  readonly record: AuditRecord;
  /** It is not to be sent before it is written down. */
  readonly isPending?: boolean;
}

/** Docker's token API (distribution, "Token Authentication Specification"). */
export async function getToken(parts: TokenEndpointParts, exchange: Exchange): Promise<TokenReply> {
  const mark = exchange.target.indexOf('?');
  const parameters = readParameters(new URLSearchParams(mark === -1 ? '' : exchange.target.slice(mark + 1)));
  if ('reason' in parameters) return refuse(parts.front, parameters);
  const given = parseAuthorization(exchange.request.headers.authorization);
  // containerd falls back from POST to this: no name (or `<token>`), and the refresh token as the password.
  const isIdentityToken =
    given.kind === 'basic' && (given.account === '' || given.account === '<token>') && given.password !== '';
  const credentials: Shown = isIdentityToken ? { kind: 'session', secret: given.password } : given;
  return issue(parts, exchange, parameters, credentials, 'token');
}

/** `form` is what the body parser made of the form; a body of any other type arrives as undefined. */
export async function postToken(parts: TokenEndpointParts, exchange: Exchange, form: unknown): Promise<TokenReply> {
  const parameters = readForm(form);
  if ('reason' in parameters) return refuse(parts.front, parameters);
  if (parts.terminals !== undefined && parameters.one('grant_type') === deviceGrant) {
    const deviceCode = parameters.one('device_code') ?? '';
    const missing = { reason: 'request_malformed', detail: 'the device_code is missing' } as const;
    return deviceCode === '' ? refuse(parts.front, missing) : pollDevice(parts.terminals, deviceCode);
  }
  const credentials = formCredentials(parameters);
  if ('reason' in credentials) return refuse(parts.front, credentials);
  return issue(parts, exchange, parameters, credentials, 'oauth');
}

/**
 * `POST /token/revoke` (RFC 7009): ends the session of a refresh token with all that was issued for it, and an access token
 * by itself. 200 whether or not there was one; 503 when it could not be recorded (fosite CVE-2020-15223
 * answered 200).
 */
export async function postRevocation(
  { issuer, front }: TokenEndpointParts,
  exchange: Exchange,
  form: unknown,
): Promise<TokenReply> {
  const parameters = readForm(form);
  if ('reason' in parameters) return refuse(front, parameters);
  const token = parameters.one('token') ?? '';
  if (token === '') return refuse(front, { reason: 'request_malformed', detail: 'the token is missing' });
  const now = front.clock();
  const which = await namedBy(issuer, token, now);
  const about =
    which !== undefined && 'account' in which
      ? { account: which.account, detail: `revocation: ${which.id}` }
      : { detail: 'revocation' };
  if (which !== undefined && !(await isIntended(front, exchange, about))) return notWritten({ event: 'session' });
  const result = which === undefined ? { ok: true as const, ended: [] } : await issuer.sessions.revoke(which, now);
  if (!result.ok) return refuse(front, { reason: 'store_unavailable' });
  const ended = result.ended[0] ?? (which !== undefined && 'account' in which ? which : undefined);
  const reason = ended === undefined ? 'nothing_to_revoke' : 'revoked';
  return {
    answer: { status: 200, headers: { 'Cache-Control': 'no-store' }, body: '{}' },
    record: { event: 'session', decision: 'allow', reason, account: ended?.account, detail: ended?.id },
  };
}

/** What a token stands for in the store; `account`: whose access token it is. */
async function namedBy(
  { tokens }: TokenIssuer,
  token: string,
  now: EpochMs,
): Promise<{ readonly tokenHash: string } | { readonly id: string; readonly account: string } | undefined> {
  const secret = parseSecret(token);
  // That of a robot is none of the store's: it is taken out of the policy files.
  if ('kind' in secret) return { tokenHash: secretHash(secret.text) };
  const nowSeconds = inSeconds(now);
  const verified = await tokens.verify(token, nowSeconds);
  if (!verified.ok && verified.reason === 'token_invalid') return undefined;
  const { account, tokenId, expiresAt } = verified.claims;
  // Anybody may have an anonymous one, and as many as they like to fill the store with; one long gone ends nothing.
  const isPast = nowSeconds > expiresAt + maxUploadSeconds + 2 * clockLeewaySeconds;
  return account === '' || isPast ? undefined : { id: tokenId, account };
}

function formCredentials(parameters: Parameters): Shown | TokenRefusal {
  switch (parameters.one('grant_type')) {
    case 'password': {
      const account = parameters.one('username') ?? '';
      const password = parameters.one('password') ?? '';
      return account === '' && password === ''
        ? { reason: 'credentials_missing' }
        : { kind: 'basic', account, password };
    }
    case 'refresh_token': {
      const secret = parameters.one('refresh_token') ?? '';
      return secret === '' ? { reason: 'credentials_missing' } : { kind: 'session', secret };
    }
    default:
      return { reason: 'grant_type_unsupported' };
  }
}

function readForm(form: unknown): Parameters | TokenRefusal {
  if (typeof form !== 'object' || form === null) {
    return { reason: 'request_malformed', detail: 'expected an application/x-www-form-urlencoded body' };
  }
  const pairs = Object.entries(form).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((entry): [string, string] => [name, String(entry)]),
  );
  return readParameters(new URLSearchParams(pairs));
}

function readParameters(search: URLSearchParams): Parameters | TokenRefusal {
  const names = [...search.keys()].filter((name) => name !== 'scope');
  if (new Set(names).size < names.length) return { reason: 'request_malformed', detail: 'a parameter is given twice' };
  return { one: (name) => search.get(name) ?? undefined, scopes: search.getAll('scope') };
}

async function issue(
  parts: TokenEndpointParts,
  exchange: Exchange,
  parameters: Parameters,
  credentials: Shown,
  form: 'token' | 'oauth',
): Promise<TokenReply> {
  const request: TokenRequest = {
    credentials,
    scopes: parameters.scopes,
    service: parameters.one('service'),
    offline: parameters.one('offline_token') === 'true' || parameters.one('access_type') === 'offline',
    address: exchange.address,
    userAgent: exchange.userAgent,
    isWrittenFirst: ({ principal, method }) => isIntended(parts.front, exchange, { ...personFacts(principal), method }),
  };
  const outcome = await parts.issuer.tokenService.issue(request);
  if (!outcome.ok) {
    const { refusal } = outcome;
    return refusal.reason === 'audit_unavailable'
      ? notWritten({ event: 'login', account: refusal.account })
      : refuse(parts.front, refusal);
  }
  const answer = {
    status: 200,
    headers: { 'Cache-Control': 'no-store', ...limitHeaders(outcome.limits) },
    body: JSON.stringify({
      token: outcome.token,
      access_token: outcome.token,
      expires_in: outcome.expiresInSeconds,
      refresh_token: outcome.refreshToken,
      scope: form === 'oauth' ? formatScopes(outcome.access.filter(isGranted)) : undefined,
    }),
  };
  return { answer, record: granted(outcome, request) };
}

const isGranted = ({ actions }: { readonly actions: readonly string[] }): boolean => actions.length > 0;

function granted(
  { principal, method, secretId, reach, sessionId, evidence, access, requested, limits }: TokenGrant,
  request: TokenRequest,
): AuditRecord {
  const [scope, asked] = [access, requested].map(formatScopes);
  const shadow = shadowLimits(limits);
  const isLogin = request.scopes.every((scope) => scope.trim() === '');
  return {
    event: isLogin ? 'login' : 'token',
    decision: 'allow',
    reason: isLogin || access.every(isGranted) ? 'granted' : 'granted_partly',
    ...personFacts(principal),
    method,
    secret: secretId,
    reach,
    session: secretId === undefined ? sessionId : undefined,
    source: 'name' in principal ? principal.outside?.source : undefined,
    ...evidence,
    scope,
    asked: asked === scope ? undefined : asked,
    shadow: shadow.length === 0 ? undefined : shadow,
  };
}

function isIntended(front: Front, exchange: Exchange, record: Partial<AuditRecord>): Promise<boolean> {
  return isWrittenFirst(front.audit, { ...record, ...exchangeFacts(exchange, front.clock()) });
}

/** Nothing was done. */
export function notWritten(about: Pick<AuditRecord, 'event' | 'account'>): TokenReply {
  return { answer: notWrittenAnswer, record: { ...about, decision: 'error', reason: notWrittenDown.reason } };
}

/** RFC 6749 section 5.2; what the client did wrong is told to it and to the log. */
export function refuse(front: Front, refusal: TokenRefusal): TokenReply {
  const { reason } = refusal;
  const account = 'account' in refusal ? refusal.account : undefined;
  const record = { ...limitFacts(refusal), decision: isFailure(reason) ? 'error' : 'deny', reason, account } as const;
  const facts = reason === 'id_token_refused' ? idTokenFacts(refusal.refused) : {};
  return { answer: tokenRefused(refusal, front), record: { ...record, ...facts } };
}

/** Whether nothing can be said about what was shown. */
function isFailure(reason: TokenRefusal['reason']): boolean {
  return ['hashing_busy', 'store_unavailable', 'source_unavailable'].includes(reason);
}

/** What kind of event a refusal is, and which limit or count refused. */
function limitFacts(refusal: TokenRefusal): Pick<AuditRecord, 'event'> & Partial<AuditRecord> {
  if (refusal.reason === 'login_held') return { event: 'limit', detail: heldDetail(refusal) };
  if (refusal.reason === 'limit_reached')
    return { event: 'limit', ...limitRule(refusal.states), kind: refusal.principal.kind };
  const detail = 'detail' in refusal && refusal.reason !== 'secret_malformed' ? refusal.detail : undefined;
  return { event: 'account' in refusal ? 'login' : 'token', detail };
}
