/** A client that takes little: raw sockets that read into one buffer and drop what nobody asked to keep. Loopback only. */
import { connect } from 'node:net';
import { percentile } from './statistics.mjs';

const host = '127.0.0.1';
/** Of all connections: what was read is used before the next read. */
const buffer = Buffer.allocUnsafe(1 << 20);
const headEnd = Buffer.from('\r\n\r\n');

/**
 * @typedef {{ method?: string, path: string, headers?: Record<string, string>, body?: Buffer | string, keep?: boolean }} Asked
 * @typedef {{ status: number, head: string, size: number, body: Buffer }} Reply `size`: bytes of head and body
 */

/**
 * A header of a reply; undefined when it has none.
 * @param {Reply} reply
 * @param {string} name
 */
export function header({ head }, name) {
  return new RegExp(`\r\n${name}: *([^\r]*)`, 'i').exec(head)?.[1];
}

/** One kept connection; one request at a time. Whatever breaks it rejects the request under way. */
export class Connection {
  #port;
  #socket;
  /** The request under way, and what has come of its reply. */
  #waiting;
  #rest = Buffer.alloc(0);
  #reply;
  #left = 0;
  #kept = [];

  /** @param {number} port */
  constructor(port) {
    this.#port = port;
    const callback = (size, bytes) => {
      this.#take(bytes.subarray(0, size));
      return true;
    };
    this.#socket = connect({ host, port, noDelay: true, onread: { buffer, callback } });
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the connection was closed before the end of a reply')));
  }

  /**
   * @param {Asked} asked
   * @returns {Promise<Reply>}
   */
  ask({ method = 'GET', path, headers = {}, body, keep = false }) {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return void reject(new Error('the connection is closed'));
      this.#waiting = { resolve, reject, keep, isHead: method === 'HEAD' };
      const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}:${this.#port}`];
      for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
      if (body !== undefined || method === 'POST' || method === 'PUT')
        lines.push(`Content-Length: ${Buffer.byteLength(body ?? '')}`);
      this.#socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      if (body !== undefined) this.#socket.write(body);
    });
  }

  close() {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #take(part) {
    if (this.#reply === undefined) {
      const bytes = this.#rest.length === 0 ? part : Buffer.concat([this.#rest, part]);
      const end = bytes.indexOf(headEnd);
      if (end === -1) return void (this.#rest = Buffer.from(bytes));
      this.#rest = Buffer.alloc(0);
      this.#begin(bytes.latin1Slice(0, end + 2), end + 4);
      part = bytes.subarray(end + 4);
    }
    if (part.length > this.#left) return this.#fail(new Error('more bytes came than were announced'));
    if (this.#waiting?.keep && part.length > 0) this.#kept.push(Buffer.from(part));
    this.#left -= part.length;
    if (this.#left === 0) this.#end();
  }

  #begin(head, headSize) {
    const status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    const hasBody = !(this.#waiting?.isHead || status === 204 || status === 304);
    if (hasBody && length === undefined) this.#fail(new Error(`a reply without a length: ${head.slice(0, 60)}`));
    this.#left = hasBody ? Number(length) : 0;
    this.#reply = { status, head, size: headSize + this.#left };
  }

  #end() {
    const { resolve } = this.#waiting ?? {};
    const reply = { ...this.#reply, body: Buffer.concat(this.#kept) };
    this.#waiting = undefined;
    this.#reply = undefined;
    this.#kept = [];
    resolve?.(reply);
  }

  #fail(error) {
    const { reject } = this.#waiting ?? {};
    this.#waiting = undefined;
    this.#socket.destroy();
    reject?.(error);
  }
}

/**
 * One request on a connection of its own, its body kept.
 * @param {number} port
 * @param {Asked} asked
 */
export async function ask(port, asked) {
  const connection = new Connection(port);
  try {
    return await connection.ask({ keep: true, ...asked });
  } finally {
    connection.close();
  }
}

/**
 * Whole jobs on each of the connections until the time is over; one that fails ends all.
 * `job` resolves with the bytes that it moved.
 * @param {number} port
 * @param {{ connections: number, seconds: number, job: (connection: Connection) => Promise<number> }} load
 */
export async function drive(port, { connections, seconds, job }) {
  const all = Array.from({ length: connections }, () => new Connection(port));
  const took = [];
  let bytes = 0;
  const begun = performance.now();
  const isOver = () => performance.now() - begun >= seconds * 1000;
  const work = async (connection) => {
    do {
      const since = performance.now();
      const moved = await job(connection);
      bytes += moved;
      took.push(performance.now() - since);
    } while (!isOver());
  };
  try {
    await Promise.all(all.map(work));
  } finally {
    for (const connection of all) connection.close();
  }
  return { count: took.length, bytes, seconds: (performance.now() - begun) / 1000, p50: percentile(took, 0.5) };
}
