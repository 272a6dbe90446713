/** Loading policies in a thread of their own; the receiving side of policy-worker.ts. */
import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { unplaced } from '../../document/problem.ts';
import { compilePolicySteadily } from '../../policy/evaluate.ts';
import type { Gate, Limit, Policy, PolicyTest, Rule } from '../../policy/model.ts';
import { type LoadingTerms, type PolicyLoading, loadPolicy, shortRevision } from './policy-loading.ts';
import type { PolicyReview } from '../../policy/analysis/review.ts';
import { type ReviewTerms, reviewPolicies } from './policy-review.ts';
import type { PolicyPart, ReviewTask, WorkerMessage, WorkerTask } from './policy-worker.ts';

const workerFile = new URL('./policy-worker.js', import.meta.url);
/** Milliseconds after which a file is refused that keeps the parser busy. */
const maxLoadMs = 60_000;
const maxHeapMib = 1024;

/** As `loadPolicy`, without holding up this thread for more than a few milliseconds at a time. */
export async function loadPolicyInThread(
  paths: readonly string[],
  now: number,
  terms: LoadingTerms,
): Promise<PolicyLoading> {
  // Run from its sources (tests) the program has no compiled worker beside it.
  if (!existsSync(fileURLToPath(workerFile))) return loadPolicy(paths, now, terms);
  const workerData: WorkerTask = { paths, now, terms };
  const worker = new Worker(workerFile, { workerData, resourceLimits: { maxOldGenerationSizeMb: maxHeapMib } });
  try {
    return await receive(worker);
  } finally {
    await worker.terminate();
  }
}

/** As `reviewPolicies`, elsewhere; undefined where that took too long or failed. */
export async function reviewInThread(review: ReviewTerms): Promise<PolicyReview | undefined> {
  if (!existsSync(fileURLToPath(workerFile))) return reviewPolicies(review);
  const workerData: ReviewTask = { review };
  const worker = new Worker(workerFile, { workerData, resourceLimits: { maxOldGenerationSizeMb: maxHeapMib } });
  try {
    return await new Promise<PolicyReview | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), maxLoadMs);
      const done = (found: PolicyReview | undefined): void => {
        clearTimeout(timer);
        resolve(found);
      };
      worker.on('message', (found: PolicyReview) => done(found));
      worker.on('error', () => done(undefined));
      worker.on('exit', () => done(undefined));
    });
  } finally {
    await worker.terminate();
  }
}

function receive(worker: Worker): Promise<PolicyLoading> {
  const policy = {
    users: new Map(),
    robots: new Map(),
    workloads: new Map(),
    groups: new Map(),
    tests: [] as PolicyTest[],
    rules: [] as Rule[],
    limits: [] as Limit[],
    gates: [] as Gate[],
  } satisfies Policy;
  return new Promise((resolve) => {
    const fail = (message: string): void => {
      clearTimeout(timer);
      resolve({ ok: false, revision: undefined, problems: [unplaced('policies', 'not-loaded', message)] });
    };
    const late = `reading the policy files took longer than ${maxLoadMs / 1000} seconds`;
    const timer = setTimeout(() => fail(late), maxLoadMs);
    worker.on('error', (error) => fail(`the policy files could not be read: ${error.message}`));
    worker.on('exit', () => fail('the policy files could not be read: their thread ended'));
    worker.on('message', (message: WorkerMessage) => {
      if ('entries' in message) {
        add(message, policy[message.part]);
        // The next batch only in another turn of the event loop.
        setImmediate(() => worker.postMessage('taken'));
        return;
      }
      clearTimeout(timer);
      finish(message, policy).then(resolve, (error: unknown) =>
        fail(`the policy could not be put together: ${String(error)}`),
      );
    });
  });
}

function add({ entries }: PolicyPart, part: Map<unknown, unknown> | unknown[]): void {
  if (Array.isArray(part)) part.push(...entries);
  else for (const [name, entry] of entries as readonly (readonly [string, unknown])[]) part.set(name, entry);
}

async function finish(message: Exclude<WorkerMessage, PolicyPart>, policy: Policy): Promise<PolicyLoading> {
  if (message.part === 'problems') {
    const { problems, revision, files, texts } = message;
    return { ok: false, problems, revision, named: files && { accounts: policy, files }, files: texts };
  }
  const { testsPassed, revision, files } = message;
  const compiled = await compilePolicySteadily({ ...policy, revision: shortRevision(revision) }, () => nextTurn());
  return { ok: true, loaded: { compiled, testsPassed, revision, files } };
}
