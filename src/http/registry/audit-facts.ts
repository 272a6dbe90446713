/** What the log says of a request below `/v2`: who asked for what, and which rule decided. */
import { routeAccess } from '../../distribution/access.ts';
import type { RegistryRoute } from '../../distribution/route.ts';
import { formatReference } from '../../distribution/target.ts';
import type { Caller } from '../../identity/identify.ts';
import type { Decision } from '../../policy/evaluate.ts';
import type { AuditRecord } from '../../ports.ts';

/** `account`: the name that was given where nobody is known by it. */
export function who(caller: Caller | undefined, account?: string): Partial<AuditRecord> {
  if (caller === undefined) return account === undefined ? {} : { account };
  const { principal, method } = caller;
  return { account: 'name' in principal ? principal.name : '', kind: principal.kind, method };
}

/** The rule that decided, and names of shadow rules that would have decided otherwise, `further` ones among them. */
export function why(decision: Decision | undefined, further: readonly string[] = []): Partial<AuditRecord> {
  const { rule, shadow: rules = [] } = decision ?? {};
  const shadow = [...(rule === undefined ? [] : rules.map(({ name }) => name)), ...further];
  return {
    ...(rule === undefined ? {} : { rule: rule.name, source: `${rule.source.file}:${rule.source.line}` }),
    ...(shadow.length === 0 ? {} : { shadow }),
  };
}

/** The route, as far as it could be read. */
export function what(route: RegistryRoute | undefined, method: string): Partial<AuditRecord> {
  if (route === undefined) return {};
  return {
    action: routeAccess[route.kind].action,
    ...('repository' in route ? { repository: route.repository } : {}),
    ...('reference' in route ? { reference: formatReference(route.reference) } : {}),
    ...(route.kind.startsWith('upload-') ? { reference: `${method} upload` } : {}),
    ...('digest' in route ? { digest: route.digest } : {}),
  };
}
