/** What the log says of a request below `/v2`: who asked for what, and which rule decided. */
import { routeAccess } from '../../distribution/access.ts';
import type { RegistryRoute } from '../../distribution/route.ts';
import { formatReference } from '../../distribution/target.ts';
import type { AuditRecord } from '../../ports.ts';
import type { Exchange } from '../front/exchange.ts';

export { personFacts, who, why } from '../../gate/who-and-why.ts';

/** A record while it is not known yet what becomes of the request. */
export type Draft = { -readonly [Field in keyof AuditRecord]: AuditRecord[Field] };

/** Of a request that is allowed until something else is said: every field is there, in the order of the line. */
export function draftOf({ address, userAgent, requestId }: Exchange): Draft {
  return {
    event: 'access',
    decision: 'allow',
    reason: 'authenticated',
    rule: undefined,
    source: undefined,
    shadow: undefined,
    gate: undefined,
    gateFrom: undefined,
    account: undefined,
    kind: undefined,
    method: undefined,
    secret: undefined,
    groups: undefined,
    issuer: undefined,
    claims: undefined,
    repository: undefined,
    upstream: undefined,
    action: undefined,
    reference: undefined,
    digest: undefined,
    address,
    userAgent,
    requestId,
    status: undefined,
    cache: undefined,
    bytes: undefined,
    durationMs: undefined,
    detail: undefined,
  };
}

/** The route, as far as it could be read. */
export function what(route: RegistryRoute | undefined, method: string): Partial<AuditRecord> {
  if (route === undefined) return {};
  const isUpload = route.kind.startsWith('upload-');
  return {
    action: routeAccess[route.kind].action,
    repository: 'repository' in route ? route.repository : undefined,
    reference: 'reference' in route ? formatReference(route.reference) : isUpload ? `${method} upload` : undefined,
    digest: 'digest' in route ? route.digest : undefined,
  };
}
