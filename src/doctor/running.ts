/** What the gateway that runs says of itself, which it knows better than whoever looks from outside. */
import type { Failure } from '../ports/doctor.ts';
import { type Outcome, fail } from './check.ts';
import { type Context, isFailure } from './context.ts';

/** What it cannot do of these parts; nothing where it does not answer. */
export async function troublesOf(
  { gateway }: Context,
  parts: readonly string[],
  fix: string,
): Promise<readonly Outcome[]> {
  const troubles = await gateway.troubles();
  if (isFailure(troubles)) return [];
  return troubles
    .filter(({ name }) => parts.includes(name))
    .map(({ name, detail }) => fail(`the running gateway says of ${name}: ${detail}`, fix));
}

/** Of its metrics one without labels; undefined where it does not say. */
export function metricOf(metrics: string | Failure, name: string): number | undefined {
  const value = isFailure(metrics) ? undefined : new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1];
  return value === undefined ? undefined : Number(value);
}
