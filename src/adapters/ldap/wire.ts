/** Questions and answers on one connection to a directory server, several at once. */
import type { Socket } from 'node:net';
import {
  BindRequest,
  BindResponse,
  ExtendedRequest,
  ExtendedResponse,
  type Filter,
  MessageParser,
  SearchEntry,
  SearchReference,
  SearchRequest,
  SearchResponse,
  UnbindRequest,
} from 'ldapts';
import { wordsOf } from '../failure.ts';
import { type Entry, entryOf } from './entry.ts';
import { Frames } from './frames.ts';
import { isAnswer } from './grammar.ts';

/** `late`: no answer in time; `cut`: the connection ended; `refused`: the server will not, or cannot. In words for operators. */
export interface Trouble {
  readonly ok: false;
  readonly why: 'late' | 'cut' | 'refused';
  readonly detail: string;
  /** It is about the person who is asked for: of others the server says what it knows. */
  readonly isTheirs?: boolean;
}

/** `status` as RFC 4511 numbers results; `text` is the server's own. */
export type Reply =
  { readonly ok: true; readonly status: number; readonly text: string; readonly entries: readonly Entry[] } | Trouble;

export interface Search {
  readonly base: string;
  readonly scope: 'base' | 'sub';
  readonly filter: Filter;
  readonly attributes: readonly string[];
  readonly sizeLimit: number;
}

type Kind = typeof BindResponse | typeof SearchResponse | typeof ExtendedResponse;

interface Pending {
  readonly kind: Kind;
  readonly maxEntries: number;
  readonly entries: Entry[];
  bytes: number;
  readonly settle: (reply: Reply) => void;
}

const noLdap = 'sends what is no LDAP';
/** Of all that answers one question. */
const maxAnswerBytes = 4 * 1024 * 1024;
/** For the server to end a connection that was said goodbye to. */
const goodbyeMs = 500;

/** Milliseconds on the clock of `performance.now`. */
export type Deadline = number;

export class Wire {
  readonly #socket: Socket;
  readonly #frames = new Frames();
  readonly #parser = new MessageParser();
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #frameBytes = 0;
  #isLate = false;
  /** Messages came that answer nothing. */
  #hasStrays = false;
  #end: string | undefined;

  /** Takes over a socket that is connected. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.#parser.on('message', (message) => this.#take(message));
    this.#parser.on('error', () => this.#fail(noLdap));
    socket.on('data', this.#read);
    socket.on('error', (error) => this.#fail(wordsOf(error)));
    socket.on('close', () => this.#fail('closed the connection'));
  }

  /** Whether it is worth asking. */
  get isUsable(): boolean {
    return this.#end === undefined && !this.#isLate;
  }

  bind(dn: string, password: string, deadline: Deadline): Promise<Reply> {
    return this.#ask((messageId) => new BindRequest({ messageId, dn, password }), BindResponse, 0, deadline);
  }

  /** References to other servers are not followed. */
  search({ base: baseDN, scope, filter, attributes, sizeLimit }: Search, deadline: Deadline): Promise<Reply> {
    const asked = { baseDN, scope, filter, attributes: [...attributes], sizeLimit, timeLimit: 3 };
    return this.#ask((messageId) => new SearchRequest({ messageId, ...asked }), SearchResponse, sizeLimit, deadline);
  }

  /** Asks for TLS. Where it is given the socket is free for it, and this is over. */
  async startTls(deadline: Deadline): Promise<{ readonly ok: true; readonly socket: Socket } | Trouble> {
    const make = (messageId: number) => new ExtendedRequest({ messageId, oid: '1.3.6.1.4.1.1466.20037' });
    const reply = await this.#ask(make, ExtendedResponse, 0, deadline);
    if (!reply.ok) return reply;
    if (reply.status !== 0) return this.#broken(`refuses StartTLS: ${inWords(reply)}`);
    // Whatever follows in the clear was put there by somebody else, and would be read as part of what comes encrypted.
    if (this.#hasStrays || !this.#frames.isEmpty || this.#socket.readableLength > 0)
      return this.#broken('says more than yes to StartTLS');
    if (this.#end !== undefined) return { ok: false, why: 'cut', detail: this.#end };
    this.#end = 'is spoken to in TLS';
    this.#socket.removeAllListeners('data');
    return { ok: true, socket: this.#socket };
  }

  /** Says goodbye; what was asked and not answered is cut. */
  close(): void {
    if (this.#end !== undefined) return;
    const goodbye = new UnbindRequest({ messageId: ++this.#lastId }).write();
    this.#finish('was left');
    this.#socket.end(goodbye);
    setTimeout(() => this.#socket.destroy(), goodbyeMs).unref();
  }

  readonly #read = (chunk: Buffer): void => {
    const frames = this.#frames.push(chunk);
    for (const frame of frames ?? []) {
      if (this.#end !== undefined) return;
      if (!isAnswer(frame)) return this.#fail(noLdap);
      this.#frameBytes = frame.length;
      this.#parser.read(frame, new Map());
    }
    if (frames === undefined) this.#fail('sends what is no LDAP, or too much of it');
  };

  #ask(make: (id: number) => { write(): Buffer }, kind: Kind, maxEntries: number, deadline: Deadline): Promise<Reply> {
    if (this.#end !== undefined) return Promise.resolve({ ok: false, why: 'cut', detail: this.#end });
    const id = ++this.#lastId;
    const request = make(id).write();
    return new Promise((resolve) => {
      const settle = (reply: Reply): void => {
        clearTimeout(timer);
        this.#pending.delete(id);
        resolve(reply);
        // The others on it may still be answered; nobody asks any more there.
        if (this.#isLate && this.#pending.size === 0) this.#fail('does not answer in time');
      };
      const timer = setTimeout(
        () => {
          this.#isLate = true;
          settle({ ok: false, why: 'late', detail: 'does not answer in time' });
        },
        Math.max(0, deadline - performance.now()),
      );
      this.#pending.set(id, { kind, maxEntries, entries: [], bytes: 0, settle });
      this.#socket.write(request);
    });
  }

  #take(message: { readonly messageId: number; readonly status: number; readonly errorMessage: string }): void {
    const pending = this.#pending.get(message.messageId);
    if (pending === undefined) {
      // Nobody waits for it any longer, or nobody ever asked: a server says that it leaves.
      this.#hasStrays = true;
      return message.messageId === 0 ? this.#fail('ended the connection') : undefined;
    }
    pending.bytes += this.#frameBytes;
    if (pending.bytes > maxAnswerBytes) return this.#fail('answers with too much');
    if (message instanceof SearchReference) return;
    if (message instanceof SearchEntry) {
      if (pending.kind !== SearchResponse || pending.entries.length >= pending.maxEntries)
        return this.#fail('answers with more than was asked for');
      pending.entries.push(entryOf(message));
      return;
    }
    if (!(message instanceof pending.kind)) return this.#fail('answers something else');
    const { status, errorMessage: text } = message;
    pending.settle({ ok: true, status, text, entries: pending.entries });
  }

  #broken(detail: string): Trouble {
    this.#fail(detail);
    return { ok: false, why: 'refused', detail };
  }

  #fail(detail: string): void {
    if (this.#end === undefined) this.#finish(detail);
    this.#socket.destroy();
  }

  #finish(detail: string): void {
    this.#end = detail;
    for (const { settle } of [...this.#pending.values()]) settle({ ok: false, why: 'cut', detail });
  }
}

const names: Readonly<Record<number, string>> = {
  1: 'operations error',
  2: 'protocol error',
  3: 'time limit exceeded',
  4: 'size limit exceeded',
  8: 'stronger authentication required',
  10: 'referral to another server, which is not followed',
  11: 'administrative limit exceeded',
  13: 'confidentiality required',
  18: 'inappropriate matching',
  19: 'constraint violation',
  32: 'no such object',
  48: 'inappropriate authentication',
  49: 'invalid credentials',
  50: 'insufficient access rights',
  51: 'busy',
  52: 'unavailable',
  53: 'unwilling to perform',
};

/** A result as operators read it. The server's own text is cut, and holds no line end. */
export function inWords({ status, text }: { readonly status: number; readonly text: string }): string {
  const own = text.replace(/[^\x20-\x7e]+/g, ' ').trim();
  return `${names[status] ?? 'result'} (${status})${own === '' ? '' : `, "${own.slice(0, 120)}"`}`;
}
