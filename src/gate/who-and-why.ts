/** What the log says of who asked, and of the rule that decided. */
import { type Caller, secretIdOf } from '../identity/identify.ts';
import type { Decision } from '../policy/evaluate.ts';
import type { Principal } from '../policy/model.ts';
import { formatOutsideGroup } from '../policy/outside.ts';
import type { AuditRecord } from '../ports.ts';

/** `account`: the name that was given where nobody is known by it. */
export function who(caller: Caller | undefined, account?: string): Partial<AuditRecord> {
  if (caller === undefined) return account === undefined ? {} : { account };
  const { principal, method, evidence, ownToken } = caller;
  const facts = { ...personFacts(principal), method, secret: secretIdOf(caller), reach: ownToken?.reach };
  const session = sessionOf(caller);
  if (evidence === undefined) return { ...facts, session };
  return { ...facts, session, issuer: evidence.issuer, claims: evidence.claims };
}

/** None for what a secret stands behind: that has an id of its own. */
function sessionOf(caller: Pick<Caller, 'claims' | 'sessionId' | 'robotToken' | 'ownToken'>): string | undefined {
  if (caller.robotToken !== undefined || caller.ownToken !== undefined) return undefined;
  return caller.sessionId ?? caller.claims?.sessionId;
}

/** Whom the log names, with the groups that the source of somebody outside the policy files told. */
export function personFacts(principal: Principal): Pick<AuditRecord, 'account' | 'kind' | 'outside' | 'groups'> {
  if (!('name' in principal)) return { account: '', kind: principal.kind };
  const { name: account, kind, outside } = principal;
  if (outside === undefined) return { account, kind };
  return {
    account,
    kind,
    outside: outside.source,
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
