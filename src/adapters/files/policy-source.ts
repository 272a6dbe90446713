/** The policy in force, replaced whole when its files change. The last good policy stays until a better one is complete. */
import type { Problem } from '../../document/problem.ts';
import type { Clock, PolicySource } from '../../ports.ts';
import { signPolicyFiles } from './policy-files.ts';
import type { LoadedPolicy, PolicyLoading } from './policy-loading.ts';
import { loadPolicyInThread } from './policy-thread.ts';
import { watchDirectoriesOf } from './watched-directories.ts';
import { withdraw } from '../../policy/withdrawal.ts';
import { listed } from '../../policy/describe.ts';

export interface PolicyFilesOptions {
  readonly paths: readonly string[];
  readonly clock: Clock;
  /** Called after every change that was read, put into force or not. */
  readonly onReload: (result: PolicyLoading) => void;
  /** Milliseconds between looks at the files, for what no watch reports. */
  readonly pollMs?: number;
}

export interface PolicyFiles extends PolicySource {
  /** Problems of the newest files, when they are not the ones in force. */
  readonly problems: () => readonly Problem[];
  readonly loaded: () => LoadedPolicy;
  /** Reads the files now. Resolves when what they say is in force, or known to be bad. */
  reload(): Promise<void>;
  close(): void;
}

/** An editor writes a file in several steps; they are read as one. */
const settleMs = 100;
const defaultPollMs = 2000;
const maxAttempts = 5;
/** Accounts that one message lists. */
const maxNamed = 100;

/** Keeps the last good files in force, and looks at them at every change and every `pollMs` until `close`. */
export function followPolicyFiles(first: LoadedPolicy, options: PolicyFilesOptions): PolicyFiles {
  const { paths, clock, onReload, pollMs = defaultPollMs } = options;
  let loaded = first;
  /** The last good policy, without what a refused edit took away since. */
  let inForce = first.compiled;
  /** From whom it was taken. */
  let losers: readonly string[] = [];
  let problems: readonly Problem[] = [];
  let newest: string | undefined = first.revision;
  let signature: string | undefined;
  let running: Promise<void> = Promise.resolve();
  let settling: NodeJS.Timeout | undefined;
  const directories = watchDirectoriesOf(paths, soon);
  let closed = false;

  async function read(): Promise<void> {
    if (closed) return;
    const read = await readOneGeneration();
    if (read === undefined) return soon();
    const result = takeAway(read);
    const revision = result.ok ? result.loaded.revision : result.revision;
    const isNews = revision === undefined ? !sameProblems(result, problems) : revision !== newest;
    newest = revision;
    problems = result.ok ? [] : result.problems;
    if (!isNews || closed) return;
    if (result.ok) {
      loaded = result.loaded;
      inForce = loaded.compiled;
      losers = [];
    }
    onReload(result);
  }

  /**
   * A refused edit gives nothing, not even what another one took; but what it takes from accounts is gone at once. All
   * that is gone, or why nothing is, is said among its problems.
   */
  function takeAway(result: PolicyLoading): PolicyLoading {
    if (result.ok) return result;
    const { users, robots, workloads } = loaded.compiled.policy;
    const homes = [...users.values(), ...robots.values(), ...workloads.values()].map(({ source }) => source.file);
    if (homes.length === 0) return result;
    const { named } = result;
    const isKnown = named !== undefined && homes.every((file) => named.files.includes(file));
    const more = isKnown ? withdraw(loaded.compiled, inForce.policy, named.accounts) : undefined;
    if (more?.compiled !== undefined) {
      inForce = more.compiled;
      losers = more.losing;
    }
    const of = (names: readonly string[]): string =>
      `${listed(names, maxNamed)} (${names.length} of ${homes.length} accounts)`;
    const gone = `what refused edits took from ${of(losers)} is gone until an edit is accepted`;
    return {
      ...result,
      problems: [
        ...(losers.length === 0 ? [] : [said('taken-away', gone)]),
        ...(more === undefined || more.compiled !== undefined ? [] : [said('not-taken', tooMany(of(more.losing)))]),
        ...(isKnown ? result.problems : result.problems.map(withKeeping)),
      ],
    };
  }

  /**
   * What the files say, read while none of them changed: half of an old set and half of a new one is nobody's policy.
   * undefined when they keep changing.
   */
  async function readOneGeneration(): Promise<PolicyLoading | undefined> {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const before = await signPolicyFiles(paths);
      const result = await loadPolicyInThread(paths, clock(), loaded.files);
      if ((await signPolicyFiles(paths)) !== before) continue;
      // What could not be read at all may be readable a moment later without looking any different (permissions).
      const isRead = result.ok || result.revision !== undefined;
      signature = isRead ? before : '';
      return result;
    }
    return undefined;
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

  let polling = false;

  async function poll(): Promise<void> {
    if (polling) return;
    polling = true;
    try {
      await directories.look();
      if (signature !== undefined && (await signPolicyFiles(paths)) !== signature) await reload();
    } finally {
      polling = false;
    }
  }

  void signPolicyFiles(paths).then((text) => (signature ??= text));
  void directories.look();
  const timer = setInterval(() => void poll(), pollMs).unref();

  return {
    current: () => inForce,
    loaded: () => loaded,
    problems: () => problems,
    reload,
    close() {
      closed = true;
      clearInterval(timer);
      clearTimeout(settling);
      directories.close();
    },
  };
}

function sameProblems(result: PolicyLoading, before: readonly Problem[]): boolean {
  return !result.ok && JSON.stringify(result.problems) === JSON.stringify(before);
}

/** In the last of all problems: an account that cannot be read may still be meant to be there. */
function withKeeping(problem: Problem, index: number, { length }: readonly Problem[]): Problem {
  if (index < length - 1) return problem;
  return { ...problem, message: `${problem.message}; no account loses anything by this edit, as not all can be read` };
}

function tooMany(whose: string): string {
  return `nothing is taken by this edit: without something would be ${whose}, and so many must be a mistake`;
}

function said(code: string, message: string): Problem {
  return { file: 'policies', line: 0, column: 0, code, message };
}
