/** The policy in force, replaced whole when its files change. The last good policy stays until a better one is complete. */
import { type Problem, unplaced } from '../../document/problem.ts';
import type { Clock, PolicySource } from '../../ports.ts';
import { Runs } from '../runs.ts';
import { type LoadedPolicy, type LoadingTerms, type PolicyLoading, signPolicyFiles } from './policy-loading.ts';
import type { PolicyReview } from '../../policy/analysis/review.ts';
import { Reviews } from './policy-reviews.ts';
import { loadPolicyInThread } from './policy-thread.ts';
import { watchDirectoriesOf } from './watched-directories.ts';
import { listed } from '../../policy/describe.ts';
import type { PolicyText } from '../../policy/files/parse.ts';
import type { EpochMs } from '../../time.ts';
import { type Withdrawal, withdraw } from '../../policy/withdrawal.ts';

interface PolicyFilesOptions {
  readonly paths: readonly string[];
  readonly clock: Clock;
  /** Called after every change that was read, put into force or not. */
  readonly onReload: (result: PolicyLoading) => void;
  /** Milliseconds between looks at the files, for what no watch reports. */
  readonly pollMs?: number;
  readonly terms?: Omit<LoadingTerms, 'before'>;
}

export interface PolicyFiles extends PolicySource {
  /** Problems of the newest files, when they are not the ones in force. */
  readonly problems: () => readonly Problem[];
  readonly loaded: () => LoadedPolicy;
  /** When it was put into force: at a reload, or at the start. */
  readonly since: () => { readonly at: EpochMs; readonly by: 'start' | 'reload' };
  /** The newest files, when they are not the ones in force and could be read. */
  readonly refused: () => readonly PolicyText[] | undefined;
  /** What is to be said of the files in force: worked out once for each, in another thread. undefined: not yet. */
  readonly review: (withinMs?: number) => Promise<PolicyReview | undefined>;
  /** Reads the files now. Resolves when what they say is in force, or known to be bad. */
  reload(): Promise<void>;
  close(): void;
}

/** An editor writes a file in several steps; they are read as one. */
const settleMs = 100;
const defaultPollMs = 2000;
const maxAttempts = 5;
/** How long somebody who looks waits for what is said of the policy. */
const defaultReviewMs = 1_000;

/** Keeps the last good files in force, and looks at them at every change and every `pollMs` until `close`. */
export function followPolicyFiles(first: LoadedPolicy, options: PolicyFilesOptions): PolicyFiles {
  const { paths, clock, onReload, pollMs = defaultPollMs, terms = {} } = options;
  const inForce = new PolicyInForce(first, clock);
  const reviews = new Reviews(clock);
  let signature: string | undefined;
  let running: Promise<void> = Promise.resolve();
  let settling: NodeJS.Timeout | undefined;
  let closed = false;

  async function read(): Promise<void> {
    if (closed) return;
    const generation = await readOneGeneration(paths, clock, { ...terms, before: inForce.loaded.files });
    if (generation === undefined) return soon();
    if (closed) return;
    // What could not be read at all may be readable a moment later without looking any different (permissions).
    const isRead = generation.result.ok || generation.result.revision !== undefined;
    signature = isRead ? generation.signature : '';
    const news = inForce.take(generation.result);
    if (news !== undefined) onReload(news);
  }

  /** One reading at a time: of two that overlap the older files could be put into force last. */
  function reload(): Promise<void> {
    running = running.then(read, read);
    return running;
  }

  function soon(): void {
    clearTimeout(settling);
    settling = setTimeout(() => void reload(), settleMs).unref();
  }

  const directories = watchDirectoriesOf(paths, soon);

  const polls = new Runs(async () => {
    await directories.look();
    if (signature !== undefined && (await signPolicyFiles(paths)) !== signature) await reload();
    return pollMs;
  });

  void signPolicyFiles(paths).then((text) => (signature ??= text));
  void directories.look();
  polls.soon(pollMs);

  return {
    current: () => inForce.compiled,
    loaded: () => inForce.loaded,
    problems: () => inForce.problems,
    since: () => inForce.since,
    refused: () => inForce.refused,
    review: (withinMs = defaultReviewMs) => reviews.of(inForce.loaded, inForce.before, withinMs),
    reload,
    close() {
      closed = true;
      polls.close();
      clearTimeout(settling);
      directories.close();
    },
  };
}

/** Read while none changed: half of an old set and half of a new one is nobody's policy. undefined: no such while. */
async function readOneGeneration(
  paths: readonly string[],
  clock: Clock,
  terms: LoadingTerms,
): Promise<{ readonly result: PolicyLoading; readonly signature: string } | undefined> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const signature = await signPolicyFiles(paths);
    const result = await loadPolicyInThread(paths, clock(), terms);
    if ((await signPolicyFiles(paths)) === signature) return { result, signature };
  }
  return undefined;
}

/** Accounts that one message lists. */
const maxNamed = 100;

class PolicyInForce {
  #loaded: LoadedPolicy;
  #compiled: LoadedPolicy['compiled'];
  /** From whom something was taken. */
  #losers: readonly string[] = [];
  #problems: readonly Problem[] = [];
  #newest: string | undefined;
  #before: LoadedPolicy | undefined;
  #since: { readonly at: EpochMs; readonly by: 'start' | 'reload' };
  #refused: readonly PolicyText[] | undefined;
  readonly #clock: Clock;

  constructor(first: LoadedPolicy, clock: Clock) {
    this.#clock = clock;
    this.#since = { at: clock(), by: 'start' };
    this.#loaded = first;
    this.#compiled = first.compiled;
    this.#newest = first.revision;
  }

  /** The last good files. */
  get loaded(): LoadedPolicy {
    return this.#loaded;
  }

  get compiled(): LoadedPolicy['compiled'] {
    return this.#compiled;
  }

  /** The good files that the last reload replaced. */
  get before(): LoadedPolicy | undefined {
    return this.#before;
  }

  get since(): { readonly at: EpochMs; readonly by: 'start' | 'reload' } {
    return this.#since;
  }

  get refused(): readonly PolicyText[] | undefined {
    return this.#refused;
  }

  /** Of the newest files, when they are not the ones in force. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** What became of files that were read; undefined when that was known before. */
  take(read: PolicyLoading): PolicyLoading | undefined {
    const result = this.#takeAway(read);
    const revision = result.ok ? result.loaded.revision : result.revision;
    const problems = result.ok ? [] : result.problems;
    const isKnown = revision === undefined ? isSame(problems, this.#problems) : revision === this.#newest;
    this.#newest = revision;
    this.#problems = problems;
    this.#refused = result.ok ? undefined : result.files;
    if (isKnown) return undefined;
    if (result.ok) {
      this.#before = this.#loaded;
      this.#since = { at: this.#clock(), by: 'reload' };
      this.#loaded = result.loaded;
      this.#compiled = result.loaded.compiled;
      this.#losers = [];
    }
    return result;
  }

  /**
   * A refused edit gives nothing, not even what another one took; but what it takes from accounts is gone at once. All
   * that is gone, or why nothing is, is said among its problems.
   */
  #takeAway(result: PolicyLoading): PolicyLoading {
    if (result.ok) return result;
    const { users, robots, workloads, groups } = this.#loaded.compiled.policy;
    const accounts = [...users.values(), ...robots.values(), ...workloads.values()];
    const mapped = [...groups.values()].filter(({ from }) => from !== undefined);
    const homes = [...accounts, ...mapped].map(({ source }) => source.file);
    const { named } = result;
    const isKnown = named !== undefined && homes.every((file) => named.files.includes(file));
    const more = isKnown ? withdraw(this.#loaded.compiled, this.#compiled.policy, named.accounts) : undefined;
    if (more?.compiled !== undefined) {
      this.#compiled = more.compiled;
      this.#losers = more.losing;
    }
    const declared = new Set(accounts.map(({ name }) => name));
    const of = (names: readonly string[]): string => {
      const share = ` (${names.length} of ${accounts.length} accounts)`;
      return `${listed(names, maxNamed)}${names.every((name) => declared.has(name)) ? share : ''}`;
    };
    const gone = `what refused edits took from ${of(this.#losers)} is gone until an edit is accepted`;
    return {
      ...result,
      problems: [
        ...(this.#losers.length === 0 ? [] : [unplaced('policies', 'taken-away', gone)]),
        ...(more === undefined || more.compiled !== undefined ? [] : [notTaken(more, of(more.losing))]),
        ...(isKnown || homes.length === 0 ? result.problems : result.problems.map(withKeeping)),
      ],
    };
  }
}

/** In the last of all problems: an account that cannot be read may still be meant to be there. */
function withKeeping(problem: Problem, index: number, { length }: readonly Problem[]): Problem {
  if (index < length - 1) return problem;
  return { ...problem, message: `${problem.message}; no account loses anything by this edit, as not all can be read` };
}

function notTaken({ isOfAllAdministrators }: Withdrawal, whose: string): Problem {
  const why = isOfAllAdministrators === true ? 'and leave nobody who may administer' : 'more than leavers would be';
  const message = `this edit is refused, and nothing of it is in force: it would take something from ${whose}, ${why}`;
  const fix = 'correct the problems below; an edit that is accepted takes away all that it leaves out';
  return unplaced('policies', 'not-taken', message, fix);
}

function isSame(problems: readonly Problem[], before: readonly Problem[]): boolean {
  return JSON.stringify(problems) === JSON.stringify(before);
}
