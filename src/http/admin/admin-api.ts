/**
 * `/api/v1` on the admin listener: what the command line does to a running gateway. One table of operations is both the
 * router and the OpenAPI document. Errors are problem+json (RFC 9457).
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KeyRing } from '../../ports.ts';
import type { Secret } from '../../secret.ts';
import {
  type PolicyParts,
  type RobotTokenParts,
  keyOperations,
  policyOperations,
  robotTokenOperations,
} from './in-force.ts';
import { type LimitParts, limitOperations } from './limits.ts';
import { type Operation, openApiDocument } from './operation.ts';
import { type PromotionsParts, promotionOperations } from './promotions.ts';
import { type SessionParts, sessionOperations } from './sessions.ts';

export interface AdminApiParts extends SessionParts, RobotTokenParts, LimitParts, PolicyParts, PromotionsParts {
  readonly policy: PolicyParts['policy'];
  readonly keys: KeyRing;
  /** The caller proves that it can read the state directory. */
  readonly token: Secret;
  readonly version: string;
}

const operations: readonly Operation<AdminApiParts>[] = [
  ...sessionOperations,
  ...robotTokenOperations,
  ...limitOperations,
  ...keyOperations,
  ...policyOperations,
  ...promotionOperations,
];

/** Answers a request below `/api/v1`; every answer needs the admin token. */
export async function handleAdminApi(
  parts: AdminApiParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!mayCall(parts.token, request.headers.authorization)) {
    answer(response, 401, problem(401, 'the admin token is needed: see admin-token in the state directory'));
    return;
  }
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  if (path === '/api/v1/openapi.json') return answer(response, 200, openApiDocument(operations, parts.version));
  const matching = operations.filter((operation) => idIn(operation.path, path) !== undefined);
  const operation = matching.find(({ method }) => method === request.method);
  if (operation === undefined) {
    const status = matching.length === 0 ? 404 : 405;
    answer(response, status, problem(status, 'see /api/v1/openapi.json for what there is'));
    return;
  }
  const id = idIn(operation.path, path) ?? '';
  const result = await operation.run(parts, { id, query: new URLSearchParams(query) });
  if (result.ok) return answer(response, 200, result.body);
  const status = { invalid: 400, unknown: 404, unavailable: 503 }[result.reason];
  answer(response, status, problem(status, result.detail));
}

/** The segment that `{id}` stands for, '' when the path has none; undefined when the path is another. */
function idIn(pattern: string, path: string): string | undefined {
  if (!pattern.endsWith('/{id}')) return pattern === path ? '' : undefined;
  const prefix = pattern.slice(0, -'{id}'.length);
  const rest = path.startsWith(prefix) ? path.slice(prefix.length) : '';
  return /^[A-Za-z0-9_-]{1,64}$/.test(rest) ? rest : undefined;
}

function mayCall(token: Secret, authorization: string | undefined): boolean {
  const expected = Buffer.from(`Bearer ${token.reveal()}`);
  const given = Buffer.from(authorization ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function problem(status: number, detail: string): unknown {
  const title = {
    400: 'Bad Request',
    401: 'Unauthorized',
    404: 'Not Found',
    405: 'Method Not Allowed',
    503: 'Service Unavailable',
  }[status];
  return { type: 'about:blank', title, status, detail };
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': status === 200 ? 'application/json' : 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
  });
  response.end(body);
}
