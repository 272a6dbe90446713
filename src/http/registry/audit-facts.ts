/** What the log says of a request below `/v2`: who asked for what, and which rule decided. */
import { routeAccess } from '../../distribution/access.ts';
import type { RegistryRoute } from '../../distribution/route.ts';
import { formatReference } from '../../distribution/target.ts';
import { type Caller, secretIdOf } from '../../identity/identify.ts';
import type { Decision } from '../../policy/evaluate.ts';
import type { Principal } from '../../policy/model.ts';
import { formatOutsideGroup } from '../../policy/outside.ts';
import type { AuditRecord } from '../../ports.ts';
import type { Exchange } from '../front/exchange.ts';

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

/** `account`: the name that was given where nobody is known by it. */
export function who(caller: Caller | undefined, account?: string): Partial<AuditRecord> {
  if (caller === undefined) return account === undefined ? {} : { account };
  const { principal, method, evidence } = caller;
  const facts = { ...personFacts(principal), method, secret: secretIdOf(caller) };
  return evidence === undefined ? facts : { ...facts, issuer: evidence.issuer, claims: evidence.claims };
}

/** Whom the log names, with the groups that the source of somebody outside the policy files told. */
export function personFacts(principal: Principal): Pick<AuditRecord, 'account' | 'kind' | 'groups'> {
  if (!('name' in principal)) return { account: '', kind: principal.kind };
  const { name: account, kind, outside } = principal;
  if (outside === undefined) return { account, kind };
  return {
    account,
    kind,
    groups: outside.groups.map((group) => formatOutsideGroup({ source: outside.source, group })),
  };
}

/** The rule that decided, and names of shadow rules that would have decided otherwise, `further` ones among them. */
export function why(decision: Decision | undefined, further: readonly string[] = []): Partial<AuditRecord> {
  const { rule, shadow: rules = [] } = decision ?? {};
  const shadow = rules.length === 0 ? further : [...rules.map(({ name }) => name), ...further];
  return {
    rule: rule?.name,
    source: rule && `${rule.source.file}:${rule.source.line}`,
    shadow: shadow.length === 0 ? undefined : shadow,
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
