/** What the log says of a request below `/v2`: who asked for what, and which rule decided. */
import { routeAccess } from '../../distribution/access.ts';
import { routeNameOf } from '../../distribution/route-name.ts';
import type { RegistryRoute } from '../../distribution/route.ts';
import { formatReference } from '../../distribution/target.ts';
import type { AuditRecord } from '../../ports.ts';
import type { Exchange } from '../front/exchange.ts';

export { personFacts, who, why } from '../../gate/who-and-why.ts';

/** A record while it is not known yet what becomes of the request. */
export type Draft = { -readonly [Field in keyof AuditRecord]: AuditRecord[Field] };

/** Of a request that is allowed until something else is said: every field is there, in the order of the line. */
export function draftOf({ address, userAgent, requestId, trace, target, method: httpMethod }: Exchange): Draft {
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
    reach: undefined,
    session: undefined,
    outside: undefined,
    groups: undefined,
    issuer: undefined,
    claims: undefined,
    route: routeNameOf(target),
    httpMethod,
    repository: undefined,
    upstream: undefined,
    action: undefined,
    reference: undefined,
    tags: undefined,
    writes: undefined,
    digest: undefined,
    from: undefined,
    address,
    userAgent,
    requestId,
    traceId: trace.id,
    policy: undefined,
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
  const tags = route.kind === 'manifest-put' && route.tags.length > 0 ? route.tags : undefined;
  return {
    action: routeAccess[route.kind].action,
    repository: 'repository' in route ? route.repository : undefined,
    reference: 'reference' in route ? formatReference(route.reference) : isUpload ? `${method} upload` : undefined,
    tags,
    digest: 'digest' in route ? route.digest : undefined,
    from: route.kind === 'upload-start' ? route.mount?.from : undefined,
  };
}
