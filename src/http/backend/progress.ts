/** Ends transfers that stopped moving. Totals are never limited: a slow layer is not a broken one. */
import type { Socket } from 'node:net';
import type { SendQueues } from '../../ports.ts';

/** One transfer under watch. Bytes only ever grow; `limitMs` may change with its phase. */
export interface Watched {
  readonly bytes: () => number;
  readonly limitMs: () => number;
  readonly sockets: () => readonly Socket[];
  readonly onStalled: () => void;
}

interface Mark {
  bytes: number;
  since: number;
  /** What its sockets had still to send when nothing had moved for a quarter of the limit. */
  queued: number | undefined;
}

/**
 * One timer for all transfers, looking every `intervalMs`. The kernel takes megabytes at once and then nothing for minutes
 * while a slow reader takes them one by one: so where no byte has moved here, its queues decide.
 */
export class ProgressWatch {
  readonly #transfers = new Map<Watched, Mark>();
  readonly #intervalMs: number;
  readonly #queues: SendQueues | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;

  constructor(intervalMs: number, queues?: SendQueues) {
    this.#intervalMs = intervalMs;
    this.#queues = queues;
  }

  get active(): number {
    return this.#transfers.size;
  }

  add(transfer: Watched): void {
    this.#transfers.set(transfer, { bytes: transfer.bytes(), since: performance.now(), queued: undefined });
    this.#timer ??= setInterval(() => this.#look(performance.now()), this.#intervalMs).unref();
  }

  remove(transfer: Watched): void {
    this.#transfers.delete(transfer);
    if (this.#transfers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(now: number): void {
    let isAsked = false;
    for (const [transfer, watched] of this.#transfers) {
      const bytes = transfer.bytes();
      if (bytes !== watched.bytes) Object.assign(watched, { bytes, since: now, queued: undefined });
      const idleMs = now - watched.since;
      if (idleMs >= transfer.limitMs() / (watched.queued === undefined ? 4 : 1)) isAsked = true;
    }
    if (isAsked && !this.#isReading) void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#isReading = true;
    const queuedOf = await this.#queues?.read();
    this.#isReading = false;
    const now = performance.now();
    for (const [transfer, watched] of [...this.#transfers]) {
      if (transfer.bytes() !== watched.bytes) continue;
      const queued = transfer.sockets().reduce((sum, socket) => sum + (queuedOf?.(socket) ?? 0), 0);
      const idleMs = now - watched.since;
      if (watched.queued === undefined) {
        if (idleMs >= transfer.limitMs() / 4) watched.queued = queued;
      } else if (queued < watched.queued) Object.assign(watched, { since: now, queued });
      else if (idleMs >= transfer.limitMs()) {
        this.remove(transfer);
        transfer.onStalled();
      }
    }
  }
}

/** Bytes that really went over a socket; what waits in its buffer has not moved. */
export function movedBytes(socket: Socket | undefined | null): number {
  return socket ? socket.bytesRead + socket.bytesWritten - socket.writableLength : 0;
}
