/**
 * Memory of bytes on their way through. Left to itself, node:net allocates 64 KiB for each read, and node:http copies the
 * body out of it into as much again. Both wait for a garbage collection that sees only their small handles: hundreds of
 * transfers hold tens of megabytes that nobody needs.
 */
import type { OnReadOpts } from 'node:net';
import type { Duplex, Writable } from 'node:stream';

/** Bytes that one read may bring. */
const size = 65_536;
/** Kept for sockets to come. */
const maxFree = 64;

export interface ReadBuffers {
  /** Opens a socket for node:http that reads into one buffer all its life. `open` passes `onread` to net or tls. */
  connect<S extends Duplex | null | undefined>(open: (onread: OnReadOpts) => S): S;
  /**
   * False for a body chunk that lies in the buffer of its socket, where the next read writes over it. No node:http gives
   * such chunks; should one begin to, buffers are not used again from the first of them on.
   */
  isSafe(chunk: Uint8Array): boolean;
  /**
   * Frees the memory of a chunk that nobody will look at any more, without waiting for a collection. Only for chunks of a
   * body that node:http gave out: each of them has its memory for itself. Others are left alone.
   */
  readonly release: (chunk: Uint8Array<ArrayBuffer>) => void;
}

/** For one backend: its sockets share the free ones. */
export function createReadBuffers(): ReadBuffers {
  const free: Buffer[] = [];
  const ours = new WeakSet<ArrayBufferLike>();
  let bodiesAreCopies = true;
  /** What is handed over to a port that is closed is gone (HTML, message port post message steps). */
  const { port1: nowhere } = new MessageChannel();
  nowhere.close();

  function take(): Buffer {
    const buffer = free.pop() ?? Buffer.allocUnsafeSlow(size);
    ours.add(buffer.buffer);
    return buffer;
  }

  return {
    connect(open) {
      let buffer = take();
      const socket = open({
        buffer: () => buffer,
        callback(length) {
          const read = buffer.subarray(0, length);
          if (!bodiesAreCopies) buffer = take();
          // What a socket that reads by itself does; node:http listens for nothing else.
          socket?.emit('data', read);
          return true;
        },
      });
      socket?.once('close', () => void (bodiesAreCopies && free.length < maxFree && free.push(buffer)));
      return socket;
    },
    isSafe(chunk) {
      if (!ours.has(chunk.buffer)) return true;
      if (bodiesAreCopies) free.length = 0;
      bodiesAreCopies = false;
      return false;
    },
    release(chunk) {
      const { buffer } = chunk;
      if (chunk.byteLength === buffer.byteLength && !ours.has(buffer)) nowhere.postMessage(undefined, [buffer]);
    },
  };
}

/** Calls `written` with each chunk that a pipe has written to `stream`. */
export function onWritten(stream: Writable, written: (chunk: Buffer<ArrayBuffer>) => void): void {
  const write = stream.write.bind(stream) as (chunk: Buffer, done: (error?: Error | null) => void) => boolean;
  stream.write = (chunk: Buffer<ArrayBuffer>) => write(chunk, (error) => void (error || written(chunk)));
}
