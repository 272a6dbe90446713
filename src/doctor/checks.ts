/** Every check, by its number. */
import { accountCheck } from './accounts.ts';
import { addressChecks } from './addresses.ts';
import { certificateCheck } from './certificate.ts';
import type { Check } from './check.ts';
import { clockCheck } from './clocks.ts';
import { exposureCheck } from './exposure.ts';
import { fileChecks } from './files.ts';
import { frontChecks } from './front.ts';
import { keyCheck } from './keys.ts';
import { loginCheck } from './login.ts';
import { machineChecks } from './machine.ts';
import { programChecks } from './program.ts';
import { registryWriteCheck } from './registry-write.ts';
import { registryChecks } from './registry.ts';
import { replicaChecks } from './replicas.ts';
import { ruleCheck } from './rules.ts';
import { storeCheck } from './store.ts';

/** In the order of their numbers, which stay as they are: people and scripts name them. */
export const allChecks: readonly Check[] = [
  ...programChecks,
  ...fileChecks,
  ...addressChecks,
  ...frontChecks,
  certificateCheck,
  ...registryChecks,
  exposureCheck,
  registryWriteCheck,
  storeCheck,
  clockCheck,
  ...replicaChecks,
  keyCheck,
  ...machineChecks,
  accountCheck,
  ruleCheck,
  loginCheck,
].sort((left, right) => left.number - right.number);
