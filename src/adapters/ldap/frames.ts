/**
 * LDAP messages cut out of a stream, whole, and only such as the library can read: it waits for the rest of a part that says
 * to be longer than what it is in, for ever.
 */

/** Bytes of one message. Directories answer in kilobytes; whoever sends more is not read on. */
const maxFrame = 1024 * 1024;

export class Frames {
  #chunks: Buffer[] = [];
  #size = 0;

  /** Whether nothing of a next message is here. */
  get isEmpty(): boolean {
    return this.#size === 0;
  }

  /** The messages that are whole with this. undefined: what comes is no LDAP, or more than is read. */
  push(chunk: Buffer): readonly Buffer[] | undefined {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const frames: Buffer[] = [];
    let rest: Buffer | undefined;
    for (;;) {
      const [first] = this.#chunks;
      // Where the length is not in the first piece, or more came than it said, all is put together; else it waits in pieces.
      const head = rest ?? (first !== undefined && first.length >= 6 ? first : (rest = Buffer.concat(this.#chunks)));
      const length = frameLength(head);
      if (length === undefined) return undefined;
      if (length === 0 || length > (rest?.length ?? this.#size)) break;
      rest ??= Buffer.concat(this.#chunks);
      const frame = rest.subarray(0, length);
      if (!isWellFormed(frame)) return undefined;
      frames.push(frame);
      rest = rest.subarray(length);
    }
    if (rest !== undefined) {
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#size = rest.length;
    }
    return frames;
  }
}

/** Of the message that begins here, with its head; 0 while that cannot be told, undefined where none begins. */
function frameLength(head: Buffer): number | undefined {
  if (head.length === 0) return 0;
  if (head[0] !== 0x30) return undefined;
  const part = partAt(head, 0);
  if (part === 'short') return 0;
  return part === undefined || part.end > maxFrame ? undefined : part.end;
}

interface Part {
  readonly begin: number;
  readonly end: number;
}

/** Where the content of the part at `at` begins and ends; lengths are of up to four bytes, and definite (RFC 4511, section 5.1). */
export function partAt(bytes: Buffer, at: number): Part | 'short' | undefined {
  const first = bytes[at + 1];
  if (first === undefined) return 'short';
  if (first < 0x80) return { begin: at + 2, end: at + 2 + first };
  const count = first & 0x7f;
  if (count === 0 || count > 4) return undefined;
  const begin = at + 2 + count;
  if (begin > bytes.length) return 'short';
  return { begin, end: begin + bytes.readUIntBE(at + 2, count) };
}

/** Whether the parts of each part fill it exactly. */
function isWellFormed(bytes: Buffer, from = 0, to = bytes.length, depth = 0): boolean {
  if (depth > 16) return false;
  for (let at = from; at < to;) {
    const part = partAt(bytes, at);
    if (part === undefined || part === 'short' || part.end > to) return false;
    const isMade = ((bytes[at] ?? 0) & 0x20) !== 0;
    if (isMade && !isWellFormed(bytes, part.begin, part.end, depth + 1)) return false;
    at = part.end;
  }
  return true;
}
