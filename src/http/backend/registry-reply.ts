/** What the registry answers, made into what the client is to get. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { digestOf } from '../../distribution/digest.ts';
import { isManifest, requestedDigest } from './content-digest.ts';
import { errorHeaders, ownError, readError } from './registry-errors.ts';
import type { ReplySink } from './reply.ts';
import type { Transfer } from './transfer.ts';
import { type Origins, returnedHeaders } from './upstream-headers.ts';
import { memoryShort, readWhole } from './whole-content.ts';

export interface RegistryReplies {
  readonly origins: Origins;
  /** Milliseconds without a byte. */
  readonly idleMs: number;
  /** What a tag names now, if the registry can tell. */
  readonly digestOfTag: (repository: string, tag: string) => Promise<string | undefined>;
}

/** Hands the reply to `sink`, with a digest if there is any way to know it, or fails the transfer. */
export function takeReply(
  response: IncomingMessage,
  transfer: Transfer,
  replies: RegistryReplies,
  sink: ReplySink,
): void {
  const { asked, target } = transfer;
  const { route } = asked;
  const { statusCode: status = 0 } = response;
  transfer.answered();
  if (status < 200 || status > 599) return transfer.fail('broken', `status ${status}`);
  if (status === 401 || status === 403)
    return transfer.fail('broken', `the registry itself refuses access (${status})`);
  const returned = returnedHeaders(response, route, target, replies.origins, asked);
  if ('problem' in returned) return transfer.fail('broken', returned.problem);
  const { headers } = returned;
  const digest = response.headers['docker-content-digest'];
  transfer.digest = typeof digest === 'string' ? digest : undefined;
  if (status >= 400) return refuse(response, headers, transfer, replies, sink);
  const isNamed = transfer.digest !== undefined || ![200, 201, 206].includes(status);
  if (isNamed) return sink.onReply({ status, headers, content: response }, transfer);
  transfer.digest = requestedDigest(route, asked.content);
  if (transfer.digest === undefined && route.kind === 'manifest-get' && isManifest(response))
    void nameByContent(response, headers, transfer, replies, sink);
  else sink.onReply({ status, headers: named(headers, transfer), content: response }, transfer);
}

function named(headers: OutgoingHttpHeaders, { digest }: Transfer): OutgoingHttpHeaders {
  return digest === undefined ? headers : { ...headers, 'docker-content-digest': digest };
}

function refuse(
  response: IncomingMessage,
  headers: OutgoingHttpHeaders,
  transfer: Transfer,
  { idleMs }: RegistryReplies,
  sink: ReplySink,
): void {
  const { statusCode: status = 500 } = response;
  const { asked } = transfer;
  if (asked.exchange.request.method === 'HEAD')
    return sink.onReply({ status, headers: errorHeaders(response, headers), content: response }, transfer);
  transfer.disown();
  // Words about a login are for whoever logs in there, which no client does.
  if (response.headers['www-authenticate'] !== undefined) {
    response.destroy();
    const { headers: ours, body: content } = ownError(status, asked, headers);
    return sink.onReply({ status, headers: ours, content }, transfer);
  }
  void readError(response, asked, headers, { idleMs, share: transfer.memory() }).then(
    ({ headers, body: content, detail }) => sink.onReply({ status, headers, content, detail }, transfer),
  );
}

/** A manifest by tag, of which only the content tells the digest: that of these bytes, or for a HEAD of what there is now. */
async function nameByContent(
  response: IncomingMessage,
  headers: OutgoingHttpHeaders,
  transfer: Transfer,
  { digestOfTag }: RegistryReplies,
  sink: ReplySink,
): Promise<void> {
  const { exchange, route } = transfer.asked;
  try {
    if (exchange.request.method === 'HEAD') {
      if (route.kind === 'manifest-get' && 'tag' in route.reference)
        transfer.digest = await digestOfTag(route.repository, route.reference.tag);
      const { statusCode: status = 200 } = response;
      return sink.onReply({ status, headers: named(headers, transfer), content: response }, transfer);
    }
    const content = await readWhole(response, transfer.memory());
    if (content === 'no_memory') return transfer.fail(content, memoryShort);
    if (content === 'too_large') return transfer.fail('broken', 'the manifest is larger than 4 MiB');
    // What was encoded for the way has another digest than it has.
    if (!transfer.isSettled && headers['content-encoding'] === undefined) transfer.digest = digestOf(content);
    sink.onReply({ status: 200, headers: named(headers, transfer), content }, transfer);
  } catch (error) {
    transfer.failWith(error instanceof Error ? error : new Error(String(error)));
  }
}
