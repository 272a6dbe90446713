/**
 * The thread that reads changed policy files: five thousand rules take the YAML parser half a second, and a hostile file
 * takes longer. Sends the policy in small batches, each only after the one before was taken, so that receiving them
 * never holds up a request.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { byName } from '../../policy/evaluate.ts';
import type { Policy } from '../../policy/model.ts';
import type { PolicyText } from '../../policy/files/parse.ts';
import type { Problem } from '../../document/problem.ts';
import { batches } from '../runs.ts';
import { type LoadingTerms, loadPolicy } from './policy-loading.ts';
import { type ReviewTerms, reviewPolicies } from './policy-review.ts';

export interface WorkerTask {
  readonly paths: readonly string[];
  readonly now: number;
  readonly terms: LoadingTerms;
}

/** A batch of what one part of a policy holds; of a map the entries are pairs. */
export interface PolicyPart {
  readonly part: Exclude<keyof Policy, 'formerEntries' | 'revision'>;
  readonly entries: readonly unknown[];
}

export type WorkerMessage =
  | PolicyPart
  | {
      readonly part: 'end';
      readonly testsPassed: number;
      readonly revision: string;
      readonly files: readonly PolicyText[];
    }
  | {
      readonly part: 'problems';
      readonly problems: readonly Problem[];
      readonly revision: string | undefined;
      /** Present when the accounts were sent before. */
      readonly files: readonly string[] | undefined;
      readonly texts: readonly PolicyText[] | undefined;
    };

/** Posted as it is, and nothing else. */
export interface ReviewTask {
  readonly review: ReviewTerms;
}

const batchSize = 200;
const accountParts = ['users', 'robots', 'workloads', 'groups'] as const;
/** All that is no account, in the order of sending: what is left out would be gone after the first edit. */
const otherParts: Readonly<Record<Exclude<PolicyPart['part'], (typeof accountParts)[number]>, true>> = {
  tests: true,
  limits: true,
  gates: true,
  rules: true,
};

async function work(port: MessagePort, { paths, now, terms }: WorkerTask): Promise<void> {
  const send = async (message: WorkerMessage): Promise<void> => {
    const taken = new Promise((resolve) => port.once('message', resolve));
    port.postMessage(message);
    await taken;
  };
  const sendParts = async (policy: Partial<Policy>, parts: readonly PolicyPart['part'][]): Promise<void> => {
    for (const part of parts) {
      for (const entries of batches([...(policy[part] ?? [])], batchSize)) await send({ part, entries });
    }
  };
  const loading = await loadPolicy(paths, now, terms);
  if (!loading.ok) {
    const { revision, named } = loading;
    if (named !== undefined) await sendParts(named.accounts, accountParts);
    const problems = loading.problems.slice(0, 100);
    await send({ part: 'problems', problems, revision, files: named?.files, texts: loading.files });
    return;
  }
  const { compiled, testsPassed, revision, files } = loading.loaded;
  // Sorted here: on the receiving side the sort finds nothing left to do.
  const policy = { ...compiled.policy, rules: compiled.policy.rules.toSorted(byName) };
  await sendParts(policy, [...accountParts, ...(Object.keys(otherParts) as (keyof typeof otherParts)[])]);
  await send({ part: 'end', testsPassed, revision, files });
}

if (parentPort !== null) {
  const port = parentPort;
  const task = workerData as WorkerTask | ReviewTask;
  if ('review' in task) port.postMessage(reviewPolicies(task.review));
  else await work(port, task);
  port.close();
}
