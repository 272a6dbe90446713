/** Ends transfers that stopped moving. Totals are never limited: a slow layer is not a broken one. */
import type { Socket } from 'node:net';

/** One transfer under watch. Bytes only ever grow; `limitMs` may change with its phase. */
export interface Transfer {
  readonly bytes: () => number;
  readonly limitMs: () => number;
  readonly onStalled: () => void;
}

interface Watched {
  bytes: number;
  since: number;
}

/** One timer for all transfers, looking every `intervalMs`. */
export class ProgressWatch {
  readonly #transfers = new Map<Transfer, Watched>();
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  get active(): number {
    return this.#transfers.size;
  }

  add(transfer: Transfer): void {
    this.#transfers.set(transfer, { bytes: transfer.bytes(), since: performance.now() });
    this.#timer ??= setInterval(() => this.#look(performance.now()), this.#intervalMs).unref();
  }

  remove(transfer: Transfer): void {
    this.#transfers.delete(transfer);
    if (this.#transfers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(now: number): void {
    for (const [transfer, watched] of this.#transfers) {
      const bytes = transfer.bytes();
      if (bytes !== watched.bytes) {
        watched.bytes = bytes;
        watched.since = now;
      } else if (now - watched.since >= transfer.limitMs()) {
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
