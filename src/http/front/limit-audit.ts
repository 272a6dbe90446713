/** What the audit log says about limits. */
import { type LimitState, tightest } from '../../limits/spend.ts';
import type { AuditRecord } from '../../ports.ts';
import type { Held } from '../../identity/login-delays.ts';

/** The limit that refused, with its place in the files. */
export function limitRule(states: readonly LimitState[]): Pick<AuditRecord, 'rule' | 'source' | 'detail'> {
  const state = tightest(states);
  if (state === undefined) return {};
  const { name, source } = state.limit;
  return { rule: name, source: `${source.file}:${source.line}`, detail: `counted for ${state.source}` };
}

/** Names of shadow limits that would have refused. */
export function shadowLimits(states: readonly LimitState[]): readonly string[] {
  return states.filter(({ limit, fits }) => limit.mode === 'shadow' && !fits).map(({ limit }) => limit.name);
}

/** By what failed logins hold somebody back. */
export function heldDetail({ by, waitMs }: Held): string {
  const what = {
    pair: 'this account from this address',
    network: 'this address',
    site: 'this /48',
    account: 'this account',
  }[by];
  return `failed logins of ${what}; ${Math.ceil(waitMs / 1000)} s left`;
}
