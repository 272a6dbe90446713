/** Reads that the registry answers with a redirect to object storage, followed for the client. */
import { type IncomingMessage, request as httpRequest } from 'node:http';
import type { OnResponse } from './attempt.ts';
import { namedDigest, requestedDigest } from './content-digest.ts';
import {
  type RedirectRules,
  isRedirect,
  maxHops,
  redirectProblem,
  storageHeaders,
  storageRequestHeaders,
} from './redirects.ts';
import { errorHeaders, ownError } from './registry-errors.ts';
import type { ReplySink } from './reply.ts';
import { readStored } from './stored-content.ts';
import { memoryShort } from './whole-content.ts';
import type { Transfer } from './transfer.ts';
import type { UpstreamAgents } from './upstream-agents.ts';
import { type Origins, returnedHeaders, storageUrl } from './upstream-headers.ts';

export interface Storages {
  readonly origins: Origins;
  readonly rules: RedirectRules;
  readonly agents: Pick<UpstreamAgents, 'storage'>;
}

/** Hands to `sink` what a storage has, and to `next` whatever leads to none or may pass; fails what leads where it may not. */
export function following(transfer: Transfer, storages: Storages, sink: ReplySink, next: OnResponse): OnResponse {
  const { route } = transfer.asked;
  return (response) => {
    const { statusCode: status = 0, headers } = response;
    const elsewhere = storageUrl(headers.location ?? '', status, route, storages.origins);
    if (elsewhere === undefined) return next(response);
    const { upstream } = storages.origins;
    const problem = redirectProblem(elsewhere, upstream, upstream, storages.rules);
    if (problem !== undefined) return transfer.fail('broken', problem);
    if (storages.rules.mode === 'pass') return next(response);
    transfer.digest = requestedDigest(route, undefined) ?? namedDigest(response, route);
    follow(elsewhere, 1, response, transfer, storages, sink);
  };
}

/** `before` said so; nothing else of it is wanted. */
function follow(
  url: URL,
  hop: number,
  before: IncomingMessage,
  transfer: Transfer,
  storages: Storages,
  sink: ReplySink,
): void {
  const number = transfer.nextAttempt();
  before.destroy();
  const { exchange, route } = transfer.asked;
  const { method, headers } = exchange.request;
  const outgoing = httpRequest(url, {
    method,
    headers: storageRequestHeaders(headers, route.kind === 'blob-get'),
    // Speaks TLS or not.
    agent: storages.agents.storage(url.protocol),
  });
  outgoing.once('socket', () => transfer.opened(outgoing, number));
  outgoing.on('error', (error) => {
    if (transfer.isCurrent(number)) transfer.failOpen(error, `${url.host}: ${error.message}`);
  });
  outgoing.on('response', (stored) => {
    const { location } = stored.headers;
    if (!isRedirect(stored.statusCode ?? 0) || location === undefined)
      return takeStored(stored, url, transfer, storages, sink);
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    if (next === undefined || hop === maxHops)
      return transfer.fail('broken', `${url.host} redirects once more, to nowhere or too often`);
    const problem = redirectProblem(next, url, storages.origins.upstream, storages.rules);
    if (problem !== undefined) return transfer.fail('broken', problem);
    follow(next, hop + 1, stored, transfer, storages, sink);
  });
  outgoing.end();
}

function takeStored(
  stored: IncomingMessage,
  url: URL,
  transfer: Transfer,
  { origins }: Storages,
  sink: ReplySink,
): void {
  transfer.answered();
  const { asked, digest, target } = transfer;
  const { route, exchange } = asked;
  const isBlob = route.kind === 'blob-get';
  const isHead = exchange.request.method === 'HEAD';
  const detail = `from ${url.host}`;
  const broken = (problem: string): void => transfer.fail('broken', `${url.host}: ${problem}`);
  const kept = storageHeaders(stored, digest, isBlob);
  if ('problem' in kept) return broken(kept.problem);
  const { statusCode: status = 500 } = stored;
  if (status >= 400 && !isHead) {
    // Its words are about buckets and keys.
    stored.destroy();
    const { headers, body } = ownError(status, asked, kept.headers);
    return sink.onReply({ status, headers, content: body }, transfer);
  }
  if (isBlob || status !== 200 || isHead) {
    const headers = status >= 400 ? errorHeaders(stored, kept.headers) : kept.headers;
    return sink.onReply({ status, headers, content: stored, detail }, transfer);
  }
  const passed = returnedHeaders(stored, route, target, origins, asked);
  if ('problem' in passed) return broken(passed.problem);
  const { link, 'oci-filters-applied': filters } = passed.headers;
  const listed = { ...(link && { link }), ...(filters && { 'oci-filters-applied': filters }) };
  readStored(stored, route, digest, { ...kept.headers, ...listed }, transfer.memory()).then(
    (read) => {
      if (read === 'no_memory') return transfer.fail(read, `${url.host}: ${memoryShort}`);
      if ('problem' in read) return broken(read.problem);
      if (!transfer.isSettled) transfer.digest = read.digest;
      sink.onReply({ status, headers: read.headers, content: read.content, detail }, transfer);
    },
    (error: unknown) => broken(String(error)),
  );
}
