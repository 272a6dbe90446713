/** What single secrets of a robot may do, for a person and for scripts. */
import { type SecretReach, describeSecret } from '../policy/secret-reach.ts';
import { placeInJson } from './report.ts';

/** `k3v9x2ma (pull in integration/**, for ever): no, actions: pull do not include push`. */
export function describeReach({ token, allowed, only, why }: SecretReach): string {
  const halves = only === undefined ? 'yes' : only === 'create' ? 'new tags only' : 'existing tags only';
  return `${token.id} (${describeSecret(token)}): ${allowed ? halves : `no, ${why ?? ''}`}`;
}

/** As `explain --json` and `access --json` print it; what is absent is null. */
export function secretToJson({ token, allowed, only, why }: SecretReach): unknown {
  return { id: token.id, ...placeInJson(token), allowed, only: only ?? null, why: why ?? null };
}
