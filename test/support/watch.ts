/** Waiting for what changes, without asking in between. */

export interface Watch {
  /** Whoever waits looks again. */
  readonly changed: () => void;
  /** Resolves once `holds` is true. Rejects after half a minute. */
  readonly until: (holds: () => boolean, what: string) => Promise<void>;
}

/** `seen`: what came instead, for the error. */
export function createWatch(seen?: () => string): Watch {
  const watchers = new Set<() => void>();
  return {
    changed: () => watchers.forEach((watcher) => watcher()),
    until: (holds, what) =>
      new Promise((resolve, reject) => {
        const settle = (outcome: () => void): void => {
          clearTimeout(timer);
          watchers.delete(check);
          outcome();
        };
        const check = (): void => {
          if (holds()) settle(resolve);
        };
        const late = (): Error =>
          new Error(`ran out of time before ${what}${seen === undefined ? '' : `; received: ${seen()}`}`);
        const timer = setTimeout(() => settle(() => reject(late())), 30_000);
        watchers.add(check);
        check();
      }),
  };
}
