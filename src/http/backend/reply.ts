/** A reply as a value, and where it goes. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { FailureSink, Transfer } from './transfer.ts';

/** As the client is to get it, whoever gave it. */
export interface Reply {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  /** As it comes and nobody has read it, or whole. */
  readonly content: IncomingMessage | Buffer;
  /** For the log: where it came from, or words that the client does not get. */
  readonly detail?: string | undefined;
}

/** Takes what comes of one request after the other. One that only looks hands on to a next one. */
export interface ReplySink extends FailureSink {
  /** At most once for each transfer, which it completes. What it does not want to wait for it fails. */
  onReply(reply: Reply, transfer: Transfer): void;
}
