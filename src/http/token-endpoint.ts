/** `GET /token` and `POST /token`: distribution's spec/auth/token.md and oauth.md. */
import { type Credentials, parseAuthorization } from '../distribution/credentials.ts';
import { formatScopes } from '../distribution/scope.ts';
import type { AuditLog, AuditRecord, Clock } from '../ports.ts';
import type { TokenGrant, TokenRequest, TokenService } from '../token/service.ts';
import type { TokenRefusal } from '../token/refusal.ts';
import { type Exchange, exchangeFacts } from './exchange.ts';
import { send, tokenRefused } from './respond.ts';

export interface TokenEndpointParts {
  readonly tokenService: TokenService;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

/** Parameters of a request, each once but for the repeatable `scope`. */
type Parameters = { readonly one: (name: string) => string | undefined; readonly scopes: readonly string[] };

export async function getToken(parts: TokenEndpointParts, exchange: Exchange): Promise<void> {
  const mark = exchange.target.indexOf('?');
  const parameters = readParameters(new URLSearchParams(mark === -1 ? '' : exchange.target.slice(mark + 1)));
  if ('reason' in parameters) return refuse(parts, exchange, parameters);
  const credentials = parseAuthorization(exchange.request.headers.authorization);
  await issue(parts, exchange, parameters, credentials, 'token');
}

/** `form` is what the body parser made of the form; a body of any other type arrives as undefined. */
export async function postToken(parts: TokenEndpointParts, exchange: Exchange, form: unknown): Promise<void> {
  if (typeof form !== 'object' || form === null) {
    const detail = 'expected an application/x-www-form-urlencoded body';
    return refuse(parts, exchange, { reason: 'request_malformed', detail });
  }
  const pairs = Object.entries(form).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((entry): [string, string] => [name, String(entry)]),
  );
  const parameters = readParameters(new URLSearchParams(pairs));
  if ('reason' in parameters) return refuse(parts, exchange, parameters);
  if (parameters.one('grant_type') !== 'password') {
    return refuse(parts, exchange, { reason: 'grant_type_unsupported' });
  }
  const account = parameters.one('username') ?? '';
  const password = parameters.one('password') ?? '';
  if (account === '' && password === '') return refuse(parts, exchange, { reason: 'credentials_missing' });
  await issue(parts, exchange, parameters, { kind: 'basic', account, password }, 'oauth');
}

function readParameters(search: URLSearchParams): Parameters | TokenRefusal {
  const names = [...search.keys()].filter((name) => name !== 'scope');
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) return { reason: 'request_malformed', detail: 'a parameter is given twice' };
  return { one: (name) => search.get(name) ?? undefined, scopes: search.getAll('scope') };
}

async function issue(
  parts: TokenEndpointParts,
  exchange: Exchange,
  parameters: Parameters,
  credentials: Credentials,
  form: 'token' | 'oauth',
): Promise<void> {
  const request: TokenRequest = {
    credentials,
    scopes: parameters.scopes,
    service: parameters.one('service'),
    address: exchange.address,
  };
  const outcome = await parts.tokenService.issue(request);
  if (!outcome.ok) return refuse(parts, exchange, outcome.refusal);
  const status = send(exchange, {
    status: 200,
    headers: { 'Cache-Control': 'no-store' },
    body: JSON.stringify({
      token: outcome.token,
      access_token: outcome.token,
      expires_in: outcome.expiresInSeconds,
      ...(form === 'oauth' ? { scope: formatScopes(outcome.access.filter(isGranted)) } : {}),
    }),
  });
  parts.audit.record({ ...granted(outcome, request), ...exchangeFacts(exchange, parts.clock()), status });
}

const isGranted = ({ actions }: { readonly actions: readonly string[] }): boolean => actions.length > 0;

function granted({ principal, method, access }: TokenGrant, request: TokenRequest): AuditRecord {
  const isLogin = request.scopes.every((scope) => scope.trim() === '');
  return {
    event: isLogin ? 'login' : 'token',
    decision: 'allow',
    reason: isLogin || access.every(isGranted) ? 'granted' : 'granted_partly',
    account: 'name' in principal ? principal.name : '',
    kind: principal.kind,
    method,
    scope: formatScopes(access),
  };
}

function refuse(parts: TokenEndpointParts, exchange: Exchange, refusal: TokenRefusal): void {
  const status = send(exchange, tokenRefused(refusal));
  parts.audit.record({
    event: 'account' in refusal ? 'login' : 'token',
    decision: refusal.reason === 'hashing_busy' ? 'error' : 'deny',
    reason: refusal.reason,
    ...('account' in refusal ? { account: refusal.account } : {}),
    ...exchangeFacts(exchange, parts.clock()),
    status,
  });
}
