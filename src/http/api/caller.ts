/** Who calls the API: an account, by Basic or by an access token. */
import { parseAuthorization } from '../../distribution/credentials.ts';
import { unidentified } from '../../gate/admit.ts';
import type { Caller, Identity } from '../../identity/identify.ts';
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import type { AuditRecord } from '../../ports.ts';
import type { Exchange } from '../front/exchange.ts';
import type { Answer } from '../front/respond.ts';
import { refusalOf } from '../registry/refusals.ts';
import { asProblem } from './problems.ts';

export interface ApiReply {
  readonly answer: Answer;
  readonly record: Partial<AuditRecord>;
}

export type Called =
  | { readonly ok: true; readonly caller: Caller; readonly policy: CompiledPolicy }
  | { readonly ok: false; readonly reply: ApiReply };

/** An anonymous token is nobody here. */
export async function identifyCaller(
  identity: Pick<Identity, 'identify'>,
  exchange: Exchange,
  service: string,
): Promise<Called> {
  const { request, address, publicUrl } = exchange;
  const credentials = parseAuthorization(request.headers.authorization);
  const identified = await identity.identify(credentials, { address, userAgent: exchange.userAgent });
  if (identified.kind === 'identified' && identified.caller.principal.kind !== 'anonymous')
    return { ok: true, caller: identified.caller, policy: identified.policy };
  const refused =
    identified.kind === 'refused'
      ? unidentified(identified.refusal, [])
      : ({ kind: 'challenged', reason: 'anonymous_refused', access: [], caller: identified.caller } as const);
  return { ok: false, reply: problemOf(refused, { service, publicUrl }) };
}

/** A refusal of the gate as the API puts it. */
export function problemOf(
  refused: Parameters<typeof refusalOf>[0],
  asked: { readonly service: string; readonly publicUrl: string },
): ApiReply {
  const { answer, record } = refusalOf(refused, { ...asked, isLookingForBlob: false });
  return { answer: asProblem(answer ?? { status: 503, body: '' }), record };
}
