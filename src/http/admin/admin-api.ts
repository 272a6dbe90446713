/** `/api/v1` of the admin listener: what the command line asks of a running gateway, by the admin token. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Asking } from '../../operations/ask.ts';
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import type { AuditLog, AuditRecord, Clock } from '../../ports.ts';
import type { Secret } from '../../secret.ts';
import { problem } from '../api/problems.ts';
import { type Api, createApi } from '../api/table.ts';
import { type Exchange, beginExchange, exchangeFacts, requestFacts } from '../front/exchange.ts';
import { send } from '../front/respond.ts';

export interface AdminApiParts {
  readonly asking: Asking;
  readonly policy: () => { readonly compiled: CompiledPolicy };
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** The caller proves that it can read the state directory. */
  readonly token: Secret;
  readonly version: string;
}

/** Answers a request below `/api/`; every answer needs the admin token, which may do all but what belongs to a person. */
export function createAdminApi(
  parts: AdminApiParts,
  onError: (error: unknown) => void,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const api: Api = createApi({
    asking: { ...parts.asking, operations: parts.asking.operations.filter(({ needs }) => needs !== 'person') },
    version: parts.version,
    schemes: { adminToken: { type: 'http', scheme: 'bearer' } },
    identify: (exchange) =>
      Promise.resolve({
        ok: true,
        viewer: {
          kind: 'operator',
          policy: parts.policy().compiled,
          circumstances: { address: exchange.address, now: parts.clock() },
          request: requestFacts(exchange),
        },
      }),
    onError,
    audit: parts.audit,
  });
  return async (request, response) => {
    const exchange = beginExchange(request, response, {
      publicUrl: `http://${request.headers.host ?? 'localhost'}`,
      trustedProxies: [],
      now: parts.clock(),
      expectsContinue: false,
    });
    await answer(parts, api, exchange);
  };
}

async function answer({ token, audit, clock }: AdminApiParts, api: Api, exchange: Exchange): Promise<void> {
  if (!mayCall(token, exchange.request.headers.authorization)) {
    const detail = 'the admin token is needed: see admin-token in the state directory';
    const refused = problem('credentials-refused', detail, { headers: { 'WWW-Authenticate': 'Bearer' } });
    const record = { event: 'access', decision: 'deny', reason: 'admin_token_needed' } as const;
    const status = send(exchange, refused);
    audit.record({ ...record, ...exchangeFacts(exchange, clock()), status });
    return;
  }
  const { answer: said, record } = await api.handle(exchange);
  const status = send(exchange, said);
  // The command line looks at many things; what changes something is written down.
  if (exchange.method === 'POST' || exchange.method === 'DELETE')
    audit.record({ ...record, reason: reasonOf(record), ...exchangeFacts(exchange, clock()), status });
}

function reasonOf({ decision, reason }: AuditRecord): string {
  return decision === 'allow' ? 'admin_token' : reason;
}

function mayCall(token: Secret, authorization: string | undefined): boolean {
  const expected = Buffer.from(`Bearer ${token.reveal()}`);
  const given = Buffer.from(authorization ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected);
}
