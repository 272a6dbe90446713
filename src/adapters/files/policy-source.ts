/** The policy in force, replaced whole when its files change. The last good policy stays until a better one is complete. */
import type { Problem } from '../../document/problem.ts';
import type { Clock, PolicySource } from '../../ports.ts';
import { Runs } from '../runs.ts';
import { signPolicyFiles } from './policy-files.ts';
import { PolicyInForce } from './policy-in-force.ts';
import type { LoadedPolicy, PolicyLoading } from './policy-loading.ts';
import { loadPolicyInThread } from './policy-thread.ts';
import { watchDirectoriesOf } from './watched-directories.ts';

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

/** Keeps the last good files in force, and looks at them at every change and every `pollMs` until `close`. */
export function followPolicyFiles(first: LoadedPolicy, options: PolicyFilesOptions): PolicyFiles {
  const { paths, clock, onReload, pollMs = defaultPollMs } = options;
  const inForce = new PolicyInForce(first);
  let signature: string | undefined;
  let running: Promise<void> = Promise.resolve();
  let settling: NodeJS.Timeout | undefined;
  let closed = false;

  async function read(): Promise<void> {
    if (closed) return;
    const generation = await readOneGeneration(paths, clock, inForce.loaded.files);
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
  known: LoadedPolicy['files'],
): Promise<{ readonly result: PolicyLoading; readonly signature: string } | undefined> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const signature = await signPolicyFiles(paths);
    const result = await loadPolicyInThread(paths, clock(), known);
    if ((await signPolicyFiles(paths)) === signature) return { result, signature };
  }
  return undefined;
}
