/** What the last calls came to: Redis can be connected and refuse, and which calls it refuses differs. */

export interface Outcomes {
  succeeded(script: string): void;
  failed(script: string, error: unknown): void;
  /** Everything that the gateway needs was just done: what was refused for a reason that holds for all calls is over. */
  proved(): void;
  /** Of what failed last and has not succeeded since, in Redis' own words; undefined while all is well. */
  readonly problem: () => string | undefined;
}

/** A lack of rights can be one key's or one command's; it counts for so long after it was last seen. */
const rightsMs = 60_000;

/** `now`: milliseconds that only grow. */
export function createOutcomes(now: () => number): Outcomes {
  const refusals = new Map<string, { readonly words: string; readonly at: number }>();
  let silence: string | undefined;
  return {
    succeeded(script) {
      refusals.delete(script);
      silence = undefined;
    },
    failed(script, error) {
      const words = wordsOf(error);
      // Only the server's own replies say why; the rest is the connection's.
      if (error instanceof Error && error.name === 'ReplyError') refusals.set(script, { words, at: now() });
      else silence = words;
    },
    proved() {
      for (const [script, { words, at }] of refusals)
        if (!isAboutRights(words) || now() - at >= rightsMs) refusals.delete(script);
    },
    problem: () => [...refusals.values()].at(-1)?.words ?? silence,
  };
}

/** Without what Redis adds for the authors of scripts. */
export function wordsOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/,? script: [0-9a-f]{40}.*$/s, '');
}

function isAboutRights(words: string): boolean {
  return /NOPERM|permission/i.test(words);
}
