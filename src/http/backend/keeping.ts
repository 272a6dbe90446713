/** The sink that keeps what passes, and lets memory answer where the registry does not. */
import type { IncomingMessage } from 'node:http';
import { hasDigest } from '../../distribution/digest.ts';
import type { MemoryShare } from '../../limits/memory-budget.ts';
import type { Forwarding } from './forwarding.ts';
import { type Wanted, keepableBytes, keptHeaders, textOf } from './cache-rules.ts';
import type { Kept } from './kept-replies.ts';
import type { ReplySink } from './reply.ts';

/** What is known of a reply when it may be kept. */
export type Keepable = Pick<Kept, 'digest' | 'headers' | 'etag' | 'content'>;

export interface Keeping {
  readonly wanted: Wanted;
  /** Of the largest blob that is kept. */
  readonly blobBytes: number;
  /** For content while it comes and until the client has it. */
  readonly share: MemoryShare;
  /** Gets it, or undefined when the reply is nothing to keep; once. */
  readonly onKeepable: (kept: Keepable | undefined) => void;
  /** Whether memory will answer instead; asked before anything has gone to the client, who gets nothing then. */
  readonly standsIn: () => boolean;
}

/** Hands every reply on to `next` as it comes, and copies what may be kept on its way. */
export function keepingInto(keeping: Keeping, next: ReplySink): ReplySink {
  const { wanted, blobBytes, share, onKeepable, standsIn } = keeping;
  return {
    onReply(reply, transfer) {
      const { status, content, headers } = reply;
      if ((status === 502 || status === 503 || status === 504) && !transfer.isSettled && standsIn()) {
        transfer.abandon();
        return transfer.complete(status);
      }
      const length = keepableBytes(reply, wanted, blobBytes);
      const digest = wanted.digest ?? transfer.digest;
      const isNamedSo = digest !== undefined && (transfer.digest ?? digest) === digest;
      if (length === undefined || !isNamedSo) onKeepable(undefined);
      else {
        const known = { digest, headers: keptHeaders(headers, length), etag: textOf(headers.etag) };
        const keep = (whole: Buffer): void =>
          onKeepable(hasDigest(whole, digest) ? { ...known, content: whole } : undefined);
        if (wanted.isHead) onKeepable({ ...known, content: undefined });
        else if (Buffer.isBuffer(content)) keep(content);
        else if (share.grow(length)) copy(content, length, keep);
        else onKeepable(undefined);
      }
      next.onReply(reply, transfer);
    },

    onFailure(failure, transfer) {
      const isSilent = failure === 'unreachable' || failure === 'timeout';
      if (isSilent && !transfer.asked.exchange.response.headersSent && standsIn()) return 0;
      return next.onFailure(failure, transfer);
    },
  };
}

/** Calls `keep` when all of it has come, and never when it breaks off. */
function copy(content: IncomingMessage, length: number, keep: (whole: Buffer) => void): void {
  const whole = Buffer.allocUnsafeSlow(length);
  let at = 0;
  // At once: the memory of a chunk is freed when the client has it.
  content.on('data', (chunk: Buffer) => (at += chunk.copy(whole, at)));
  content.once('end', () => {
    if (at === length) keep(whole);
  });
}

/** Whether it ended because the client went away. */
export function isLeft({ outcome }: Forwarding): boolean {
  return outcome === 'client_gone' || outcome === 'client_timeout' || outcome === 'gateway_stopped';
}
