/**
 * Memory of bytes on their way through, freed without waiting for a garbage collection, which sees only small handles. For
 * each read node:net allocates 64 KiB, and node:http copies the body out of it into as much again. CPU seconds of a pull
 * and of a push of 1 GB (least and median of ten), and what 200 slow pulls and 200 slow pushes add to resident memory:
 *
 *              pull          push          memory
 *   Node 20    0.75  1.03    0.64  0.90     55 MB
 *   … off      0.87  2.44    0.69  1.71    127 MB
 *   Node 24    0.57  0.70    0.58  0.66     65 MB
 *   … off      1.58  1.72    1.07  1.27    163 MB
 */
import type { Duplex, Writable } from 'node:stream';

export interface PassingMemory {
  /** Frees what `socket` reads as soon as node:http has looked at it. To be called once, before the first read. */
  follow(socket: Duplex): void;
  /**
   * False for a body chunk that lies in the memory of a read, which is freed. No node:http gives such chunks; should one
   * begin to, nothing is freed any more from the first of them on.
   */
  isSafe(chunk: Uint8Array): boolean;
  /**
   * Frees the memory of a chunk that nobody will look at any more. Only for chunks of a body that node:http gave out: each
   * of them has its memory for itself. Others are left alone.
   */
  readonly release: (chunk: Uint8Array<ArrayBuffer>) => void;
}

/** For one backend. Without `isOn` nothing is freed by hand. */
export function createPassingMemory(isOn = true): PassingMemory {
  /** Of reads that are not freed yet. */
  const reads = new Set<ArrayBufferLike>();
  const free = freeing();
  let isFreed = isOn;
  const release = (chunk: Uint8Array<ArrayBuffer>): void => {
    const { buffer, byteLength } = chunk;
    if (isFreed && byteLength > 0 && byteLength === buffer.byteLength) free(buffer);
  };
  const releaseRead = (read: Buffer<ArrayBuffer>): void => {
    reads.delete(read.buffer);
    release(read);
  };
  return {
    follow(socket) {
      if (!isFreed) return;
      socket.on('data', (read: Buffer<ArrayBuffer>) => {
        if (!isFreed) return;
        reads.add(read.buffer);
        // When every listener has had it, in whatever order they are.
        process.nextTick(releaseRead, read);
      });
    },
    isSafe(chunk) {
      if (!isFreed || (chunk.length > 0 && !reads.has(chunk.buffer))) return true;
      isFreed = false;
      return false;
    },
    release,
  };
}

/** From Node 22 on the language has a word for it. Before, what is handed to a closed port is gone (HTML, "message port post message steps"). */
function freeing(): (buffer: ArrayBuffer) => void {
  if ('transfer' in ArrayBuffer.prototype)
    return (buffer) => void (buffer as ArrayBuffer & { transfer(length: number): ArrayBuffer }).transfer(0);
  const { port1: nowhere } = new MessageChannel();
  nowhere.close();
  return (buffer) => nowhere.postMessage(undefined, [buffer]);
}

/** Calls `written` with each chunk that a pipe has written to `stream`, when it has left this process. */
export function onWritten(stream: Writable, written: (chunk: Buffer<ArrayBuffer>) => void): void {
  const write = stream.write.bind(stream) as (chunk: Buffer, done: (error?: Error | null) => void) => boolean;
  stream.write = (chunk: Buffer<ArrayBuffer>) => write(chunk, (error) => void (error || written(chunk)));
}
