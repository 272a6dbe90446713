/** Why a promotion did not come to its end, where it is not about rights. */
import type { RegistryFailure, WriteFailure } from '../ports.ts';

export type Fault =
  /** `detail` for operators. */
  | { readonly kind: 'registry'; readonly reason: RegistryFailure['reason'] | 'refused'; readonly detail: string }
  /** `detail` for whoever asked. */
  | { readonly kind: 'not_promotable'; readonly detail: string };

/** What the registry did, and at which step. */
export function registryFault(failure: RegistryFailure | WriteFailure, step: string): Fault {
  const said = 'detail' in failure ? `: ${failure.detail}` : '';
  return { kind: 'registry', reason: failure.reason, detail: `${step}${said}` };
}
