/** One exchange on its way to the registry and back: how far it is, whose turn it is, and the one way in which it ends. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { RegistryRoute } from '../../distribution/route.ts';
import { formatTarget } from '../../distribution/target.ts';
import { clientNetwork, clientSite } from '../../limits/client-network.ts';
import type { MemoryBudget, MemoryShare } from '../../limits/memory-budget.ts';
import type { Exchange } from '../front/exchange.ts';
import type { UpstreamFailure } from '../front/respond.ts';
import type { Forwarding } from './forwarding.ts';
import { type ProgressWatch, movedBytes } from './progress.ts';
import type { Seals } from './upstream-headers.ts';

/** What is asked of a registry for a client. */
export interface BackendRequest extends Seals {
  readonly exchange: Exchange;
  readonly route: RegistryRoute;
  /** Stands in for a body that was already read. */
  readonly content?: Buffer;
  /** Path and query that the registry wrote itself, instead of the route's own. */
  readonly target?: string;
  /** Milliseconds that the registry may think, where there is another answer than its own. */
  readonly patienceMs?: number | undefined;
}

export interface TransferTerms {
  /** Milliseconds for a connection to the registry or its storage. */
  readonly connectMs: number;
  /** Milliseconds without a byte in either direction. */
  readonly idleMs: number;
  /** Milliseconds the registry may think once it has the whole request: finishing a large upload takes it minutes. */
  readonly responseMs: number;
  readonly watch: ProgressWatch;
  /** For content that is read whole before the client gets it. */
  readonly contentMemory: MemoryBudget;
  /** Whether it is the gateway that ends connections, not their clients. */
  readonly isStopping: () => boolean;
}

/** Milliseconds in which content that is read whole is there and taken: whoever dribbles holds memory that others need. */
const holdMs = 60_000;

/** What went wrong: with the registry, or with a client that neither sends nor takes what it should. */
export type Failure = UpstreamFailure | 'client_silent';

/** Tells the client, and returns the status that it has. */
export interface FailureSink {
  onFailure(failure: Failure, transfer: Transfer): number;
}

export class Transfer {
  readonly asked: BackendRequest;
  /** Path and query that the registry is asked for. */
  readonly target: string;
  /** Bytes of the body that went to the registry. */
  sent: number;
  /** Bytes of the content that came for the client. */
  received = 0;
  /** What the content is called, once that is known. */
  digest: string | undefined;
  #phase: 'opening' | 'connected' | 'answered' | 'settled' = 'opening';
  #attempts = 0;
  #isLost = false;
  #outgoing: ClientRequest | undefined;
  #socket: Socket | undefined;
  #memory: { readonly share: MemoryShare; readonly deadline: NodeJS.Timeout } | undefined;
  readonly #terms: TransferTerms;
  readonly #sink: FailureSink;
  readonly #onSettled: (forwarding: Forwarding) => void;

  constructor(
    asked: BackendRequest,
    terms: TransferTerms,
    sink: FailureSink,
    onSettled: (forwarding: Forwarding) => void,
  ) {
    this.asked = asked;
    this.target = asked.target ?? formatTarget(asked.route);
    this.sent = asked.content?.length ?? 0;
    this.#terms = terms;
    this.#sink = sink;
    this.#onSettled = onSettled;
  }

  get isSettled(): boolean {
    return this.#phase === 'settled';
  }

  get isAnswered(): boolean {
    return this.#phase === 'answered';
  }

  /** False, and settled, for a client that left before anything was asked of the registry. */
  begin(): boolean {
    const { exchange, content } = this.asked;
    const { request, response } = exchange;
    if (response.destroyed || request.socket.destroyed) {
      this.#settle(499, 'client_gone');
      return false;
    }
    response.on('close', this.onClientClose);
    this.#terms.watch.add(this);
    if (exchange.expectsContinue && content === undefined) response.writeContinue();
    return true;
  }

  /** One more request for this exchange, by its number; what becomes of those before it is of no interest any more. */
  nextAttempt(): number {
    if (!this.isSettled) this.#phase = 'opening';
    return ++this.#attempts;
  }

  isCurrent(attempt: number): boolean {
    return attempt === this.#attempts && !this.isSettled;
  }

  /** To be called once with each request, when it has its socket. */
  opened(outgoing: ClientRequest, attempt: number): void {
    this.#outgoing = outgoing;
    if (this.isSettled) return void outgoing.destroy();
    const { socket } = outgoing;
    this.#socket = socket ?? undefined;
    // Without a descriptor left it is neither: it never began.
    if (socket?.connecting === false && !socket.destroyed) this.#phase = 'connected';
    if (socket?.connecting) this.#connecting(socket);
    // The socket belongs to nobody from here on; the end of its request may leave it open.
    outgoing.once('upgrade', (_response: IncomingMessage, switched: Socket) => {
      switched.destroy();
      this.fail('broken', 'the registry switched protocols');
    });
    outgoing.once('close', () => {
      setImmediate(() => {
        if (!this.isAnswered && this.isCurrent(attempt))
          this.lose('the registry closed the connection without an answer');
      });
    });
  }

  #connecting(socket: Socket): void {
    const timer = setTimeout(() => this.fail('timeout', 'no connection in time'), this.#terms.connectMs);
    const stop = (): void => clearTimeout(timer);
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => {
      if (this.#phase === 'opening') this.#phase = 'connected';
      stop();
    });
    socket.once('close', stop);
  }

  /** The reply has begun that the client is to get. */
  answered(): void {
    if (!this.isSettled) this.#phase = 'answered';
  }

  /** Where content that is read whole is counted, until the client has it: a minute at most. */
  memory(): MemoryShare {
    this.#memory ??= {
      share: this.#terms.contentMemory.open(clientSite(clientNetwork(this.asked.exchange.address))),
      deadline: setTimeout(() => this.#endHolding(), holdMs),
    };
    if (this.isSettled) this.#letGo();
    return this.#memory.share;
  }

  #endHolding(): void {
    const isSent = this.asked.exchange.response.headersSent;
    this.fail(isSent ? 'client_silent' : 'timeout', 'content that is read whole took longer than a minute');
  }

  #letGo(): void {
    clearTimeout(this.#memory?.deadline);
    this.#memory?.share.close();
  }

  /** The registry may hang up from now on, as registries do that have not read the body. */
  disown(): void {
    this.#attempts++;
  }

  /** It answered without the rest of the body, and might keep the connection to wait for it. */
  abandon(): void {
    this.disown();
    this.#outgoing?.destroy();
  }

  /** The client has everything. `detail` is for the log. */
  complete(status: number, detail?: string): void {
    this.#settle(status, 'complete', detail);
  }

  /** Of the request on its way now; of one that never had a connection, the registry was not reached. */
  failOpen(error: NodeJS.ErrnoException, detail = error.message): void {
    if (this.#phase === 'opening') this.fail('unreachable', detail);
    else this.failWith(error, detail);
  }

  /** What came of the registry cannot be used, or its connection was lost. */
  failWith(error: NodeJS.ErrnoException, detail = error.message): void {
    if (lostCodes.has(error.code ?? '')) this.lose(detail);
    else this.fail('broken', detail);
  }

  /** The connection ended too early. */
  lose(detail: string): void {
    if (this.isSettled) return;
    this.#isLost = true;
    this.fail('broken', detail);
  }

  /** Nothing, once it has settled. */
  fail(failure: Failure, detail: string): void {
    if (this.isSettled) return;
    this.#outgoing?.destroy();
    this.#settle(this.#sink.onFailure(failure, this), outcomeOf(failure), detail);
  }

  readonly onClientClose = (): void => {
    const { response } = this.asked.exchange;
    if (response.writableFinished) return;
    this.#outgoing?.destroy();
    const outcome = this.#terms.isStopping() ? 'gateway_stopped' : 'client_gone';
    this.#settle(response.headersSent ? response.statusCode : 499, outcome);
  };

  #settle(status: number, outcome: Forwarding['outcome'], detail?: string): void {
    if (this.isSettled) return;
    this.#phase = 'settled';
    this.#terms.watch.remove(this);
    this.#letGo();
    this.asked.exchange.response.off('close', this.onClientClose);
    const bytes = Math.max(this.received, this.sent);
    const { digest } = this;
    this.#onSettled({ status, outcome, bytes, digest, detail, ...(this.#isLost ? { isLost: true } : {}) });
  }

  /** All that the registry is to be sent is here. */
  get #isWhole(): boolean {
    return this.asked.exchange.request.complete || this.asked.content !== undefined;
  }

  /** That moved in both directions. What comes after this exchange is another one, and no reason to wait for this client. */
  bytes(): number {
    const { request, response } = this.asked.exchange;
    const { socket } = request;
    const after = this.#isWhole && response.headersSent ? socket.bytesRead : 0;
    return movedBytes(socket) - after + movedBytes(this.#socket);
  }

  sockets(): readonly Socket[] {
    const { socket } = this.asked.exchange.request;
    return this.#socket === undefined ? [socket] : [socket, this.#socket];
  }

  limitMs(): number {
    const { responseMs, idleMs } = this.#terms;
    return this.#isWhole && !this.isAnswered ? Math.min(responseMs, this.asked.patienceMs ?? responseMs) : idleMs;
  }

  onStalled(): void {
    if (!this.#isClientSilent()) return this.fail('timeout', 'no byte moved in time');
    const { headersSent } = this.asked.exchange.response;
    this.fail('client_silent', headersSent ? 'the client stopped reading' : 'the client stopped sending');
  }

  /** Whose turn it was: all that came from one side has left for the other, or waits there to be taken. */
  #isClientSilent(): boolean {
    const { response } = this.asked.exchange;
    if (response.headersSent) return response.writableLength > 0;
    const isTaken = !this.#outgoing?.writableNeedDrain && !this.#socket?.writableLength;
    return !this.#isWhole && this.#phase !== 'opening' && isTaken;
  }
}

/** Of a connection that the other end, or the network, gave up. */
const lostCodes = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

/** Who is to blame, in the words of the log. */
function outcomeOf(failure: Failure): Forwarding['outcome'] {
  if (failure === 'client_silent') return 'client_timeout';
  return failure === 'no_memory' ? 'gateway_no_memory' : `upstream_${failure}`;
}
