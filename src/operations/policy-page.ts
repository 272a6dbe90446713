/** What the pages Access and Policy ask. */
import { type AccessParts, accessOperation, explainOperation } from './access.ts';
import type { Operation } from './operation.ts';
import { type PolicyFilesParts, policyOperation, reloadOperation } from './policy-files.ts';

export type PolicyPageParts = AccessParts & PolicyFilesParts;

export const policyOperations: readonly Operation<PolicyPageParts>[] = [
  explainOperation,
  accessOperation,
  policyOperation,
  reloadOperation,
];
