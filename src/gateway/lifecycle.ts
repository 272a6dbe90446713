/** From the first thing that is opened to the last one that is closed, with the drain between. */
import type { Listener } from '../http/listener.ts';
import type { Part } from './readiness.ts';

export type Lifecycle = ReturnType<typeof createLifecycle>;

const sweepMs = 500;
/** How long requests that were cut may take to be written down. */
const settleMs = 1000;

/** One for each start of a gateway; a start that fails has nothing but `closeAll` to do. */
export function createLifecycle() {
  const opened: { close(): unknown }[] = [];
  let isDraining = false;
  /** Fails from the first moment of a drain on. */
  const part: Part = {
    name: 'serving',
    health: () => (isDraining ? { ok: false, detail: 'shutting down' } : { ok: true }),
    isVital: true,
  };
  return {
    /** Notes what is to be closed at the end, and gives it back. */
    opens<Opened extends { close(): unknown }>(one: Opened): Opened {
      opened.push(one);
      return one;
    },
    /** Closes what was opened, last things first: nothing loses what it stands on. */
    async closeAll(): Promise<void> {
      for (const one of opened.splice(0).reverse()) await one.close();
    },
    isDraining: () => isDraining,
    part,
    /**
     * Stops taking requests, waits for those in flight, and cuts those that take longer than `drainMs`. `clean`: there were
     * none. What arrives in the first `leaveMs` is served: a load balancer needs a moment to see the readiness page.
     */
    async drain(
      { server, connections, settled }: Listener,
      cut: () => void,
      { leaveMs, drainMs }: { readonly leaveMs: number; readonly drainMs: number },
    ): Promise<{ readonly clean: boolean }> {
      isDraining = true;
      let clean = true;
      connections.endWithAnswers();
      const deadline = setTimeout(() => {
        clean = connections.inFlight() === 0;
        cut();
      }, drainMs);
      const servedMs = Math.min(leaveMs, drainMs);
      if (servedMs > 0) await new Promise((resolve) => setTimeout(resolve, servedMs));
      const closed = new Promise((resolve) => server.close(resolve));
      const sweep = setInterval(() => connections.endUnused(), sweepMs);
      connections.endUnused();
      await closed;
      await Promise.race([settled(), new Promise((resolve) => setTimeout(resolve, settleMs).unref())]);
      clearInterval(sweep);
      clearTimeout(deadline);
      return { clean };
    },
  };
}
