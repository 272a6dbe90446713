/** Who vouches for accounts beside the policy files, and whether they answer. */
import type { IssuerKeys } from '../identity/issuer-keys.ts';
import type { Policy } from '../policy/model.ts';
import type { LoginSource } from './watched.ts';

/** The issuers that workloads name now and that were asked. One by several authorities or files is up when all are. */
export function issuersOf({ workloads }: Policy, keys: Pick<IssuerKeys, 'isReadable'>): readonly LoginSource[] {
  const found = new Map<string, boolean>();
  for (const workload of workloads.values()) {
    const isUp = keys.isReadable(workload);
    if (isUp !== undefined) found.set(workload.issuer, isUp && found.get(workload.issuer) !== false);
  }
  return [...found].map(([name, isUp]) => ({ name, isUp }));
}
