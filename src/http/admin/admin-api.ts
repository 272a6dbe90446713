/**
 * `/api/v1` on the admin listener: what the command line does to a running gateway. One table of operations is both the
 * router and the OpenAPI document. Errors are problem+json (RFC 9457).
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { AuditLog, Clock, KeyRing, RobotUses, Session, SessionStore } from '../../ports.ts';
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import { endOfSession } from '../../identity/standing.ts';
import { objectionToAccount } from '../../policy/analysis/unknown-account.ts';
import type { Secret } from '../../secret.ts';
import { type LimitParts, limitList, limitStates, listLimits, lookAtLimits, stateQuery } from './limit-views.ts';

export { type LimitList, type LimitStates, limitStates } from './limit-views.ts';

export interface AdminApiParts extends LimitParts {
  readonly sessions: SessionStore;
  readonly robotUses: RobotUses;
  readonly keys: KeyRing;
  readonly policy: () => { readonly compiled: CompiledPolicy; readonly revision: string };
  readonly policyProblems: () => readonly { readonly file: string; readonly line: number; readonly message: string }[];
  readonly reloadPolicy: () => Promise<void>;
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** The caller proves that it can read the state directory. */
  readonly token: Secret;
  readonly version: string;
}

const session = z.object({
  id: z.string(),
  account: z.string(),
  created: z.iso.datetime(),
  lastUsed: z.iso.datetime(),
  address: z.string().optional(),
  userAgent: z.string().optional(),
});
const sessionList = z.object({ sessions: z.array(session) });
const ended = z.object({ ended: z.array(session) });
const keyList = z.object({
  keys: z.array(z.object({ kid: z.string(), algorithm: z.string(), signing: z.boolean() })),
});
const policyState = z.object({
  revision: z.string(),
  rules: z.int(),
  problems: z.array(z.object({ file: z.string(), line: z.int(), message: z.string() })),
});
const robotTokens = z.object({
  tokens: z.array(
    z.object({
      robot: z.string(),
      id: z.string(),
      expires: z.iso.datetime().optional(),
      lastUsed: z.iso.datetime().optional(),
    }),
  ),
});

export type SessionView = z.infer<typeof session>;
export type KeyList = z.infer<typeof keyList>;
export type RobotTokenView = z.infer<typeof robotTokens>['tokens'][number];

interface Operation {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `{id}` stands for one segment. */
  readonly path: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly answer: z.ZodType;
  readonly run: (parts: AdminApiParts, given: Given) => Promise<Result>;
}

interface Given {
  readonly id: string;
  readonly query: URLSearchParams;
}

type Result =
  { readonly status: 200; readonly body: unknown } | { readonly status: 400 | 404 | 503; readonly detail: string };

const unavailable: Result = {
  status: 503,
  detail: 'the session store cannot be reached; nothing was changed as far as is known',
};

const operations: readonly Operation[] = [
  {
    method: 'GET',
    path: '/api/v1/sessions',
    summary: 'Live sessions, most recently used first.',
    query: { account: 'only those of this account' },
    answer: sessionList,
    run: async ({ sessions, clock, policy }, { query }) => {
      const listed = await sessions.list(query.get('account') ?? undefined, clock());
      if (!listed.ok) return unavailable;
      const current = policy().compiled.policy;
      const live = listed.sessions.filter((one) => endOfSession(current, sessions, one) === undefined);
      return { status: 200, body: { sessions: live.map(viewOf) } };
    },
  },
  {
    method: 'DELETE',
    path: '/api/v1/sessions/{id}',
    summary: 'Ends one session: its refresh token and the access tokens issued for it.',
    answer: ended,
    run: (parts, { id }) => endSessions(parts, { id }),
  },
  {
    method: 'DELETE',
    path: '/api/v1/sessions',
    summary: 'Ends every session of an account.',
    query: { account: 'the account; required' },
    answer: ended,
    run: (parts, { query }) => {
      const account = query.get('account') ?? '';
      return account === ''
        ? Promise.resolve({ status: 400, detail: 'name the account whose sessions should end' })
        : endSessions(parts, { account });
    },
  },
  {
    method: 'GET',
    path: '/api/v1/robot-tokens',
    summary: 'Secrets of robots in the policy in force, with their last use.',
    answer: robotTokens,
    run: async ({ policy, robotUses }) => {
      const tokens = [...policy().compiled.policy.robots.values()].flatMap((robot) =>
        robot.tokens.map((token) => ({ robot: robot.name, token })),
      );
      const uses = await robotUses.lastUsed(tokens.map(({ token }) => token.id));
      const views = tokens.map(({ robot, token }) => {
        const lastUsed = uses.get(token.id);
        return {
          robot,
          id: token.id,
          ...(token.expires === undefined ? {} : { expires: instant(token.expires * 1000) }),
          ...(lastUsed === undefined ? {} : { lastUsed: instant(lastUsed) }),
        };
      });
      return { status: 200, body: { tokens: views } };
    },
  },
  {
    method: 'GET',
    path: '/api/v1/limits',
    summary: 'Budgets with at most a fifth left, and whoever failed to log in often; the longest wait first.',
    answer: limitList,
    run: async (parts) => {
      const body = await listLimits(parts, parts.policy().compiled, parts.clock());
      const detail = 'the store of limits and failed logins cannot be reached';
      return body === undefined ? { status: 503, detail } : { status: 200, body };
    },
  },
  {
    method: 'GET',
    path: '/api/v1/limits/state',
    summary: 'The limits that apply to a request, and what is left of them; nothing is counted.',
    query: stateQuery,
    answer: limitStates,
    run: async (parts, { query }) => {
      const found = await lookAtLimits(parts, parts.policy().compiled, query);
      return 'detail' in found ? found : { status: 200, body: found };
    },
  },
  {
    method: 'GET',
    path: '/api/v1/keys',
    summary: 'Signing keys whose tokens are accepted.',
    answer: keyList,
    run: ({ keys }) => {
      const signing = keys.signingKey().kid;
      const views = keys.keys().map(({ kid, algorithm }) => ({ kid, algorithm, signing: kid === signing }));
      return Promise.resolve({ status: 200, body: { keys: views } });
    },
  },
  {
    method: 'GET',
    path: '/api/v1/policy',
    summary: 'The policy in force, and problems of newer files that are not.',
    answer: policyState,
    run: (parts) => Promise.resolve(policyResult(parts)),
  },
  {
    method: 'POST',
    path: '/api/v1/policy/reload',
    summary: 'Reads the policy files now.',
    answer: policyState,
    run: async (parts) => {
      await parts.reloadPolicy();
      return policyResult(parts);
    },
  },
];

function policyResult({ policy, policyProblems }: AdminApiParts): Result {
  const { compiled, revision } = policy();
  const problems = policyProblems().map(({ file, line, message }) => ({ file, line, message }));
  return { status: 200, body: { revision, rules: compiled.policy.rules.length, problems } };
}

async function endSessions(
  { sessions, audit, clock, policy }: AdminApiParts,
  which: { readonly id: string } | { readonly account: string },
): Promise<Result> {
  const result = await sessions.revoke(which, clock());
  const account = 'account' in which ? { account: which.account } : {};
  if (!result.ok) {
    audit.record({ event: 'session', decision: 'error', reason: 'store_unavailable', ...account });
    return unavailable;
  }
  for (const one of result.ended) {
    audit.record({ event: 'session', decision: 'allow', reason: 'revoked', account: one.account, detail: one.id });
  }
  if (result.ended.length === 0) {
    const detail =
      'id' in which
        ? 'there is no live session with this id'
        : objectionToAccount(which.account, policy().compiled.policy);
    if (detail !== undefined) return { status: 404, detail };
  }
  return { status: 200, body: { ended: result.ended.map(viewOf) } };
}

function viewOf({ id, account, created, lastUsed, address, userAgent }: Session): SessionView {
  return {
    id,
    account,
    created: instant(created),
    lastUsed: instant(lastUsed),
    ...(address === undefined ? {} : { address }),
    ...(userAgent === undefined ? {} : { userAgent }),
  };
}

function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

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
  if (path === '/api/v1/openapi.json') return answer(response, 200, openApiDocument(parts.version));
  const matching = operations.filter((operation) => idIn(operation.path, path) !== undefined);
  const operation = matching.find(({ method }) => method === request.method);
  if (operation === undefined) {
    const status = matching.length === 0 ? 404 : 405;
    answer(response, status, problem(status, 'see /api/v1/openapi.json for what there is'));
    return;
  }
  const id = idIn(operation.path, path) ?? '';
  const result = await operation.run(parts, { id, query: new URLSearchParams(query) });
  if (result.status === 200) answer(response, 200, result.body);
  else answer(response, result.status, problem(result.status, result.detail));
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

/** OpenAPI 3.1, whose schemas are JSON Schema. */
export function openApiDocument(version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, summary, query = {}, answer: schema } of operations) {
    const inPath = path.endsWith('{id}')
      ? [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }]
      : [];
    const inQuery = Object.entries(query).map(([name, description]) => ({
      name,
      in: 'query',
      required: method === 'DELETE',
      description,
      schema: { type: 'string' },
    }));
    const content = Object.entries(z.toJSONSchema(schema)).filter(([key]) => key !== '$schema');
    (paths[path] ??= {})[method.toLowerCase()] = {
      summary,
      parameters: [...inPath, ...inQuery],
      responses: {
        200: { description: 'done', content: { 'application/json': { schema: Object.fromEntries(content) } } },
        default: {
          description: 'a problem (RFC 9457)',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Portcullis admin API', version },
    security: [{ adminToken: [] }],
    paths,
    components: {
      securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } },
      schemas: {
        Problem: {
          type: 'object',
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string' },
          },
          required: ['title', 'status'],
        },
      },
    },
  };
}
