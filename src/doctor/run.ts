/** Runs checks at once, each for so long; one that is slow or broken is a finding of its own. */
import { type Check, type Outcome, type State, fail, skip } from './check.ts';
import type { Context } from './context.ts';
import { within } from '../time.ts';

export interface Finding extends Outcome {
  readonly number: number;
  readonly name: string;
}

/** In the order of their numbers. Never rejects, and takes `deadlineMs` at most. */
export async function runChecks(
  checks: readonly Check[],
  context: Context,
  deadlineMs: number,
): Promise<readonly Finding[]> {
  const find = async (check: Check): Promise<Finding> => ({
    number: check.number,
    name: check.name,
    ...(await inTime(check, context, deadlineMs)),
  });
  const findings: Finding[] = [];
  for (const check of checks.filter(({ isAlone }) => isAlone === true)) findings.push(await find(check));
  const others = checks.filter(({ isAlone }) => isAlone !== true).map(find);
  return [...findings, ...(await Promise.all(others))].toSorted((left, right) => left.number - right.number);
}

/** Whether nothing failed. */
export function isWell(findings: readonly { readonly state: State }[]): boolean {
  return findings.every(({ state }) => state !== 'FAIL');
}

async function inTime(check: Check, context: Context, deadlineMs: number): Promise<Outcome> {
  const beyond = check.asks?.(context).find((url) => !context.mayReach(url));
  if (beyond !== undefined) return skip(`--offline: ${hostOf(beyond)} is not this machine`);
  const found = `no result within ${deadlineMs / 1000} s`;
  const late = fail(found, `run it alone: portcullis doctor --only ${check.number}`);
  try {
    return await within(deadlineMs, Promise.resolve(check.run(context)), late);
  } catch (error) {
    return fail(`it cannot be looked at: ${error instanceof Error ? error.message : String(error)}`, asItsUser);
  }
}

/** What is thrown says that this user may not look, as a rule. */
const asItsUser = 'run doctor as the user of the gateway';

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
