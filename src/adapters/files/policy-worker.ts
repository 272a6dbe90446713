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
import { batches } from '../batches.ts';
import { loadPolicy } from './policy-loading.ts';

export interface WorkerTask {
  readonly paths: readonly string[];
  readonly now: number;
  readonly before: readonly PolicyText[];
}

/** One part of a policy; `entries` of a map are pairs. */
export type PolicyPart =
  | { readonly part: 'rules'; readonly entries: Policy['rules'] }
  | { readonly part: 'tests'; readonly entries: Policy['tests'] }
  | { readonly part: 'limits'; readonly entries: Policy['limits'] }
  | {
      readonly part: 'users' | 'robots' | 'workloads' | 'groups';
      readonly entries: readonly (readonly [string, unknown])[];
    };

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
    };

const batchSize = 200;

async function work(port: MessagePort, { paths, now, before }: WorkerTask): Promise<void> {
  const send = async (message: WorkerMessage): Promise<void> => {
    const taken = new Promise((resolve) => port.once('message', resolve));
    port.postMessage(message);
    await taken;
  };
  const sendMaps = async (maps: Partial<Policy>): Promise<void> => {
    for (const part of ['users', 'robots', 'workloads', 'groups'] as const) {
      for (const entries of batches([...(maps[part] ?? [])], batchSize)) await send({ part, entries });
    }
  };
  const loading = await loadPolicy(paths, now, before);
  if (!loading.ok) {
    const { revision, named } = loading;
    if (named !== undefined) await sendMaps(named.accounts);
    await send({ part: 'problems', problems: loading.problems.slice(0, 100), revision, files: named?.files });
    return;
  }
  const { compiled, testsPassed, revision, files } = loading.loaded;
  const { tests, rules, limits } = compiled.policy;
  await sendMaps(compiled.policy);
  for (const entries of batches(tests, batchSize)) await send({ part: 'tests', entries });
  for (const entries of batches(limits, batchSize)) await send({ part: 'limits', entries });
  // Sorted here: on the receiving side the sort finds nothing left to do.
  for (const entries of batches(rules.toSorted(byName), batchSize)) await send({ part: 'rules', entries });
  await send({ part: 'end', testsPassed, revision, files });
}

if (parentPort !== null) {
  const port = parentPort;
  await work(port, workerData as WorkerTask);
  port.close();
}
