/** Several servers that hold the same, asked in order until one answers. */
import { within } from '../../time.ts';
import type { ServerLink } from './server.ts';
import type { Deadline, Trouble } from './wire.ts';

/** For all that is asked of one server. */
const serverMs = 3000;
/** For all servers together. */
const allMs = 10_000;
/** One that did not answer is asked last for so long: nobody else waits for it in vain. */
const restMs = 30_000;
const lookMs = 15_000;
const firstLookMs = 2000;

/** None could say anything, and why; `isTheirs` as of a trouble. */
export interface Away {
  readonly ok: false;
  readonly away: string;
  readonly isTheirs: boolean;
}

type Looking = (link: ServerLink, deadline: Deadline) => Promise<{ readonly ok: true } | Trouble>;

/** `look` is the smallest question, asked when nobody asks anything else. */
export function createServers(links: readonly ServerLink[], look: Looking) {
  const resting = new Map<ServerLink, { readonly until: number; readonly detail: string }>();
  let last: { readonly at: number; readonly away?: string } = { at: -Infinity, away: 'was not asked yet' };

  const inOrder = (): readonly ServerLink[] => {
    const now = performance.now();
    const isResting = (link: ServerLink): boolean => (resting.get(link)?.until ?? 0) > now;
    return [...links.filter((link) => !isResting(link)), ...links.filter(isResting)];
  };

  /** What the first server says that can say something. */
  async function ask<T extends object>(
    step: (link: ServerLink, deadline: Deadline) => Promise<T | Trouble>,
  ): Promise<T | Away> {
    const end = performance.now() + allMs;
    const troubles: string[] = [];
    let isTheirs = true;
    for (const link of inOrder()) {
      const now = performance.now();
      if (now >= end) break;
      const answer = await step(link, Math.min(now + serverMs, end));
      if (!('why' in answer)) {
        resting.delete(link);
        last = { at: performance.now() };
        return answer;
      }
      const detail = `${link.url} ${answer.detail}`;
      if (answer.isTheirs !== true) {
        resting.set(link, { until: performance.now() + restMs, detail });
        isTheirs = false;
      }
      troubles.push(detail);
    }
    const away = troubles.join('; ');
    last = { at: performance.now(), away };
    return { ok: false, away, isTheirs: isTheirs && troubles.length > 0 };
  }

  const lookAgain = async (): Promise<void> => void (await ask(look));
  const timer = setInterval(() => {
    if (performance.now() - last.at >= lookMs / 2) void lookAgain();
  }, lookMs).unref();

  return {
    ask,
    async firstLook(): Promise<void> {
      await within(firstLookMs, lookAgain(), undefined);
    },
    health(): { readonly ok: boolean; readonly detail: string } {
      if (last.away !== undefined) return { ok: false, detail: last.away };
      const now = performance.now();
      const troubles = [...resting.values()].filter(({ until }) => until > now).map(({ detail }) => detail);
      return { ok: true, detail: troubles.join('; ') };
    },
    close(): void {
      clearInterval(timer);
      for (const link of links) link.close();
    },
  };
}
