/** What is to be known of a gateway whose tokens a registry verifies by itself. */
import type { Config } from '../config/load.ts';
import { bindsWithinSeconds } from '../policy/binds-within.ts';
import type { Part } from './readiness.ts';

/** None where requests pass through the gateway. */
export function tokenModePart({ enforce, tokens }: Pick<Config, 'enforce' | 'tokens'>): readonly Part[] {
  if (enforce === 'proxy') return [];
  const detail = `the registry verifies tokens itself: edits and revocations bind within ${bindsWithinSeconds(tokens.accessTtlSeconds)} s`;
  return [{ name: 'token mode', health: () => ({ ok: true, detail }) }];
}
