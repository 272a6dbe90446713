/** What single secrets of a robot may do, for a person and for scripts. */
import { describeSecret } from '../policy/secret-reach.ts';
import type { SecretReach } from '../policy/secret-reach.ts';

/** `k3v9x2ma (pull in integration/**, for ever): no, actions: pull do not include push`. */
export function describeReach({ token, allowed, only, why }: SecretReach): string {
  const halves = only === undefined ? 'yes' : only === 'create' ? 'new tags only' : 'existing tags only';
  return `${token.id} (${describeSecret(token)}): ${allowed ? halves : `no, ${why ?? ''}`}`;
}

/** As `explain --json` and `access --json` print it; what is absent is null. */
export function secretToJson({ token: { id, source }, allowed, only, why }: SecretReach): unknown {
  return { id, file: source.file, line: source.line, allowed, only: only ?? null, why: why ?? null };
}
